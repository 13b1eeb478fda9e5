"""croissant.json: valid by MLCommons' own reader, true to the folder, and readable with it."""

import json

import numpy as np
import pytest
from facevox.builders.core.builder import datasets, find
from facevox.builders.core.croissant import card_sections
from facevox.loaders.folder import file_sha256


@pytest.fixture(params=["tar", "parquet", "arrow"])
def folder(request, built):
    return built[request.param]


def opened(folder):
    mlcroissant = pytest.importorskip("mlcroissant")
    return mlcroissant.Dataset(jsonld=str(folder.path / "croissant.json"))


def test_mlcroissant_finds_no_error(folder):
    metadata = opened(folder).metadata
    assert list(metadata.ctx.issues.errors) == []
    assert metadata.name == "SpeakingFaces (forged)"
    assert {part.id for part in metadata.file_sets} == {"shards/utterances", "shards/stills"}
    assert {part.content_url: part.sha256 for part in metadata.file_objects} == {
        f"tables/{name}.parquet": file_sha256(folder.path / "tables" / f"{name}.parquet") for name in folder.tables
    }


def test_it_names_every_shard_and_every_file_of_the_folder(folder):
    described = json.loads((folder.path / "croissant.json").read_text())
    globs = [glob for part in described["distribution"] for glob in part.get("includes", ())]
    found = {file for glob in globs for file in folder.path.glob(glob)}
    assert found == {file for file in (folder.path / "data").rglob("*") if file.is_file()}
    assert "croissant.json" in (folder.path / "checksums.sha256").read_text()


def test_it_says_who_is_made_up_and_what_the_data_are(folder):
    described = json.loads((folder.path / "croissant.json").read_text())
    assert "Nobody in this folder exists" in described["description"]
    personal = " ".join(described["rai:personalSensitiveInformation"])
    assert "biometric" in personal and "informed consent" in personal
    assert "Out of scope" in " ".join(described["rai:dataUseCases"])
    assert "74 men and 68 women" in " ".join(described["rai:dataBiases"])
    assert described["license"] == "forged by facevox"
    assert not {"datePublished", "dateCreated", "dateModified", "version"} & described.keys()


def test_records_of_tables_are_read_in_every_format(folder):
    records = list(opened(folder).records("index"))
    assert [row["index/key"].decode() for row in records] == folder.index["key"].to_pylist()


def test_records_of_parquet_shards_are_the_samples(built):
    folder = built["parquet"]
    records = {row["samples/stills/__key__"].decode(): row for row in opened(folder).records("samples/stills")}
    rows = {row["key"]: row for row in folder.index.to_pylist() if row["config"] == "stills"}
    assert records.keys() == rows.keys()
    key = min(rows)
    row, sample = records[key], next(folder.fetch([key], config="stills"))
    assert row["samples/stills/json/frames"] == rows[key]["frames"]
    assert row["samples/stills/json/gender"].decode() == rows[key]["gender"]
    clip = row["samples/stills/visual.webp"]
    assert np.array_equal(np.asarray(clip.convert("RGB")), sample["visual.webp"][0])


@pytest.mark.parametrize("name", datasets())
def test_every_dataset_has_the_sections_that_croissant_and_publishing_rest_on(name):
    sections = card_sections(find(name)(find(name).options_type()).card())
    for heading in ("What it is", "Licence and consent", "Intended use", "Bias", "Citation"):
        assert len(sections[heading]) > 80, heading
    assert "biometric" in sections["Intended use"]
