"""Every fault does what it says, to a copy, and nothing else."""

import io
import shutil
import wave
import zipfile
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from facevox.builders.population.faults import BOMB_BYTES, FAULTS, ON_TABLES, Fault, damage, flat_png


@pytest.fixture
def copy(forged: Any, tmp_path: Path) -> Path:
    """One archive and one table of the release, to be damaged."""
    out = tmp_path / "copy"
    for pattern in ("image_audio/*.zip", "metadata/commands/*.csv"):
        path = sorted(forged.path.glob(pattern))[0]
        target = out / path.relative_to(forged.path)
        target.parent.mkdir(parents=True)
        shutil.copy(path, target)
    return out


def archive(release: Path) -> Path:
    return next(release.glob("image_audio/*.zip"))


def strike(release: Path, name: str) -> Fault:
    path = next(release.glob("metadata/commands/*.csv")) if name in ON_TABLES else archive(release)
    return FAULTS[name](release, path, np.random.default_rng(1))


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as file:
        return {entry.filename: file.read(entry) for entry in file.infolist()}


def samples(data: bytes) -> int:
    with wave.open(io.BytesIO(data)) as file:
        return file.getnframes()


@pytest.mark.parametrize(
    "name",
    [
        "short_png",
        "wrong_size_png",
        "text_as_png",
        "giant_png",
        "missing_wav",
        "empty_wav",
        "unequal_microphones",
        "missing_frames",
    ],
)
def test_a_fault_of_members_touches_only_what_it_lists(copy: Path, name: str):
    before = contents(archive(copy))
    fault = strike(copy, name)
    after = contents(archive(copy))
    assert fault.name == name
    assert fault.archive == str(archive(copy).relative_to(copy))
    changed = {member for member in before if before[member] != after.get(member)}
    assert changed == set(fault.lost)
    assert after.keys() <= before.keys()


@pytest.mark.parametrize("name", ["empty_zip", "truncated_zip"])
def test_a_broken_archive_cannot_be_listed(copy: Path, name: str):
    names = set(contents(archive(copy)))
    fault = strike(copy, name)
    assert set(fault.lost) == names
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(archive(copy))
    assert (archive(copy).stat().st_size == 0) == (name == "empty_zip")


@pytest.mark.parametrize("name", ["lying_offset", "lying_name", "lying_size"])
def test_a_lying_directory_lists_the_member_but_does_not_lead_to_it(copy: Path, name: str):
    before = contents(archive(copy))
    fault = strike(copy, name)
    with zipfile.ZipFile(archive(copy)) as file:
        (place,) = [place for place, member in enumerate(before) if member == fault.member]
        entry = file.infolist()[place]
        with pytest.raises(zipfile.BadZipFile):
            file.read(entry)
        for other in file.infolist():
            if other is not entry:
                assert file.read(other) == before[other.filename]


def test_pictures_are_broken_in_the_way_they_say(copy: Path):
    fault = strike(copy, "short_png")
    data = contents(archive(copy))[fault.member]
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert b"IEND" not in data
    fault = strike(copy, "wrong_size_png")
    shown = cv2.imdecode(np.frombuffer(contents(archive(copy))[fault.member], np.uint8), cv2.IMREAD_COLOR)
    assert shown.shape == (50, 100, 3)
    fault = strike(copy, "text_as_png")
    assert b"Forbidden" in contents(archive(copy))[fault.member]


def test_the_giant_picture_is_small_as_a_file(copy: Path):
    fault = strike(copy, "giant_png")
    data = contents(archive(copy))[fault.member]
    assert int.from_bytes(data[16:20]) == int.from_bytes(data[20:24]) == 30_000
    assert len(data) < 2_000_000
    packed = data[41 : 41 + int.from_bytes(data[33:37])]
    unpacker, count = zlib.decompressobj(), 0
    while packed:
        count += len(unpacker.decompress(packed, 1 << 24))
        packed = unpacker.unconsumed_tail
    assert count == 30_001 * 30_000
    assert unpacker.eof


def test_a_flat_png_of_any_size_is_valid():
    assert not cv2.imdecode(np.frombuffer(flat_png(1500, 1203), np.uint8), cv2.IMREAD_UNCHANGED).any()


def test_sounds_are_broken_in_the_way_they_say(copy: Path):
    fault = strike(copy, "unequal_microphones")
    after = contents(archive(copy))
    other = fault.member.replace("mic2", "mic1").replace("_2.wav", "_1.wav")
    assert 0 < samples(after[fault.member]) < samples(after[other])
    fault = strike(copy, "empty_wav")
    assert samples(contents(archive(copy))[fault.member]) == 0
    fault = strike(copy, "missing_wav")
    assert fault.member not in contents(archive(copy))


def test_missing_frames_lie_in_the_middle_of_one_clip_in_all_streams(copy: Path):
    fault = strike(copy, "missing_frames")
    names = [name.rsplit("/", 1)[1].removesuffix(".png").split("_") for name in fault.lost]
    assert sorted((name[-2], name[-1]) for name in names) == [(f, s) for f in "23" for s in "123"]
    assert len({tuple(name[:-2]) for name in names}) == 1
    left = contents(archive(copy))
    assert any(name.rsplit("/", 1)[1].startswith("_".join(names[0][:-2]) + "_4_") for name in left)


@pytest.mark.parametrize(("name", "more"), [("rows_without_files", 1), ("files_without_rows", -1)])
def test_tables_and_files_disagree(copy: Path, name: str, more: int):
    path = next(copy.glob("metadata/commands/*.csv"))
    before = path.read_text().splitlines()
    fault = strike(copy, name)
    after = path.read_text().splitlines()
    assert len(after) == len(before) + more
    assert set(before) ^ set(after) == {fault.member}


def test_a_name_comes_twice_with_other_bytes(copy: Path):
    fault = strike(copy, "duplicate_members")
    with zipfile.ZipFile(archive(copy)) as file:
        twins = [entry for entry in file.infolist() if entry.filename == fault.member]
        assert len(twins) == 2
        assert file.read(twins[0]) != file.read(twins[1])


def test_names_climb_out_of_the_archive(copy: Path):
    strike(copy, "climbing_names")
    assert {"../../climbed.png", "/tmp/climbed.png"} <= contents(archive(copy)).keys()


def test_the_bomb_is_small_and_inflates_to_what_it_says(copy: Path):
    fault = strike(copy, "archive_bomb")
    with zipfile.ZipFile(archive(copy)) as file:
        entry = file.getinfo(fault.member)
        assert entry.file_size == BOMB_BYTES == 2 << 30
        assert entry.compress_size < 3 << 20
        count = 0
        with file.open(entry) as stream:
            while block := stream.read(1 << 24):
                count += len(block)
        # Read to its end: the check sum was right too.
        assert count == BOMB_BYTES


def test_damage_copies_and_lists_every_fault_once(forged: Any, tmp_path: Path):
    before = {path: path.stat().st_mtime_ns for path in forged.path.rglob("*")}
    found = damage(forged.path, tmp_path / "damaged", seed=0)
    assert [fault.name for fault in found] == list(FAULTS)
    assert {path: path.stat().st_mtime_ns for path in forged.path.rglob("*")} == before
    assert all((tmp_path / "damaged" / fault.archive).exists() for fault in found)
    struck = [(fault.archive, fault.member) for fault in found]
    assert len(set(struck)) == len(struck)
    again = damage(forged.path, tmp_path / "again", seed=0)
    assert again == found
    for fault in found:
        one, two = ((tmp_path / name / fault.archive).read_bytes() for name in ("damaged", "again"))
        assert one == two
