"""Releases read in place: folder, zip and tar alike, nothing trusted."""

import io
import tarfile
import zipfile
import zlib

import fsspec
import pytest
from facevox.builders.core.raw import Entry, open_raw, unsafe

FILES = {"sub_1/a.txt": b"first", "sub_1/deep/b.bin": bytes(range(256)) * 10}


@pytest.fixture(params=["folder", "zip", "deflated", "tar"])
def inside(request, tmp_path):
    """The same two files as a folder, a stored zip, a deflated zip and a tar, opened by stem."""
    if request.param == "folder":
        for name, data in FILES.items():
            (tmp_path / "at" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "at" / name).write_bytes(data)
    elif request.param == "tar":
        (tmp_path / "at").mkdir()
        with tarfile.open(tmp_path / "at" / "sub_1.tar", "w") as tar:
            for name, data in FILES.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    else:
        (tmp_path / "at").mkdir()
        method = zipfile.ZIP_STORED if request.param == "zip" else zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(tmp_path / "at" / "sub_1.zip", "w", method) as archive:
            archive.mkdir("sub_1/")
            for name, data in FILES.items():
                archive.writestr(name, data)
    raw = open_raw(str(tmp_path))
    yield raw.inside("at/sub_1")
    raw.close()


def test_every_kind_lists_and_reads_alike(inside):
    assert {(e.name, e.size) for e in inside.entries()} == {(name, len(data)) for name, data in FILES.items()}
    for name, data in FILES.items():
        assert inside.read(name, 10_000) == data


def test_opened_members_are_read_and_sought_in_like_files(inside):
    data = FILES["sub_1/deep/b.bin"]
    with inside.open("sub_1/deep/b.bin") as file, inside.open("sub_1/a.txt") as other:
        assert file.seek(300) == 300
        assert file.read(20) == data[300:320]
        assert other.read(2) == b"fi"
        assert file.read(5) == data[320:325]
        file.seek(-7, io.SEEK_END)
        assert file.read(100) == data[-7:]
        assert file.read(1) == b""
        file.seek(0)
        assert file.read() == data
    assert inside.read("sub_1/a.txt", 100) == b"first"
    with pytest.raises(FileNotFoundError):
        inside.open("sub_1/none")


def test_reading_is_bounded(inside):
    with pytest.raises(ValueError, match="expected at most 100; not read"):
        inside.read("sub_1/deep/b.bin", 100)


def test_missing_members_are_missing_files(inside):
    with pytest.raises(FileNotFoundError):
        inside.read("sub_1/none", 100)


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/passwd", "C:/x", "a\\b", "a\nb", "a\0b"])
def test_unsafe_names_are_refused(name, tmp_path):
    assert unsafe(name)
    with pytest.raises(ValueError, match="refused"):
        open_raw(str(tmp_path)).read(name, 10)


def test_ordinary_names_are_safe():
    assert not unsafe("sub_1_ia/trial_1/thr_image_cmd/1_1_2_9_1031_1_1.png")
    assert not unsafe("a..b/...c")


def test_a_member_that_inflates_beyond_its_size_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "sub_1.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(50_000_000))
    data = bytearray((tmp_path / "sub_1.zip").read_bytes())
    at = data.rindex(b"PK\x01\x02") + 24
    data[at : at + 4] = (100).to_bytes(4, "little")
    (tmp_path / "sub_1.zip").write_bytes(bytes(data))
    with pytest.raises(ValueError, match="cannot be read|directory says"):
        open_raw(str(tmp_path)).inside("sub_1").read("bomb", 1000)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04" + bytes(100)])
@pytest.mark.parametrize("ending", [".zip", ".tar"])
def test_unreadable_archives_say_which(tmp_path, content, ending):
    (tmp_path / f"sub_1{ending}").write_bytes(content)
    with pytest.raises(ValueError, match=f"sub_1{ending}: (empty file|not a readable)"):
        open_raw(str(tmp_path)).inside("sub_1")


def test_remote_places_look_the_same(tmp_path):
    memory = fsspec.filesystem("memory")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("sub_1/a.txt", b"first")
    memory.pipe("/raw-test/at/sub_1.zip", out.getvalue())
    raw = open_raw("memory://raw-test")
    assert list(raw.inside("at/sub_1").entries()) == [Entry("sub_1/a.txt", 5, zlib.crc32(b"first"))]
    assert raw.inside("at/sub_1").read("sub_1/a.txt", 10) == b"first"
    assert raw.names("at") == ["sub_1.zip"]


def test_no_release_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such release folder"):
        open_raw(str(tmp_path / "none"))


def test_few_archives_stay_open(tmp_path):
    for number in range(5):
        with zipfile.ZipFile(tmp_path / f"sub_{number}.zip", "w") as archive:
            archive.writestr("x", b"y")
    raw = open_raw(str(tmp_path))
    for number in range(5):
        assert raw.inside(f"sub_{number}").read("x", 9) == b"y"
    assert len(raw._archives) == 2
