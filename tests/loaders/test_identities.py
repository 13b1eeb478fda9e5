"""Identity batches: who is in which, how many of their samples, and genders 3:1."""

import itertools

import numpy as np
import pytest
from facevox.loaders.identities import GenderBalanced, IdentityOrder, RowsByIdentity, codes
from facevox.loaders.identity_stream import IdentityOptions, IdentityStream
from facevox.loaders.order import Order
from facevox.loaders.shards import FolderError
from hypothesis import assume, given, settings
from hypothesis import strategies as st


def order_of(voices, faces, wanted, people) -> IdentityOrder:
    count = max(voices + faces) + 1
    of = {"voices": voices, "faces": faces}
    return IdentityOrder(people, {c: RowsByIdentity.of(np.array(i), count) for c, i in of.items()}, wanted)


@given(st.integers(2, 30), st.integers(1, 4), st.integers(1, 5), st.integers(1, 6), st.integers(0, 3), st.data())
@settings(max_examples=150, deadline=None)
def test_every_identity_once_an_epoch_with_its_own_samples(people, world, size, wanted, epoch, data):
    assume(people >= world)
    random = np.random.default_rng(people)
    voices, faces = (random.permutation(np.repeat(np.arange(people), random.integers(1, 8, people))) for _ in range(2))
    ranks = [
        order_of(
            voices.tolist(),
            faces.tolist(),
            {"voices": wanted, "faces": 2},
            Order(people, size, 5, True, False, r, world),
        )
        for r in range(world)
    ]
    seen = []
    for order in ranks:
        for number in range(len(order)):
            batch = order.batch(epoch, number)
            seen += batch.identities.tolist()
            assert voices[batch.rows["voices"]].tolist() == np.repeat(batch.identities, wanted).tolist()
            assert faces[batch.rows["faces"]].tolist() == np.repeat(batch.identities, 2).tolist()
            for who, rows in zip(batch.identities, batch.rows["voices"].reshape(-1, wanted), strict=True):
                having = int((voices == who).sum())
                times = np.bincount(rows)[np.unique(rows)]
                assert len(np.unique(rows)) == min(wanted, having)
                assert times.max() - times.min() <= 1
    assert sorted(seen) == list(range(people))
    few = np.maximum(0, wanted - np.bincount(voices))
    assert ranks[0].repeats()["voices"] == {"identities": int((few > 0).sum()), "draws": int(few.sum())}
    cut = data.draw(st.integers(0, len(ranks[0])))
    again = ranks[0].batch(epoch, 0, ranks[0].edge(cut)) if cut < len(ranks[0]) else None
    if again is not None:
        assert again.rows["voices"].tolist() == ranks[0].batch(epoch, cut).rows["voices"].tolist()


def test_draws_do_not_depend_on_the_world():
    voices = [0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 3]
    drawn = []
    for world in (1, 2):
        found = {}
        for rank in range(world):
            order = order_of(voices, voices, {"voices": 2, "faces": 3}, Order(4, 2, 1, True, False, rank, world))
            for number in range(len(order)):
                batch = order.batch(7, number)
                found |= dict(zip(batch.identities.tolist(), batch.rows["faces"].reshape(-1, 3).tolist(), strict=True))
        drawn.append(found)
    assert drawn[0] == drawn[1]
    assert drawn[0].keys() == {0, 1, 2, 3}


@given(st.integers(3, 60), st.integers(3, 60), st.integers(1, 5), st.sampled_from([4, 9]), st.integers(0, 4))
@settings(max_examples=150, deadline=None)
def test_half_of_the_pairs_are_of_one_gender(first, second, world, size, epoch):
    gender = np.random.default_rng(first).permutation(np.repeat([False, True], [first, second]))
    try:
        ranks = [GenderBalanced(gender, size, 2, rank, world) for rank in range(world)]
    except ValueError as error:
        assert "do not make a batch" in str(error)
        assert min(first, second) < size * (world // 2 + 1)
        return
    batches = [[order.batch(epoch, n) for n in range(order.left(0))] for order in ranks]
    assert len({len(own) for own in batches}) == 1
    seen = np.concatenate([batch for own in batches for batch in own])
    assert len(seen) == len(set(seen.tolist()))
    for own in batches:
        larger = []
        for batch in own:
            pairs = sum(bool(gender[a] == gender[b]) for a in batch for b in batch if a != b)
            assert 2 * pairs == size * (size - 1)
            larger.append(2 * gender[batch].sum() > size)
        assert all(one != other for one, other in itertools.pairwise(larger))


@given(st.integers(20, 80), st.lists(st.tuples(st.integers(1, 4), st.integers(0, 4)), min_size=1, max_size=4))
@settings(max_examples=100, deadline=None)
def test_balanced_epochs_go_on_with_other_ranks(people, runs):
    gender = np.arange(people) % 2 == 0
    taken, seen = 0, []
    for world, steps in runs:
        ranks = [GenderBalanced(gender, 4, 2, rank, world) for rank in range(world)]
        steps = min(steps, ranks[0].left(taken))
        seen += [who for order in ranks for n in range(steps) for who in order.batch(1, n, taken).tolist()]
        taken = ranks[0].edge(steps, taken)
    one = GenderBalanced(gender, 4, 2)
    whole = [who for n in range(taken) for who in one.batch(1, n).tolist()]
    assert sorted(seen) == sorted(whole)


def test_batches_of_other_sizes_or_too_few_people_are_refused():
    gender = np.array([False, True] * 8)
    for size in (1, 2, 8):
        with pytest.raises(ValueError, match="expected a square"):
            GenderBalanced(gender, size)
    with pytest.raises(ValueError, match="16 and 0 identities of two genders"):
        GenderBalanced(np.zeros(16, bool))
    assert codes(["b", "x", "a"], ["a", "b"]).tolist() == [1, -1, 0]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_folder_gives_people_with_both_configs(built, workers):
    folder = built["tar"]
    options = {"samples": {"utterances": 1, "stills": 3}, "identities": 2, "workers": workers, "seed": 4}
    fields = {"utterances": ("mic1.flac",), "stills": ("thermal.webp",)}
    stream = IdentityStream(folder, "train", IdentityOptions(fields=fields, frames=1, **options))
    epochs = [list(stream), list(stream)]
    whose = {(row["config"], row["key"]): row["identity"] for row in folder.index.to_pylist()}
    for batches in epochs:
        for batch in batches:
            assert len(set(batch["identities"])) == 2
            for config, wanted in options["samples"].items():
                found = [whose[config, key] for key in batch[config]["__key__"]]
                assert found == [who for who in batch["identities"] for _ in range(wanted)]
            assert batch["stills"]["thermal.webp"].shape[0] == 6
    assert [b["identities"] for b in epochs[0]] != [b["identities"] for b in epochs[1]]
    stream = IdentityStream(folder, "train", IdentityOptions(fields=fields, frames=1, **options))
    resumed = IdentityStream(folder, "train", IdentityOptions(fields=fields, frames=1, **(options | {"workers": 0})))
    next(iter(stream))
    resumed.load_state_dict(stream.state_dict())
    assert [b["stills"]["__key__"] for b in resumed] == [b["stills"]["__key__"] for b in epochs[0]][1:]
    assert stream.left_out == 0
    assert stream.repeats["stills"]["draws"] >= 0


def test_wrong_facts_are_named(built):
    samples = {"utterances": 1}
    with pytest.raises(FolderError, match="utterances has no fact 'hair' to balance by"):
        IdentityStream(built["tar"], "train", IdentityOptions(samples=samples, balance="hair"))
    with pytest.raises(FolderError, match="has several values of 'trial'"):
        IdentityStream(built["tar"], "train", IdentityOptions(samples=samples, balance="trial"))


@pytest.mark.slow
def test_voices_and_faces_of_a_voice_face_folder(tmp_path):
    from facevox.builders.core.run import BuildOptions, run
    from facevox.builders.hq_voxceleb import BUILDER
    from facevox.builders.population.hq_voxceleb import ForgeOptions, forge

    forge(tmp_path / "raw", ForgeOptions(source="release", people=8, images=1, utterances=2, seconds=1.0))
    run(BuildOptions("hq_voxceleb", str(tmp_path / "raw"), tmp_path / "out", release=BUILDER.options_type()))
    samples = {"voices": 2, "faces": 3}
    fields = {"voices": ("voice.flac",), "faces": ("masked.jpg",)}
    options = IdentityOptions(identities=4, samples=samples, fields=fields, balance="gender")
    stream = IdentityStream(tmp_path / "out", "train", options)
    batches = list(stream)
    assert batches
    for batch in batches:
        genders = [fact["gender"] for fact in batch["faces"]["json"][::3]]
        assert sorted((genders.count("m"), genders.count("f"))) == [1, 3]
        for config, wanted in samples.items():
            names = [fact["name"] for fact in batch[config]["json"]]
            assert all(len(set(names[at : at + wanted])) == 1 for at in range(0, len(names), wanted))
        assert [f["name"] for f in batch["voices"]["json"][::2]] == [f["name"] for f in batch["faces"]["json"][::3]]
    assert stream.repeats["faces"]["identities"] > 0


def test_parts_of_sounds_begin_anywhere_and_are_the_same_after_a_resume(built):
    """The same number of samples of each sound, out of the whole one, elsewhere in the next epoch, for any workers."""
    options = {"samples": {"utterances": 2}, "fields": {"utterances": ("mic1.flac",)}, "identities": 2, "seed": 4}
    folder, rate, seconds = built["tar"], 44_100, 0.1
    keys = [row["key"] for row in folder.index.to_pylist() if row["config"] == "utterances"]
    whole = {s["__key__"]: s["mic1.flac"] for s in folder.fetch(keys, ("mic1.flac",), config="utterances")}
    stream = IdentityStream(folder, "train", IdentityOptions(**options, random_seconds=seconds))
    epochs, places = [list(stream), list(stream)], []
    for batches in epochs:
        for batch in batches:
            sounds = batch["utterances"]["mic1.flac"]
            assert sounds.shape == (4, round(seconds * rate))
            for key, sound in zip(batch["utterances"]["__key__"], sounds.numpy(), strict=True):
                windows = np.lib.stride_tricks.sliding_window_view(whole[key], sounds.shape[1])
                found = np.flatnonzero((windows[:, :4] == sound[:4]).all(1))
                places += [at for at in found.tolist() if np.array_equal(windows[at], sound)][:1]
    assert len(places) == sum(4 * len(batches) for batches in epochs)
    assert len(set(places)) > len(places) // 2
    other = IdentityStream(folder, "train", IdentityOptions(**options, random_seconds=seconds, workers=2))
    begun = IdentityStream(folder, "train", IdentityOptions(**options, random_seconds=seconds))
    next(iter(begun))
    other.load_state_dict(begun.state_dict())
    for one, same in zip(other, epochs[0][1:], strict=True):
        assert np.array_equal(one["utterances"]["mic1.flac"], same["utterances"]["mic1.flac"])
    with pytest.raises(ValueError, match="random_seconds -1"):
        IdentityStream(folder, "train", IdentityOptions(**options, random_seconds=-1))
