"""Tries, and which ranges are fetched together."""

import copy
import math
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from facevox.loaders.answers import Answer, Fault
from facevox.loaders.places import Place, place_of
from facevox.loaders.remote import GAP_SHARE, LARGEST_REQUEST, joined
from facevox.loaders.retries import PATIENCE, TRIES, tried
from facevox.loaders.shards import FolderError
from fsspec.registry import _registry
from hypothesis import given
from hypothesis import strategies as st


def asked_of(outcomes):
    left = iter(outcomes)
    return lambda: next(left)


def test_a_try_is_repeated_only_where_that_may_help(monkeypatch):
    monkeypatch.setattr("facevox.loaders.retries.LONGEST_WAIT", 0.02)
    busy, gone, there = Fault("HTTP 503", True), Fault("HTTP 404", False), Answer(b"x")
    assert tried(asked_of([busy, busy, there]), "s3://b/O/x") is there
    with pytest.raises(FolderError, match=r"^s3://b/O/x: HTTP 404$"):
        tried(asked_of([gone, there]), "s3://b/O/x")
    with pytest.raises(FolderError, match=rf"^s3://b/O/x: HTTP 503 \({TRIES} tries\)$"):
        tried(asked_of([busy] * TRIES + [there]), "s3://b/O/x")


def test_a_long_transfer_that_fails_once_is_tried_again(monkeypatch):
    now, there = [0.0], Answer(b"x")
    monkeypatch.setattr("facevox.loaders.retries.time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr("facevox.loaders.retries.LONGEST_WAIT", 0.0)

    def slow(outcomes):
        ask = asked_of(outcomes)

        def later():
            now[0] += PATIENCE + 5
            return ask()

        return later

    fault = Fault("HTTP 500", True)
    assert tried(slow([fault, there]), "s3://b/O/x") is there
    with pytest.raises(FolderError, match=r"\(2 tries\)"):
        tried(slow([fault, fault, there]), "s3://b/O/x")
    assert tried(slow([fault, fault, fault, there]), "s3://b/O/x", patience=math.inf) is there


def test_waiting_ends_when_nobody_waits_for_the_answer():
    stop = threading.Event()
    stop.set()
    begun = time.monotonic()
    with pytest.raises(FolderError, match="HTTP 429"):
        tried(asked_of([Fault("HTTP 429", True, 5.0)] * TRIES), "s3://b/O/x", stop)
    assert time.monotonic() - begun < 1


@given(st.lists(st.tuples(st.integers(0, 50_000_000), st.integers(1, 300_000)), max_size=40))
def test_what_is_fetched_together_is_near_and_complete(ranges):
    groups = joined(ranges)
    assert sorted(wanted for group in groups for wanted in group) == sorted(set(ranges))
    for group in groups:
        span = max(map(sum, group)) - group[0][0]
        covered, end = 0, 0
        for first, size in group:
            covered += max(0, first + size - max(first, end))
            end = max(end, first + size)
        assert len(group) == 1 or span <= LARGEST_REQUEST
        assert span - covered <= GAP_SHARE * span


@pytest.mark.parametrize(
    ("url", "shown", "file"),
    [
        ("s3://bucket/O/", "s3://bucket/O/", "s3://bucket/O/data/x.tar"),
        ("https://me:pw@host/O?sig=1", "https://host/O", "https://me:pw@host/O/data/x.tar?sig=1"),
        ("https://host/", "https://host/", "https://host/data/x.tar"),
    ],
)
def test_names_of_places(url, shown, file):
    assert str(Place(url)) == shown and Place(url).file("data/x.tar") == file


def test_a_place_sent_to_another_process_is_the_same_place():
    place = Place("memory://O", {"asked": 1})
    place.opened()
    sent = copy.deepcopy(place)
    assert sent == place and hash(sent) == hash(place)
    assert sent != Place("memory://O") and place != Place("memory://P", place.options)


def test_what_is_a_place():
    assert place_of("O") == Path("O") and place_of("file:///srv/O") == Path("/srv/O")
    assert str(place_of("gs://bucket/O")) == "gs://bucket/O"
    with pytest.raises(ValueError, match="a place is given as text with two slashes, as s3://bucket/O"):
        place_of(Path("s3://bucket/O"))


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(_registry, "s3", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"s3://bucket/O: not installed; pip install 'facevox\[s3\]'"):
        Place("s3://bucket/O").opened()
