"""Thresholds from other people's ground truths, and folds."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from facevox.builders.stages.collection_folder import assign_folds
from facevox.builders.stages.collection_options import CollectOptions
from facevox.builders.stages.collection_scores import FEW, SAME_FACE, SAME_VOICE, cohort, thresholds
from facevox.builders.stages.collection_truth import GroundTruth, mean
from facevox.builders.stages.marks import Marks

PLACES = (Path("V"), Path("C"))


def people(count, spread=0.3, each=20):
    random = np.random.default_rng(5)
    made = []
    for number in range(count):
        own = [random.normal(size=16) + 0.8 for _ in range(2)]
        vectors = [own[part] + spread * random.normal(size=(each, 16)) for part in range(2)]
        faces, voices = (np.float32(some / np.linalg.norm(some, axis=1, keepdims=True)) for some in vectors)
        made.append(GroundTruth(f"cvf{number:04d}", "f", faces, voices, {}))
    return made


def test_at_most_one_percent_of_other_speakers_pass_and_no_lower_threshold_would_do():
    truths = people(12)
    for what, one in zip(("face", "voice"), thresholds(CollectOptions(*PLACES), Marks(), truths), strict=True):
        others = [
            float(cosine)
            for target in truths
            for other in truths
            if other is not target
            for cosine in getattr(other, what + "s") @ getattr(target, what)
        ]
        assert len(others) == len(one.others) == 12 * 11 * 20
        assert 0 < np.mean(np.array(others) > one.value) <= 0.01
        assert np.mean(np.array(others) > one.value - 1e-3) > 0.01 - 5e-3
        assert one.passing <= 0.01 < one.own and "calibrated" in one.how


def test_few_speakers_do_not_lower_the_embedders_own_and_one_speaker_has_it():
    face, _ = thresholds(CollectOptions(*PLACES), Marks(), people(3, each=3))
    assert face.value >= SAME_FACE["dlib"]
    face, _ = thresholds(CollectOptions(*PLACES), Marks(), people(1))
    assert face.value == SAME_FACE["dlib"] and "nothing to calibrate on" in face.how
    with pytest.raises(ValueError, match="Give --tau-face"):
        thresholds(CollectOptions(*PLACES, face_embedder="facenet"), Marks(), people(1))


def test_few_speakers_leave_those_nearer_to_their_own_speaker_to_the_cohort():
    truths = people(FEW - 1, spread=0.1)
    twin = truths[0].voices * 0.9 + truths[1].voices[:1] * 0.6
    twin /= np.linalg.norm(twin, axis=1, keepdims=True)
    truths[1] = GroundTruth("twin", "f", truths[1].faces, twin, {})
    assert (twin @ truths[0].voice).min() > 0.8 and (twin @ truths[1].voice > twin @ truths[0].voice).all()
    _, voice = thresholds(CollectOptions(*PLACES), Marks(), truths)
    own = np.concatenate([one.voices @ one.voice for one in truths])
    least = SAME_VOICE["mfcc"]
    assert voice.value == pytest.approx(least + 0.5 * (np.percentile(own, 5) - least), abs=1e-4)
    assert voice.passing == 0 and max(voice.others) > voice.value
    by_name = {one.speaker: one for one in truths}
    others = cohort(CollectOptions(*PLACES), by_name, "twin")
    assert len(others) == FEW - 2 and not (others == by_name["twin"].voice).all(1).any()
    many = {one.speaker: one for one in people(FEW)}
    assert not len(cohort(CollectOptions(*PLACES), many, "cvf0001")), "a calibrated threshold needs none"
    assert not len(cohort(CollectOptions(*PLACES, strict_paper=True), by_name, "twin"))


def test_options_go_before_marks_and_marks_before_calibration():
    truths, marks = people(12), Marks(face=0.7, voice=0.8)
    face, voice = thresholds(CollectOptions(*PLACES, tau_face=0.1), marks, truths)
    assert (face.value, voice.value) == (0.1, 0.8)
    assert voice.how == "given by the marks" and len(voice.others)


def test_vectors_that_cancel_have_no_mean():
    with pytest.raises(ValueError, match="cancel"):
        mean(np.float32([[1, 0], [-1, 0]]))


def test_folds_have_equally_many_people_of_each_gender():
    genders = {f"cvf{number:04d}": "m" if number < 242 else "f" for number in range(500)}
    folds = assign_folds(genders, 5, 0)
    assert Counter(folds.values()) == dict.fromkeys(range(5), 100)
    for gender in "mf":
        counts = Counter(folds[speaker] for speaker, own in genders.items() if own == gender).values()
        assert max(counts) - min(counts) <= 1
    assert folds == assign_folds(dict(reversed(genders.items())), 5, 0) != assign_folds(genders, 5, 1)
