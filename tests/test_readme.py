"""The README's training example runs as it stands."""

import re
from pathlib import Path

README = (Path(__file__).resolve().parents[1] / "README.md").read_text()


def test_the_training_example_runs(built):
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    (example,) = [block for block in blocks if "facevox.stream(" in block]
    names = {"FOLDER": str(built["tar"].path)}
    exec(compile(example, "README.md", "exec"), names)
    assert names["position"]["epoch"] == 1
    assert names["loss"].isfinite()


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (Path(__file__).resolve().parents[1] / target).is_file(), target
