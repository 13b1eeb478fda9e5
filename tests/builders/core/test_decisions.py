"""People's decisions: read strictly, settled by the last word of each, applied to the shards concerned alone."""

import json
import re
import shutil
import subprocess
import sys
import time
import zipfile

import pytest
from facevox import decide
from facevox.builders.core import shard as shard_module
from facevox.builders.core.decisions import ARTIFACTS, Decision, append, read, settle, torn
from facevox.builders.core.review import verdict_code
from facevox.builders.core.run import BuildOptions, run
from facevox.builders.population.clips import ForgeOptions
from facevox.builders.population.faults import members, rewrite
from facevox.builders.population.speakingfaces import forge
from facevox.builders.speakingfaces import SpeakingFacesOptions
from facevox.cli import main
from facevox.loaders.folder import Folder, FolderError
from facevox.loaders.verify import check

WHEN = "2026-03-01T12:00:00Z"


def said(who: str, verdict: str, value: object = "blurred", about: str = "artifact", key: str = "001_1_2_1_0001"):
    return Decision(key, about, verdict, value, "because", who, WHEN)


def test_the_last_word_of_a_person_counts_and_undo_is_a_word():
    settled, conflicts = settle([said("ann", "confirm"), said("ann", "overturn")])
    assert [d.verdict for d in settled["001_1_2_1_0001"]] == ["overturn"]
    assert not conflicts
    assert settle([said("ann", "confirm"), said("ann", "undo")]) == ({}, ())
    both = [said("ann", "confirm"), said("ann", "overturn", "chin_cut")]
    assert len(settle(both)[0]["001_1_2_1_0001"]) == 2
    assert settle([*both, said("ann", "undo", None)]) == ({}, ())


def test_people_who_disagree_are_listed_and_not_followed():
    settled, (conflict,) = settle([said("ann", "confirm"), said("ben", "overturn"), said("ben", "overturn", "frozen")])
    assert [d.value for d in settled["001_1_2_1_0001"]] == ["frozen"]
    assert conflict.line() == "001_1_2_1_0001, artifact blurred: ann says confirm, ben says overturn"
    assert not settle([said("ann", "confirm"), said("ben", "overturn"), said("ben", "undo")])[1]
    trims = [said("ann", "change", 4000, "trim"), said("ben", "change", 5000, "trim")]
    assert "ann says change to 4000 samples" in settle(trims)[1][0].line()
    row = [said(who, verdict, None, "quarantine") for who, verdict in (("ann", "leave out"), ("ben", "accept"))]
    assert not settle(row)[1]
    (unlike,) = settle([*row, said("cem", "retry", None, "quarantine")])[1]
    assert "ann says leave out, ben says accept, cem says retry" in unlike.line()
    notes = [said("ann", "note", "hat", "mark"), said("ben", "note", "veil", "mark")]
    assert len(settle(notes)[0]["001_1_2_1_0001"]) == 2


def test_a_verdict_is_known_when_every_part_of_it_is():
    bits = {"blurred": 1, "chin_cut": 2}
    assert verdict_code({"blurred": True, "chin_cut": True}, bits, []) == 3
    assert verdict_code({"blurred": True, "chin_cut": False}, bits, [said("ann", "overturn")]) == 0
    assert verdict_code({"blurred": False, "chin_cut": None}, bits, []) is None
    assert verdict_code({"blurred": False, "chin_cut": None}, bits, [said("ann", "confirm", "chin_cut")]) == 2


GOOD = {"key": "001_1_2_1_0001", "about": "mark", "verdict": "note", "reason": "", "who": "ann", "when": WHEN}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"about": "artefact"}, "about 'artefact', expected one of artifact, trim"),
        ({"verdict": "maybe"}, "verdict 'maybe' about mark, expected note or undo"),
        ({"about": "artifact", "verdict": "confirm"}, "value None about artifact, expected one of frozen"),
        ({"about": "trim", "verdict": "change", "value": 1.5}, "value 1.5 about trim"),
        ({"about": "trim", "verdict": "change", "value": True}, "value True about trim"),
        ({"about": "quarantine", "verdict": "keep"}, "expected leave out or accept or retry or undo"),
        ({"when": "2026-03-01 12:00"}, "expected UTC as in"),
        ({"when": "2026-03-01T12:00:00+05:00"}, "expected UTC as in"),
        ({"who": " "}, "who is empty"),
        ({"seen": "abc"}, "64 hexadecimal"),
        ({"key": "../x"}, "expected lower-case letters"),
        ({"verdct": "note"}, "unknown field 'verdct'"),
        ({"who": None}, "expected text"),
    ],
)
def test_a_line_that_is_no_record_is_named_by_file_and_number(tmp_path, change, words):
    file = tmp_path / "review.jsonl"
    file.write_text(json.dumps(GOOD) + "\n\n" + json.dumps({**GOOD, **change}) + "\n")
    with pytest.raises(ValueError, match="review.jsonl, line 3: ") as caught:
        read(file)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("line", [b"{\n", b"[1]", b'{"key": "a"}', b"\xff\xfe", b"[" * 100_000])
def test_broken_lines_are_refused_and_nothing_is_added_to_them(tmp_path, line):
    file = tmp_path / "review.jsonl"
    broken = json.dumps(GOOD).encode() + b"\n" + line
    file.write_bytes(broken)
    with pytest.raises(ValueError, match="line 2"):
        read(file)
    with pytest.raises(ValueError, match="line 2"):
        append(file, said("ann", "confirm"))
    assert file.read_bytes() == broken


@pytest.mark.parametrize("cut", [1, 30, -4, -1])
@pytest.mark.parametrize("rest", [b"", b"\0" * 40])
def test_a_last_line_cut_short_by_a_crash_is_told_and_costs_no_other(tmp_path, cut, rest):
    """Any beginning of a record, or zeros where the disk had not got further: no record, and nothing sticks to it."""
    file = tmp_path / "review.jsonl"
    append(file, said("ann", "confirm"))
    whole = file.read_bytes()
    append(file, said("Ändi", "overturn"))
    last = file.read_bytes()[len(whole) : -1]
    assert not torn(file)
    file.write_bytes(whole + (rest or last[:cut]))
    assert [record.who for record in read(file)] == ["ann"]
    assert "line 2: cut short after" in torn(file)
    append(file, said("cem", "confirm"))
    assert [record.who for record in read(file)] == ["ann", "cem"]
    assert file.read_bytes().startswith(whole)
    assert not torn(file)


def test_a_record_without_a_line_end_is_a_record(tmp_path):
    file = tmp_path / "review.jsonl"
    file.write_text(json.dumps(GOOD))
    assert not torn(file)
    append(file, said("ben", "confirm"))
    assert [record.who for record in read(file)] == ["ann", "ben"]


def test_records_survive_the_file(tmp_path):
    file = tmp_path / "review.jsonl"
    file.write_text(json.dumps(GOOD))
    for artifact in ARTIFACTS:
        append(file, said("Ändi", "confirm", artifact))
    assert read(file)[1:] == tuple(said("Ändi", "confirm", artifact) for artifact in ARTIFACTS)
    assert file.read_bytes().count(b"\n") == len(ARTIFACTS) + 1


# --- builds ---

SAME = {"configs": ("utterances",), "shard_mb": 1}


@pytest.fixture
def out(undecided, tmp_path):
    shutil.copytree(undecided, tmp_path / "out")
    return tmp_path / "out"


def decisions_on(out) -> list[str]:
    """Decide four things about two people; returns the keys of the first and the last sample."""
    keys = Folder(out).index["key"].to_pylist()
    ours = Folder(out).row(keys[0])
    decide(out, keys[0], about="artifact", value="frozen", verdict="confirm", reason="stuck", who="ann")
    decide(out, keys[0], about="artifact", value="noisy", verdict="overturn", who="ann")
    decide(out, keys[0], about="trim", value="6300", verdict="change", who="ann")
    decide(out, keys[-1], about="quarantine", verdict="leave out", reason="someone else", who="ben")
    assert not ours["decisions"]
    return [keys[0], keys[-1]]


def shard_of(out, key: str) -> str:
    """`utterances/train-00000`: its sidecar tells which words of people were handed to it."""
    return Folder(out).row(key)["shard"].removeprefix("data/").removesuffix(".tar")


def without_review(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if name not in ("review.jsonl", ".build/followed.json")}


def test_decisions_rebuild_their_shards_alone_and_equal_a_fresh_build(few, out, tmp_path, build_folder, tree):
    before, stamps = without_review(tree(out)), {p: p.stat().st_mtime_ns for p in (out / "data").rglob("*.tar")}
    first, last = decisions_on(out)
    concerned = {Folder(out).row(key)["shard"] for key in (first, last)}
    folder = build_folder(few, out, **SAME)
    untouched = [path for path, stamp in stamps.items() if path.exists() and path.stat().st_mtime_ns == stamp]
    assert {path.relative_to(out).as_posix() for path in untouched} == {
        name for name in before if name.startswith("data/")
    } - concerned
    row = folder.row(first)
    assert (row["artifact_thermal"], row["artifact_audio"]) == (1, 0)
    assert not row["frozen"]
    assert row["samples"] == 6300
    assert row["frames"] == 4 == len(row["blur"])
    assert row["alignment"][-1]["last"] == 4
    assert [(d["value"], d["verdict"], d["who"]) for d in row["decisions"]] == [
        ("frozen", "confirm", "ann"),
        ("noisy", "overturn", "ann"),
        ("6300", "change", "ann"),
    ]
    (left,) = [row for row in folder.quarantine.to_pylist() if row["stage"] == "review"]
    assert (left["key"], left["reason"]) == (last, "ben: someone else")
    assert "4 decisions of 2 people" in (out / "README.md").read_text()
    verdict = check(out)
    assert (verdict.problems, verdict.notes) == ([], [])
    for workers in (1, 2):
        fresh = tmp_path / f"fresh-{workers}"
        fresh.mkdir()
        (fresh / ".build").mkdir()
        shutil.copy(out / "review.jsonl", fresh / "review.jsonl")
        build_folder(few, fresh, workers=workers, **SAME)
        assert tree(fresh) == tree(out)
    for about, value in (("artifact", ""), ("trim", None)):
        decide(out, first, about=about, value=value, verdict="undo", who="ann")
    decide(out, last, about="quarantine", verdict="undo", who="ben")
    build_folder(few, out, **SAME)
    assert without_review(tree(out)) == before


def test_conflicts_and_strangers_are_told_and_change_nothing(few, undecided, out, tree):
    key = Folder(out).index["key"][0].as_py()
    append(out / "review.jsonl", said("ann", "confirm", key=key))
    append(out / "review.jsonl", said("ben", "overturn", key=key))
    append(out / "review.jsonl", said("ben", "overturn", key="999_1_2_1_0001"))
    options = BuildOptions("speakingfaces", str(few), out, release=SpeakingFacesOptions(detector="none"), **SAME)
    words = run(options).lines()
    assert any(f"in conflict, not applied: {key}, artifact blurred: ann says confirm" in line for line in words)
    assert any("no sample for 999_1_2_1_0001 (artifact blurred overturn by ben)" in line for line in words)
    card = (out / "README.md").read_text()
    assert "ben says overturn" in card
    assert "999_1_2_1_0001" in card
    same = {
        "README.md",
        "checksums.sha256",
        "croissant.json",
        "review.jsonl",
        f".build/shards/{shard_of(out, key)}.json",
    }
    before, after = without_review(tree(undecided)), without_review(tree(out))
    assert {n: d for n, d in after.items() if n not in same} == {n: d for n, d in before.items() if n not in same}


def damaged(release, out, ending: str):
    """A copy of a release where one byte of a file whose name ends so is another; returns (copy, mend)."""
    shutil.copytree(release, out)
    archive = sorted(out.rglob("*_ia.zip"))[0]
    whole = archive.read_bytes()
    info = next(entry for entry in zipfile.ZipFile(archive).infolist() if entry.filename.endswith(ending))
    at = info.header_offset + 30 + len(info.filename) + info.file_size // 2
    archive.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
    return out, lambda: archive.write_bytes(whole)


def test_what_was_left_out_is_tried_again_once_for_every_retry_and_accepted_for_good(few, tmp_path, tree):
    release, mend = damaged(few, tmp_path / "release", "_1.wav")
    out = tmp_path / "out"
    options = BuildOptions("speakingfaces", str(release), out, release=SpeakingFacesOptions(detector="none"), **SAME)
    run(options)
    (key,) = Folder(out).quarantine["key"].to_pylist()
    before = without_review(tree(out))
    decide(out, key, about="quarantine", verdict="accept", who="ann")
    run(options)
    assert without_review(tree(out)).keys() == before.keys()
    (row,) = Folder(out).quarantine.to_pylist()
    assert (row["key"], row["stage"]) == (key, "read")
    decide(out, key, about="quarantine", verdict="retry", who="ann")
    assert run(options).built == 1
    assert run(options).built == 0
    assert Folder(out).quarantine["key"].to_pylist() == [key]
    mend()
    assert run(options).built == 0
    decide(out, key, about="quarantine", verdict="retry", reason="downloaded again", who="ann")
    assert run(options).built == 1
    assert not Folder(out).quarantine.num_rows
    assert Folder(out).row(key)["decisions"] == []
    assert not check(out).problems


def test_what_was_left_out_while_listing_is_tried_again_without_extending(few, tmp_path):
    release = tmp_path / "release"
    shutil.copytree(few, release)
    archive = sorted(release.rglob("*_ia.zip"))[0]
    whole = archive.read_bytes()
    lost = next(name for name in members(archive) if name.endswith("_2.wav"))
    rewrite(archive, lambda name, data: None if name == lost else data)
    out = tmp_path / "out"
    options = BuildOptions("speakingfaces", str(release), out, release=SpeakingFacesOptions(detector="none"), **SAME)
    run(options)
    key = next(key for key in Folder(out).quarantine["key"].to_pylist() if key)
    archive.write_bytes(whole)
    with pytest.raises(FolderError, match="--extend"):
        run(options)
    decide(out, key, about="quarantine", verdict="retry", who="ann")
    assert run(options).built == 1
    assert key in Folder(out).index["key"].to_pylist()
    assert key not in Folder(out).quarantine["key"].to_pylist()


def test_a_trim_that_cannot_be_followed_is_a_row_not_a_crash(few, out, build_folder):
    keys = Folder(out).index["key"].to_pylist()
    decide(out, keys[0], about="trim", value=10**9, verdict="change", who="ann")
    decide(out, keys[1], about="trim", value=9, verdict="change", who="ann")
    rows = {row["key"]: row["reason"] for row in build_folder(few, out, **SAME).quarantine.to_pylist()}
    assert rows.keys() == {keys[1]}
    assert "not one whole frame" in rows[keys[1]]
    card = (out / "README.md").read_text()
    assert "1 decisions of 1 people" in card
    assert "1 more are about samples in quarantine" in card
    assert "does not hold" not in card


def test_what_nothing_would_follow_is_refused_with_the_reason(tmp_path, build_folder):
    silent = ForgeOptions(subjects=3, positions=1, utterances=1, frames=6, stills_frames=2, size="small")
    forge(tmp_path / "release", silent)
    folder = build_folder(tmp_path / "release", tmp_path / "out", configs=("stills",), limit=1)
    key = folder.index["key"][0].as_py()
    can = (
        "What can be decided there: artifact (blurred, chin_cut, flickers, frozen); mark (note); quarantine (leave out"
    )
    for about, verdict, value, words in (
        ("trim", "change", 6300, f"{key} of stills has no sound that is trimmed. {can}"),
        ("artifact", "confirm", "noisy", f"{key} of stills has nothing that follows 'artifact noisy confirm'. {can}"),
        ("face", "keep", None, f"{key} of stills has nothing that follows 'face keep'. {can}"),
        ("quarantine", "retry", None, f"{key} was not left out: nothing to retry. Did you mean 'leave out'?"),
        ("quarantine", "accept", None, f"{key} was not left out: nothing to accept. Did you mean 'leave out'?"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            decide(folder.path, key, about=about, value=value, verdict=verdict, who="ann")
    assert not (folder.path / "review.jsonl").exists()
    decide(folder.path, key, about="trim", verdict="undo", who="ann")
    decide(folder.path, key, about="artifact", value="frozen", verdict="confirm", who="ann")


def test_a_kill_before_the_sidecar_leaves_no_shard_that_passes_for_another(few, out, build_folder, tree, monkeypatch):
    """Change a decision, be killed between the names of shard and sidecar, change it back: the old file comes back."""
    key = Folder(out).index["key"][0].as_py()
    append(out / "review.jsonl", said("ann", "note", "hat", "mark", key))
    build_folder(few, out, **SAME)
    before = without_review(tree(out))
    append(out / "review.jsonl", said("ann", "note", "cap", "mark", key))
    with monkeypatch.context() as dying:
        dying.setattr(shard_module, "write_json", die)
        with pytest.raises(KeyboardInterrupt):
            build_folder(few, out, **SAME)
    append(out / "review.jsonl", said("ann", "note", "hat", "mark", key))
    build_folder(few, out, **SAME)
    assert without_review(tree(out)) == before


def die(*anything) -> None:
    raise KeyboardInterrupt


def test_the_command_writes_what_the_build_reads(few, out, capsys):
    key = Folder(out).index["key"][0].as_py()
    words = ["decide", str(out), key, "--about", "artifact", "--value", "blurred", "--who", "ann"]
    assert main([*words, "--verdict", "overturn", "--reason", "sharp"]) == 0
    assert main([*words, "--undo"]) == 0
    first, second = read(out / "review.jsonl")
    assert (first.verdict, first.reason, second.verdict) == ("overturn", "sharp", "undo")
    assert len(first.seen) == 64
    assert first.seen == second.seen
    capsys.readouterr()
    for wrong, answer in (
        (["decide", str(out), "nobody", "--about", "mark", "--verdict", "note"], "no sample 'nobody'"),
        (["decide", str(out), key, "--about", "mark"], "expected note or undo"),
    ):
        assert main(wrong) == 2
        assert answer in capsys.readouterr().err
    assert len(read(out / "review.jsonl")) == 2
    (out / "review.jsonl").write_text("not a record\n")
    build = [
        "build",
        "speakingfaces",
        "--raw",
        str(few),
        "--out",
        str(out),
        "--config",
        "utterances",
        "--detector",
        "none",
    ]
    assert main([*build, "--shard-mb", "1"]) == 2
    assert "review.jsonl, line 1: not JSON" in capsys.readouterr().err


WRITER = """
import sys, time
from facevox import decide
out, key, who, start = sys.argv[1:]
time.sleep(max(0, float(start) - time.time()))
for number in range(12):
    decide(out, key, about="mark", verdict="note", reason=str(number), who=who)
"""


def test_two_reviewers_at_once_lose_nothing_and_share_no_line(out):
    key = Folder(out).index["key"][0].as_py()
    append(out / "review.jsonl", said("ann", "confirm", key=key))
    with (out / "review.jsonl").open("ab") as file:
        file.write(b'{"key": "' + key.encode())
    words = [[sys.executable, "-c", WRITER, str(out), key, who, str(time.time() + 2)] for who in ("ben", "cem")]
    running = [subprocess.Popen(line) for line in words]
    assert [process.wait() for process in running] == [0, 0]
    records = read(out / "review.jsonl")
    assert len(records) == 25
    for who in ("ben", "cem"):
        assert [record.reason for record in records if record.who == who] == [str(number) for number in range(12)]
    assert not torn(out / "review.jsonl")


def test_an_unknown_folder_is_refused(tmp_path):
    with pytest.raises(FolderError):
        decide(tmp_path, "a", about="mark", verdict="note", who="ann")
