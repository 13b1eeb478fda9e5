"""Bad input becomes a row; broken code stops the shard."""

import json

import pytest
from facevox.builders.core.stage import FAILURES_IN_A_ROW, Attempts, Clock, Reject, Rejection


def rejection(stage: str, place: str, reason: str, kind: str, measured: str) -> Rejection:
    return Rejection("key", "config", "train", stage, place, reason, kind, measured)


@pytest.fixture(autouse=True)
def no_failures_yet(monkeypatch):
    """The count runs over all shards of a process; every test begins at none."""
    monkeypatch.setattr(Attempts, "_unforeseen", 0)


def failing(clock: Clock, error: BaseException, stage: str = "decode"):
    def work():
        with clock("outer"), clock(stage):
            raise error

    return work


def test_rejects_carry_stage_place_and_reason():
    clock = Clock()
    outcome = Attempts(clock)(failing(clock, Reject("blurred: 6.2 < 10", "a.png")), rejection)
    assert outcome == Rejection("key", "config", "train", "decode", "a.png", "blurred: 6.2 < 10", "Reject")


def test_unforeseen_errors_become_rows_with_their_type():
    clock = Clock()
    outcome = Attempts(clock)(failing(clock, KeyError("gone")), rejection)
    assert (outcome.stage, outcome.kind, outcome.reason) == ("decode", "KeyError", "'gone'")


@pytest.mark.parametrize(
    "error", [MemoryError(), ImportError("x"), NameError("x"), SyntaxError("x"), OSError(5, "disk")]
)
def test_broken_machines_and_code_are_not_bad_data(error):
    clock = Clock()
    with pytest.raises(type(error)):
        Attempts(clock)(failing(clock, error), rejection)


def test_a_hundred_unforeseen_failures_in_a_row_stop_the_shard():
    clock = Clock()
    attempt = Attempts(clock)
    for _ in range(FAILURES_IN_A_ROW - 1):
        attempt(failing(clock, ValueError("odd")), rejection)
    assert attempt(lambda: "fine", rejection) == "fine"
    for _ in range(FAILURES_IN_A_ROW - 1):
        attempt(failing(clock, ValueError("odd")), rejection)
    with pytest.raises(RuntimeError, match="100 units in a row failed"):
        attempt(failing(clock, ValueError("odd")), rejection)
    for _ in range(3 * FAILURES_IN_A_ROW):
        attempt(failing(clock, Reject("expected")), rejection)


def test_the_clock_adds_up_and_forgets_the_last_failure():
    clock = Clock()
    attempt = Attempts(clock)
    attempt(failing(clock, Reject("x")), rejection)

    def unnamed():
        raise Reject("no stage was running")

    assert attempt(unnamed, rejection).stage == ""
    assert set(clock.seconds) == {"outer", "decode"}
    assert clock.seconds["outer"] >= clock.seconds["decode"] > 0


def test_what_was_measured_goes_into_the_row() -> None:
    attempt = Attempts(Clock())

    def work() -> None:
        raise Reject("too small", "a.jpg", {"ipd_px": 21.23456789, "pupils": (1.0, float("nan")), "faces": 1})

    row = attempt(work, lambda *told: Rejection("k", "faces", "train", *told))
    assert isinstance(row, Rejection)
    assert json.loads(row.measured) == {"ipd_px": 21.2346, "pupils": [1.0, None], "faces": 1}
