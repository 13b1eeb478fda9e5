"""Config `voices`: every recording of a release becomes a unit or a row, and a unit its sound, arrays and facts."""

import zipfile
from dataclasses import replace

import numpy as np
import pytest
from facevox.builders.core.builder import Unit
from facevox.builders.core.raw import open_raw
from facevox.builders.core.stage import Clock, Reject, Rejection
from facevox.builders.stages.release_files import read_file, release_files
from facevox.builders.stages.speech import find_speech
from facevox.builders.stages.voice_listing import Corpus, expected_bytes, voice_units
from facevox.builders.stages.voices import FEATURES, VOICES, VoiceReleaseOptions, mel_frames, read_voice_sample
from facevox.builders.stages.voxceleb_tables import read_identities, read_vox1
from facevox.loaders.arrays import decode_array
from facevox.loaders.media import decode_audio
from facevox.loaders.resample import resample
from facevox.models.core import sound as spectrograms
from facevox.models.core import voice_features

TERMS = {"licence": "l", "consent": "c", "source": "s"}
HERE = "wav/id10001/1zcIwhmdeo4/00001.wav"


@pytest.fixture(scope="module")
def said(voxceleb) -> np.ndarray:
    return voxceleb.said


@pytest.fixture(scope="module")
def files(voxceleb) -> dict[str, bytes]:
    return voxceleb.tables | voxceleb.recordings | voxceleb.tracks


def lay(files: dict[str, bytes], folder, archived: bool = False):
    """The release as plain files, or in one zip per top folder."""
    for name, data in files.items():
        if archived and "/" in name:
            with zipfile.ZipFile(folder / f"{name.split('/')[0]}.zip", "a") as archive:
                archive.writestr(name, data)
        else:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
    return open_raw(str(folder))


def corpus(raw, subjects: str = "") -> Corpus:
    people = read_identities(raw)
    return Corpus("x", people, lambda p: p.split, lambda p: f"x/{p.subset}/{p.name}", "index_mod10", TERMS, subjects)


def listed(raw, subjects: str = ""):
    items = list(voice_units(release_files(raw, "voices"), corpus(raw, subjects)))
    units = {item.key: item for item in items if isinstance(item, Unit)}
    return units, [item for item in items if isinstance(item, Rejection)]


@pytest.mark.parametrize("archived", [False, True], ids=["folder", "zips"])
def test_every_recording_is_a_unit_or_a_row(files, tmp_path, archived):
    units, rows = listed(lay(files, tmp_path, archived))
    assert len(units) + len(rows) == sum(name.endswith((".wav", ".m4a")) for name in files)
    assert sorted(key.split("_")[0] for key in units) == ["vox1-id10001"] * 3 + ["vox1-id10270", "vox2-id00017"]
    reasons = {row.place.rsplit("/", 3)[-3 if "notes" not in row.place else -2]: row.reason for row in rows}
    assert "vox2 copy is left out" in reasons["id03347"]
    assert "id10009 has no row in the meta tables" in next(r.reason for r in rows if "5r0d" in r.place)
    assert any("not a recording by its place" in row.reason for row in rows)


def test_only_wanted_people_are_listed(files, tmp_path):
    raw = lay(files, tmp_path)
    assert {key.split("_")[0] for key in listed(raw, "id10200-id10300")[0]} == {"vox1-id10270"}
    assert {key.split("_")[0] for key in listed(raw, "A.J._Buckley, id00017")[0]} == {"vox1-id10001", "vox2-id00017"}
    assert not any("id10009/5r0d" in row.place for row in listed(raw, "id10001")[1])


def test_recordings_without_any_table_of_ids_are_told_at_once_and_single_ones_are_rows(files, tmp_path):
    raw = lay({name: data for name, data in files.items() if "id1" not in name}, tmp_path / "vox2")
    nobody = replace(corpus(raw), identities=read_vox1(files["vox1_meta.csv"]))
    with pytest.raises(ValueError, match="recordings of vox2, but no table gives its speakers' ids: put vox2_meta.csv"):
        list(voice_units(release_files(raw, "voices"), nobody))
    found = list(voice_units(release_files(lay(files, tmp_path / "both"), "voices"), nobody))
    strays = [item.key for item in found if isinstance(item, Rejection) and "put vox2_meta.csv" in item.reason]
    assert strays and all(key.startswith("vox2-") for key in strays)


def test_a_second_file_of_one_recording_is_a_row_with_its_place(files, tmp_path):
    again = HERE.replace(".wav", ".flac")
    units, rows = listed(lay(files | {again: files[HERE]}, tmp_path))
    assert sum(unit.details["file"][1] in (HERE, again) for unit in units.values()) == 1
    assert [row.place for row in rows if "a second file of one recording" in row.reason] == [HERE]


def test_broken_and_doubled_archives_are_rows(files, tmp_path):
    lay(files, tmp_path, archived=True)
    (tmp_path / "aac.tar").write_bytes(b"x" * 600)
    (tmp_path / "wav2.zip").write_bytes(b"PK\x03\x04 no more")
    (tmp_path / "txt2.zip").write_bytes(b"")
    kinds = {
        item.kind: item.place for item in release_files(open_raw(str(tmp_path)), "x") if isinstance(item, Rejection)
    }
    assert kinds == {"extra archive": "aac.tar", "unreadable archive": "wav2.zip", "empty archive": "txt2.zip"}


def test_names_and_links_that_lead_elsewhere_are_rows_and_never_read(files, tmp_path):
    lay(files, tmp_path / "raw")
    (tmp_path / "elsewhere.wav").write_bytes(files[HERE])
    (tmp_path / "raw/wav/id10001/1zcIwhmdeo4/00006.wav").symlink_to(tmp_path / "elsewhere.wav")
    with zipfile.ZipFile(tmp_path / "raw" / "more.zip", "w") as archive:
        archive.writestr("../wav/id10001/1zcIwhmdeo4/00007.wav", files[HERE])
        archive.writestr("/wav/id10001/1zcIwhmdeo4/00008.wav", files[HERE])
    units, rows = listed(open_raw(str(tmp_path / "raw")))
    assert not [key for key in units if key.endswith(("00006", "00007", "00008"))]
    refused = sorted(row.reason for row in rows if row.reason.startswith("refused"))
    assert refused == [
        "refused: a link that leads out of the release",
        "refused: absolute path",
        "refused: path with '..'",
    ]


def test_a_recording_becomes_its_sound_its_arrays_and_its_facts(files, said, tmp_path):
    raw = lay(files, tmp_path, archived=True)
    units, _ = listed(raw)
    unit = next(unit for unit in units.values() if unit.details["file"][1] == HERE)
    clock = Clock()
    sample = read_voice_sample(raw, unit, VoiceReleaseOptions(features=",".join(FEATURES)), clock)
    heard, rate = decode_audio(sample.media["voice.flac"])
    assert rate == 16_000
    assert np.array_equal(heard, said)
    facts = sample.facts
    assert (sample.identity, sample.split, facts["speaker_id"], facts["clip"]) == (
        "x/vox1/A.J._Buckley",
        "train",
        "id10001",
        "1zcIwhmdeo4",
    )
    assert [(s["first"], s["end"]) for s in facts["speech"]] == list(find_speech(said).segments)
    assert facts["recording"] == "id10001/1zcIwhmdeo4/00001.wav"
    assert facts["seconds"] == 2.5
    assert (facts["av_offset"], facts["fv_conf"], facts["asd_conf"], facts["bbox_unit"]) == (-3, 16.5, 4.25, "pixel")
    assert (facts["track_first_frame"], facts["track_frames"]) == (245, 2)
    assert {fact.name for fact in VOICES.facts} - facts.keys() == {"track_problem"}
    assert set(clock.seconds) == {"read", "decode", "speech", "encode", "features", "track"}

    arrays = {name: decode_array(data) for name, data in sample.media.items() if name.endswith(".array")}
    wave = voice_features.wave(heard)
    spoken = np.concatenate([heard[s["first"] : s["end"]] for s in facts["speech"]])
    at_22050 = voice_features.wave(resample(heard, 16_000, 22_050))
    wanted = {
        "sf2f.array": spectrograms.sf2f(voice_features.wave(spoken)),
        "piczak.array": spectrograms.piczak(at_22050),
        "vfmr.array": spectrograms.vfmr(wave),
        "speech2face.array": spectrograms.speech2face(wave),
    }
    assert arrays.keys() == wanted.keys() == {f.name for f in VOICES.fields if f.kind == "array"}
    for name, values in wanted.items():
        assert arrays[name].dtype == np.float32
        assert np.array_equal(arrays[name], values.numpy()), name
    assert arrays["sf2f.array"].shape == (40, facts["mel_frames"])
    assert arrays["vfmr.array"].shape == (257, 250)
    assert arrays["piczak.array"].shape[1:] == (2, 60, 41)
    assert arrays["speech2face.array"].shape == (2, 598, 257)


def test_silence_and_damage_are_told_with_place_and_measures(files, tmp_path):
    raw = lay(files, tmp_path)
    units = {unit.details["file"][1]: unit for unit in listed(raw)[0].values()}
    with pytest.raises(Reject, match=r"no speech in 2.00 s") as silent:
        read_voice_sample(raw, units["wav/id10001/1zcIwhmdeo4/00002.wav"], VoiceReleaseOptions(), Clock())
    assert (silent.value.place, '"seconds": 2.0' in silent.value.measured) == (
        "wav/id10001/1zcIwhmdeo4/00002.wav",
        True,
    )
    with pytest.raises(Reject, match="WAV cut short"):
        read_voice_sample(raw, units["wav/id10001/-_cIwhmdeo4/00001.wav"], VoiceReleaseOptions(), Clock())


def test_an_m4a_without_a_track_and_a_track_of_somebody_else_keep_the_voice(files, tmp_path):
    raw = lay(files, tmp_path)
    units = {unit.details["file"][1].rsplit("/")[1]: unit for unit in listed(raw)[0].values()}
    voice = read_voice_sample(raw, units["id00017"], VoiceReleaseOptions(), Clock())
    assert (voice.facts["codec"], voice.facts["nationality"], "av_offset" in voice.facts) == ("aac", None, False)
    assert set(voice.media) == {"voice.flac"}
    other = read_voice_sample(raw, units["id10270"], VoiceReleaseOptions(), Clock())
    assert other.facts["track_problem"].startswith("the track is of id10001 in 1zcIwhmdeo4, not of id10270")


def test_a_member_above_its_limit_is_not_read(files, tmp_path):
    raw = lay(files, tmp_path, archived=True)
    with pytest.raises(Reject, match="expected at most 100; not read"):
        read_file(raw, ["wav", HERE], 100)


def test_options_are_checked_and_the_detector_of_speech_is_part_of_the_plan():
    assert VoiceReleaseOptions(features="vfmr, sf2f").feature_names == ("sf2f", "vfmr")
    with pytest.raises(ValueError, match="no 'mfcc'; expected some of sf2f, piczak"):
        _ = VoiceReleaseOptions(features="sf2f,mfcc").feature_names
    with pytest.raises(ValueError, match="vad 'no': expected auto"):
        _ = VoiceReleaseOptions(vad="no").voice
    assert VoiceReleaseOptions().as_dict()["vad"] == VoiceReleaseOptions().settled().vad == "webrtc"
    assert VoiceReleaseOptions(vad="energy").as_dict()["vad"] == "energy"
    assert tuple(voice_features.FEATURES) == FEATURES


def test_space_is_asked_for_by_what_will_be_written(files, tmp_path):
    raw = lay(files, tmp_path)
    units = [
        unit for unit in listed(raw)[0].values() if unit.details["file"][1].split("/")[1] in ("id00017", "id10270")
    ]
    how = VoiceReleaseOptions(features=",".join(FEATURES))
    for options in (how, VoiceReleaseOptions()):
        samples = [read_voice_sample(raw, unit, options, Clock()) for unit in units]
        written = sum(len(data) for sample in samples for data in sample.media.values())
        assert written < expected_bytes(units, options.feature_names) < 6 * written


def test_frames_are_counted_as_the_spectrogram_counts_them():
    for samples in (1, 400, 401, 560, 561, 16_000):
        assert spectrograms.sf2f(voice_features.wave(np.zeros(samples, np.int16))).shape[1] == mel_frames(samples)
