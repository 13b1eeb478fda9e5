"""A condition on facts, written as in Python, to a filter on the index."""

import ast
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from .names import nearest

_COMPARE: dict[type[ast.cmpop], Any] = {
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
}


def selection(condition: str, table: pa.Table) -> pa.Table:
    """The rows of a table that fulfil a condition such as `visual_code == 0 and subject in [1, 5]`; "" keeps all.

    A comparison with a null is false: `not x == 2` keeps it, `x != 2` does not, `x is None` finds it. Raises
    ValueError for anything but names of columns, constants, comparisons, `in`, `is None`, `and`, `or`, `not`, and for
    unknown names (with the nearest one).
    """
    if not condition.strip():
        return table
    try:
        tree = ast.parse(condition.strip(), mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"where={condition!r}: {error.msg} at character {error.offset}") from None
    try:
        return table.filter(_expression(tree, table.column_names))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise ValueError(f"where={condition!r}: {error}") from None


def _expression(node: ast.expr, names: list[str]) -> pc.Expression:
    if isinstance(node, ast.BoolOp):
        parts = [_expression(value, names) for value in node.values]
        joined = parts[0]
        for part in parts[1:]:
            joined = joined & part if isinstance(node.op, ast.And) else joined | part
        return joined
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return ~_expression(node.operand, names)
    if isinstance(node, ast.Compare):
        return _comparison(node, names)
    if isinstance(node, ast.Name):
        return pc.coalesce(_column(node.id, names), pc.scalar(False))
    raise ValueError(f"where: {ast.unparse(node)!r} is not a comparison, a name, `and`, `or` or `not`")


def _comparison(node: ast.Compare, names: list[str]) -> pc.Expression:
    joined: pc.Expression | None = None
    left = node.left
    for operator, right in zip(node.ops, node.comparators, strict=True):
        if isinstance(operator, ast.Is | ast.IsNot) and isinstance(right, ast.Constant) and right.value is None:
            part = _operand(left, names).is_null()
            part = ~part if isinstance(operator, ast.IsNot) else part
        elif isinstance(operator, ast.In | ast.NotIn) and isinstance(right, ast.List | ast.Tuple | ast.Set):
            known = _operand(left, names)
            part = known.isin([ast.literal_eval(value) for value in right.elts])
            part = ~part & known.is_valid() if isinstance(operator, ast.NotIn) else part
        elif type(operator) in _COMPARE:
            part = _COMPARE[type(operator)](_operand(left, names), _operand(right, names))
        else:
            raise ValueError(f"where: {ast.unparse(node)!r}: expected ==, !=, <, <=, >, >=, in [...] or is None")
        # A null would otherwise stay null through `not`, and drop the row from both a condition and its opposite.
        part = pc.coalesce(part, pc.scalar(False))
        joined = part if joined is None else joined & part
        left = right
    return joined


def _operand(node: ast.expr, names: list[str]) -> pc.Expression:
    if isinstance(node, ast.Name):
        return _column(node.id, names)
    try:
        return pc.scalar(ast.literal_eval(node))
    except (ValueError, pa.ArrowInvalid):
        raise ValueError(f"where: {ast.unparse(node)!r} is neither a fact nor a constant") from None


def _column(name: str, names: list[str]) -> pc.Expression:
    if name not in names:
        raise ValueError(f"where: no fact {name!r}; {nearest(name, names)} (a text needs quotes)")
    return pc.field(name)
