"""Trials as files, drawn as published, and what vectors score on them."""

import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from facevox.benchmarks.core.embeddings import Embeddings, Vectors
from facevox.benchmarks.core.exact import pair_matching
from facevox.benchmarks.core.metrics import area_under_curve
from facevox.benchmarks.core.retrieval import galleries, retrieval
from facevox.benchmarks.core.sampled import Asked, draw_batches, draw_tuples
from facevox.benchmarks.core.trials import Trials
from facevox.models.core.triplets import confidence
from sklearn.metrics import average_precision_score, roc_auc_score

ROWS = {
    "batches": [(["a", "b"], ["v1", "v2"], ["f1", "f2"])],
    "matching": [("a", "v1", "f1", "b", "v2", "f2"), ("b", "v2", "f2", "a", "v1", "f1")],
    "tuples": [(["v1", "v2", "v3"], ["f1", "f2", "f3"])],
    "verification": [("v1", "f1", 1), ("v1", "f2", 0)],
    "retrieval": [(0, "v1", "f1", "a"), (0, "v2", "f2", "b"), (1, "v3", "f3", "c")],
}


def made(people, voices, faces, dimension=16, seed=0, signal=0.0):
    random, parts = np.random.default_rng(seed), []
    centre = random.standard_normal((people, dimension))
    for kind, count in (("v", voices), ("f", faces)):
        who = np.repeat(np.arange(people), count)
        values = random.standard_normal((len(who), dimension)) + signal * centre[who]
        parts.append(
            Vectors(values, np.array([f"{kind}{n}" for n in range(len(who))]), np.array([f"p{n:03d}" for n in who]))
        )
    return Embeddings(*parts, "d", {f"p{n:03d}": {"gender": "mf"[n % 2]} for n in range(people)})


@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize("ending", ["json", "parquet"])
def test_saved_is_loaded(kind, ending, tmp_path):
    trials = Trials.of("t", kind, ROWS[kind])
    trials.save(tmp_path / f"t.{ending}")
    found = Trials.load(tmp_path / f"t.{ending}")
    assert (found.name, found.kind, found.rows, found.digest) == ("t", kind, trials.rows, trials.digest)
    assert [tuple(row) for row in found.rows] == ROWS[kind]


def test_the_lists_of_vfal_eva(tmp_path):
    """Their shape as JSON, without anything of ours."""
    lists = {
        "matching": {"wav_set": ["v1", "v2"], "jpg_set": ["f1", "f2"], "match_list": [list(ROWS["matching"][0])]},
        "tuples": {"match_list": [[["v1", "v2"], ["f1", "f2"]]]},
        "verification": {"list": [["v1", "f1", 1]]},
        "retrieval": {"retrieval_lists": [[["v1", "f1", "a"]], [["v2", "f2", "b"]]]},
    }
    for kind, content in lists.items():
        (tmp_path / "theirs.json").write_text(json.dumps(content))
        trials = Trials.load(tmp_path / "theirs.json")
        assert trials.kind == kind
        trials.save(tmp_path / "ours.json")
        assert content.items() <= json.loads((tmp_path / "ours.json").read_text()).items()


def test_what_was_edited_or_is_no_trials(tmp_path):
    trials, path = Trials.of("t", "verification", ROWS["verification"]), tmp_path / "t.json"
    trials.save(path)
    path.write_text(path.read_text().replace('"f2",0', '"f2",1'))
    with pytest.raises(ValueError, match=r"t\.json: digest \w+ written, the trials give \w+; it was edited"):
        Trials.load(path)
    path.write_text('{"version": 9, "list": [["a", "b", 1]]}')
    with pytest.raises(ValueError, match="trials of version 9, this facevox reads 1"):
        Trials.load(path)
    path.write_text('{"other": []}')
    with pytest.raises(ValueError, match="no list of trials"):
        Trials.load(path)
    path.write_text('{"list": [["a", "b"]]}')
    with pytest.raises(ValueError, match="a row of 2 parts, expected 3"):
        Trials.load(path)
    path.write_bytes(b"\x80\x04}.")
    with pytest.raises(ValueError, match=r"Lists of others must be JSON; a \.pkl is never opened"):
        Trials.load(path)
    pq.write_table(trials.table.select(["voice"]), tmp_path / "t.parquet")
    with pytest.raises(ValueError, match="kind 'unknown'"):
        Trials.load(tmp_path / "t.parquet")
    with pytest.raises(ValueError, match="empty places"):
        Trials.of("t", "verification", [("a", None, 1)])
    with pytest.raises(ValueError, match="one row or more"):
        Trials.of("t", "verification", [])


def test_batches_are_three_to_one_and_half_of_one_gender():
    embeddings = made(20, 3, 5)
    trials = draw_batches(embeddings, 40)
    genders = dict(zip(embeddings.people, embeddings.genders, strict=True))
    who = dict(zip(embeddings.voices.keys, embeddings.voices.identities, strict=True))
    for step, (people, voices, faces) in enumerate(trials.rows):
        assert sorted(genders[name] == "male" for name in people) == sorted([step % 2 == 0] * 3 + [step % 2 == 1])
        assert [who[key] for key in voices] == [name for name in people for _ in range(4)]
        assert len(faces) == 32
    assert Asked(embeddings).batches(trials).trials == 40 * 3072
    assert trials.digest == draw_batches(embeddings, 40).digest != draw_batches(embeddings, 40, seed=1).digest


def test_batches_of_another_size_are_counted_by_what_they_hold():
    embeddings = made(3, 2, 3)
    people, rows = embeddings.people[:2], []
    for _ in range(2):
        rows.append((list(people), ["v0", "v2"], ["f0", "f1", "f2", "f3", "f4", "f5"]))
    answered = Asked(embeddings).batches(Trials.of("t", "batches", rows))
    assert (answered.each, answered.trials) == (9, 2 * 2 * 9)
    rows.append((list(embeddings.people), ["v0", "v2", "v4"], ["f0", "f3", "f6"]))
    with pytest.raises(ValueError, match="batches of 2 people, 2 voices, 6 faces; 3 people, 3 voices, 3 faces; exp"):
        Asked(embeddings).batches(Trials.of("t", "batches", rows))


@pytest.mark.parametrize(
    ("people", "triplets", "printed"),
    [(189, 10_000, -239), (1251, 30_720_000, 3725), (189, 3_072_000, 842)],
    ids=["SVHF", "VFMR1", "VFMR2, 3.072M"],
)
def test_confidence_of_the_rows_that_reproduce(people, triplets, printed):
    assert int(confidence(people, triplets)) == printed


def test_exact_and_sampled_batches_agree_within_three_standard_errors():
    embeddings = made(40, 6, 10, signal=0.7)
    answered, pairs = Asked(embeddings).batches(draw_batches(embeddings, 1000)), pair_matching(embeddings, device="cpu")
    # Batches, not triplets, are drawn independently.
    batches = answered.right.reshape(-1, 12).mean(1)
    error = batches.std() / np.sqrt(len(batches))
    exact = pairs.accuracy(pairs.balanced)
    assert 0.6 < exact < 0.99
    assert abs(answered.accuracy - exact) < 3 * error
    assert answered.confidence(40) == pytest.approx(40 * np.log(3_072_000 / (40 * 39)))


@pytest.mark.parametrize("gender", ["male", "female"])
def test_exact_and_sampled_of_one_gender_agree_within_three_standard_errors(gender):
    embeddings = made(40, 6, 10, signal=0.7)
    trials = draw_batches(embeddings, 1000, gender=gender)
    genders = dict(zip(embeddings.people, embeddings.genders, strict=True))
    assert {genders[name] for people, _, _ in trials.rows for name in people} == {gender}
    assert all(len(set(people)) == 4 for people, _, _ in trials.rows)
    answered, pairs = Asked(embeddings).batches(trials), pair_matching(embeddings, device="cpu")
    batches = answered.right.reshape(-1, 12).mean(1)
    exact = pairs.accuracy(pairs.of_genders(gender, gender))
    assert 0.6 < exact < 0.99
    assert abs(answered.accuracy - exact) < 3 * batches.std() / np.sqrt(len(batches))
    assert answered.confidence(20) == pytest.approx(20 * np.log(3_072_000 / (20 * 19)))
    with pytest.raises(ValueError, match=f"2 people are {gender}: batches of one gender need 4"):
        draw_batches(made(4, 2, 2), 1, gender=gender)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_the_sampled_individual_test_agrees_with_the_exact_one_within_three_standard_errors(metric):
    embeddings = made(40, 6, 10, signal=0.7)
    pairs = pair_matching(embeddings, metric, "cpu")
    found = Asked(embeddings, metric).individuals()
    # Of every pair of people ten are drawn, each right with the pair's own share.
    variance = np.nansum(pairs.right * (1 - pairs.right), axis=1) / 10 / 39**2
    off = np.nanmean(found, axis=1) - pairs.individual
    assert abs(off.mean()) < 3 * np.sqrt(variance.sum()) / 40
    assert (np.abs(off) < 3 * np.sqrt(variance)).mean() > 0.95
    assert np.array_equal(found, Asked(embeddings, metric).individuals(), equal_nan=True)
    assert not np.array_equal(found, Asked(embeddings, metric).individuals(seed=1), equal_nan=True)


def test_tuples_pairs_and_verification_equal_plain_loops():
    embeddings = made(12, 3, 3, signal=0.6)
    asked, random = Asked(embeddings), np.random.default_rng(0)
    voice, face = (dict(zip(part.keys, part.values, strict=True)) for part in (embeddings.voices, embeddings.faces))

    def cosine(a, b):
        return a @ b / np.linalg.norm(a) / np.linalg.norm(b)

    tuples = draw_tuples(embeddings, 10, 200)
    for n in (2, 5, 10):
        plain = [
            all(cosine(voice[v[0]], face[f[0]]) > cosine(voice[v[0]], face[k]) for k in f[1:n]) for v, f in tuples.rows
        ]
        assert asked.tuples(tuples, n).accuracy == pytest.approx(np.mean(plain))
    rows = [
        ("", f"v{a}", f"f{a}", "", f"v{b}", f"f{b}") for a, b in random.integers(0, 36, (60, 2)) if a // 3 != b // 3
    ]
    forth, back = asked.pairs(Trials.of("t", "matching", rows))
    assert forth.accuracy == np.mean([cosine(voice[r[1]], face[r[2]]) > cosine(voice[r[1]], face[r[5]]) for r in rows])
    assert back.accuracy == np.mean([cosine(voice[r[1]], face[r[2]]) > cosine(voice[r[4]], face[r[2]]) for r in rows])
    rows = [(f"v{a}", f"f{b}", int(a // 3 == b // 3)) for a, b in random.integers(0, 36, (400, 2))]
    scores, same = asked.verification(Trials.of("t", "verification", rows))
    assert scores == pytest.approx([cosine(voice[v], face[f]) for v, f, _ in rows], abs=1e-6)
    assert area_under_curve(scores, same) == pytest.approx(roc_auc_score(same, scores))
    with pytest.raises(ValueError, match="no vector of the face 'elsewhere'"):
        asked.verification(Trials.of("t", "verification", [("v1", "elsewhere", 1)]))


def test_area_under_curve_with_ties():
    random = np.random.default_rng(0)
    scores, same = random.integers(0, 6, 300), random.random(300) < 0.3
    assert area_under_curve(scores, same) == pytest.approx(roc_auc_score(same, scores))
    with pytest.raises(ValueError, match="expected both kinds"):
        area_under_curve(scores, np.ones(300))


def test_faces_of_the_crop_scale_folder_are_found():
    embeddings = made(2, 1, 1)
    keys = np.array(["A/1.6/xyz/0000375.jpg", "B/1.6/xyz/0000375.jpg"])
    asked = Asked(replace(embeddings, faces=replace(embeddings.faces, keys=keys)))
    rows = [("A", "v0", "A/xyz/0000375.jpg", "B", "v1", "B/xyz/0000375.jpg")]
    assert asked.pairs(Trials.of("t", "matching", rows))[0].trials == 1


def test_retrieval_equals_scikit_learn():
    embeddings = made(30, 4, 7, signal=0.5)
    found = retrieval(embeddings, people=10, repeats=1, seed=3)
    (state,) = np.random.SeedSequence(3).generate_state(1).tolist()
    plain = {name: [] for name in embeddings.people}
    for gallery in galleries(embeddings, people=10, seed=state):
        faces = embeddings.faces.values[gallery.faces].astype(float)
        faces /= np.linalg.norm(faces, axis=1, keepdims=True)
        for row in gallery.voices:
            name = embeddings.voices.identities[row]
            same = embeddings.faces.identities[gallery.faces] == name
            plain[name].append(average_precision_score(same, faces @ embeddings.voices.values[row].astype(float)))
    assert found.precision == pytest.approx([np.mean(plain[name]) for name in embeddings.people], abs=1e-6)
    assert found.queries == 120


def test_every_gallery_has_its_people_and_everybody_is_asked_once():
    embeddings = made(25, 4, 7)
    shown = list(galleries(embeddings, people=10, faces=5, voices=3))
    assert [len(gallery.faces) for gallery in shown] == [50, 50, 50]
    assert [len(gallery.voices) for gallery in shown] == [30, 30, 15]
    asked = np.concatenate([embeddings.voices.identities[gallery.voices] for gallery in shown])
    assert np.unique(asked, return_counts=True)[1].tolist() == [3] * 25
    for gallery in shown:
        assert np.unique(embeddings.faces.identities[gallery.faces], return_counts=True)[1].tolist() == [5] * 10


def test_chance_and_perfection_of_retrieval():
    random = made(200, 20, 5, dimension=32)
    found = retrieval(random, repeats=2)
    assert found.chance == pytest.approx(0.02149, abs=1e-5)
    assert found.mean == pytest.approx(0.02149, abs=0.001)
    joint = retrieval(random.joined(faces=5), repeats=2)
    assert joint.chance == pytest.approx(0.05187, abs=1e-5)
    assert joint.mean == pytest.approx(0.05187, abs=0.005)
    assert retrieval(made(120, 2, 5, signal=1e4), repeats=1).mean == 1
