"""Plans: a pure function of the listing, cut by bytes, digested."""

import random

import pytest
from facevox.builders.core.builder import Unit
from facevox.builders.core.plan import make, reconcile
from facevox.builders.core.run import empty_configs
from facevox.builders.core.stage import Rejection
from facevox.loaders.folder import FolderError
from hypothesis import given, settings
from hypothesis import strategies as st

UNITS = st.lists(
    st.builds(
        lambda number, split, size: Unit(f"{number:04d}", "c", split, f"p/{number}", size),
        st.integers(0, 9999),
        st.sampled_from(["train", "test"]),
        st.integers(1, 50),
    ),
    unique_by=lambda unit: unit.key,
    max_size=60,
)


@given(UNITS, st.integers(1, 120), st.integers(0, 9))
@settings(max_examples=100, deadline=None)
def test_a_plan_holds_every_unit_once_in_order_and_within_size(units, shard_bytes, seed):
    plan = make(units, {}, shard_bytes)
    planned = [unit for shard in plan.shards for unit in shard.units]
    assert sorted(planned, key=lambda u: u.key) == sorted(units, key=lambda u: u.key)
    for shard in plan.shards:
        assert [u.key for u in shard.units] == sorted(u.key for u in shard.units)
        assert {u.split for u in shard.units} == {shard.split}
        assert shard.size <= shard_bytes or len(shard.units) == 1
    shuffled = random.Random(seed).sample(units, len(units))
    assert make(shuffled, {}, shard_bytes).digest() == plan.digest()


def test_the_digest_sees_every_change():
    unit = Unit("a", "c", "train", "p/1", 5, {"x": 1})
    plan = make([unit], {"o": 1}, 100)
    for other in (
        make([Unit("b", "c", "train", "p/1", 5, {"x": 1})], {"o": 1}, 100),
        make([Unit("a", "c", "train", "p/1", 6, {"x": 1})], {"o": 1}, 100),
        make([Unit("a", "c", "train", "p/1", 5, {"x": 2})], {"o": 1}, 100),
        make([unit], {"o": 2}, 100),
        make([unit, Rejection("", "c", "", "list", "x.zip", "empty")], {"o": 1}, 100),
    ):
        assert other.digest() != plan.digest()


def test_an_option_that_is_gone_counts_where_it_was_on(tmp_path):
    path, unit = tmp_path / "O" / ".build" / "plan.json", Unit("a", "c", "train", "p/1", 5)
    for was in ("", False, 0, None):
        make([unit], {"o": 1, "gone": was}, 100).save(path)
        assert reconcile(make([unit], {"o": 1}, 100), path, 100, extend=False).shards
    make([unit], {"o": 1, "gone": True}, 100).save(path)
    with pytest.raises(FolderError, match="gone was True, now None"):
        reconcile(make([unit], {"o": 1}, 100), path, 100, extend=False)


def test_a_key_that_occurs_twice_is_rejected_the_second_time():
    twice = make([Unit("a", "c", "train", "p/1", 5), Unit("a", "c", "train", "p/2", 5)], {}, 100)
    assert len(twice.shards[0].units) == 1
    assert "occurs twice" in twice.rejections[0].reason


@given(UNITS, UNITS, st.integers(1, 120))
@settings(max_examples=40, deadline=None)
def test_extending_keeps_old_shards_and_adds_the_rest(tmp_path_factory, old, more, shard_bytes):
    path = tmp_path_factory.mktemp("plan") / ".build" / "plan.json"
    first = make(old, {}, shard_bytes)
    first.save(path)
    known = {unit.key for unit in old}
    grown = make([*old, *(unit for unit in more if unit.key not in known)], {}, shard_bytes)
    if grown.digest() == first.digest():
        assert reconcile(grown, path, shard_bytes, extend=False).shards == grown.shards
        return
    with pytest.raises(FolderError, match="--extend"):
        reconcile(grown, path, shard_bytes, extend=False)
    extended = reconcile(grown, path, shard_bytes, extend=True)
    assert {shard.name: shard.units for shard in first.shards}.items() <= {
        s.name: s.units for s in extended.shards
    }.items()
    assert len({shard.name for shard in extended.shards}) == len(extended.shards)
    assert sorted(u.key for s in extended.shards for u in s.units) == sorted(
        u.key for s in grown.shards for u in s.units
    )


def test_a_config_of_which_there_is_nothing_is_named_with_its_reason():
    left = Rejection("", "faces", "", "config", "R", "no pictures here; web photos need --source candidates")
    units = [Unit("a", "voices", "train", "d/m/a", 10)]
    plan = make([*units, left], {"configs": ["faces", "stills", "voices"]}, 1 << 20)
    assert empty_configs(plan) == [
        "config faces: NOTHING FOUND: no pictures here; web photos need --source candidates",
        "config stills: NOTHING FOUND",
    ]
