"""Streams that were stopped: exact resume at every cut, with any workers, ranks and batch sizes."""

import pytest
from facevox.loaders.stream import Stream, StreamOptions


def keys(batches) -> list[list[str]]:
    return [batch["__key__"] for batch in batches]


@pytest.mark.parametrize("workers", [0, 1, 2])
@pytest.mark.parametrize("later", [0, 1, 2])
def test_resume_is_exact_at_every_batch_with_any_workers(built, workers, later):
    options = StreamOptions(fields=("mic1.flac",), shuffle=True, batch_size=1, workers=workers, seed=5)
    again = StreamOptions(fields=("mic1.flac",), shuffle=True, batch_size=1, workers=later, seed=5)
    whole = Stream(built["tar"], "utterances", "train", options)
    epochs = [keys(whole), keys(whole)]
    assert epochs[0] != epochs[1]
    stream = Stream(built["tar"], "utterances", "train", options)
    resumed = Stream(built["tar"], "utterances", "train", again)
    for cut, batch in enumerate(stream, 1):
        assert batch["__key__"] == epochs[0][cut - 1]
        state = stream.state_dict()
        if workers != later and cut % 3:
            continue
        resumed.load_state_dict(state)
        assert keys(resumed) == epochs[0][cut:]
        assert keys(resumed) == epochs[1]


def test_resume_twice_in_a_row(built):
    options = StreamOptions(fields=("mic1.flac",), shuffle=True, batch_size=2, workers=2)
    whole = keys(Stream(built["tar"], "utterances", "train", options))
    taken: list[list[str]] = []
    state = None
    for _ in range(len(whole)):
        stream = Stream(built["tar"], "utterances", "train", options)
        if state:
            stream.load_state_dict(state)
        taken.append(next(iter(stream))["__key__"])
        state = stream.state_dict()
    assert taken == whole
    assert (state["epoch"], state["taken"]) == (0, 8)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_goes_on_with_other_ranks_and_batch_sizes(built, workers):
    """One rank, then three, then two: a state of any rank is good for all of them."""
    state, found = None, []
    for world, batch_size, steps in ((1, 2, 1), (3, 1, 1), (2, 1, 99)):
        options = {"shuffle": True, "batch_size": batch_size, "workers": workers, "world": world, "by_length": "frames"}
        ranks = [
            Stream(
                built["tar"],
                "utterances",
                "train",
                StreamOptions(fields=("mic1.flac",), frames=1, rank=rank, **options),
            )
            for rank in range(world)
        ]
        states = []
        for stream in ranks:
            if state:
                stream.load_state_dict(state)
            left = stream.left
            for _, batch in zip(range(steps), stream, strict=False):
                found += batch["__key__"]
            states.append(stream.state_dict())
            assert stream.left == max(0, left - steps) or stream.epoch == 1
        assert all(one == states[0] for one in states)
        state = states[0]
    assert state["epoch"] == 1
    assert len(found) == len(set(found)) == 8


@pytest.mark.parametrize("workers", [0, 2])
def test_ranks_share_a_split_evenly(built, workers):
    found = []
    for rank in range(3):
        options = StreamOptions(fields=("mic1.flac",), shuffle=True, batch_size=2, workers=workers, rank=rank, world=3)
        stream = Stream(built["tar"], "utterances", "train", options)
        assert len(stream) == 2
        found += [key for batch in stream for key in batch["__key__"]]
    assert len(found) == len(set(found)) == 8


def test_a_position_of_another_stream_is_refused_by_name(built):
    stream = Stream(built["tar"], "utterances", "train", StreamOptions(fields=("mic1.flac",), batch_size=2))
    state = stream.state_dict()
    for change, words in (
        ({"by_length": "frames"}, "by_length was '', now 'frames'"),
        ({"seed": 1, "shuffle": True}, "seed was 0, now 1; shuffle was False, now True"),
        ({"where": "trial == 1"}, "rows was"),
    ):
        other = Stream(
            built["tar"], "utterances", "train", StreamOptions(**{"fields": ("mic1.flac",), "batch_size": 2, **change})
        )
        with pytest.raises(ValueError, match=words):
            other.load_state_dict(state)
    with pytest.raises(ValueError, match="split was 'train', now 'test'"):
        Stream(built["tar"], "utterances", "test", StreamOptions(batch_size=2)).load_state_dict(state)
    with pytest.raises(RuntimeError, match="moved this stream"):
        for _ in stream:
            stream.load_state_dict(state)


def test_two_iterators_cannot_share_a_stream(built):
    stream = Stream(built["tar"], "utterances", "train", StreamOptions(fields=("mic1.flac",), batch_size=2))
    first = iter(stream)
    next(first)
    assert len(list(stream)) == 3
    with pytest.raises(RuntimeError, match="another iteration"):
        next(first)
    assert stream.state_dict()["epoch"] == 1
