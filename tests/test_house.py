"""The one rule: imports point down; and the bounds that keep the house readable."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = {"loaders": 0, "models": 1, "builders": 2, "benchmarks": 2}
FILES = sorted([*ROOT.glob("*.py"), *(path for folder in FLOORS for path in (ROOT / folder).rglob("*.py"))])


def imports(path: Path) -> list[tuple[str, ...]]:
    """Every module of facevox that a file imports, as path parts from the root."""
    package = path.relative_to(ROOT).parts[:-1]
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            target = (*base, *(node.module or "").split(".")) if node.module else base
            found += [tuple(part for part in (*target, alias.name) if part) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("facevox"):
            raise AssertionError(f"{path}: absolute import of {node.module}; the package imports itself relatively")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_imports_point_down(path):
    own = path.relative_to(ROOT).parts
    if own[0] not in FLOORS:
        return
    for target in imports(path):
        floor = FLOORS.get(target[0])
        assert floor is not None, f"{path.name} imports {'.'.join(target)}: the root is above every folder"
        assert target[0] == own[0] or floor < FLOORS[own[0]], (
            f"{path.name} imports {'.'.join(target)} sideways or upwards"
        )
        if target[0] == own[0] and own[1] == "core":
            assert target[1] == "core", f"core imports the top file {'.'.join(target)}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_files_and_functions_stay_small(path):
    text = path.read_text()
    assert text.count("\n") <= 350
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno + 1 <= 60, node.name


def test_one_catch_all_except_in_the_house():
    found = [
        f"{path.relative_to(ROOT)}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler)
        and getattr(node.type, "id", None) in (None, "Exception")
        and not isinstance(node.type, (ast.Tuple, ast.Attribute))
    ]
    assert found == ["builders/core/stage.py"]


def test_nothing_unpickles():
    for path in FILES:
        assert not re.search(
            r"(import|from) _?(pickle|dill|cloudpickle|shelve|marshal)\b|allow_pickle=True|weights_only=False",
            path.read_text(),
        ), path


def test_every_subpackage_is_packaged():
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    folders = {path.parent.relative_to(ROOT) for path in FILES if path.parent != ROOT}
    assert listed == {"facevox", *("facevox." + ".".join(folder.parts) for folder in folders)}
    assert all((ROOT / folder / "__init__.py").is_file() for folder in folders)
