"""VFMR's numbers of a split's vectors equal plain loops, and say what they are over."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from facevox.benchmarks.core import voice_face_scores
from facevox.benchmarks.core.embeddings import Embeddings, Vectors
from facevox.benchmarks.core.sampled import draw_batches, draw_tuples
from facevox.benchmarks.core.voice_face_scores import Scores
from sklearn.metrics import average_precision_score

METRICS = ("cosine", "euclidean")


def made(voices, faces, dimension=6, seed=0, signal=0.7):
    """People with as many voices and faces each as listed, men and women by turns; vectors of all lengths."""
    random, parts = np.random.default_rng(seed), []
    centre = random.standard_normal((len(voices), dimension))
    for kind, counts in (("v", voices), ("f", faces)):
        who = np.repeat(np.arange(len(counts)), counts)
        values = random.standard_normal((len(who), dimension)) + signal * centre[who]
        values *= random.uniform(0.2, 3, (len(who), 1))
        parts.append(
            Vectors(values, np.array([f"{kind}{n}" for n in range(len(who))]), np.array([f"p{n:03d}" for n in who]))
        )
    facts = {f"p{n:03d}": {"gender": "mf"[n % 2]} for n in range(len(voices))}
    return Embeddings(*parts, "d", facts)


def nearness(voices, faces, metric):
    heard, seen = (np.asarray(part, np.float64) for part in (voices, faces))
    if metric == "euclidean":
        return -np.linalg.norm(heard[:, None] - seen[None], axis=2)
    heard, seen = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in (heard, seen))
    return heard @ seen.T


def loops(embeddings, metric):
    """Share right of every ordered pair of people, {(one, other): share}."""
    scores, found = nearness(embeddings.voices.values, embeddings.faces.values, metric), {}
    for one, other in permutations(embeddings.people, 2):
        here = scores[embeddings.voices.identities == one]
        own, far = (here[:, embeddings.faces.identities == name] for name in (one, other))
        found[one, other] = np.mean(own[:, :, None] > far[:, None])
    return found


@pytest.mark.parametrize("metric", METRICS)
def test_the_columns_of_tables_5_and_6_equal_brute_force(metric):
    embeddings = made((2, 1, 3, 2, 2), (5,) * 5)
    pairs = loops(embeddings, metric)
    gender = dict(zip(embeddings.people, embeddings.genders, strict=True))
    cells = {}
    for (one, other), share in pairs.items():
        cells.setdefault((gender[one], gender[other]), []).append(share)
    found = Scores([embeddings], metric, device="cpu").table()
    assert found["1:2"].value == pytest.approx(100 * np.mean([np.mean(cell) for cell in cells.values()]), abs=1e-3)
    assert found["Male"].value == pytest.approx(100 * np.mean(cells["male", "male"]), abs=1e-3)
    assert found["Female"].value == pytest.approx(100 * np.mean(cells["female", "female"]), abs=1e-3)
    # Five faces each of fewer than a hundred people: every gallery holds all faces.
    scores = nearness(embeddings.voices.values, embeddings.faces.values, metric)
    precision = [
        average_precision_score(embeddings.faces.identities == name, row)
        for name, row in zip(embeddings.voices.identities, scores, strict=True)
    ]
    own = [np.mean(np.array(precision)[embeddings.voices.identities == name]) for name in embeddings.people]
    assert found["mAP"].value == pytest.approx(100 * np.mean(own))


@pytest.mark.parametrize("metric", METRICS)
def test_drawn_trials_are_scored_by_the_metric_of_the_network(metric, monkeypatch):
    embeddings = made((5,) * 6, (9,) * 6)
    scores = nearness(embeddings.voices.values, embeddings.faces.values, metric)
    at = [{key: n for n, key in enumerate(part.keys.tolist())} for part in (embeddings.voices, embeddings.faces)]
    right = []
    for people, voices, faces in draw_batches(embeddings, 20).rows:
        here = scores[np.ix_([at[0][key] for key in voices], [at[1][key] for key in faces])].reshape(4, 4, 4, 8)
        for one, other in permutations(range(len(people)), 2):
            right.append(np.mean(here[one, :, one, :, None] > here[one, :, other, None, :]))
    drawn = Scores([embeddings], metric, "paper", "cpu", steps=20)
    monkeypatch.setattr(voice_face_scores, "TUPLES", 200)
    matched, among = drawn.matching(), drawn.among(3)
    assert matched.value == pytest.approx(100 * np.mean(right))
    nearest = [
        np.argmax([scores[at[0][voices[0]], at[1][key]] for key in faces]) == 0
        for voices, faces in draw_tuples(embeddings, 3, 200).rows
    ]
    assert among.value == pytest.approx(100 * np.mean(nearest))


def test_joined_faces_are_one_of_each_person_in_a_gallery():
    random = made((2,) * 120, (10,) * 120, signal=0)
    found = Scores([random], device="cpu").retrieved(1, 5)[0]
    assert 100 * found.chance == pytest.approx(5.187, abs=0.001)
    assert 100 * found.mean == pytest.approx(5.187, abs=4 * 100 * found.error + 0.7)
    assert 100 * Scores([random], device="cpu").retrieved()[0].chance == pytest.approx(2.149, abs=0.001)


def test_joined_faces_of_one_network_without_a_sphere_keep_their_lengths():
    embeddings = made((1,) * 4, (2,) * 4)
    means = [
        embeddings.faces.values[embeddings.faces.identities == name].astype(float).mean(0) for name in embeddings.people
    ]
    assert embeddings.joined(1, 2, metric="euclidean").faces.values == pytest.approx(np.array(means), abs=1e-6)
    scores = nearness(embeddings.voices.values, np.array(means), "euclidean")
    own = np.diag(scores)[:, None] > scores
    expected = own[~np.eye(4, dtype=bool)].reshape(4, 3)
    # Of two men and two women, as many of one gender as of two.
    weights = np.array([[1, 2, 1], [1, 1, 2], [2, 1, 1], [1, 2, 1]])
    assert Scores([embeddings], "euclidean", device="cpu").joint(1, 2).value == pytest.approx(
        100 * (expected * weights).sum() / weights.sum()
    )


def test_only_people_with_enough_samples_are_joined():
    embeddings = made((3,) * 8, (6, 6, 6, 6, 5, 5, 2, 30))
    scores = Scores([embeddings], device="cpu")
    assert scores.joint(1, 6).groups == 5
    assert scores.found(1, 6).groups == 5
    assert scores.joint(1, 30) is None
    assert scores.found(20, 1) is None
    assert scores.found(1, 1).groups == 8


def test_what_the_paper_draws_beside_1_to_2_is_drawn_and_its_t_told(monkeypatch):
    monkeypatch.setattr(voice_face_scores, "TUPLES", 50)
    embeddings = made((5,) * 10, (9,) * 10)
    drawn, exact = (Scores([embeddings], protocol=name, device="cpu", steps=20) for name in ("paper", "exact"))
    table = drawn.table()
    assert (table["Male"].count, table["Male"].groups) == (20 * 3072, 5)
    assert len({table[name].protocol for name in ("1:2", "Male", "Female")}) == 3
    own, other = (scores.of_people(lambda one: one) for scores in (drawn, exact))
    assert (own.count, own.protocol == other.protocol) == (10 * 9 * 10, False)
    told = drawn.notes()
    assert f"T of female = {5 * np.log(61440 / 20):.1f} of N 5 and n 61,440" in told
    assert f"T of individual = {10 * np.log(10):.1f} of N 10 and n 900" in told
    assert any("AUC exactly, since the paper says nothing of pairs" in note for note in told)
    assert drawn.verification().value == exact.verification().value
    assert all(
        any("drawn as those asked for and as the others" in note for note in one.notes()) for one in (drawn, exact)
    )
    assert Scores([made((2,) * 6, (3,) * 6)], protocol="paper", device="cpu").of_gender("male") is None


def test_what_is_drawn_is_told_and_named():
    embeddings = made((3,) * 8, (9,) * 8)
    scores, other = (Scores([embeddings], device="cpu", seed=seed) for seed in (0, 1))
    first, second = scores.found(), other.found()
    assert first.protocol != scores.matching().protocol
    assert first.protocol != second.protocol
    assert first.protocol == replace(scores).found().protocol
    note = next(note for note in scores.notes() if note.startswith("mAP"))
    assert "10 rounds of galleries, drawn by seed 0; the draw leaves a standard error of" in note
    assert scores.retrieved()[0].error > 0
