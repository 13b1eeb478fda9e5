"""A decision is about the sample that was seen: carried to a release where it is another, it is told, not applied."""

import hashlib
import shutil
import zipfile

import pytest
from facevox import decide
from facevox.builders.core.decisions import Decision, append, out_of_date, read, shown
from facevox.builders.core.raw import open_raw
from facevox.builders.core.run import BuildOptions, run
from facevox.builders.core.source_files import Checksums, SourceFiles
from facevox.builders.population.faults import members, rewrite
from facevox.builders.speakingfaces import SpeakingFacesOptions
from facevox.loaders.folder import Folder
from facevox.loaders.verify import check

SAME = {"configs": ("utterances",), "shard_mb": 1}
WHEN = "2026-03-01T12:00:00Z"


@pytest.fixture(scope="module")
def decided(few, undecided, tmp_path_factory):
    """(folder with decisions about five utterances, their keys in order)."""
    out = tmp_path_factory.mktemp("decided") / "out"
    shutil.copytree(undecided, out)
    keys = sorted(Folder(out).index["key"].to_pylist())
    decide(out, keys[0], about="artifact", value="frozen", verdict="confirm", who="ann")
    decide(out, keys[0], about="quarantine", verdict="leave out", who="ben")
    decide(out, keys[1], about="artifact", value="noisy", verdict="confirm", who="ann")
    decide(out, keys[2], about="trim", value=6300, verdict="change", who="ann")
    decide(out, keys[3], about="quarantine", verdict="leave out", who="ben")
    append(out / "review.jsonl", Decision(keys[0], "mark", "note", None, "unseen", "cem", WHEN))
    return out, keys


@pytest.fixture
def changed(few, decided, tmp_path):
    """The release again, one sample of sound of the first utterance changed."""
    release = tmp_path / "changed"
    shutil.copytree(few, release)
    subject, trial, _, position, command = (int(part) for part in decided[1][0].split("_"))
    archive = next(release.rglob(f"sub_{subject}_ia.zip"))
    name = next(n for n in members(archive) if n.endswith(f"/{subject}_{trial}_2_{position}_{command}_1.wav"))
    rewrite(archive, lambda n, data: data[:100] + bytes([data[100] ^ 1]) + data[101:] if n == name else data)
    return release


def rebuilt(release, decided, out, **options):
    """Build a release elsewhere with the decisions of the first folder; returns (folder, closing words)."""
    (out / ".build").mkdir(parents=True)
    shutil.copy(decided[0] / "review.jsonl", out / "review.jsonl")
    how = SpeakingFacesOptions(detector="none", **{n: options.pop(n) for n in ("quality", "effort") if n in options})
    words = run(BuildOptions("speakingfaces", str(release), out, release=how, **(SAME | options))).lines()
    assert not check(out).problems
    return Folder(out), words


def test_what_was_said_of_a_sample_that_has_changed_is_told_and_not_applied(changed, decided, tmp_path):
    _, keys = decided
    folder, words = rebuilt(changed, decided, tmp_path / "out")
    told = [line for line in words if "out of date, not applied" in line]
    assert [line.split(": ", 2)[2] for line in told] == [
        f"{keys[0]} (artifact frozen confirm by ann)",
        f"{keys[0]} (quarantine leave out by ben)",
    ]
    row = folder.row(keys[0])
    assert row["artifact_thermal"] == 0
    assert [entry["who"] for entry in row["decisions"]] == ["cem"]
    assert folder.row(keys[1])["artifact_audio"] == 1
    assert folder.row(keys[2])["samples"] == 6300
    assert keys[3] not in folder.index["key"].to_pylist()
    card = (folder.path / "README.md").read_text()
    assert "4 decisions of 3 people" in card
    assert f"- {keys[0]} (artifact frozen confirm by ann)" in card.split("have changed since")[1]
    stale = out_of_date(folder, read(folder.path / "review.jsonl"))
    assert [(d.key, d.who) for d in stale] == [(keys[0], "ann"), (keys[0], "ben")]


def test_a_new_word_about_the_changed_sample_counts_alone(changed, decided, tmp_path):
    """Whoever spoke about the earlier one is not in conflict with whoever speaks about this one."""
    _, keys = decided
    folder, _ = rebuilt(changed, decided, tmp_path / "out")
    decide(folder.path, keys[0], about="artifact", value="frozen", verdict="overturn", who="ben")
    how = SpeakingFacesOptions(detector="none")
    words = run(BuildOptions("speakingfaces", str(changed), folder.path, release=how, **SAME)).lines()
    assert not any("in conflict" in line for line in words)
    assert [d["who"] for d in Folder(folder.path).row(keys[0])["decisions"]] == ["ben", "cem"]


@pytest.mark.parametrize("options", [{"effort": 1, "format": "parquet"}, {"quality": 40}])
def test_other_options_and_packing_leave_every_decision_in_force(few, decided, tmp_path, options):
    _, keys = decided
    release = tmp_path / "unpacked"
    shutil.copytree(few, release)
    for archive in release.rglob("*_ia.zip"):
        zipfile.ZipFile(archive).extractall(archive.parent)
        archive.unlink()
    folder, words = rebuilt(release, decided, tmp_path / "out", **options)
    assert not any("out of date" in line for line in words)
    assert words[1] == "4 decisions of 2 people applied, 2 about samples that are in quarantine anyway"
    assert set(folder.index["key"].to_pylist()) == set(keys) - {keys[0], keys[3]}
    assert folder.row(keys[2])["samples"] == 6300
    before = dict(zip(*(Folder(decided[0]).index[name].to_pylist() for name in ("key", "source_digest")), strict=True))
    assert all(len(digest) == 64 for digest in before.values())
    for table in (folder.index, folder.quarantine):
        for key, digest in zip(table["key"].to_pylist(), table["source_digest"].to_pylist(), strict=True):
            assert before[key] == digest


def test_decisions_change_nothing_of_what_they_are_about(few, decided, tmp_path):
    """Said again after the build that followed them, they are about the same sample: trimmed, left out or kept."""
    _, keys = decided
    folder, _ = rebuilt(few, decided, tmp_path / "out")
    assert all(shown(folder, key) == shown(Folder(decided[0]), key) for key in keys)


def test_what_somebody_accepted_and_is_there_after_all_is_told(few, undecided, tmp_path):
    release, out = tmp_path / "release", tmp_path / "out"
    shutil.copytree(few, release)
    archive = sorted(release.rglob("*_ia.zip"))[0]
    lost = next(name for name in members(archive) if name.endswith("_2.wav"))
    rewrite(archive, lambda name, data: None if name == lost else data)
    options = BuildOptions("speakingfaces", str(release), out, release=SpeakingFacesOptions(detector="none"), **SAME)
    run(options)
    (key,) = Folder(out).quarantine["key"].to_pylist()
    decide(out, key, about="quarantine", verdict="accept", who="ann")
    assert "1 decisions of 1 people applied" in "\n".join(run(options).lines())
    folder, words = rebuilt(few, (out, [key]), tmp_path / "whole")
    assert f"warning: out of date, not applied: {key} (quarantine accept by ann)" in words
    assert folder.row(key)["decisions"] == []


def test_a_source_is_its_bytes_and_not_its_name_or_packing(tmp_path):
    """The digest by hand: sizes and CRC-32 in order, then the part."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.bin").write_bytes(b"123456789")
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b/two.bin", b"123456789")
    sums = Checksums(open_raw(str(tmp_path)))
    first = sums.digest(SourceFiles((("a", "a/one.bin"),)))
    # CRC-32 of "123456789" is the check value of its catalogue entry.
    assert first == hashlib.sha256(f"[[[9, {0xCBF43926}]], null]".encode()).hexdigest()
    assert first == sums.digest(SourceFiles((("b", "b/two.bin"),))) == sums.digest(SourceFiles((("", "a/one.bin"),)))
    assert first != sums.digest(SourceFiles((("a", "a/one.bin"),), [0, 1]))
    assert sums.digest(SourceFiles((("a", "a/gone.bin"),))) == sums.digest(None) == ""
