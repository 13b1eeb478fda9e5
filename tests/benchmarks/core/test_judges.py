"""The judges' own errors, on real faces and voices."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile
from facevox.benchmarks.core.embedding_table import EmbeddingTable
from facevox.benchmarks.core.judges import RULES, judge_control, judged, missing, open_judge, own_error
from facevox.loaders.resample import resample
from facevox.models.core.detectors import open_detector
from facevox.models.core.speaker import RATE, open_speaker_embedder
from sklearn.metrics import roc_auc_score


def listed(real: Path, kind: str, *folders: str) -> list[dict]:
    """Files of the pack whose person is known."""
    rows = csv.DictReader((real / "manifest.csv").open())
    return [r for r in rows if r["kind"] == kind and r["identity"] and r["path"].split("/")[0] in folders]


def plain_nearest(vectors, labels):
    """Share whose nearest other vector is somebody else's, of those who have two, one at a time."""
    wrong, asked = 0, [at for at, name in enumerate(labels) if list(labels).count(name) > 1]
    for at in asked:
        order = sorted((np.linalg.norm(vectors[at] - other), who) for who, other in enumerate(vectors) if who != at)
        wrong += labels[order[0][1]] != labels[at]
    return wrong / len(asked)


def test_own_error_of_vectors_that_are_known():
    labels = np.repeat(["a", "b", "c", "d"], [3, 3, 3, 1])
    vectors = np.array([[0.0], [0.1], [5], [5.1], [5.2], [5.3], [9], [9.1], [9.2], [5.05]])
    found = own_error(EmbeddingTable("t", vectors, labels), "euclidean", RULES["dlib"])
    assert found.shares["wrong nearest"] == pytest.approx(plain_nearest(vectors, labels)) == pytest.approx(2 / 9)
    assert found.shares["wrong by vote"] == pytest.approx(1 / 9), "a's third is taken for b; d is not among the asked"
    assert found.shares["same refused"] == pytest.approx(2 / 9)
    assert found.shares["different accepted"] == pytest.approx(7 / 36)
    assert found.shares["AUC"] == pytest.approx(roc_auc_score(found.pairs.same, -found.pairs.distances))
    assert found.intervals["wrong nearest"].low <= 2 / 9 <= found.intervals["wrong nearest"].high


def test_who_judges_is_checked_before_pictures_are_read(tmp_path):
    assert missing("dlib") == ""
    assert "no checkpoint" in missing(f"vfmr:{tmp_path / 'no.pt'}")
    with pytest.raises(ValueError, match="no judge 'dlip'; did you mean"):
        missing("dlip")


def test_dlib_judges_the_same_pictures_alike_with_jitters_and_red_for_blue():
    pictures = [np.random.default_rng(at).integers(0, 256, (60, 50, 3), np.uint8) for at in range(2)]
    plain, slips = (open_judge("dlib", as_published=slip)(pictures) for slip in (False, True))
    assert plain.shape == slips.shape == (2, 128)
    assert np.array_equal(slips, open_judge("dlib", as_published=True)(pictures))
    assert not np.allclose(plain, slips)
    assert np.linalg.norm(plain, axis=1) == pytest.approx(1.4, abs=0.2), "as dlib gives them, not of length 1"


@pytest.mark.real
def test_dlib_on_the_real_faces(real):
    """The pack's notes: 98.8 % of same pairs and 0.09 % of different ones lie within 0.6."""
    detect, samples = open_detector("dlib-hog-up1"), []
    some = ("faceapi", "hq_voxceleb")
    for row in (row for row in listed(real, "face_visual", "faces") if row["path"].split("/")[1] in some):
        picture = cv2.cvtColor(cv2.imread(str(real / row["path"])), cv2.COLOR_BGR2RGB)
        scale = min(1.0, 400 / max(picture.shape))
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        faces = sorted(detect(picture), key=lambda face: (face.box[0] - face.box[2]) * (face.box[3] - face.box[1]))
        if faces:
            left, top, right, bottom = (max(0, round(edge)) for edge in faces[0].box)
            samples.append((row["identity"], {"face": picture[top:bottom, left:right]}))
    assert len(samples) >= 35
    table = judged(iter(samples), "face", open_judge("dlib"), "dlib")
    found = own_error(table, "euclidean", RULES["dlib"])
    assert found.shares["wrong nearest"] == pytest.approx(plain_nearest(table.vectors, table.labels))
    assert found.shares["AUC"] == pytest.approx(roc_auc_score(found.pairs.same, -found.pairs.distances), abs=1e-6)
    assert found.shares["wrong nearest"] <= 0.03 and found.shares["AUC"] > 0.99
    assert found.shares["same refused"] < 0.06 and found.shares["different accepted"] < 0.01


@pytest.mark.real
def test_mfcc_on_the_real_voices(real):
    embed, labels, vectors = open_speaker_embedder("mfcc"), [], []
    for row in listed(real, "voice", "voices"):
        sound, rate = soundfile.read(real / row["path"], dtype="int16", always_2d=True)
        labels.append(row["identity"])
        vectors.append(embed([resample(np.ascontiguousarray(sound[: 4 * rate, 0]), rate, RATE)])[0])
    table = EmbeddingTable("mfcc", np.array(vectors, np.float64), np.array(labels))
    found = own_error(table, "cosine")
    assert (len(labels), len(table.people)) == (25, 9)
    assert found.shares["AUC"] == pytest.approx(roc_auc_score(found.pairs.same, -found.pairs.distances), abs=1e-6)
    assert found.shares["wrong nearest"] < 0.2 and found.shares["AUC"] > 0.8


def test_a_judge_that_may_not_tell_people_apart_fails_its_control():
    random = np.random.default_rng(3)
    people = np.repeat([f"p{number}" for number in range(12)], 4)
    apart = np.repeat(random.standard_normal((12, 32)), 4, axis=0)
    good = judge_control("dlib", apart + 0.3 * random.standard_normal(apart.shape), people)
    assert good.passed and "somebody else's in 0.0 %" in good.found
    assert not judge_control("dlib", random.standard_normal(apart.shape), people).passed
    assert "nobody has two" in judge_control("dlib", apart[::4], people[::4]).found
