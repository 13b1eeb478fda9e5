"""HQ-VoxCeleb from the published files: pictures untouched, voices with their arrays, everything left out told."""

import io
import json
import pickle
import shutil
import unicodedata
import zipfile
from pathlib import Path

import cv2
import facevox
import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from facevox.builders.core.run import BuildOptions, run
from facevox.builders.hq_voxceleb import HqVoxCeleb
from facevox.builders.population.hq_voxceleb import ForgeOptions, forge
from facevox.builders.population.people import draw
from facevox.builders.population.voices import RATE, speak
from facevox.builders.stages.hq_options import HqVoxCelebOptions
from facevox.builders.stages.hq_release import face_place
from facevox.builders.stages.voices import FEATURES
from facevox.loaders.arrays import decode_array, encode_array
from facevox.loaders.folder import Folder, FolderError
from facevox.loaders.stream import Stream, StreamOptions
from facevox.loaders.verify import check
from facevox.models.core.sound import SF2F
from facevox.models.core.voice_features import voice_features

MEL = np.random.default_rng(0).normal(11, 3, (40, 120))
LEAKED = "vox2/Eartha_Kitt"


def jpeg(width: int, height: int, white: bool, seed: int = 0) -> bytes:
    """An ellipse of noise before white or grey."""
    picture = np.full((height, width, 3), 255 if white else 90, np.uint8)
    inside = np.zeros((height, width), np.uint8)
    cv2.ellipse(inside, (width // 2, height // 2), (width // 4, height // 3), 0, 0, 360, 1, -1)
    noise = np.random.default_rng(seed).integers(60, 200, picture.shape, np.uint8)
    return cv2.imencode(".jpg", np.where(inside[..., None], noise, picture))[1].tobytes()


def mel(speaker: str, clip: str, number: str, **other) -> bytes:
    return pickle.dumps({"LogMel_Features": MEL, "spkid": speaker, "clipid": clip, "wavid": number} | other, 3)


@pytest.fixture(scope="module")
def files(voxceleb) -> dict[str, bytes]:
    """The published faces, VoxCeleb's sound of four people and mel dictionaries of two."""
    zoe, strong = "Zoe\u0308_Kravitz", unicodedata.normalize("NFD", "\u017dydr\u016bnas_Savickas")
    faces = {}
    for at, (subset, name, numbers) in enumerate(
        [
            ("vox1", "A.J._Buckley", (1, 2, 10)),
            ("vox1", zoe, (1,)),
            ("vox1", "Eartha_Kitt", (1,)),
            ("vox2", strong, (1, 2)),
            ("vox2", "Eartha_Kitt", (1,)),
            ("vox2", "Nobody_Known", (1,)),
        ]
    ):
        for number in numbers:
            for kind in ("masked", "origin"):
                place = f"HQ-VoxCeleb/{subset}/{kind}_faces/{name}/{number}.jpg"
                faces[place] = jpeg(61, 60, kind == "masked", at * 100 + number)
    faces["HQ-VoxCeleb/vox1/masked_faces/A.J._Buckley/3.jpg"] = jpeg(60, 60, True)[:400]
    faces["HQ-VoxCeleb/vox1/origin_faces/A.J._Buckley/4.jpg"] = jpeg(60, 60, False)
    faces["HQ-VoxCeleb/vox1/masked_faces/A.J._Buckley/5.jpg"] = jpeg(60, 60, True)
    faces["HQ-VoxCeleb/vox1/origin_faces/A.J._Buckley/5.jpg"] = jpeg(64, 60, False)
    faces["HQ-VoxCeleb/vox1/masked_faces/A.J._Buckley/6.jpg"] = b"\x89PNG\r\n\x1a\n"
    faces["HQ-VoxCeleb/vox1/masked_faces/A.J._Buckley/7.jpg"] = jpeg(60, 60, True)
    faces["HQ-VoxCeleb/vox1/masked_faces/A.J._Buckley/notes.txt"] = b"x"
    mels = {
        f"HQ-VoxCeleb/vox1/mel_spectrograms/{name}/{speaker}_{clip}_{number}.pickle": mel(stated, clip, number)
        for name, speaker, clip, number, stated in [
            (zoe, "id10002", "J9lHsKG98U8", "00026", "id10002"),
            (zoe, "id10002", "J9lHsKG98U8", "00027", "id10001"),
            (zoe, "id10001", "J9lHsKG98U8", "00028", "id10001"),
            ("Somebody", "id10001", "J9lHsKG98U8", "00029", "id10001"),
            ("A.J._Buckley", "id10001", "1zcIwhmdeo4", "00001", "id10001"),
        ]
    }
    for name in ("id10001_short_00001.pickle", "notes.pickle"):
        mels[f"HQ-VoxCeleb/vox1/mel_spectrograms/A.J._Buckley/{name}"] = b"x"
    return voxceleb.tables | voxceleb.recordings | voxceleb.tracks | faces | mels


def lay(files: dict[str, bytes], folder: Path, archived: bool = False) -> Path:
    for name, data in files.items():
        if archived and "/" in name:
            folder.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(folder / f"{name.split('/')[0]}.zip", "a") as archive:
                archive.writestr(name, data)
        else:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
    return folder


def build(raw: Path, out: Path, workers: int = 1, configs=(), **options) -> Folder:
    options.setdefault("features", ",".join(FEATURES))
    options.setdefault("detector", "none")
    release = HqVoxCelebOptions(**options)
    run(BuildOptions("hq_voxceleb", str(raw), out, configs, "tar", 1, workers, release=release))
    return Folder(out)


@pytest.fixture(scope="module")
def raw(files, tmp_path_factory) -> Path:
    return lay(files, tmp_path_factory.mktemp("hq") / "release")


@pytest.fixture(scope="module")
def built_hq(raw, tmp_path_factory) -> Folder:
    return build(raw, tmp_path_factory.mktemp("hq") / "out")


def rows(folder: Folder, config: str) -> dict[str, dict]:
    return {row["key"]: row for row in folder.index.to_pylist() if row["config"] == config}


def left_out(folder: Folder, config: str) -> list[dict]:
    return [row for row in folder.quarantine.to_pylist() if row["config"] == config]


def test_what_is_read_is_kept_or_told(built_hq, files):
    assert check(built_hq.path).problems == []
    faces = {name.split("_faces/")[1] + name.split("/")[1] for name in files if "_faces/" in name}
    told = [row for row in left_out(built_hq, "faces") if row["stage"] != "table"]
    assert len(rows(built_hq, "faces")) + len(told) == len(faces)
    heard = [name for name in files if name.endswith((".wav", ".m4a", ".pickle"))]
    told = [row for row in left_out(built_hq, "voices") if row["stage"] != "table"]
    assert len(rows(built_hq, "voices")) + len(told) == len(heard)
    (mel_row,) = [row for row in told if row["stage"] == "mel"]
    assert (mel_row["key"], json.loads(mel_row["measured"])) == ("vox1-id10001", {"mel_dictionaries": 1})
    assert mel_row["reason"].startswith("1 mel dictionaries not read: their recordings lie here as sound")
    odd = [row["place"].rsplit("/", 1)[1] for row in told if "not a mel dictionary by its place" in row["reason"]]
    assert odd == ["id10001_short_00001.pickle", "notes.pickle"]


def test_places_of_faces_are_told_whatever_their_case():
    assert face_place("HQ/VOX1/Masked_Faces/A.J._Buckley/1.JPG") == ("vox1", "masked_faces", "A.J._Buckley", 1)


def test_the_name_in_both_tables_is_left_out_of_vox2_and_reported(built_hq):
    for config in ("faces", "voices"):
        (table,) = [row for row in left_out(built_hq, config) if row["stage"] == "table"]
        assert (table["key"], "the vox2 copy is left out" in table["reason"]) == (LEAKED, True)
    reasons = {row["key"]: row["reason"] for row in left_out(built_hq, "faces") if row["stage"] == "list"}
    assert "the vox2 copy is left out" in reasons[LEAKED]
    assert reasons["vox2/Nobody_Known"] == "the meta tables of vox2 have no 'Nobody_Known'"
    people = {
        row["identity"]: row for row in pq.read_table(built_hq.path / "tables" / "identities.parquet").to_pylist()
    }
    assert set(people) == {
        "hq_voxceleb/vox1/A.J._Buckley",
        "hq_voxceleb/vox1/Zo\u00eb_Kravitz",
        "hq_voxceleb/vox1/Eartha_Kitt",
        "hq_voxceleb/vox2/\u017dydr\u016bnas_Savickas",
    }
    zoe = people["hq_voxceleb/vox1/Zo\u00eb_Kravitz"]
    assert (zoe["speaker_id"], zoe["gender"], zoe["samples_faces"], zoe["samples_voices"]) == ("id10002", "f", 1, 1)


def test_faces_are_the_releases_own_bytes(built_hq, files):
    found = rows(built_hq, "faces")
    assert list(found) == [
        "vox1-id10001_0001",
        "vox1-id10001_0002",
        "vox1-id10001_0007",
        "vox1-id10001_0010",
        "vox1-id10002_0001",
        "vox1-id10270_0001",
        "vox2-id00017_0001",
        "vox2-id00017_0002",
    ]
    for row in found.values():
        shard = (built_hq.path / row["shard"]).read_bytes()
        for entry in row["fields"]:
            place = row["image_name"].replace("masked_faces", entry["name"].removesuffix(".jpg") + "_faces")
            assert shard[entry["offset"] : entry["offset"] + entry["size"]] == files[f"HQ-VoxCeleb/{place}"]
    assert [entry["name"] for entry in found["vox1-id10001_0007"]["fields"]] == ["masked.jpg"]
    first = found["vox1-id10001_0001"]
    assert (first["width"], first["height"], first["image_id"], first["picked_by"]) == (61, 60, 1, "release")
    assert first["white_share"] == pytest.approx(1 - np.pi * 15 * 20 / (61 * 60), abs=0.04)
    assert (first["emotion_judge"], first["split_rule"]) == ("not judged", "index_mod10")


def test_bad_pictures_are_told(built_hq):
    reasons = {row["place"].rsplit("/", 1)[-1]: row["reason"] for row in left_out(built_hq, "faces")}
    assert "does not decode" in reasons["3.jpg"] or "not a readable picture" in reasons["3.jpg"]
    assert reasons["4.jpg"].startswith("a face with its background and none with white")
    assert reasons["vox1-id10001_0005"] == "masked face of 60 x 60 px, the one with background of 64 x 60"
    assert "expected a JPEG" in reasons["6.jpg"]
    assert "not a face by its place" in reasons["notes.txt"]


def test_people_with_too_few_faces_are_left_out_when_asked(raw, tmp_path):
    three = build(raw, tmp_path / "three", configs=("faces",), min_images=2)
    assert {row["name"] for row in rows(three, "faces").values()} == {
        "A.J._Buckley",
        "\u017dydr\u016bnas_Savickas",
    }
    reasons = [row["reason"] for row in left_out(three, "faces")]
    assert "1 faces of vox1/Zo\u00eb_Kravitz, expected at least 2 (--min-images)" in reasons


def test_people_with_faces_or_voices_alone_are_left_out_unless_asked_for(files, tmp_path):
    """Zoe has no voice, A.J. no face; vox2 has faces only and keeps them."""
    some = {n: d for n, d in files.items() if "mel_spec" not in n and "aac/" not in n and "A.J._Buckley" not in n}
    raw = lay(some, tmp_path / "some")
    out = build(raw, tmp_path / "paired", features="")
    assert {row["name"] for row in rows(out, "faces").values()} == {"Eartha_Kitt", "\u017dydr\u016bnas_Savickas"}
    assert {row["name"] for row in rows(out, "voices").values()} == {"Eartha_Kitt"}
    told = {row["place"]: row for c in ("faces", "voices") for row in left_out(out, c) if row["stage"] == "pairing"}
    assert told.keys() == {"hq_voxceleb/vox1/Zo\u00eb_Kravitz", "hq_voxceleb/vox1/A.J._Buckley"}
    assert told["hq_voxceleb/vox1/A.J._Buckley"]["reason"].startswith("3 voices of a person without a face here")
    assert json.loads(told["hq_voxceleb/vox1/Zo\u00eb_Kravitz"]["measured"]) == {"faces": 1}
    everybody = build(raw, tmp_path / "everybody", features="", paired=False)
    assert {row["name"] for row in rows(everybody, "voices").values()} == {"Eartha_Kitt", "A.J._Buckley"}
    assert not [row for row in left_out(everybody, "faces") if row["stage"] == "pairing"]


def test_plain_load_dataset_reads_both_configs(built_hq, tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    faces = list(datasets.load_dataset(str(built_hq.path), "faces", split="train", streaming=True))
    assert [row["__key__"] for row in faces] == list(rows(built_hq, "faces"))
    voices = {
        r["__key__"]: r for r in datasets.load_dataset(str(built_hq.path), "voices", split="train", streaming=True)
    }
    known = rows(built_hq, "voices")
    assert list(voices) == list(known)
    for key, row in voices.items():
        assert row["json"]["mel_source"] == known[key]["mel_source"]
        mel = decode_array(row["sf2f.array"])
        assert mel.shape == (40, row["json"]["mel_frames"])
        if row["json"]["mel_source"] == "published":
            assert row["voice.flac"] is None
            np.testing.assert_allclose(mel, (MEL - SF2F.mean) / SF2F.std, rtol=1e-6)
            continue
        sound, rate = soundfile.read(io.BytesIO(row["voice.flac"]), dtype="int16")
        assert (rate, len(sound)) == (16_000, row["json"]["samples"])
        segments = [(part["first"], part["end"]) for part in row["json"]["speech"]]
        for name, values in voice_features(sound, segments, FEATURES).items():
            assert np.array_equal(decode_array(row[f"{name}.array"]), values), name


def test_streams_give_voices_as_arrays(built_hq):
    heard = {key: row for key, row in rows(built_hq, "voices").items() if row["samples"] and row["split"] == "train"}
    both = ("voice.flac", "sf2f.array")
    (batch,) = list(facevox.stream(built_hq.path, "voices", "train", fields=both, where="samples > 0", batch_size=8))
    assert list(batch["__key__"]) == list(heard)
    for key, sound, mel in zip(batch["__key__"], batch["voice.flac"], batch["sf2f.array"], strict=True):
        assert sound.shape == (heard[key]["samples"],)
        assert mel.shape == (40, heard[key]["mel_frames"])
    with pytest.raises(FolderError, match=r"have no field 'voice.flac'"):
        facevox.stream(built_hq.path, "voices", "train", fields=both)


@pytest.mark.slow
def test_two_workers_zips_and_a_broken_off_build_give_the_same_bytes(built_hq, files, raw, tmp_path, tree):
    # Torch takes seconds to start in each process; one of the three builds has arrays.
    one = build(raw, tmp_path / "one", features="")
    assert tree(build(raw, tmp_path / "two", workers=2, features="").path) == tree(one.path)
    zipped = build(lay(files, tmp_path / "zips", archived=True), tmp_path / "zipped", features="")
    same = {name: data for name, data in tree(zipped.path).items() if name.startswith("data/") or "index" in name}
    assert same == {name: data for name, data in tree(one.path).items() if name in same}
    assert len(same) == 3
    shutil.copytree(built_hq.path, tmp_path / "broken")
    for sidecar in sorted((tmp_path / "broken" / ".build" / "shards").rglob("*.json"))[::2]:
        sidecar.unlink()
    (tmp_path / "broken" / "checksums.sha256").unlink()
    assert tree(build(raw, tmp_path / "broken").path) == tree(built_hq.path)


def test_decoded_copies_are_read_in_place_of_faces_and_voices(raw, built_hq, tmp_path):
    folder = build(raw, tmp_path / "out", features="", decoded=True)
    compared = 0
    for config, field in (("faces", "masked.jpg"), ("voices", "voice.flac")):
        for split in folder.splits(config):
            options = StreamOptions(
                fields=(field,), batch_size=1, where="mel_source == 'computed'" * (config == "voices")
            )
            for one, other in zip(
                Stream(folder, config, split, options), Stream(built_hq, config, split, options), strict=True
            ):
                assert one["__key__"] == other["__key__"] and np.array_equal(one[field], other[field])
                (row,) = [row for row in folder.rows(one["__key__"][0]) if row["config"] == config]
                names = [entry["name"] for entry in row["fields"]]
                assert f"{field}.array" in names
                compared += 1
    assert compared > 8
    sample = next(iter(facevox.load_dataset(folder.path, "faces", "train", streaming=True)))
    assert np.array_equal(sample["masked.jpg.array"], np.asarray(sample["masked.jpg"]))
    assert check(folder.path).problems == []


def test_a_decoded_copy_that_is_no_picture_of_its_size_is_told(raw, tmp_path):
    folder = build(raw, tmp_path / "out", features="", decoded=True)
    row = next(row for row in folder.index.to_pylist() if row["config"] == "faces")
    entry = next(entry for entry in row["fields"] if entry["name"] == "masked.jpg.array")
    with (tmp_path / "out" / row["shard"]).open("rb+") as shard:
        shard.seek(entry["offset"])
        shard.write(encode_array(np.zeros((3, 2, 3), np.uint8))[:128])
    with pytest.raises(FolderError, match=r"masked\.jpg: its decoded copy is no array .* Run `facevox verify`"):
        list(Stream(folder, "faces", row["split"], StreamOptions(fields=("masked.jpg",))))


@pytest.fixture(scope="module")
def forged(tmp_path_factory) -> Path:
    """Two forged people of each subset: faces, recordings (one silent each) and mel dictionaries of the others."""
    out = tmp_path_factory.mktemp("forged") / "release"
    forge(out, ForgeOptions(source="release", mels=True, people=2, images=1, utterances=2, seconds=1.5))
    return out


@pytest.mark.slow
def test_a_forged_release_is_kept_but_for_its_silence(forged, tmp_path):
    truth = json.loads(Path(f"{forged}.truth.json").read_text())
    out = build(forged, tmp_path / "out", features="sf2f")
    wanted = {
        "/".join(place.split("/")[-3:]): facts
        for place, facts in truth["recordings"].items()
        if facts["kind"] != "silent"
    }
    voices = rows(out, "voices").values()
    assert {row["recording"] for row in voices} == wanted.keys()
    for row in voices:
        facts = wanted[row["recording"]]
        assert row["seconds"] == pytest.approx(facts["seconds"], abs=0.1)
        assert (row["subset"], row["name"], row["clip"]) == (facts["subset"], facts["name"], facts["video"])
    faces = {row["image_name"] for row in rows(out, "faces").values()}
    assert faces == {place for place in truth["pictures"] if "/masked_faces/" in place}
    assert {row["licence"] for row in voices} == {"none needed: forged by facevox"}


@pytest.mark.slow
def test_published_mels_mean_what_is_computed_from_sound(forged, tmp_path):
    silent = tmp_path / "silent"
    shutil.copytree(forged, silent, ignore=shutil.ignore_patterns("wav", "aac", "txt"))
    published = build(silent, tmp_path / "published", configs=("voices",), features="sf2f")
    computed = build(forged, tmp_path / "computed", configs=("voices",), features="sf2f")
    assert set(rows(published, "voices")) == set(rows(computed, "voices"))
    for one, other in zip(
        published.fetch(list(rows(published, "voices"))), computed.fetch(list(rows(published, "voices"))), strict=True
    ):
        assert set(one) & {"voice.flac", "sf2f.array"} == {"sf2f.array"}
        assert one["json"]["mel_source"] == "published"
        assert one["json"]["mel_frames"] == other["json"]["mel_frames"]
        np.testing.assert_allclose(one["sf2f.array"], other["sf2f.array"], atol=1e-4)


@pytest.mark.real
def test_the_authors_own_faces_are_all_kept(real, tmp_path):
    raw = tmp_path / "raw"
    shutil.copytree(real / "voxceleb_meta", raw / "meta_info")
    shutil.copytree(real / "faces" / "hq_voxceleb", raw / "HQ-VoxCeleb" / "vox1" / "masked_faces")
    out = build(raw, tmp_path / "out", detector="dlib-hog")
    found = rows(out, "faces")
    assert len(found) == 14
    assert {row["n_faces"] for row in found.values()} == {1}
    assert min(row["white_share"] for row in found.values()) > 0.05
    assert {row["name"] for row in found.values()} == {path.name for path in (real / "faces/hq_voxceleb").iterdir()}
    # The sheet measured where the pupils lie: 0.381, 0.623 across and 0.481 down, over 22 published faces.
    places = [
        [
            axis / side
            for point in row["pupils"]
            for axis, side in zip(point.values(), (row["width"], row["height"]), strict=True)
        ]
        for row in found.values()
    ]
    np.testing.assert_allclose(np.mean(places, 0), [0.381, 0.481, 0.623, 0.481], atol=0.01)
    (leaked,) = left_out(out, "faces")
    assert (leaked["key"], leaked["place"]) == ("vox2/Harry_Connick_Jr.", "vox2 table row 2201")
    assert "(id03347, validation) is in vox1 too (id10362, train)" in leaked["reason"]


@pytest.mark.real
def test_real_voices_pass_with_most_of_their_length(real, tmp_path):
    raw, speakers = tmp_path / "raw", sorted(path for path in (real / "voices/librispeech").iterdir() if path.is_dir())
    shutil.copytree(real / "voxceleb_meta", raw / "voxceleb_meta")
    told = 0
    for at, speaker in enumerate(speakers):
        for number, file in enumerate(sorted(speaker.glob("*.flac")), 1):
            sound, rate = soundfile.read(file, dtype="int16")
            place = raw / "vox1_dev_wav" / "wav" / f"id{10001 + at}" / "1zcIwhmdeo4" / f"{number:05d}.wav"
            place.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(place, sound, rate, subtype="PCM_16")
            told += 1
    found = rows(build(raw, tmp_path / "out", features=""), "voices").values()
    assert len(found) == told > 10
    assert all(row["speech_seconds"] > row["seconds"] / 2 for row in found)
    assert sum(row["speech_seconds"] for row in found) > 0.8 * sum(row["seconds"] for row in found)
    assert {row["nationality"] for row in found if row["speaker_id"] == "id10001"} == {"Ireland"}


def test_options_are_checked():
    with pytest.raises(ValueError, match="source 'web': expected release or candidates"):
        HqVoxCeleb(HqVoxCelebOptions(source="web"))
    with pytest.raises(ValueError, match="no 'mfcc'"):
        HqVoxCeleb(HqVoxCelebOptions(features="mfcc"))
    assert HqVoxCelebOptions().as_dict()["min_images"] == 1
    assert HqVoxCelebOptions(source="candidates").as_dict()["min_images"] == 3


def test_a_release_without_tables_is_told_what_to_add(files, tmp_path):
    bare = lay({name: data for name, data in files.items() if "/" in name}, tmp_path / "bare")
    with pytest.raises(FileNotFoundError, match="Put the meta tables of VoxCeleb beside the data"):
        build(bare, tmp_path / "out")


def test_a_build_tells_how_much_sound_it_read(voxceleb, tmp_path):
    voice = speak(draw(0, 3, "Male"), "turn on the kitchen light please", 8 * RATE, np.random.default_rng(1))
    sound = io.BytesIO()
    soundfile.write(sound, np.rint(voice * 20_000).astype(np.int16)[: 8 * 16_000], 16_000, format="WAV")
    wavs = {f"wav/id10001/J9lHsKG98U8/{number:05d}.wav": sound.getvalue() for number in range(10)}
    raw = lay(voxceleb.tables | wavs, tmp_path / "raw")
    options = HqVoxCelebOptions(detector="none")
    report = run(BuildOptions("hq_voxceleb", str(raw), tmp_path / "out", ("voices",), release=options))
    assert report.sound == pytest.approx(sum(Folder(tmp_path / "out").index["seconds"].to_pylist()))
    assert report.sound == pytest.approx(80)
    assert "minutes of sound/s" in " ".join(report.lines())
    assert set(report.seconds) >= {"read", "decode", "speech", "encode"}
