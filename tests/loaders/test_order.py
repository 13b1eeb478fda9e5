"""Batches by arithmetic: disjoint, complete, equal, repeatable, and taken up again by any number of ranks."""

import numpy as np
import pytest
from facevox.loaders.order import Order, permutation
from hypothesis import assume, given, settings
from hypothesis import strategies as st

WORLDS = st.tuples(st.integers(1, 400), st.integers(1, 9), st.integers(1, 20), st.booleans(), st.integers(0, 5)).filter(
    lambda w: w[0] >= w[1]
)
SIZES = st.tuples(st.integers(1, 9), st.integers(1, 20))
"""A number of ranks and a batch size."""


def lengths_of(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(1, 30, count).astype(float)


@given(WORLDS)
@settings(max_examples=300, deadline=None)
def test_ranks_are_disjoint_complete_and_equal(drawn):
    count, world, batch_size, shuffle, epoch = drawn
    orders = [Order(count, batch_size, 7, shuffle, False, rank, world) for rank in range(world)]
    assert len({len(order) for order in orders}) == 1
    batches = [[order.batch(epoch, n) for n in range(len(order))] for order in orders]
    sizes = [len(batch) for rank in batches for batch in rank]
    assert min(sizes) >= 1
    assert max(sizes) <= max(batch_size, 2)
    assert sorted(np.concatenate([b for rank in batches for b in rank]).tolist()) == list(range(count))
    assert len(orders[0]) == max(1, -(-count // (world * batch_size)) - (batch_size == 1 and count % world > 0))


@given(WORLDS)
@settings(max_examples=200, deadline=None)
def test_dropping_the_rest_gives_full_batches(drawn):
    count, world, batch_size, shuffle, epoch = drawn
    if count < world * batch_size:
        with pytest.raises(ValueError, match="do not fill one batch"):
            Order(count, batch_size, 7, shuffle, True, 0, world)
        return
    orders = [Order(count, batch_size, 7, shuffle, True, rank, world) for rank in range(world)]
    rows = [order.batch(epoch, n) for order in orders for n in range(len(order))]
    assert {len(batch) for batch in rows} == {batch_size}
    assert len(set(np.concatenate(rows).tolist())) == count // (world * batch_size) * world * batch_size


@given(WORLDS, st.booleans(), st.booleans(), st.data())
@settings(max_examples=300, deadline=None)
def test_the_same_ranks_go_on_as_if_never_stopped(drawn, drop_last, by_length, data):
    count, world, batch_size, shuffle, epoch = drawn
    assume(not drop_last or count >= world * batch_size)
    lengths = lengths_of(count) if by_length else None
    order = Order(count, batch_size, 7, shuffle, drop_last, data.draw(st.integers(0, world - 1)), world, lengths)
    cut = data.draw(st.integers(0, len(order)))
    taken = order.edge(cut)
    assert order.left(taken) == len(order) - cut
    for number in range(cut, len(order)):
        again = order.batch(epoch, number - cut, taken, order.block)
        assert again.tolist() == order.batch(epoch, number).tolist()


@given(
    st.integers(1, 400), st.booleans(), st.booleans(), st.booleans(), st.lists(SIZES, min_size=1, max_size=6), st.data()
)
@settings(max_examples=400, deadline=None)
def test_an_epoch_survives_any_change_of_ranks_and_batch_sizes(count, shuffle, drop_last, by_length, sizes, data):
    """Every run but the last is stopped after some batches; the next ones have other worlds and batch sizes."""
    seen: list[int] = []
    taken = block = 0
    lengths = lengths_of(count) if by_length else None
    for at, (world, batch_size) in enumerate(sizes):
        if count < world * (batch_size if drop_last else 1):
            continue
        orders = [Order(count, batch_size, 3, shuffle, drop_last, rank, world, lengths) for rank in range(world)]
        block = block or orders[0].block
        if 0 < count - taken < world and not drop_last:
            with pytest.raises(ValueError, match=f"too few .* left, {count - taken} for {world} ranks"):
                orders[0].left(taken)
            continue
        left = {order.left(taken) for order in orders}
        assert len(left) == 1
        steps = left.pop()
        steps = steps if at == len(sizes) - 1 else data.draw(st.integers(0, steps))
        seen += [int(row) for o in orders for n in range(steps) for row in o.batch(2, n, taken, block)]
        taken = orders[0].edge(steps, taken)
        assert taken == len(seen) == len(set(seen))
    rest = Order(count, 1, 3, shuffle, False, 0, 1, lengths)
    seen += [int(row) for n in range(rest.left(taken)) for row in rest.batch(2, n, taken, block)]
    assert sorted(seen) == list(range(count))


def test_a_single_rank_gets_full_batches_and_a_rest():
    order = Order(100, 16)
    assert [len(order.batch(0, n)) for n in range(len(order))] == [16] * 6 + [4]
    assert order.batch(0, 0).tolist() == list(range(16))


def test_permutations_never_change():
    assert permutation(10, 3, 1).tolist() == [9, 7, 8, 3, 5, 6, 4, 0, 2, 1]
    seen = {tuple(permutation(50, seed, epoch)) for seed in range(4) for epoch in range(4)}
    assert len(seen) == 16


def test_batches_by_length_pad_little_and_stay_shuffled():
    count, batch_size, world = 20_000, 8, 4
    lengths = np.random.default_rng(0).gamma(2, 100, count)
    orders = [Order(count, batch_size, 0, True, False, rank, world, lengths) for rank in range(world)]
    batches = [order.batch(1, n) for order in orders for n in range(len(order))]
    assert sorted(np.concatenate(batches).tolist()) == list(range(count))
    padded = sum(lengths[b].max() * len(b) for b in batches) / lengths.sum()
    plain = Order(count, batch_size, 0, True)
    unsorted = [plain.batch(1, n) for n in range(len(plain))]
    assert padded < 1.05 < 1.5 < sum(lengths[b].max() * len(b) for b in unsorted) / lengths.sum()
    means = np.array([lengths[b].mean() for b in batches[: len(orders[0])]])
    assert abs(np.corrcoef(means[1:], means[:-1])[0, 1]) < 0.15
    assert abs(np.corrcoef(orders[0].sequence(1), np.arange(count))[0, 1]) < 0.03
    assert orders[0].sequence(1).tolist() != orders[0].sequence(2).tolist()
    rising = Order(count, batch_size, lengths=lengths).sequence(0)
    assert (np.diff(lengths[rising]) >= 0).all()


@pytest.mark.parametrize(
    "wrong", [{"batch_size": 0}, {"rank": 2, "world": 2}, {"rank": -1}, {"seed": -1}, {"world": 11}]
)
def test_impossible_orders_are_refused(wrong):
    with pytest.raises(ValueError, match="expected|every rank"):
        Order(**{"count": 10, "batch_size": 4, **wrong})
