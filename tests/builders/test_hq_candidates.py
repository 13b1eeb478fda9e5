"""HQ-VoxCeleb picked from web photos: people's word is followed, and neither workers nor resuming change a byte."""

import json
import shutil
from collections import Counter

import facevox
import pytest
from facevox.builders.core.run import BuildOptions, run
from facevox.builders.population.hq_voxceleb import ForgeOptions, forge, truth_path
from facevox.builders.stages.hq_options import HqVoxCelebOptions
from facevox.loaders.folder import Folder
from facevox.loaders.statistics import statistics
from facevox.loaders.verify import check

pytest.importorskip("dlib")


def build(raw, out, **options) -> Folder:
    how = HqVoxCelebOptions(source="candidates", min_images=1)
    run(BuildOptions("hq_voxceleb", str(raw), out, ("faces",), release=how, **options))
    return Folder(out)


def kinds(release):
    """{place of a photo: what it shows}"""
    pictures = json.loads(truth_path(release).read_text())["pictures"]
    return {place: truth["kind"] for place, truth in pictures.items()}


@pytest.mark.slow
def test_people_overrule_and_workers_do_not_matter(tmp_path, tree):
    raw, out, again = tmp_path / "raw", tmp_path / "out", tmp_path / "again"
    forge(raw, ForgeOptions(people=1, images=4, utterances=0))
    shown = kinds(raw)
    folder = build(raw, out)
    kept = {row["image_name"]: row["key"] for row in folder.index.to_pylist()}
    rows = [row for row in folder.quarantine.to_pylist() if row["stage"] != "table"]
    left = {row["place"]: row["key"] for row in rows}
    assert kept.keys() | left.keys() == shown.keys() and len(kept) + len(rows) == len(shown) == 8
    assert sum(shown[place] == "good" for place in kept) >= 4
    assert not {shown[place] for place in kept} & {"profile", "tiny", "several", "none", "blurred", "cropped"}
    assert all(json.loads(row["measured"])["detector"] == "dlib-hog" for row in rows)
    steps = next(table for table in statistics(folder).tables if table.title == "Left out step by step: faces").rows
    assert (steps[0][1], steps[-1][3]) == (8, len(kept))
    assert {row[0]: row[2] for row in steps} == Counter(row["stage"] for row in rows)

    profile = next(key for place, key in left.items() if shown[place] == "profile")
    good = next(key for place, key in kept.items() if shown[place] == "good")
    facevox.decide(out, profile, about="face", verdict="keep", reason="only one there is", who="ann")
    facevox.decide(out, good, about="face", verdict="leave out", reason="a double", who="ann")
    folder = build(raw, out)
    found = {row["key"]: row for row in folder.index.to_pylist()}
    assert (found[profile]["picked_by"], found[profile]["rank"]) == ("decision", 1)
    assert found[profile]["decisions"][0]["verdict"] == "keep"
    assert good not in found
    assert [row["stage"] for row in folder.quarantine.to_pylist() if row["key"] == good] == ["review"]
    assert check(out).problems == []

    again.mkdir()
    (again / ".build").mkdir()
    shutil.copy(out / "review.jsonl", again / "review.jsonl")
    build(raw, again, workers=2)
    assert tree(again) == tree(out)
