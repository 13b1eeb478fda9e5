"""A converted folder is what a build in that format gives."""

import shutil
import subprocess
import sys
from itertools import permutations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from facevox.builders.core import convert as convert_module
from facevox.builders.core.convert import ConvertOptions, convert
from facevox.loaders.folder import Folder, FolderError
from facevox.loaders.verify import check

KILLED = """
import os, signal, sys
from pathlib import Path
from facevox.builders.core.convert import ConvertOptions, convert
def tell(done, total):
    if done == 4:
        os.kill(os.getpid(), signal.SIGKILL)
convert(ConvertOptions(sys.argv[1], Path(sys.argv[2]), sys.argv[3]), tell)
"""


@pytest.fixture
def same(tree):
    """Whether two folders hold the same files, but for what a conversion keeps about itself."""

    def compare(one, other):
        def own(folder):
            return {name: data for name, data in tree(folder).items() if not name.startswith(".build/converted/")}

        first, second = own(one), own(other)
        return first.keys() == second.keys() and [name for name in first if first[name] != second[name]] == []

    return compare


@pytest.mark.parametrize(("before", "after"), list(permutations(("tar", "parquet", "arrow"), 2)))
def test_the_result_is_the_build_in_that_format(built, tmp_path, same, before, after):
    report = convert(ConvertOptions(str(built[before].path), tmp_path / "out", after))
    assert (report.made, report.samples) == (15, 48)
    assert same(tmp_path / "out", built[after].path)


def test_killed_and_resumed_by_several_workers_it_is_the_same(built, tmp_path, same):
    source, out = built["tar"].path, tmp_path / "out"
    ended = subprocess.run([sys.executable, "-c", KILLED, str(source), str(out), "parquet"], check=False)
    assert ended.returncode == -9
    assert not (out / "checksums.sha256").exists()
    with pytest.raises(FolderError):
        Folder(out)
    done = []
    report = convert(ConvertOptions(str(source), out, "parquet", workers=2), lambda at, of: done.append((at, of)))
    assert report.made == 11 and done[-1] == (11, 11)
    assert same(out, built["parquet"].path)
    assert convert(ConvertOptions(str(source), out, "parquet")).made == 0
    next((out / "data").rglob("*.parquet")).unlink()
    convert(ConvertOptions(str(source), out, "parquet"))
    assert same(out, built["parquet"].path)


def test_without_working_state_it_loads_and_verifies(built, tmp_path):
    for before, after in (("tar", "parquet"), ("parquet", "tar")):
        shutil.copytree(built[before].path, tmp_path / before, ignore=shutil.ignore_patterns(".build"))
        out = tmp_path / f"{before}-{after}"
        report = convert(ConvertOptions(str(tmp_path / before), out, after))
        assert "no build can resume" in report.lines()[-1]
        assert check(out).problems == []
        one, other = (
            pq.read_table(f / "tables" / "index.parquet").drop(["shard", "fields"]) for f in (out, tmp_path / before)
        )
        assert one.equals(other)
        if after == "parquet":
            assert (out / "checksums.sha256").read_bytes() == (built[after].path / "checksums.sha256").read_bytes()


def test_a_damaged_source_is_refused_and_other_folders_are_left_alone(built, tmp_path):
    shutil.copytree(built["tar"].path, tmp_path / "source")
    shard = next((tmp_path / "source" / "data" / "utterances").glob("*.tar"))
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(bytes(data))
    with pytest.raises(FolderError, match="does not match the index"):
        convert(ConvertOptions(str(tmp_path / "source"), tmp_path / "out", "parquet"))
    assert not (tmp_path / "out" / "checksums.sha256").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("precious")
    source = str(built["tar"].path)
    for out, form, words in (
        ("mine", "parquet", "holds other files"),
        ("source", "parquet", "holds other files"),
        ("out", "arrow", "another folder or format"),
        ("new", "tar", "already"),
        ("new", "csv", "no format"),
    ):
        with pytest.raises(ValueError, match=words):
            convert(ConvertOptions(source, tmp_path / out, form))
    with pytest.raises(FolderError, match="must lie apart"):
        convert(ConvertOptions(source, built["tar"].path / "inside", "parquet"))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("config", "../../../victim"),
        ("name", "../../../victim/train-00000"),
        ("file", "data/../../victim/train-00000.tar"),
        ("config", "crops"),
    ],
)
def test_a_manifest_that_names_places_outside_is_refused(built, tmp_path, column, value):
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "thesis.tex").write_text("precious")
    source = tmp_path / "deep" / "source"
    shutil.copytree(built["tar"].path, source)
    table = source / "tables" / "manifest.parquet"
    manifest = pq.read_table(table)
    rows = manifest.to_pylist()
    next(row for row in rows if row["file"] and row["config"] == "stills")[column] = value
    pq.write_table(pa.Table.from_pylist(rows, schema=manifest.schema), table)
    with pytest.raises(FolderError, match=r"tables/manifest.parquet: .* is no shard as builds name them"):
        convert(ConvertOptions(str(source), tmp_path / "deep" / "out", "parquet"))
    assert (tmp_path / "victim" / "thesis.tex").read_text() == "precious"
    assert not (tmp_path / "deep" / "out").exists()


def test_a_plan_that_names_places_outside_is_refused(built, tmp_path):
    shutil.copytree(built["tar"].path, tmp_path / "source")
    plan = tmp_path / "source" / ".build" / "plan.json"
    plan.write_text(plan.read_text().replace("stills/train-00000", "../../../escaped/train-00000"))
    with pytest.raises(FolderError, match="is no name of a shard"):
        convert(ConvertOptions(str(tmp_path / "source"), tmp_path / "out", "parquet"))
    assert not (tmp_path / "escaped").exists()


def test_the_source_is_opened_once_in_a_process_and_must_stay_the_same(built, tmp_path, monkeypatch):
    source, opened = tmp_path / "source", []
    shutil.copytree(built["tar"].path, source)

    def counted(*given):
        opened.append(given)
        return Folder(*given)

    monkeypatch.setattr(convert_module, "Folder", counted)
    assert convert(ConvertOptions(str(source), tmp_path / "one", "parquet")).made == 15
    # To list it, to read shards, and the result to count its bytes.
    assert len(opened) == 3

    def rebuilt(done, of):
        (source / "checksums.sha256").write_bytes((built["arrow"].path / "checksums.sha256").read_bytes())

    with pytest.raises(FolderError, match="changed while it was converted"):
        convert(ConvertOptions(str(source), tmp_path / "two", "arrow"), rebuilt)
    assert not (tmp_path / "two" / "checksums.sha256").exists()
