"""Mixed streams: the asked shares, nothing lost in any stream, exact resume at every batch."""

import numpy as np
import pytest
from facevox.loaders.batches import Batches
from facevox.loaders.mixture import Mixture
from facevox.loaders.order import Order
from facevox.loaders.shards import Request
from facevox.loaders.stream import BatchStream
from hypothesis import given, settings
from hypothesis import strategies as st


class Numbers:
    """A reader whose samples are their row numbers."""

    def __init__(self, name: str) -> None:
        self.name = name

    def request(self, rows):
        return Request({}, rows)

    def samples(self, request, parts):
        return [(self.name, int(row)) for row in request.kept]


class Rows(BatchStream):
    """A stream of row numbers; its position fits streams of the same name."""

    def __init__(self, at, *parts):
        self.at = at
        super().__init__(*parts)

    def _identity(self):
        return {"rows": self.at}


def streams(counts, tmp_path, rank=0, world=1, batch_size=2) -> list[BatchStream]:
    made = []
    for at, count in enumerate(counts):
        order = Order(count, batch_size, 3, True, False, rank, world)
        made.append(Rows(at, order, Batches(tmp_path, Numbers(str(at)), order, list), 0))
    return made


COUNTS = st.lists(st.integers(4, 14), min_size=1, max_size=3)


@given(COUNTS, st.integers(0, 9), st.sampled_from(["first_exhausted", "all_exhausted"]), st.integers(0, 40))
@settings(max_examples=25, deadline=None)
def test_resume_is_exact_at_any_batch_and_over_epochs(tmp_path_factory, counts, seed, stopping, cut):
    weights = range(1, len(counts) + 1)

    def mixture() -> Mixture:
        return Mixture(streams(counts, tmp_path_factory.getbasetemp()), weights, seed, stopping)

    whole = mixture()
    expected = [list(whole) for _ in range(3)]
    first = mixture()
    flat = [batch for epoch in expected for batch in epoch]
    cut = min(cut, len(flat))
    taken: list = []
    while len(taken) < cut:
        for batch in first:
            taken.append(batch)
            if len(taken) == cut:
                break
    resumed = mixture()
    resumed.load_state_dict(first.state_dict())
    while len(taken) < len(flat):
        taken += list(resumed)
    assert taken == flat
    for at, count in enumerate(counts):
        rows = [row for batch in flat for name, row in batch if name == str(at)]
        for epoch in range(len(rows) // count):
            assert sorted(rows[epoch * count : (epoch + 1) * count]) == list(range(count))


def test_an_epoch_ends_by_the_rule(tmp_path):
    for stopping in ("first_exhausted", "all_exhausted"):
        mixture = Mixture(streams([6, 30], tmp_path), (1, 1), 0, stopping)
        for _ in range(3):
            sources = []
            for _ in mixture:
                sources.append(mixture.source)
            ended = [stream.epoch for stream in mixture.streams]
            assert mixture.streams[sources[-1]].left == len(mixture.streams[sources[-1]])
            assert (max if stopping == "first_exhausted" else min)(ended) >= 1
    assert ended[0] > ended[1] == 3


def test_shares_are_the_weights_and_ranks_choose_alike(tmp_path):
    mixture = Mixture(streams([6, 6, 6], tmp_path), (5, 3, 2), 1)
    chosen = np.array([mixture.choice(number) for number in range(4000)])
    shares = np.bincount(chosen) / len(chosen)
    assert np.abs(shares - [0.5, 0.3, 0.2]).max() < 4 * np.sqrt(0.25 / len(chosen))
    assert abs(np.corrcoef(chosen[1:], chosen[:-1])[0, 1]) < 0.06
    ranks = [Mixture(streams([9, 7], tmp_path, rank, 2), (1, 2), 4, "all_exhausted") for rank in range(2)]
    batches = [[(mixture.source, len(batch)) for batch in mixture] for mixture in ranks]
    assert [source for source, _ in batches[0]] == [source for source, _ in batches[1]]


def test_the_world_may_change_within_a_mixed_epoch(tmp_path):
    """Weights so far apart that one epoch of the second stream takes in many of the first."""
    found: dict[str, list[int]] = {"0": [], "1": []}
    state = None
    for world, steps in ((1, 3), (3, 2), (2, 999)):
        ranks = [Mixture(streams([40, 41], tmp_path, r, world), (1, 1), 8) for r in range(world)]
        states = []
        for mixture in ranks:
            if state:
                mixture.load_state_dict(state)
            for _, batch in zip(range(steps), mixture, strict=False):
                for name, row in batch:
                    found[name].append(row)
            states.append(mixture.state_dict())
        assert all(one == states[0] for one in states)
        state = states[0]
    assert state["epoch"] == 1
    assert all(len(rows) == len(set(rows)) for rows in found.values())
    assert max(len(found["0"]) - 40, len(found["1"]) - 41) == 0


def test_impossible_mixtures_are_refused(tmp_path):
    made = streams([4, 4], tmp_path)
    for wrong in (
        lambda: Mixture(made, (1,)),
        lambda: Mixture(made, (1, 0)),
        lambda: Mixture(made, (1, float("nan"))),
        lambda: Mixture([], ()),
        lambda: Mixture(made, (1, 1), stopping="never"),
    ):
        with pytest.raises(ValueError, match="expected"):
            wrong()
    with pytest.raises(ValueError, match="same stream twice"):
        Mixture([made[0], made[0]], (1, 1))
    with pytest.raises(ValueError, match="different ranks"):
        Mixture([made[0], *streams([4], tmp_path, 1, 2)], (1, 1))
    with pytest.raises(ValueError, match=r"weights was \[1, 1\], now \[1, 2\]"):
        Mixture(made, (1, 2)).load_state_dict(Mixture(made, (1, 1)).state_dict())
