"""`verify` of remote folders: every byte fetched once, none kept, damage found as on a disk."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import facevox
import fsspec
import pytest
from facevox.loaders.folder import Folder, FolderError
from facevox.loaders.verify import VerifyOptions, check

SAMPLE = VerifyOptions(sample=4)


@pytest.fixture
def copy(built, tmp_path, cache_folder):
    shutil.copytree(built["parquet"].path, tmp_path / "O", ignore=shutil.ignore_patterns(".build"))
    return tmp_path / "O"


def flip(file, place: int) -> None:
    data = bytearray(file.read_bytes())
    data[place] ^= 4
    file.write_bytes(bytes(data))


def test_over_http_it_says_what_it_says_of_the_local_folder(copy, cache_folder, serving):
    local = check(copy)
    with serving(copy, seed=3, error500=0.1, truncated=0.1) as server:
        remote = check(server.url)
        assert (remote.problems, remote.bytes, remote.members) == ([], local.bytes, local.members)
        assert "lists none" in remote.lines()[-1]
        server.stats()
        few = check(server.url, options=SAMPLE)
        assert few.problems == [] and few.sampled == 4
        assert server.stats()["bytes"] < local.bytes / 2
    assert not list(cache_folder.rglob("*"))


def test_damage_at_a_remote_place_is_found(copy, serving):
    shards = sorted((copy / "data" / "utterances").iterdir())
    flip(shards[0], 0)
    flip(shards[1], shards[1].stat().st_size - 1)
    shards[2].write_bytes(shards[2].read_bytes()[:-1])
    shards[3].write_bytes(shards[3].read_bytes() + b"x")
    shards[4].unlink()
    with serving(copy) as server:
        problems = check(server.url).problems
        assert all(any(shard.name in problem for problem in problems) for shard in shards[:5])
        assert sum("does not match its checksum" in problem for problem in problems) == 2
        sampled = check(server.url, options=SAMPLE).problems
        assert all(any(shard.name in problem for problem in sampled) for shard in shards[2:5])
        flip(copy / "tables" / "manifest.parquet", 100)
        with pytest.raises(FolderError, match="manifest.parquet"):
            check(server.url)


def test_strangers_are_found_where_a_place_can_be_listed(copy, monkeypatch):
    memory = fsspec.filesystem("memory")
    memory.put(str(copy) + "/", "/verify-remote/", recursive=True)
    try:
        assert check("memory://verify-remote").lines()[-1] == "sound"
        memory.pipe("/verify-remote/data/utterances/train-00099.parquet", b"extra")
        assert check("memory://verify-remote").problems == [
            "data/utterances/train-00099.parquet: not listed in checksums.sha256"
        ]
        opened, listing = Folder("memory://verify-remote"), type(memory).find
        faults = []

        def find(self, *args, **options):
            if faults:
                raise faults.pop()
            return listing(self, *args, **options)

        monkeypatch.setattr(type(memory), "find", find)
        faults[:] = [ConnectionResetError()]
        assert len(facevox.verify(opened).problems) == 1, "tried again"
        faults[:] = [PermissionError()]
        assert facevox.verify(opened).lines()[-1].endswith("this place lists none")
    finally:
        memory.rm("/verify-remote", recursive=True)


def test_many_open_a_place_at_the_same_moment(copy, serving):
    with serving(copy) as server, ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: Folder(server.url), range(24)))
    assert {folder.digest for folder in folders} == {Folder(copy).digest}
