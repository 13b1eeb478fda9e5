"""What measures never knows what the papers printed: the code of every table is read for that."""

import ast
from pathlib import Path

import facevox.benchmarks
import pytest
from facevox.benchmarks.core.catalogue import benches

HOME = Path(facevox.benchmarks.__file__).parent
HOUSE = HOME.parent
PRINTED = HOUSE / "loaders" / "published"
Place = tuple[Path, str]


class Module:
    """A module of the house: what it defines, and what of other modules its names stand for."""

    def __init__(self, path: Path) -> None:
        self.path, self.tree = path, ast.parse(path.read_text())
        self.nodes: dict[str, ast.AST] = {}
        self.imported: dict[str, Place] = {}
        for node in self.tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                self.nodes[node.name] = node
            for target in node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]:
                if isinstance(target, ast.Name):
                    self.nodes[target.id] = node
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and node.level:
                self._take(node)

    def _take(self, node: ast.ImportFrom) -> None:
        base = self.path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
        for alias in node.names:
            module = (base / alias.name).with_suffix(".py")
            whole = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
            place = (module, "") if module.is_file() else (whole, alias.name)
            if place[0].is_relative_to(HOUSE):
                self.imported[alias.asname or alias.name] = place


def reached(path: Path, start: str, modules: dict[Path, Module]) -> dict[Place, Place | None]:
    """Everything in the house that a function can come to by name, and from where."""
    todo: list[tuple[Place, Place | None]] = [((path, start), None)]
    found: dict[Place, Place | None] = {}
    while todo:
        place, before = todo.pop()
        if place in found:
            continue
        found[place] = before
        if place[0] not in modules:
            modules[place[0]] = Module(place[0])
        module = modules[place[0]]
        node = module.nodes.get(place[1])
        if node is None:
            if place[1] in module.imported:
                todo.append((module.imported[place[1]], place))
            continue
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):
                name = part.id
                if name in module.nodes:
                    todo.append(((module.path, name), place))
                elif name in module.imported and module.imported[name][1]:
                    todo.append((module.imported[name], place))
            elif isinstance(part, ast.Attribute):
                whole = module.imported.get(getattr(part.value, "id", ""))
                if whole and not whole[1]:
                    todo.append(((whole[0], part.attr), place))
    return found


def measures(path: Path) -> list[str]:
    tree = ast.parse(path.read_text())
    return [n.name for n in tree.body if isinstance(n, ast.FunctionDef) and n.name.startswith("measure")]


def published(places: dict[Place, Place | None]) -> list[Place]:
    """Names that say so, and everything in the modules that hold what the papers count."""
    named = (place for place in places if "PUBLISHED" in place[1].upper().removeprefix("AS_PUBLISHED"))
    return [*named, *(place for place in places if place[0].is_relative_to(PRINTED))]


def names_published(path: Path) -> bool:
    return "PUBLISHED" in Module(path).nodes


@pytest.fixture(scope="module")
def modules() -> dict[Path, Module]:
    """What of the house was read: each module once."""
    return {}


@pytest.mark.parametrize("name", benches())
def test_no_published_number_is_reachable_from_measure(name, modules):
    path = HOME / f"{name}.py"
    assert measures(path) or not names_published(path), f"{name}: has PUBLISHED and no function measure.."
    for start in measures(path):
        places = reached(path, start, modules)
        assert not published(places), f"{name}: {start} reaches {published(places)}"


def test_the_reading_of_code_finds_what_is_hidden_in_other_modules(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "HOUSE", tmp_path)
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "help.py").write_text("from .. import other\ndef aid():\n    return other.PUBLISHED[0]\n")
    (tmp_path / "other.py").write_text("PUBLISHED: list[int] = [1]\n")
    table = tmp_path / "table.py"
    table.write_text("from .core.help import aid as own\ndef measure():\n    return [own() for _ in 'ab']\n")
    assert published(reached(table, "measure", {})) == [(tmp_path / "other.py", "PUBLISHED")]
    table.write_text("TRICK = {'a': PUBLISHED}\nPUBLISHED = 1\ndef measure():\n    return TRICK\n")
    assert published(reached(table, "measure", {}))
    table.write_text("PUBLISHED = 1\ndef measure():\n    return 2\n\ndef run():\n    return PUBLISHED, measure()\n")
    assert not published(reached(table, "measure", {}))


def test_the_reading_of_code_goes_beyond_the_benchmarks(modules):
    printed = published(reached(HOME / "speakingfaces_table2.py", "run", modules))
    assert (PRINTED / "speakingfaces.py", "TABLE_2") in printed, "no name with PUBLISHED in it"
    models = reached(HOME / "speakingfaces_table4.py", "measure", modules)
    assert any(path.is_relative_to(HOUSE / "models") for path, _ in models)


def test_table_4_is_read_to_its_end(modules):
    places = {name for path, name in reached(HOME / "speakingfaces_table4.py", "measure", modules)}
    assert {"measure", "checkpoints", "pass_over", "summary", "bootstrap"} <= places
