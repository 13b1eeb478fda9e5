"""Forged Vox-VGG: the trees of VGGFace and VGGFace2 by globbing, their boxes and tables against the pictures."""

import csv
import json
import re
import zipfile
from collections import Counter, defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest
from facevox.builders.core.raw import open_raw
from facevox.builders.population.vox_vgg import ForgeOptions, forge, truth_path
from facevox.builders.stages.voice_face_facts import is_forged
from facevox.builders.stages.voxceleb_audio import read_voice, recording
from facevox.builders.stages.voxceleb_tables import read_identities, read_vggface2_names
from facevox.models.core.detectors import open_detector


@pytest.fixture(scope="module")
def release(tmp_path_factory) -> tuple[Path, dict]:
    out = tmp_path_factory.mktemp("forged") / "release"
    forge(out, ForgeOptions(people=3, images=4, utterances=3, seconds=1.5, seed=2))
    truth = json.loads(truth_path(out).read_text())
    truth_path(out).unlink()
    return out, truth


def test_pictures_lie_under_vggface2s_ids_and_vggfaces_names(release):
    out, truth = release
    people = {person["vggface"]: person for person in truth["people"]}
    found = []
    for path in out.glob("*/*/*.jpg"):
        place = path.relative_to(out).as_posix()
        if place.startswith("vggface1/"):
            assert re.fullmatch(r"\d{8}\.jpg", path.name)
            assert path.parent.name in {person["folder"] for person in people.values()}
        else:
            assert re.fullmatch(r"(train|test)/n\d{6}/\d{4}_\d{2}\.jpg", place)
            assert people[path.parent.name]["in_vggface2_train"] == place.startswith("train/")
        found.append(place)
    assert set(found) == set(truth["pictures"]) and len(found) == 6 * 4
    assert is_forged(open_raw(str(out)))


def test_published_boxes_hold_the_face_and_little_more(release):
    out, truth = release
    boxes = {}
    for part in ("train", "test"):
        with (out / f"bb_landmark/loose_bb_{part}.csv").open() as file:
            for name, *edges in list(csv.reader(file))[1:]:
                x, y, w, h = map(int, edges)
                boxes[f"{part}/{name}.jpg"] = (x, y, x + w, y + h)
    for person in truth["people"]:
        for line in (
            (out / f"files/{person['name']}.txt").read_text().splitlines() if person["subset"] == "vox1" else ()
        ):
            number, _, *edges, _, _, _ = line.split()
            boxes[f"vggface1/{person['folder']}/{number}.jpg"] = tuple(map(float, edges))
    assert set(boxes) == set(truth["pictures"])
    for place, facts in truth["pictures"].items():
        if facts["kind"] == "none":
            continue
        left, top, right, bottom = boxes[place]
        points = np.array(facts["landmarks"])
        assert ((points > (left, top)) & (points < (right, bottom))).all()
        assert 1.2 * np.ptp(points[:, 0]) < right - left < 1.45 * np.ptp(points[:, 0])


def test_mtcnn_finds_the_first_pictures_of_everybody_in_their_boxes(release):
    out, truth = release
    detect = open_detector("mtcnn")
    for place, facts in truth["pictures"].items():
        if not re.search(r"/(0001_0\d|00000001)\.jpg$", place):
            continue
        assert facts["kind"] == "good"
        (face,) = detect(np.ascontiguousarray(cv2.imread(str(out / place))[..., ::-1]))
        x, y, w, h = facts["box"]
        overlap = (min(face.box[2], x + w) - max(face.box[0], x)) * (min(face.box[3], y + h) - max(face.box[1], y))
        assert overlap > 0.85 * (face.box[2] - face.box[0]) * (face.box[3] - face.box[1])


def test_both_tables_name_the_same_people(release):
    out, truth = release
    people = read_identities(open_raw(str(out)))
    names = read_vggface2_names((out / "meta/identity_meta.csv").read_bytes())
    vox2 = {person.vggface: person for person in people.people if person.subset == "vox2"}
    assert {name: names[name] for name in vox2} == {name: person.name for name, person in vox2.items()}
    assert {person.faces for person in vox2.values()} == {4}
    dev = [person for person in truth["people"] if person["subset"] == "vox2" and person["set"] == "dev"]
    assert len(dev) == 2


def test_speakers_have_several_videos_and_different_numbers_of_recordings(release):
    out, truth = release
    videos, numbers = defaultdict(set), Counter()
    for place, facts in truth["recordings"].items():
        about = recording(place)
        videos[about.speaker].add(about.clip)
        numbers[about.speaker] += 1
        if facts["kind"] == "clean":
            assert read_voice((out / place).read_bytes(), place).speech.samples > 0.6 * 16_000 * facts["seconds"]
    assert {len(clips) for clips in videos.values()} == {2}
    assert set(numbers.values()) == {3, 4, 5}


def test_archives_hold_what_the_folders_would(tmp_path):
    small = {"people": 1, "images": 1, "utterances": 1, "seconds": 1.0}
    for name, packed in (("plain", False), ("packed", True)):
        forge(tmp_path / name, ForgeOptions(archives=packed, **small))
    plain = {
        path.relative_to(tmp_path / "plain").as_posix(): path.read_bytes()
        for path in (tmp_path / "plain").rglob("*")
        if path.is_file()
    }
    packed = {}
    for path in (tmp_path / "packed").rglob("*"):
        if path.suffix == ".zip":
            top = f"{path.stem}/" if path.stem in ("train", "test", "vggface1") else ""
            with zipfile.ZipFile(path) as file:
                packed |= {top + name: file.read(name) for name in file.namelist()}
        elif path.is_file():
            packed[path.relative_to(tmp_path / "packed").as_posix()] = path.read_bytes()
    assert packed == plain
