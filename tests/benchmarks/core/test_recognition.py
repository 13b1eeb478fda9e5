"""The gallery vote: counted by hand, against brute force, and what is refused."""

import numpy as np
import pytest
from facevox.benchmarks.core.recognition import NOBODY, Rule, vote

EUCLIDEAN = Rule("euclidean", 1.0)


def brute_force(vectors, labels, metric, tolerance):
    """TP, FP, FN and ties of leave-one-out, one pair at a time, with nothing of the package."""
    counts = [0, 0, 0, 0]
    for probe, own in enumerate(labels):
        votes: dict = {}
        for other, name in enumerate(labels):
            a, b = np.asarray(vectors[probe], float), np.asarray(vectors[other], float)
            if metric == "euclidean":
                match = np.sqrt(((a - b) ** 2).sum()) <= tolerance
            else:
                match = (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()) > tolerance
            if match and other != probe:
                votes[name] = votes.get(name, 0) + 1
        best = max(votes.values(), default=0)
        winners = [name for name, found in votes.items() if found == best]
        counts[3] += len(winners) > 1
        counts[2 if not winners else 0 if winners[0] == own else 1] += 1
    return counts


def test_right_wrong_and_nobody_are_counted_by_hand():
    gallery = np.array([[0.0, 0], [0, 1], [5, 0], [5, 1], [5, 0.5]])
    whose = np.array(["a", "a", "b", "b", "b"])
    probes, own = np.array([[0.0, 0.5], [5, 0.5], [20, 20], [5, 0]]), np.array(["a", "a", "b", "b"])
    found = vote(probes, own, gallery, whose, EUCLIDEAN)
    assert found.people[found.named[[0, 1, 3]]].tolist() == ["a", "b", "b"]
    assert found.named[2] == NOBODY
    scores = found.scores()
    assert found.counts == {"TP": 2, "FP": 1, "FN": 1}
    assert scores["precision"] == scores["recall"] == scores["F1"] == pytest.approx(2 / 3)
    assert scores["accuracy"] == 0.5


def test_a_distance_of_the_tolerance_itself_matches_and_a_cosine_does_not():
    gallery = np.array([[3.0, 4.0]])
    assert vote(np.zeros((1, 2)), np.array(["a"]), gallery, np.array(["a"]), Rule("euclidean", 5)).counts["TP"] == 1
    assert vote(2 * gallery, np.array(["a"]), gallery, np.array(["a"]), Rule("cosine", 0.999)).counts["TP"] == 1
    turned = np.array([[4.0, -3.0]])
    assert vote(turned, np.array(["a"]), gallery, np.array(["a"]), Rule("cosine", 0.0)).counts["FN"] == 1


def test_of_equals_the_match_that_comes_first_in_the_gallery_wins():
    gallery, whose = np.array([[9.0], [0.0], [0.1], [0.2], [0.3]]), np.array(["z", "b", "a", "a", "b"])
    found = vote(np.array([[0.1]]), np.array(["a"]), gallery, whose, EUCLIDEAN)
    assert found.people[found.named].tolist() == ["b"]
    assert found.tied.tolist() == [True]
    nearer = vote(np.array([[1.05]]), np.array(["b"]), gallery, whose, EUCLIDEAN)
    assert nearer.people[nearer.named].tolist() == ["a"], "b's first row is out of reach, a's comes first"


@pytest.mark.parametrize("metric,tolerances", [("euclidean", (0.5, 2.0, 2.6)), ("cosine", (-0.5, 0.2, 0.9))])
def test_leave_one_out_is_brute_force_and_chunks_change_nothing(metric, tolerances, monkeypatch):
    random = np.random.default_rng(1)
    labels = random.integers(0, 5, 60).astype(str)
    vectors = random.standard_normal((60, 4)) + np.eye(5, 4)[labels.astype(int)]
    for tolerance in tolerances:
        expected = brute_force(vectors, labels, metric, tolerance)
        for chunk in (1 << 25, 60 * 7):
            monkeypatch.setattr("facevox.benchmarks.core.recognition.CHUNK", chunk)
            found = vote(vectors, labels, vectors, labels, Rule(metric, tolerance), leave_one_out=True)
            assert [*found.counts.values(), found.tied.sum()] == expected


def test_intervals_draw_people_not_probes():
    own = np.repeat(np.arange(20).astype(str), 50)
    centres = np.where(own.astype(int) % 2, 100.0, own.astype(float))
    found = vote(centres[:, None], own, np.arange(20.0)[:, None], np.arange(20).astype(str), Rule("euclidean", 0.1))
    assert found.scores()["accuracy"] == 0.5
    interval = found.intervals()["accuracy"]
    assert interval.low == pytest.approx(0.3, abs=0.06) and interval.high == pytest.approx(0.7, abs=0.06)
    assert interval == found.intervals()["accuracy"]


def test_what_does_not_fit_is_refused():
    rows, names = np.eye(3), np.array(["a", "b", "b"])
    with pytest.raises(ValueError, match="probes of 3 numbers, a gallery of 2"):
        vote(rows, names, np.eye(2), names[:2], EUCLIDEAN)
    with pytest.raises(ValueError, match="c and 0 more have probes and nothing in the gallery"):
        vote(rows, np.array(["a", "b", "c"]), rows, names, EUCLIDEAN)
    with pytest.raises(ValueError, match="a has one vector"):
        vote(rows, names, rows, names, EUCLIDEAN, leave_one_out=True)
    with pytest.raises(ValueError, match="probe 0 of a: a vector of zeros"):
        vote(0 * rows, names, rows, names, Rule("cosine", 0.5))
    with pytest.raises(ValueError, match="metric 'cosin'"):
        Rule("cosin", 0.5)


@pytest.mark.real
@pytest.mark.parametrize(
    "file,metric,tolerances",
    [
        ("dlib128", "euclidean", (0.35, 0.40, 0.45, 0.50, 0.55, 0.60)),
        ("arcface512", "cosine", (0.30, 0.35, 0.40, 0.45, 0.50, 0.60)),
    ],
)
def test_the_authors_embeddings_give_what_brute_force_counts(real, file, metric, tolerances):
    stored = np.load(real / f"speakingfaces/embeddings/{file}_real_visual_trial1.npz", allow_pickle=False)
    vectors, labels = stored["embedding"].astype(np.float64), stored["sub_id"]
    scaled = vectors / np.linalg.norm(vectors, axis=1, keepdims=True) if metric == "cosine" else vectors
    # A plain loop over probes with direct differences: no product of matrices, no packed votes.
    per_probe = [scaled @ row if metric == "cosine" else np.sqrt(((scaled - row) ** 2).sum(1)) for row in scaled]
    for tolerance in tolerances:
        right = wrong = nobody = ties = 0
        for probe, distances in enumerate(per_probe):
            votes: dict = {}
            for other in np.flatnonzero(distances > tolerance if metric == "cosine" else distances <= tolerance):
                if other != probe:
                    votes[labels[other]] = votes.get(labels[other], 0) + 1
            winner = max(votes, key=votes.get) if votes else None
            nobody += winner is None
            right += winner == labels[probe]
            wrong += winner is not None and winner != labels[probe]
            ties += sum(found == max(votes.values()) for found in votes.values()) > 1
        found = vote(vectors, labels.astype(str), vectors, labels.astype(str), Rule(metric, tolerance), True)
        assert found.counts == {"TP": right, "FP": wrong, "FN": nobody}, tolerance
        assert found.tied.sum() == ties
        scores = found.scores()
        precision, recall = right / (right + wrong), right / (right + nobody)
        assert scores["precision"] == pytest.approx(precision) and scores["recall"] == pytest.approx(recall)
        assert scores["F1"] == pytest.approx(2 * precision * recall / (precision + recall))
