"""What tables there are and what each needs, read from their files without running them.

A table's file may say, beside TITLE, in plain literals:
DATASETS, names of the datasets whose folders it is about (none: any); CONFIGS, what such a folder must be built with;
NEEDS, in words, which checkpoints, judges or files it measures with; ASKS, options that must be given, as
("embeddings",); APART, why it is not run together with the other tables; TRAININGS, what trains what it needs, without
--data and --out, as in ("gender --mode 7",); COMMAND, how it is run where that differs from the others; FOLDER, False
where it measures no dataset folder.
"""

import ast
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """One table as its file describes it."""

    name: str
    title: str
    datasets: tuple[str, ...] = ()
    configs: tuple[str, ...] = ()
    needs: str = ""
    asks: tuple[str, ...] = ()
    apart: str = ""
    trainings: tuple[str, ...] = ()
    command: str = ""
    folder: bool = True

    @property
    def line(self) -> str:
        """Name, title and needs on one line."""
        built = f" with {', '.join(self.configs)}" if self.configs else ""
        about = f"a folder of {' or '.join(self.datasets)}{built}" if self.datasets else ""
        asked = ", ".join(f"--{name.replace('_', '-')}" for name in self.asks)
        needs = "; ".join(filter(None, (about, self.needs, asked)))
        return f"{self.name}: {self.title}" + (f" [needs {needs}]" if needs else "")

    def unfit(self, dataset: str, configs: Collection[str]) -> str:
        """Why it cannot be measured on a folder of this dataset with these configs; empty where it can."""
        if self.datasets and dataset not in self.datasets:
            return f"it is about {' or '.join(self.datasets)}, the folder holds {dataset or 'nobody'}"
        if lacking := [name for name in self.configs if name not in configs]:
            return f"it reads config {lacking[0]}, the folder has {', '.join(configs)}"
        return ""


def benches() -> list[str]:
    """Names of all tables: the files beside this package's `core`. Nothing is imported."""
    here = Path(__file__).parent.parent
    return sorted(path.stem for path in here.glob("*.py") if not path.stem.startswith("_"))


def entry(name: str) -> Entry:
    """What the file of a table says of itself; literals only, nothing is run."""
    tree = ast.parse((Path(__file__).parent.parent / f"{name}.py").read_text(encoding="utf-8"))
    said = {
        target.id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
        and target.id in ("TITLE", "DATASETS", "CONFIGS", "NEEDS", "ASKS", "APART", "TRAININGS", "COMMAND", "FOLDER")
    }
    return Entry(
        name,
        said.get("TITLE", name),
        tuple(said.get("DATASETS", ())),
        tuple(said.get("CONFIGS", ())),
        said.get("NEEDS", ""),
        tuple(said.get("ASKS", ())),
        said.get("APART", ""),
        tuple(said.get("TRAININGS", ())),
        said.get("COMMAND", ""),
        said.get("FOLDER", True),
    )


def entries() -> list[Entry]:
    """All tables by name."""
    return [entry(name) for name in benches()]
