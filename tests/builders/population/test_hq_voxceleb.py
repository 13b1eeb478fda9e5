"""Forged HQ-VoxCeleb: the published layouts by globbing, tables, voices and spectrograms by their own readers."""

import json
import pickle
import re
import unicodedata
import zipfile
from collections import Counter, defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile
import torch
from facevox.builders.core.raw import open_raw
from facevox.builders.core.stage import Reject
from facevox.builders.population.hq_voxceleb import ForgeOptions, candidate_kinds, forge, masks_path, truth_path
from facevox.builders.population.mel_pickles import PROTOCOLS, mel_dictionary
from facevox.builders.population.snapshots import KINDS
from facevox.builders.population.voxceleb_people import roster, write_tables
from facevox.builders.stages.voice_face_facts import is_forged
from facevox.builders.stages.voxceleb_audio import read_voice, recording
from facevox.builders.stages.voxceleb_tables import read_identities
from facevox.builders.stages.voxceleb_tracks import read_track
from facevox.models.core import sound

SOUND = re.compile(r"(?:wav/id1\d{4}/[\w-]{11}/\d{5}\.wav|aac/id0\d{4}/[\w-]{11}/\d{5}\.m4a)")


def forged(out: Path, **options) -> tuple[Path, dict]:
    forge(out, ForgeOptions(**options))
    truth = json.loads(truth_path(out).read_text())
    truth_path(out).unlink()
    return out, truth


@pytest.fixture(scope="module")
def candidates(tmp_path_factory) -> tuple[Path, dict]:
    return forged(tmp_path_factory.mktemp("forged") / "candidates", people=3, images=5, utterances=4, seconds=2.5)


@pytest.fixture(scope="module")
def masks(candidates) -> dict[str, bytes]:
    with zipfile.ZipFile(masks_path(candidates[0])) as file:
        return {name: file.read(name) for name in file.namelist()}


@pytest.fixture(scope="module")
def release(tmp_path_factory) -> tuple[Path, dict]:
    where = tmp_path_factory.mktemp("forged") / "release"
    return forged(where, source="release", mels=True, archives=True, utterances=4, seconds=2.5)


def files(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def test_candidates_lie_as_the_builder_is_told(candidates):
    out, truth = candidates
    here = files(out)
    pictures = [name for name in here if re.fullmatch(r"vox[12]/[^/]+/\d{6}\.(jpg|png)", name)]
    sounds = [name for name in here if SOUND.fullmatch(name)]
    tracks = [name for name in here if re.fullmatch(r"txt/id[01]\d{4}/[\w-]{11}/\d{5}\.txt", name)]
    tables = [
        "forged.json",
        *(f"meta_info/{name}" for name in ("full_vox2_meta.csv", "vox1_meta.csv", "vox1_names.txt")),
    ]
    assert sorted([*pictures, *sounds, *tracks, *tables]) == here
    assert set(pictures) == set(truth["pictures"])
    assert set(sounds) == set(truth["recordings"])
    assert {recording(name).key for name in sounds} == {
        f"{Path(name).as_posix()[4:-4].replace('/', '_')}" for name in tracks
    }
    assert len(pictures) == 6 * 5 and len(sounds) == 6 * 4
    assert {Path(name).suffix for name in pictures} == {".jpg", ".png"}
    assert is_forged(open_raw(str(out)))


def test_a_picture_has_the_size_and_the_pupils_that_its_truth_states(candidates):
    out, truth = candidates
    for place, facts in truth["pictures"].items():
        height, width = cv2.imread(str(out / place)).shape[:2]
        assert [width, height] == facts["size"]
        if facts["kind"] not in ("none", "cropped"):
            (x0, y0), (x1, y1) = facts["pupils"]
            assert np.hypot(x1 - x0, y1 - y0) == pytest.approx(facts["pupil_distance"], abs=0.02)
            assert 0 < x0 < x1 < width and min(y0, y1) > 0 and max(y0, y1) < height
            assert np.degrees(np.arctan2(y1 - y0, x1 - x0)) == pytest.approx(facts["roll"], abs=0.1)


def test_every_kind_of_picture_occurs_and_most_people_have_enough_good_ones(candidates):
    kinds = defaultdict(Counter)
    for facts in candidates[1]["pictures"].values():
        kinds[facts["subset"], facts["name"]][facts["kind"]] += 1
    assert set().union(*kinds.values()) == set(KINDS)
    good = sorted(counts["good"] for counts in kinds.values())
    assert good == [1, 3, 3, 3, 3, 3]
    assert candidate_kinds(0, 2, 3) == ["good", "good"]
    assert candidate_kinds(1, 6, 1).count("good") == 3


def test_the_masks_beside_a_release_cover_people_alone(candidates, masks):
    truth = candidates[1]
    assert set(masks) == {f"{place}.png" for place in truth["pictures"]}
    for place, facts in truth["pictures"].items():
        mask = cv2.imdecode(np.frombuffer(masks[f"{place}.png"], np.uint8), cv2.IMREAD_UNCHANGED)
        assert list(mask.shape[::-1]) == facts["size"]
        if facts["kind"] == "none":
            assert not mask.any()
        elif facts["kind"] == "good":
            points = np.array(facts["landmarks"]).astype(int)[17:]
            assert (mask[points[:, 1], points[:, 0]] > 200).all() and mask[0, 0] == 0


def test_the_tables_join_and_tell_what_was_planted(candidates):
    out, truth = candidates
    people = read_identities(open_raw(str(out)))
    assert [problem.key for problem in people.problems] == [f"vox2/{people.people[0].name}"]
    one = {(person["subset"], person["speaker"]): person for person in truth["people"]}
    shared = [name for name, count in Counter(person["name"] for person in truth["people"]).items() if count == 2]
    assert len(shared) == 1
    for (subset, speaker), person in one.items():
        if (subset, person["name"]) == ("vox2", shared[0]):
            assert person["split"] == "validation" and person["set"] == "test"
            continue
        known = people.by_speaker[speaker]
        assert (known.name, known.vggface, known.gender, known.split) == (
            person["name"], person["vggface"], person["gender"], person["split"],
        )  # fmt: skip
        assert people.find(subset, person["folder"]) is known
    for subset in ("vox1", "vox2"):
        assert {person["split"] for key, person in one.items() if key[0] == subset} == {"train", "validation", "test"}
    vox2 = [person for person in people.people if person.subset == "vox2"]
    apart = [int(person.speaker[2:]) - int(person.vggface[1:]) for person in vox2]
    assert 0.7 < np.mean(np.array(apart) != 0) < 0.9


def test_some_folders_spell_accents_apart_and_some_names_have_accents_composed(candidates):
    out, truth = candidates
    folders = {path.name for path in out.glob("vox[12]/*")}
    assert folders == {person["folder"] for person in truth["people"]}
    apart = {name for name in folders if name != unicodedata.normalize("NFC", name)}
    assert apart and any(not name.isascii() for name in folders - apart)
    assert "\u0301" not in (out / "meta_info/vox1_meta.csv").read_text()


def test_voices_pass_as_speech_with_most_of_their_length_and_silent_ones_do_not(candidates):
    out, truth = candidates
    kinds = Counter()
    for place, facts in truth["recordings"].items():
        data = (out / place).read_bytes()
        kinds[facts["kind"]] += 1
        if facts["kind"] == "silent":
            with pytest.raises(Reject, match="no speech"):
                read_voice(data, place)
            continue
        voice = read_voice(data, place)
        assert voice.codec == ("wav" if place.startswith("wav") else "aac")
        assert len(voice.sound) / 16_000 == pytest.approx(facts["seconds"], abs=0.002)
        assert voice.speech.samples > 0.7 * len(voice.sound), place
    assert kinds == {"clean": 12, "noisy": 6, "silent": 6}


def test_wavs_are_16_khz_in_one_channel_of_16_bits(candidates):
    for path in candidates[0].glob("wav/**/*.wav"):
        info = soundfile.info(str(path))
        assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")


def test_face_tracks_have_both_units_and_cover_their_recordings(candidates):
    out, truth = candidates
    for place, facts in truth["recordings"].items():
        where = re.sub(r"^(wav|aac)/(.*)\.\w+$", r"txt/\2.txt", place)
        track = read_track((out / where).read_bytes(), where)
        assert (track.identity, track.reference) == tuple(place.split("/")[1:3])
        assert track.unit == ("pixel" if facts["subset"] == "vox1" else "fraction")
        assert len(track.frames) / 25 == pytest.approx(facts["seconds"], abs=0.05)
        middle = track.fractions(640, 360)[:, :2] + track.fractions(640, 360)[:, 2:] / 2
        assert (np.abs(middle - 0.5) < 0.45).all()


def test_the_release_holds_each_face_twice_at_the_published_place(release):
    out, truth = release
    with zipfile.ZipFile(out / "HQ-VoxCeleb.zip") as file:
        members = {name: file.read(name) for name in file.namelist()}
    assert {f"HQ-VoxCeleb/{name}" for name in members} == set(truth["pictures"])
    sides, per_person = [], Counter()
    for name, data in members.items():
        found = re.fullmatch(r"HQ-VoxCeleb/(vox[12])/(masked|origin)_faces/([^/]+)/(\d)\.jpg", name)
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        height, width = picture.shape[:2]
        sides.append((width, height))
        per_person[found[1], found[3], found[2]] += 1
        (x0, y0), (x1, y1) = truth["pictures"][f"HQ-VoxCeleb/{name}"]["pupils"]
        assert (
            np.abs(np.array([x0, x1, y0, y1]) / (width, width, height, height) - (0.381, 0.623, 0.481, 0.481)).max()
            < 0.02
        )
        if found[2] == "masked":
            assert (picture[[0, 0], [0, -1]] == 255).all()
            twin = cv2.imdecode(np.frombuffer(members[name.replace("masked", "origin")], np.uint8), cv2.IMREAD_COLOR)
            centre = slice(height // 3, 2 * height // 3), slice(width // 3, 2 * width // 3)
            assert np.abs(picture[centre].astype(int) - twin[centre]).mean() < 3
    assert any(width != height for width, height in sides) and all(abs(w - h) <= 1 for w, h in sides)
    assert min(map(min, sides)) >= 124
    assert 1 == min(per_person.values()) < max(per_person.values())


def test_the_archives_are_those_of_voxceleb(release):
    out, truth = release
    sounds = {}
    for path in sorted(out.glob("vox?_*.zip")):
        subset, group, kind = path.stem.split("_")
        with zipfile.ZipFile(path) as file:
            for name in file.namelist():
                assert name.startswith(f"{kind}/id")
                if kind != "txt":
                    assert (recording(name).subset, SOUND.fullmatch(name) is not None) == (subset, True)
                    sounds[f"{path.stem}/{name}"] = file.read(name)
        speakers = {
            person["speaker"] for person in truth["people"] if (person["subset"], person["set"]) == (subset, group)
        }
        assert {name.split("/")[1] for name in zipfile.ZipFile(path).namelist()} == speakers
    assert set(sounds) == set(truth["recordings"])


def test_mel_dictionaries_hold_the_spectrogram_of_the_speech(release):
    out, truth = release
    said = {facts["key"]: place for place, facts in truth["recordings"].items() if facts["kind"] != "silent"}
    found = {path.stem: path for path in out.glob("vox?/mel_spectrograms/*/*.pickle")}
    assert set(found) == set(said)
    for key, place in list(said.items())[::5]:
        subset = truth["recordings"][place]["subset"]
        stored = pickle.loads(found[key].read_bytes())  # noqa: S301 - forged just now
        assert (stored["spkid"], stored["clipid"], stored["wavid"]) == (key[:7], key[8:19], key[20:])
        assert found[key].parts[-4] == subset
        archive, member = place.split("/", 1)
        voice = read_voice(zipfile.ZipFile(out / f"{archive}.zip").read(member), place)
        expected = sound.sf2f(torch.from_numpy(voice.spoken.astype(np.float32) / 32_768))
        mel = stored["LogMel_Features"]
        assert mel.dtype == np.float64 and mel.shape == expected.shape and mel.shape[0] == 40
        assert np.abs((mel - 10.9915) / 3.1661 - expected.numpy()).max() < 2e-3


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_written_stream_is_what_pickle_reads_and_resembles_what_it_writes(protocol):
    mel = np.random.default_rng(0).normal(size=(300, 40)).T
    facts = {"LogMel_Features": mel, "spkid": "id10001", "clipid": "J9lHsKG98U8", "wavid": "00026"}
    data = mel_dictionary(mel, {name: text for name, text in facts.items() if name != "LogMel_Features"}, protocol)
    back = pickle.loads(data)  # noqa: S301 - written just now
    assert list(back) == list(facts)
    assert np.array_equal(back["LogMel_Features"], mel) and back["LogMel_Features"].flags.f_contiguous
    assert {name: back[name] for name in list(facts)[1:]} == {name: facts[name] for name in list(facts)[1:]}
    assert abs(len(data) - len(pickle.dumps(facts, protocol))) < 100
    with pytest.raises(ValueError, match="expected one of 2, 3, 4"):
        mel_dictionary(mel, {}, 5)


def test_the_same_options_give_the_same_bytes_with_any_number_of_workers(tmp_path):
    small = ForgeOptions(people=1, images=2, utterances=0, seed=4)
    for name, workers in (("one", 1), ("two", 2)):
        forge(tmp_path / name, small, workers=workers)
    assert files(tmp_path / "one") == files(tmp_path / "two")
    for name in files(tmp_path / "one"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    assert truth_path(tmp_path / "one").read_bytes() == truth_path(tmp_path / "two").read_bytes()


def test_the_largest_tables_are_read_without_a_problem_but_the_planted_one(tmp_path):
    people = roster(800, 5)
    write_tables(tmp_path, people)
    found = read_identities(open_raw(str(tmp_path)))
    assert len(found.problems) == 1 and len(found.people) == len(people.vox1) + len(people.vox2) - 1
    assert len({one.person.subject for one in (*people.vox1, *people.vox2)}) == len(found.people)
    assert len(people.chosen) == 1600


def test_without_the_link_faces_stay_and_voices_are_somebody_elses():
    linked, unlinked = roster(3, 0, True), roster(3, 0, False)
    for one, other in zip(linked.chosen, unlinked.chosen, strict=True):
        assert one.person.face == other.person.face == one.person.voice != other.person.voice


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"people": 801}, "people must lie in 1..800"),
        ({"size": "huge"}, "one of tiny, small"),
        ({"source": "web"}, "one of candidates, release"),
        ({"mels": True}, "give source release too"),
        ({"seconds": 0.5}, "seconds must lie in 1..60"),
    ],
)
def test_options_outside_their_range_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        ForgeOptions(**options)


def test_a_folder_with_anything_in_it_is_not_forged_into(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("keep")
    with pytest.raises(FileExistsError, match="new or empty"):
        forge(tmp_path / "mine", ForgeOptions())
    assert (tmp_path / "mine" / "letter.txt").read_text() == "keep"


def test_m4a_is_read_back_as_it_was_spoken(candidates):
    place = next(
        name
        for name, facts in candidates[1]["recordings"].items()
        if name.startswith("aac") and facts["kind"] == "clean"
    )
    data = (candidates[0] / place).read_bytes()
    assert data[4:11] == b"ftypM4A"
    voice = read_voice(data, place)
    assert np.sqrt(np.mean(voice.sound.astype(float) ** 2)) > 500
