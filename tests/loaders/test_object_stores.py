"""Folders in an S3-compatible store (moto, a process of its own), on a stand-in of the hub, and in memory."""

import time

import fsspec
import numpy as np
import pytest
from facevox.loaders.folder import Folder, FolderError
from facevox.loaders.range_cache import CacheOptions
from facevox.loaders.stream import Stream, StreamOptions

MEDIA = ("visual.webp", "mic1.flac")


@pytest.fixture(autouse=True)
def own_cache(cache_folder):
    pass


def put(folder: Folder, url: str, options: dict) -> None:
    files, _ = fsspec.core.url_to_fs(url, **options)
    for path in sorted(folder.path.rglob("*")):
        if path.is_file() and ".build" not in path.parts:
            name = f"{url}/{path.relative_to(folder.path).as_posix()}"
            files.makedirs(name.rpartition("/")[0], exist_ok=True)
            files.pipe_file(name, path.read_bytes())


def same(one: list, other: list) -> bool:
    return len(one) == len(other) and all(
        a["__key__"] == b["__key__"] and all(np.array_equal(a[name], b[name]) for name in MEDIA)
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("workers", [0, 2])
def test_s3_gives_what_the_local_folder_gives(built, s3, workers):
    put(built["parquet"], "s3://faces/O", s3)
    options = StreamOptions(fields=MEDIA, frames=2, shuffle=True, batch_size=1, workers=workers)
    folder = Folder("s3://faces/O", s3)
    assert same(
        list(Stream(folder, "utterances", "train", options)),
        list(Stream(built["parquet"], "utterances", "train", options)),
    )


def test_s3_tells_what_is_missing_and_no_secret(built, s3):
    put(built["tar"], "s3://faces/cut", s3)
    folder = Folder("s3://faces/cut", s3)
    fsspec.filesystem("s3", **s3).rm("s3://faces/cut/data/utterances/train-00000.tar")
    begun = time.monotonic()
    with pytest.raises(FolderError, match=r"s3://faces/cut/data/utterances/train-00000.tar, bytes .*: it is not there"):
        list(Stream(folder, "utterances", "train", StreamOptions(fields=("mic1.flac",))))
    with pytest.raises(FolderError, match="s3://faces/none: no dataset folder"):
        Folder("s3://faces/none", s3)
    with pytest.raises(FolderError, match=r"s3://nobodys/O/checksums.sha256: the bucket is not there \(NoSuchBucket\)"):
        Folder("s3://nobodys/O", s3)
    with pytest.raises(FolderError, match="s3://faces/O/checksums.sha256: ") as caught:
        Folder("s3://faces/O", {**s3, "endpoint_url": "http://127.0.0.1:9"})
    assert "hush" not in str(caught.value) and "AKIA" not in str(caught.value)
    assert time.monotonic() - begun < 30


def test_memory_is_a_place(built):
    put(built["arrow"], "memory://faces", {})
    options = StreamOptions(fields=MEDIA, frames=2, batch_size=1)
    assert same(
        list(Stream("memory://faces", "utterances", "test", options)),
        list(Stream(built["arrow"], "utterances", "test", options)),
    )
    fsspec.filesystem("memory").pipe_file("memory://faces/data/utterances/test-00000.arrow", b"short")
    with pytest.raises(FolderError, match=r"memory://faces/data/utterances/test-00000.arrow, bytes .* came instead of"):
        list(Stream(Folder("memory://faces", cache=CacheOptions(gb=0)), "utterances", "test", options))
