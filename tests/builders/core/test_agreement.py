"""Agreement of two people beyond chance: worked numbers, an independent implementation, and what is compared at all."""

import pytest
from facevox import agreement
from facevox.builders.core.agreement import agreements, cohen_kappa
from facevox.builders.core.decisions import Decision, append
from facevox.cli import main
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

WHEN = "2026-03-01T12:00:00Z"


def table(*cells: tuple[str, str, int]) -> list[tuple[str, str]]:
    return [(one, other) for one, other, count in cells for _ in range(count)]


def said(who, key, verdict, value="blurred", about="artifact", seen=""):
    return Decision(key, about, verdict, value, "", who, WHEN, seen)


def test_worked_numbers():
    """20 and 15 alike of 50, 5 and 10 not: observed 0.7, expected 0.5 x 0.6 + 0.5 x 0.4 = 0.5, kappa 0.4."""
    fifty = table(("yes", "yes", 20), ("yes", "no", 5), ("no", "yes", 10), ("no", "no", 15))
    assert cohen_kappa(fifty) == pytest.approx(0.4)
    assert cohen_kappa(table(("a", "a", 3), ("b", "b", 4))) == 1
    assert cohen_kappa(table(("a", "b", 5), ("b", "a", 5))) == -1
    assert cohen_kappa(table(("a", "a", 9))) is None
    assert cohen_kappa([]) is None


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abcd")), min_size=2, max_size=60))
def test_kappa_equals_that_of_scikit_learn(pairs):
    ours = cohen_kappa(pairs)
    if len({verdict for pair in pairs for verdict in pair}) == 1:
        assert ours is None
    else:
        assert ours == pytest.approx(cohen_kappa_score(*zip(*pairs, strict=True)))


def test_each_artifact_is_counted_by_itself_and_with_the_others():
    records = [said("ann", f"k{n}", "confirm") for n in range(4)] + [said("ann", "k0", "overturn", "frozen")]
    records += [said("ben", f"k{n}", "confirm" if n < 3 else "overturn") for n in range(4)]
    records += [said("ben", "k0", "overturn", "frozen"), said("ben", "k9", "confirm"), said("cem", "k8", "confirm")]
    found = {one.about: one for one in agreements(records)}
    assert {about: (one.items, one.agreed) for about, one in found.items()} == {
        "artifact": (5, 4),
        "artifact blurred": (4, 3),
        "artifact frozen": (1, 1),
    }
    assert all(one.people == ("ann", "ben") for one in found.values())
    assert found["artifact"].kappa == pytest.approx(
        cohen_kappa_score(["c", "c", "c", "c", "o"], ["c", "c", "c", "o", "o"])
    )
    assert found["artifact frozen"].kappa is None
    (unlike,) = found["artifact blurred"].disagreements
    assert unlike.line() == "k3, artifact blurred: ann says confirm, ben says overturn"


def test_last_words_about_the_same_sample_are_compared():
    early, late = "a" * 64, "b" * 64
    records = [said("ann", "k", "confirm", seen=early), said("ben", "k", "overturn", seen=late)]
    assert agreements(records) == ()
    assert agreements([*records, said("ann", "k", "overturn", seen=late)])[0].agreed == 1
    assert agreements([*records, said("ann", "k", "undo")]) == ()
    rows = [said("ann", "k", "leave out", None, "quarantine"), said("ben", "k", "accept", None, "quarantine")]
    assert agreements(rows)[0].agreed == 1
    assert not agreements([said(who, "k", "note", "x", "mark") for who in ("ann", "ben")])


def test_the_command_and_the_function_tell_who_agrees(undecided, tmp_path, capsys):
    (tmp_path / "tables").mkdir()
    for name in ("index", "quarantine"):
        (tmp_path / "tables" / f"{name}.parquet").write_bytes((undecided / "tables" / f"{name}.parquet").read_bytes())
    assert main(["decide", str(tmp_path), "--agreement"]) == 0
    assert "nothing was judged by two people" in capsys.readouterr().out
    for who, key, verdict in (("ann", "k1", "confirm"), ("ben", "k1", "overturn"), ("ann", "k2", "overturn")):
        append(tmp_path / "review.jsonl", said(who, key, verdict))
    append(tmp_path / "review.jsonl", said("ben", "k2", "overturn"))
    with (tmp_path / "review.jsonl").open("ab") as file:
        file.write(b'{"key": "k2", "ab')
    assert main(["decide", str(tmp_path), "--agreement"]) == 0
    told = capsys.readouterr()
    assert "ann and ben, artifact blurred: 2 judged by both, 1 alike, kappa 0.00" in told.out
    assert told.out.count("  k1, artifact blurred: ann says confirm, ben says overturn") == 1
    assert "Cohen 1960" in told.out
    assert "review.jsonl, line 5: cut short" in told.err
    assert [one.about for one in agreement(tmp_path)] == ["artifact", "artifact blurred"]
    assert main(["decide", str(tmp_path)]) == 2
    assert "expected a KEY and --about, or --agreement" in capsys.readouterr().err
