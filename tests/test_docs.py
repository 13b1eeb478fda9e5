"""The examples of the pages run as they stand."""

import re
from pathlib import Path

from facevox.models.core.model import models

DOCS = Path(__file__).resolve().parents[1] / "docs"


def test_the_examples_of_streaming_run(built):
    names = {"FOLDER": str(built["tar"].path)}
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "streaming.md").read_text(), flags=re.DOTALL)
    exec(compile("\n".join(blocks), "streaming.md", "exec"), names)
    assert names["real"].shape == names["sounds"].shape
    rest = [key for rank in names["elsewhere"] for batch in rank for key in batch["__key__"]]
    assert rest == []
    assert names["which"] in (0, 1)
    assert len(names["faces"]) == 6
    assert len(names["lengths"]) == 2


def of_the_folder_page(word: str, built) -> dict:
    """What the one example with this word in it leaves behind."""
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "dataset-folder.md").read_text(), flags=re.DOTALL)
    (example,) = [block for block in blocks if word in block]
    names = {"FOLDER": str(built["tar"].path)}
    exec(compile(example, "dataset-folder.md", "exec"), names)
    return names


def test_the_webdataset_pipeline_runs(built):
    names = of_the_folder_page("webdataset", built)
    rows = [row for row in built["tar"].index.to_pylist() if (row["config"], row["split"]) == ("utterances", "train")]
    assert sorted(names["heard"]) == sorted(row["key"] for row in rows)


def test_croissant_is_read_as_the_page_says(built):
    names = of_the_folder_page("mlcroissant", built)
    assert [key.decode() for key in names["keys"]] == built["tar"].index["key"].to_pylist()


def test_the_models_page_names_every_model_and_row():
    page = (DOCS / "models.md").read_text()
    assert [name for name in models() if f"| `{name}` |" not in page] == []
    assert {"gender", "rcgan", "voice_classifier"} <= set(re.findall(r"^\| `(\w+)` \|", page, flags=re.MULTILINE))
