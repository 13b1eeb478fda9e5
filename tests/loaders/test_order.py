"""Batches by arithmetic: disjoint, complete, equal, repeatable."""

import numpy as np
import pytest
from facevox.loaders.order import Order, permutation
from hypothesis import given, settings
from hypothesis import strategies as st

WORLDS = st.tuples(st.integers(1, 400), st.integers(1, 9), st.integers(1, 20), st.booleans(), st.integers(0, 5)).filter(
    lambda w: w[0] >= w[1]
)


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


def test_a_single_rank_gets_full_batches_and_a_rest():
    order = Order(100, 16)
    assert [len(order.batch(0, n)) for n in range(len(order))] == [16] * 6 + [4]
    assert order.batch(0, 0).tolist() == list(range(16))


def test_permutations_never_change():
    assert permutation(10, 3, 1).tolist() == [9, 7, 8, 3, 5, 6, 4, 0, 2, 1]
    seen = {tuple(permutation(50, seed, epoch)) for seed in range(4) for epoch in range(4)}
    assert len(seen) == 16


def test_shuffling_mixes_well():
    order = permutation(10_000, 0, 3)
    assert abs(np.corrcoef(order, np.arange(10_000))[0, 1]) < 0.05


@pytest.mark.parametrize(
    "wrong", [{"batch_size": 0}, {"rank": 2, "world": 2}, {"rank": -1}, {"seed": -1}, {"world": 11}]
)
def test_impossible_orders_are_refused(wrong):
    with pytest.raises(ValueError, match="expected|every rank"):
        Order(**{"count": 10, "batch_size": 4, **wrong})
