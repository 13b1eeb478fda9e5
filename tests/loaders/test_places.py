"""Folders in remote places: every sample arrives intact, or the error names the shard within seconds."""

import gc
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import facevox
import numpy as np
import pyarrow.compute as pc
import pytest
from facevox.loaders.answers import fault_of
from facevox.loaders.folder import Folder, FolderError
from facevox.loaders.huggingface import load_dataset
from facevox.loaders.range_cache import CacheOptions
from facevox.loaders.stream import Stream, StreamOptions

MEDIA = ("visual.webp", "mic1.flac")
IN_TEST = (pc.field("config") == "utterances") & (pc.field("split") == "test")
READ = StreamOptions(fields=MEDIA, frames=3, shuffle=True, batch_size=2)


@pytest.fixture(autouse=True)
def own_cache(cache_folder):
    pass


@pytest.fixture
def short_waits(monkeypatch):
    monkeypatch.setattr("facevox.loaders.retries.LONGEST_WAIT", 0.05)


@pytest.fixture(scope="module")
def expected(built) -> dict:
    """What the local folder gives: key to (frames, sound)."""
    return taken(Stream(built["tar"], "utterances", "train", READ))


def taken(stream) -> dict:
    return {
        key: tuple(np.asarray(batch[name][place]) for name in MEDIA)
        for batch in stream
        for place, key in enumerate(batch["__key__"])
    }


def same(found: dict, expected: dict) -> bool:
    return list(found) == list(expected) and all(
        np.array_equal(one, other) for key in found for one, other in zip(found[key], expected[key], strict=True)
    )


@pytest.mark.parametrize("workers", [0, 2])
def test_a_folder_behind_http_gives_what_the_local_one_gives(built, expected, workers, serving):
    with serving(built["tar"].path, latency=0.01) as server:
        options = StreamOptions(**{**vars(READ), "workers": workers})
        stream = Stream(server.url, "utterances", "train", options)
        assert same(taken(stream), expected)
        assert workers or server.stats()["at_once"] > 4


FAULTY = dict.fromkeys(("error500", "busy429", "reset", "truncated", "whole", "other_range", "short_range"), 0.04)


@pytest.mark.parametrize("seed", [1, 2])
def test_samples_arrive_intact_from_a_faulty_server(short_waits, built, expected, seed, serving):
    with serving(built["tar"].path, seed=seed, tables=True, **FAULTY) as server:
        stream = Stream(Folder(server.url, cache=CacheOptions(gb=0)), "utterances", "train", READ)
        for _ in range(3):
            assert len(taken(stream)) == 8
        stream.load_state_dict({**stream.state_dict(), "epoch": 0})
        assert same(taken(stream), expected)
        assert len(server.stats().keys() & FAULTY.keys()) > 4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"error500": 1.0}, r"HTTP 500 \(8 tries\)"),
        ({"whole": 1.0}, r"the whole file; facevox needs one that serves byte ranges \(8 tries\)"),
        ({"flipped": 1.0}, r"do not have the sha256 of the index \(8 tries\)"),
        ({"truncated": 1.0}, r"\(8 tries\)"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_the_error_after_the_last_try_names_the_shard(short_waits, built, options, words, serving):
    with serving(built["tar"].path, **options) as server:
        stream = Stream(server.url, "utterances", "train", StreamOptions(fields=("mic1.flac",)))
        with pytest.raises(
            FolderError, match=rf"^{server.url}/data/utterances/train-0.*tar, bytes [\d,]+ to [\d,]+: .*{words}"
        ):
            list(stream)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_shard_deleted_or_changed_while_streaming_is_told_within_seconds(built, tmp_path, workers, serving):
    shutil.copytree(built["tar"].path, tmp_path / "O")
    options = StreamOptions(fields=("mic1.flac",), batch_size=1, workers=workers)
    with serving(tmp_path / "O") as server:
        for change, words in (
            (
                lambda shard: shard.write_bytes(shard.read_bytes()[:-512]),
                "the shard has .* bytes there, .* in the manif",
            ),
            (lambda shard: shard.unlink(), "HTTP 404: it is not there"),
        ):
            folder = Folder(server.url, cache=CacheOptions(gb=0))
            for shard in sorted((tmp_path / "O" / "data" / "utterances").glob("train-*"))[:1]:
                change(shard)
            begun = time.monotonic()
            with pytest.raises(FolderError, match=rf"train-00000.tar, bytes .*{words}"):
                list(Stream(folder, "utterances", "train", options))
            assert time.monotonic() - begun < 20


def test_a_dead_server_is_an_error_in_seconds(built, serving):
    with serving(built["tar"].path) as server:
        folder = Folder(server.url, cache=CacheOptions(gb=0))
    begun = time.monotonic()
    with pytest.raises(FolderError, match=r"train-0.*tar, bytes .*\(8 tries\)"):
        list(Stream(folder, "utterances", "train", READ))
    assert time.monotonic() - begun < 30


def test_a_dead_server_cannot_be_opened(short_waits, built, serving):
    with serving(built["tar"].path) as server:
        pass
    with pytest.raises(FolderError, match=r"checksums.sha256: .*\(8 tries\)"):
        Folder(server.url)


def test_no_secret_is_told(short_waits, built, serving, tmp_path):
    with serving(built["tar"].path, token="s3cret") as server:
        host = server.url.removeprefix("http://")
        assert Folder(f"http://us%C3%A9r:pa%E2%82%AC55@{host}/?sig=s3cret").digest == built["tar"].digest
        folder = Folder(f"http://user:pa55@{host}/?sig=s3cret")
        assert len(taken(Stream(folder, "utterances", "train", READ))) == 8
        assert repr(folder) == f"Folder('http://{host}/')"
        url = f"http://user:pa55@{host}/?sig=s3cret"
        for wrong, words in (
            (lambda: Folder(f"http://user:pa55@{host}/?sig=s3cre7"), "HTTP 403: no permission"),
            (lambda: facevox.load_dataset(url, "utterances", "nowhere"), "has no split 'nowhere'"),
            (lambda: facevox.load_dataset(url, "utterances", "train", streaming=True, fields=("x",)), "no field 'x'"),
            (lambda: facevox.webdataset(url, "utterances", "train"), "needs a folder on a local disk"),
            (lambda: facevox.convert(url, tmp_path / "P", format="tar"), "is in format tar already"),
        ):
            with pytest.raises((FolderError, ValueError), match=words) as caught:
                wrong()
            assert not any(word in str(caught.value) for word in ("s3cre", "pa55", "user")), words
    with pytest.raises(FolderError) as caught:
        list(Stream(folder, "utterances", "train", StreamOptions(fields=("mic2.flac",))))
    assert not any(word in str(caught.value) for word in ("s3cre", "pa55", "user"))


def test_a_place_without_a_folder(built, tmp_path, serving):
    (tmp_path / "empty").mkdir()
    with serving(tmp_path / "empty") as server, pytest.raises(FolderError, match="no dataset folder, or its build"):
        Folder(server.url)
    with pytest.raises(ValueError, match="storage options are for places"):
        Folder(tmp_path, {"anon": True})


def test_the_examples_of_the_page_run(built, serving, tmp_path):
    page = (Path(__file__).resolve().parents[2] / "docs" / "places.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    with serving(built["tar"].path) as server:
        names = {"PLACE": server.url, "OUT": tmp_path / "shown.png"}
        exec(compile("\n".join(blocks), "places.md", "exec"), names)
    assert names["picture"].stat().st_size > 1000
    assert len(names["first"]["visual.webp"][0]) == 3 and names["sounds"]["mic1.flac"].size
    assert names["shapes"]


def test_datasets_reads_remote_shards(built, serving, tmp_path):
    script = """
import sys
import facevox

samples = facevox.load_dataset(sys.argv[1], "utterances", "test", streaming=True, fields=("mic1.flac",))
print([(one["__key__"], one["mic1.flac"].shape[0], one["json"]["trial"]) for one in samples])
"""
    environment = {**os.environ, "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path / "hf")}
    expected = [
        (one["__key__"], one["mic1.flac"].shape[0], one["json"]["trial"])
        for one in built["tar"].fetch(
            built["tar"].index.filter(IN_TEST)["key"].to_pylist(), ["mic1.flac"], config="utterances"
        )
    ]
    with serving(built["tar"].path) as server:
        done = subprocess.run(
            [sys.executable, "-c", script, server.url], env=environment, capture_output=True, text=True, check=False
        )
    assert done.stdout.strip() == str(expected), done.stderr


def test_datasets_cannot_stream_a_tar_from_elsewhere(built):
    import fsspec

    files = fsspec.filesystem("memory")
    for path in built["tar"].path.rglob("*"):
        if path.is_file() and path.parent.name in ("O", "tables"):
            files.pipe_file(f"memory://tars/{path.relative_to(built['tar'].path).as_posix()}", path.read_bytes())
    with pytest.raises(FolderError, match="cannot stream tar shards from memory://"):
        load_dataset("memory://tars", "utterances", "test", streaming=True)
    with pytest.raises(FolderError, match="memory://tars: lies in a remote place; this needs a folder on a local disk"):
        facevox.agreement("memory://tars")


def test_a_silent_server_is_an_error_in_seconds(built, serving, monkeypatch):
    monkeypatch.setattr("facevox.loaders.answers.SILENT_SECONDS", 0.3)
    monkeypatch.setattr("facevox.loaders.retries.PATIENCE", 0.5)
    with serving(built["tar"].path, silent=True) as server:
        stream = Stream(server.url, "utterances", "train", StreamOptions(fields=("mic1.flac",)))
        with pytest.raises(FolderError, match=r"train-0.*tar, bytes .*: no answer within 0.3 s \(. tries\)"):
            list(stream)


@pytest.mark.parametrize("protocol", ["http", "s3"])
def test_a_server_that_trickles_is_an_error_in_seconds(built, serving, monkeypatch, protocol):
    monkeypatch.setattr("facevox.loaders.answers.REQUEST_SECONDS", 1.0)
    monkeypatch.setattr("facevox.loaders.retries.PATIENCE", 0.1)
    above = built["tar"].path.parent
    with serving(above.parent, trickle=0.05) as server:
        options = {"endpoint_url": server.url, "key": "AKIAFAKE", "secret": "hush-hush"}
        folder = Folder(f"s3://{above.name}/O", options) if protocol == "s3" else Folder(f"{server.url}/{above.name}/O")
        begun = time.monotonic()
        with pytest.raises(FolderError, match=r"train-0.*tar, bytes .*: slower than 10,000 bytes/s .*\(2 tries\)"):
            list(Stream(folder, "utterances", "train", StreamOptions(fields=("mic1.flac",))))
        assert time.monotonic() - begun < 20


def test_a_new_signature_is_no_new_folder(built, serving, cache_folder):
    with serving(built["tar"].path) as server:
        for number in range(2):
            server.stats()
            taken(Stream(f"{server.url}/?sig={number}", "utterances", "train", READ))
        assert server.stats()["requests"] == 1, "the list of checksums alone is asked for again"
    assert len(list((cache_folder / "folders").iterdir())) == 1


def test_opening_a_hub_folder_is_tried_again(short_waits, built, serving, monkeypatch):
    with serving(built["tar"].path) as server:
        outcomes = iter((ConnectionResetError(), (server.url, {})))

        def pinned(place):
            found = next(outcomes)
            if isinstance(found, Exception):
                raise found
            return found

        monkeypatch.setattr("facevox.loaders.places._pinned", pinned)
        assert Folder("hf://datasets/user/name").digest == built["tar"].digest


def test_a_forked_worker_does_not_close_what_its_parent_opened(built, serving, monkeypatch):
    from s3fs import S3FileSystem

    above = built["tar"].path.parent
    with serving(above.parent) as server:
        closed = []
        # Or the child would look through, and so copy, all that the tests before have left in memory.
        gc.freeze()
        monkeypatch.setattr(S3FileSystem, "close_session", staticmethod(lambda *_: closed.append(os.getpid())))
        options = {"endpoint_url": server.url, "key": "AKIAFAKE", "secret": "hush-hush"}
        place = Folder(f"s3://{above.name}/O", options).place
        read, write = os.pipe()
        if not (child := os.fork()):
            place.opened()
            gc.collect()
            os.write(write, b"closed" if closed else b"kept")
            os._exit(0)
        os.waitpid(child, 0)
        assert os.read(read, 9) == b"kept"
        os.close(read), os.close(write)
        gc.unfreeze()


def test_a_parent_reads_on_after_its_worker_read_from_the_same_server(built, serving):
    with serving(built["tar"].path) as server:
        place = Folder(server.url).place
        before, connection = place.ask("checksums.sha256", (0, 64)), place.opened()
        if not (child := os.fork()):
            alike = place.ask("checksums.sha256", (0, 64)) == before
            os._exit(0 if alike and place.opened() is not connection else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert place.ask("checksums.sha256", (0, 64)) == before and place.opened() is connection


def test_a_server_may_send_readers_on(built, serving):
    with serving(built["tar"].path) as server, serving(built["tar"].path, onward=server.url) as first:
        # Another name of the same machine: another host.
        folder = Folder(first.url.replace("127.0.0.1", "localhost"), {"headers": {"X-Key": "s3cret"}})
        assert len(taken(Stream(folder, "utterances", "train", READ))) == 8
        assert first.stats()["authorized"] and not server.stats()["authorized"]
        with pytest.raises(ValueError, match="header 'X-Key': expected") as caught:
            Folder(first.url, {"headers": {"X-Key": "s3cret\n"}})
        assert "s3cret" not in str(caught.value)
        with pytest.raises(ValueError, match="storage option 'timeout' of a web server: expected headers"):
            Folder(first.url, {"timeout": 3})


def test_many_threads_share_one_pool():
    script = """
import os, threading
from facevox.loaders import remote

faults = []
threading.excepthook = lambda told: faults.append(told.exc_value)
for _ in range(300):
    remote._POOL.pop(os.getpid(), None)
    pools, start = set(), threading.Barrier(8)
    several = [threading.Thread(target=lambda: (start.wait(), pools.add(remote._pool()))) for _ in range(8)]
    [one.start() for one in several]
    [one.join() for one in several]
    assert len(pools) == 1 and not faults, (pools, faults)
"""
    switching = "import sys; sys.setswitchinterval(1e-6)"
    done = subprocess.run([sys.executable, "-c", switching + script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:9/O", "NewConnectionError|Connection refused"),
        ("http://nowhere.invalid/O", "host is not known"),
    ],
)
def test_why_there_is_no_connection_is_told(short_waits, url, words, monkeypatch):
    monkeypatch.setattr("facevox.loaders.retries.PATIENCE", 0.1)
    with pytest.raises(FolderError, match=words):
        Folder(url)


def test_people_are_drawn_from_a_place(built, serving):
    def drawn(folder):
        return [
            (batch["identities"], batch["stills"]["__key__"])
            for batch in facevox.identity_batches(
                folder,
                "train",
                identities=2,
                samples={"utterances": 1, "stills": 2},
                frames=1,
                fields={"stills": "thermal.webp"},
            )
        ]

    with serving(built["tar"].path) as server:
        assert drawn(server.url) == drawn(built["tar"])


def test_an_open_folder_of_a_place_is_verified_and_converted(built, serving, tmp_path):
    with serving(built["tar"].path, token="s3cret") as server:
        folder = Folder(f"{server.url}/?sig=s3cret")
        assert facevox.verify(folder, sample=2).problems == []
        converted = facevox.convert(folder, tmp_path / "out", format="arrow", workers=2)
        assert converted.index.num_rows == folder.index.num_rows


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("ContainerNotFound", "the container is not there (ContainerNotFound); check its name"),
        ("BlobNotFound", "it is not there BlobNotFound"),
        ("<secret>", "it is not there"),
    ],
)
def test_what_a_store_says_is_missing_is_told(code, words):
    """As Azure's filesystem raises it: a FileNotFoundError whose cause has the store's code."""
    cause = Exception("words with a secret")
    cause.error_code = code
    error = FileNotFoundError("a path")
    error.__cause__ = cause
    found = fault_of(error)
    assert found.text.startswith(words) and "secret" not in found.text
    assert not found.again and found.absent == (code != "ContainerNotFound")
