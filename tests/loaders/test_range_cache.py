"""What is kept of remote shards: bounded over processes, damage noticed, a full disk survived."""

import contextlib
import multiprocessing
import resource
import time
import warnings

import numpy as np
import pytest
from facevox.loaders.folder import Folder
from facevox.loaders.range_cache import CacheOptions, RangeCache
from facevox.loaders.stream import Stream, StreamOptions

READ = StreamOptions(fields=("visual.webp", "mic1.flac"), frames=3, batch_size=2)


def keys(stream) -> list[str]:
    return [key for batch in stream for key in batch["__key__"]]


def kept(folder) -> list:
    return [path for path in (folder / "ranges").rglob("*") if path.is_file() and path.name != "size"]


def test_a_second_epoch_sends_no_byte(built, serving, cache_folder):
    with serving(built["tar"].path) as server:
        for workers in (0, 2):
            folder = Folder(server.url)
            assert (
                len(keys(Stream(folder, "utterances", "train", StreamOptions(**{**vars(READ), "workers": workers}))))
                == 8
            )
            if not workers:
                server.stats()
        assert server.stats()["requests"] == 1, "the list of checksums alone is asked for again"
        server.stats()
        off = Folder(server.url, cache=CacheOptions(gb=0))
        for _ in range(2):
            assert len(keys(Stream(off, "utterances", "train", READ))) == 8
        assert server.stats()["bytes"] > 200_000
    # A folder at another address is another folder, whatever its bytes.
    with serving(built["tar"].path) as server:
        keys(Stream(server.url, "utterances", "train", READ))
        assert server.stats()["requests"] > 8


def test_damage_in_the_cache_is_noticed_and_mended(built, serving, cache_folder):
    with serving(built["tar"].path) as server:
        folder = Folder(server.url)
        first = [batch["mic1.flac"] for batch in Stream(folder, "utterances", "train", READ)]
        for number, entry in enumerate(sorted(kept(cache_folder))):
            data = bytearray(entry.read_bytes())
            data[number % len(data)] ^= 1
            entry.write_bytes(data[: len(data) - number % 2])
        table = next((cache_folder / "folders").rglob("manifest.parquet"))
        table.write_bytes(table.read_bytes()[:-1] + b"x")
        server.stats()
        again = [batch["mic1.flac"] for batch in Stream(server.url, "utterances", "train", READ)]
        assert all(
            np.array_equal(a, b) for one, two in zip(first, again, strict=True) for a, b in zip(one, two, strict=True)
        )
        assert server.stats()["requests"] > 8
        keys(Stream(server.url, "utterances", "train", READ))
        assert server.stats()["requests"] == 1


def fill(options: CacheOptions, seed: int) -> None:
    cache, dice = RangeCache(options), np.random.default_rng(seed)
    for number in range(150):
        key = f"{int(dice.integers(200)):064x}"[::-1]
        found = cache.get(key)
        assert found in (None, key.encode() * 1000), "another's bytes"
        cache.put(key, key.encode() * 1000)
        if number % 10 == 0:
            assert used(options.folder) <= options.gb * 1e9


def used(folder) -> int:
    total = 0
    for path in (folder / "ranges").rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() and path.name != "size" else 0
    return total


def test_processes_share_a_bounded_cache(tmp_path):
    options = CacheOptions(tmp_path, 0.006)
    fork = multiprocessing.get_context("fork")
    several = [fork.Process(target=fill, args=(options, seed)) for seed in range(3)]
    for one in several:
        one.start()
    for one in several:
        one.join()
    assert [one.exitcode for one in several] == [0, 0, 0]
    assert 1e6 < used(tmp_path) <= 6e6
    assert not list(tmp_path.rglob("*.part"))
    # What was used last is what stays.
    cache = RangeCache(options)
    cache.put("f" * 64, b"x" * 60_000)
    for number in range(300):
        cache.put(f"{number:064x}"[::-1], bytes(60_000))
        assert cache.get("f" * 64) == b"x" * 60_000
    assert used(tmp_path) <= 6e6


def test_a_process_forked_at_a_bad_moment_blocks_nobody(tmp_path):
    cache = RangeCache(CacheOptions(tmp_path, 0.006))
    cache.put("0" * 64, b"x")
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(10,))
    with cache._ledger():
        child.start()
    try:
        cache.put("1" * 64, b"y")
        assert cache.get("1" * 64) == b"y" and child.is_alive()
    finally:
        child.kill()
        child.join()


def test_who_holds_the_ledger_for_long_costs_others_an_entry_and_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr("facevox.loaders.range_cache.LOCK_SECONDS", 0.1)
    cache = RangeCache(CacheOptions(tmp_path, 0.006))
    cache.put("0" * 64, b"x")
    with cache._ledger(), warnings.catch_warnings(action="error"):
        cache.put("1" * 64, b"y")
    assert cache.get("1" * 64) is None
    cache.put("1" * 64, b"y")
    assert cache.get("1" * 64) == b"y"


def test_a_disk_that_takes_no_more_is_told_once_and_survived(built, serving, cache_folder):
    with serving(built["tar"].path) as server:
        folder = Folder(server.url)
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        try:
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                assert len(keys(Stream(folder, "utterances", "train", READ))) == 8
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        (one,) = [warning for warning in told if "going on without keeping" in str(warning.message)]
        assert str(cache_folder) in str(one.message)
        assert not [path for path in kept(cache_folder) if path.suffix == ".part"]


def test_tables_that_cannot_be_kept_are_an_error_that_names_the_disk(built, serving, cache_folder):
    cache_folder.mkdir()
    (cache_folder / "folders").symlink_to("/dev/null")
    with (
        serving(built["tar"].path) as server,
        pytest.raises(OSError, match="tables of a remote folder need .* bytes here"),
    ):
        Folder(server.url)


@pytest.mark.parametrize("named", ["much", "1O"])
def test_a_size_that_is_no_number_is_refused(named, monkeypatch):
    monkeypatch.setenv("FACEVOX_CACHE_GB", named)
    with pytest.raises(ValueError, match="expected a number of GB"):
        CacheOptions()
