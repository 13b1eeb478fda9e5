"""VFMR's ablations: found among checkpoints, and compared with the paper where nothing else is changed."""

from copy import copy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from facevox.benchmarks import vfmr_table8
from facevox.benchmarks.core.bench import run
from facevox.benchmarks.core.voice_face import (
    Trained,
    embedded,
    groups,
    trained,
)
from facevox.benchmarks.core.voice_face_scores import Scores
from facevox.benchmarks.vfmr_table8 import config_of
from facevox.loaders.comparison import FORGED
from facevox.models.vfmr import VfmrOptions


def test_ablations_are_found_and_those_of_the_paper_named(options):
    table = run("vfmr_table8", options)
    measured = {row.labels for row in table.rows if row.measured}
    assert {labels[:3] for labels in measured} == {
        ("split index_mod10", "another", "face_network small, freeze_voice False, begun with nothing")
    }
    (row,) = {row.labels[2]: row for row in table.rows if row.labels[2] == "no MTCNN"}.values()
    assert row.measured is None and not row.command
    text = table.text()
    assert "no MTCNN: whole pictures as the release has them. No command measures it" in text
    assert "changed are also voice_width 0.05, face_width 0.1" in text and FORGED in text
    assert "exact: all" in text and f"begun with nothing: measured: {options.runs}" in text
    assert {control.name for control in table.controls} >= {"chance", "oracle", "leakage"}
    assert "--out" in text and "--scale 512 --initial voice=V/best.pt,face=F/best.pt" in text
    assert "10.67*" in text and "SE-ResNet50 outperforms" in text


@pytest.mark.parametrize(
    ("changes", "begun", "scale", "row"),
    [
        ({}, {"voice", "face"}, 1.0, ("default", "-")),
        ({"voice_width": 0.5, "lr": 1.0}, {"voice", "face"}, 1.0, ("default", "-")),
        ({}, {"voice", "face"}, 1.1, ("preprocessing", "MTCNN 1.1")),
        ({"face_network": "table2"}, {"voice", "face"}, 1.0, ("default", "-")),
        ({"face_network": "se_ir50"}, {"voice", "face"}, 1.0, ("network", "SE-ResNet50")),
        ({"freeze_voice": False, "freeze_face": True}, {"voice", "face"}, 1.0, ("CNN frozen", "face")),
        ({}, {"voice"}, 1.0, ("trained before", "face none, voice VoxCeleb2")),
        ({"freeze_voice": False}, set(), 1.0, ("trained before", "none")),
        ({"scale": 2.0}, {"voice", "face"}, 1.1, ("another", "scale 2.0, boxes 1.1, begun with face and voice")),
    ],
)
def test_which_ablation_a_network_is(changes, begun, scale, row):
    model = SimpleNamespace(options=VfmrOptions(**changes))
    one = Trained(Path("best.pt"), model, "digest", frozenset(begun))
    assert config_of(one, pa.table({"box_scale": [scale, None]})) == row


@pytest.mark.parametrize(
    ("changed", "same"), [({}, True), ({"scale": 512.0, "picture": "face.jpg"}, True), ({"lr": 1.0}, False)]
)
def test_an_ablation_is_compared_where_nothing_else_is_changed(changed, same, people, options, monkeypatch):
    one, _ = groups(trained(options.runs))[0]
    model = copy(one.model)
    model.options = VfmrOptions(**changed)
    seeds = [replace(one, model=model, begun=frozenset({"voice", "face"}))]
    monkeypatch.setattr(vfmr_table8, "scores", lambda *_: Scores([embedded(one, people, options)]))
    found = vfmr_table8._of_ablation(seeds, people, options)
    assert found.as_published is same
    assert len(found.told) == 1 + (not same)
