"""The eight steps from web photos to faces: real portraits kept, real bad pictures and planted faults turned down."""

import io
import json
import shutil
from dataclasses import replace
from hashlib import sha256
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import cv2
import numpy as np
import pytest
from facevox.builders.core.builder import Unit
from facevox.builders.core.decisions import Decision
from facevox.builders.core.raw import open_raw
from facevox.builders.core.stage import Clock, Reject, Rejection
from facevox.builders.population.people import draw
from facevox.builders.population.snapshots import plan_photo, take
from facevox.builders.stages.candidate_examination import Candidate, read_photo
from facevox.builders.stages.candidate_faces import largest_face, level_pupils
from facevox.builders.stages.candidate_options import CandidateOptions
from facevox.builders.stages.candidate_quality import looks_drawn, style
from facevox.builders.stages.candidates import candidate_units, mask_problem, read_candidates
from facevox.builders.stages.hq_faces import FACES, NOT_JUDGED
from facevox.builders.stages.release_files import release_files
from facevox.builders.stages.voice_listing import Corpus
from facevox.builders.stages.voxceleb_tables import Identities, Identity, Problem
from facevox.loaders.media import decode_picture
from facevox.models.core.detectors import open_detector, open_landmarks
from facevox.models.core.emotion import EMOTIONS, NEUTRAL
from facevox.models.core.face_crops import box_crop
from facevox.models.core.networks import network
from PIL import Image, ImageOps

pytest.importorskip("dlib")
HAPPY = EMOTIONS.index("happy")
TERMS = {"licence": "none", "consent": "none", "source": "a test"}
LEAKED = Problem("vox2/Two_Worlds", "row 4", "Two_Worlds is in vox1 too")


def corpus(*names, subjects=""):
    people = [Identity("vox1", name, f"id1{row:04d}", name, "f", "", "dev", row) for row, name in enumerate(names)]
    known = Identities(tuple(people), (LEAKED,))
    where = "hq_voxceleb/{0.subset}/{0.name}".format
    return Corpus("hq_voxceleb", known, lambda person: person.split, where, "index_mod10", TERMS, subjects)


def units(folder, *names, **more):
    return list(candidate_units(release_files(open_raw(str(folder)), FACES.name), corpus(*names, **more)))


def outcomes(folder, unit, how=None):
    """{file name: sample or rejection}"""
    found = read_candidates(open_raw(str(folder)), unit, how or CandidateOptions(min_images=1, max_images=99), Clock())
    names = {f"{unit.key}_{number:04d}": name.split("/")[-1] for number, _, name in unit.details["pictures"]}
    return {names[item.key]: item for item in found}


# --- listing ---


def save(path, data=b"\xff\xd8\xff"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def test_photos_lie_together_by_person_wherever_the_layout_puts_them(tmp_path):
    for place in ("vox1/Ann_Lee/a.jpg", "vox1/images/Ann_Lee/b.PNG", "vox1/Bo/10.jpg", "vox1/Bo/9.webp"):
        save(tmp_path / place)
    first, second = units(tmp_path, "Ann_Lee", "Bo")
    assert (first.key, first.identity, first.split) == ("vox1-id10000", "hq_voxceleb/vox1/Ann_Lee", "train")
    assert [[number, name.split("/")[-1]] for number, _, name in first.details["pictures"]] == [
        [1, "a.jpg"],
        [2, "b.PNG"],
    ]
    assert [[number, name.split("/")[-1]] for number, _, name in second.details["pictures"]] == [
        [9, "9.webp"],
        [10, "10.jpg"],
    ]
    assert first.details["facts"]["name"] == "Ann_Lee" and first.details["facts"]["source"] == "a test"
    assert [unit.key for unit in units(tmp_path, "Ann_Lee", "Bo", subjects="Bo")] == ["vox1-id10001"]


def test_strangers_leaked_names_and_strays_are_reported(tmp_path):
    for place in ("vox1/Nobody/a.jpg", "vox1/Nobody/b.jpg", "vox2/Two_Worlds/a.jpg", "vox1/Ann/b.gif", "poster.jpg"):
        save(tmp_path / place)
    rows = units(tmp_path, "Ann")
    assert all(isinstance(row, Rejection) and row.stage == "list" for row in rows)
    reasons = {row.place: row.reason for row in rows}
    assert "no candidate by its place" in reasons["poster.jpg"]
    assert ".gif is not read" in reasons["vox1/Ann/b.gif"]
    assert reasons["vox1/Nobody"] == "2 pictures not read: Nobody has no row in the meta table of vox1 beside the data"
    assert "is in vox1 too" in reasons["vox2/Two_Worlds"]


# --- the made-up population ---


def photo(kind, number, **look):
    """A photograph of one of four people without glasses, and what is true of it."""
    person, *others = (replace(draw(5, 100 + number + step), accessories=("None", "None")) for step in (0, 30, 60))
    plan = plan_photo(kind, person, (7, number), others)
    if look:
        figure = plan.figures[-1]
        plan = replace(plan, figures=(*plan.figures[:-1], replace(figure, look=replace(figure.look, **look))))
    return take(plan)


PLANTED = {
    "level0.png": ("good", 0, {"yaw": 0.0}),
    "level1.png": ("good", 1, {"yaw": 2.0}),
    "level2.png": ("good", 3, {"yaw": -2.0}),
    "right.png": ("good", 0, {"yaw": 8.0}),
    "left.png": ("good", 1, {"yaw": -8.0}),
    "profile.png": ("profile", 2, {}),
    "smile.png": ("smile", 3, {"yaw": 0.0}),
    "tiny.png": ("tiny", 0, {}),
    "blurred.png": ("blurred", 5, {}),
    "several.png": ("several", 0, {}),
    "none.png": ("none", 0, {}),
}
REASONS = {
    "right.png": ("pose", "asymmetry"),
    "left.png": ("pose", "asymmetry"),
    "profile.png": ("pose", "asymmetry"),
    "smile.png": ("emotion", "mini-xception calls it happy"),
    "tiny.png": ("resolution", "px apart, expected 30 or more"),
    "blurred.png": ("quality", "blurred"),
    "several.png": ("faces", "3 faces"),
    "none.png": ("faces", "found no face"),
    "broken.jpg": ("decode", "not a readable picture"),
}


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """(release of one person's photos, its unit, {file: truth})"""
    home, truth = tmp_path_factory.mktemp("planted"), {}
    for name, (kind, number, look) in PLANTED.items():
        shown = photo(kind, number, **look)
        save(home / "vox1" / "Ann" / name, cv2.imencode(".png", shown.picture)[1].tobytes())
        truth[name] = shown.truth
    save(home / "vox1" / "Ann" / "broken.jpg")
    (unit,) = units(home, "Ann")
    return home, unit, truth


def onnx_files():
    """The writer of tiny ONNX files beside the tests of networks."""
    spec = spec_from_file_location("onnx_files", Path(__file__).parents[2] / "models" / "core" / "conftest.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """A folder with an emotion network of one layer, which knows the mouths of four people who smile and who do not."""
    detector, faces = open_detector("dlib-hog"), {"smile": [], "good": []}
    for kind, found in faces.items():
        for number in range(10, 14):
            picture = np.ascontiguousarray(photo(kind, number).picture[..., ::-1])
            found.append(box_crop(picture, detector(picture)[0].box, (64, 64)))
    smiles, level = (
        np.array([cv2.cvtColor(face, cv2.COLOR_RGB2GRAY) / 127.5 - 1 for face in found]) for found in faces.values()
    )
    mouth = np.zeros((64, 64))
    mouth[40:58, 14:50] = (smiles - level).mean(0)[40:58, 14:50]
    # However bright a face is, it must not count.
    mouth[40:58, 14:50] -= mouth[40:58, 14:50].mean()
    weights, bias = np.zeros((64 * 64, 7), np.float32), np.full(7, -20, np.float32)
    weights[:, HAPPY] = mouth.ravel()
    bias[HAPPY], bias[NEUTRAL] = -np.mean([(group * mouth).sum((1, 2)).mean() for group in (smiles, level)]), 0
    to = onnx_files()
    nodes = [
        to.node("Flatten", ["input"], "pixels", axis=1),
        to.node("MatMul", ["pixels", "weights"], "sums"),
        to.node("Add", ["sums", "bias"], "scores"),
    ]
    stored = to.model(nodes, {"weights": weights, "bias": bias}, ["n", 64, 64, 1], {"scores": ["n", 7]})
    folder = tmp_path_factory.mktemp("networks")
    file = folder / network("mini-xception").file
    file.write_bytes(stored)
    (folder / f"{file.name}.sha256").write_text(sha256(stored).hexdigest())
    return folder


@pytest.fixture(scope="module")
def judged(planted, networks):
    home, unit, _ = planted
    return outcomes(home, unit, CandidateOptions(min_images=3, emotion="mini-xception", models=str(networks)))


def test_planted_faults_are_turned_down_for_their_reason(judged):
    assert set(judged) == {*PLANTED, "broken.jpg"}
    for name, item in judged.items():
        if name in REASONS:
            stage, reason = REASONS[name]
            assert (item.stage, item.key[:13]) == (stage, "vox1-id10000_"), name
            assert reason in item.reason, name
        else:
            assert name.startswith("level") and not isinstance(item, Rejection), item


def test_every_row_carries_what_was_measured(judged):
    turned = json.loads(judged["right.png"].measured)
    assert turned["asym5"] > 0.045 and turned["sharpness"] > 40 and turned["n_faces"] == 1
    assert json.loads(judged["none.png"].measured)["n_faces"] == 0
    assert json.loads(judged["smile.png"].measured)["emotion"][HAPPY] > 0.5
    facts = judged["level0.png"].facts
    assert facts.keys() == {fact.name for fact in FACES.facts} - {"decisions", "white_share"}
    assert (facts["emotion_judge"], facts["segmenter"], facts["picked_by"]) == ("mini-xception", "grabcut", "rank")


def test_pupils_land_where_they_belong(planted, judged):
    _, _, truth = planted
    for name in ("level0.png", "level1.png", "level2.png"):
        facts = judged[name].facts
        with Image.open(io.BytesIO(judged[name].media["masked.jpg"])) as crop:
            assert crop.size == (facts["side_px"], facts["side_px"])
        matrix, side = np.reshape(facts["align_matrix"], (2, 3)), facts["side_px"]
        target = np.array([[0.379, 0.480], [0.621, 0.480]]) * side - 0.5
        own = np.array([[eye["x"], eye["y"]] for eye in facts["pupils"]])
        np.testing.assert_allclose(own @ matrix[:, :2].T + matrix[:, 2], target, atol=0.1)
        planted_pupils = np.array(truth[name]["pupils"])
        assert np.abs(own - planted_pupils).max() < 0.04 * truth[name]["pupil_distance"]


def decided(unit, **verdicts):
    when = "2026-03-01T12:00:00Z"
    keys = {
        name.split("/")[-1].split(".")[0]: f"{unit.key}_{number:04d}" for number, _, name in unit.details["pictures"]
    }
    said = [Decision(keys[name], "face", verdict, None, "", "ann", when) for name, verdict in verdicts.items()]
    return replace(unit, decisions=tuple(said))


def test_people_overrule_thresholds_but_not_unreadable_files(planted, networks):
    home, unit, _ = planted
    keep = dict.fromkeys(("right", "smile", "none", "broken"), "keep")
    how = CandidateOptions(min_images=2, max_images=3, emotion="mini-xception", models=str(networks))
    found = outcomes(home, decided(unit, level0="leave out", **keep), how)
    kept = {name: item.facts for name, item in found.items() if not isinstance(item, Rejection)}
    assert kept.keys() >= {"right.png", "smile.png"} and len(kept) == 3
    assert kept["right.png"]["picked_by"] == "decision" and kept["right.png"]["rank"] <= 2
    assert found["level0.png"].stage == "review" and "ann" in found["level0.png"].reason
    assert (found["none.png"].stage, found["broken.jpg"].stage) == ("faces", "decode")
    (ranked,) = [item for item in found.values() if isinstance(item, Rejection) and item.stage == "rank"]
    assert ranked.reason == "ranked 4 of 4, 3 kept"


def test_too_few_pictures_leave_a_person_out(planted):
    home, unit, _ = planted
    found = outcomes(home, unit, CandidateOptions(min_images=7))
    assert all(isinstance(item, Rejection) for item in found.values())
    fits = [item for item in found.values() if item.stage == "identity"]
    # Nobody judged expressions: the smile fits as well.
    assert len(fits) == 4
    assert {item.reason for item in fits} == {"4 pictures of this person fit, expected 7 or more"}
    assert {json.loads(item.measured)["emotion_judge"] for item in fits} == {NOT_JUDGED}


def test_a_declared_bias_lets_yaw_decide(planted):
    home, unit, _ = planted
    only = replace(unit, details=unit.details | {"pictures": [p for p in unit.details["pictures"] if "level" in p[2]]})
    loose = {"max_asym5": 1.0, "max_asym68": 1.0, "max_pitch": 90.0, "min_images": 1}
    away = outcomes(home, only, CandidateOptions(pose_bias="40,0", **loose))
    assert {item.stage for item in away.values()} == {"pose"}
    assert all("degrees after bias 40" in item.reason for item in away.values())
    assert CandidateOptions(pose_bias="0,3.9").declared_bias() == (0, 3.9)


def test_options_out_of_range_are_refused():
    for wrong in (
        {"min_images": 8},
        {"max_border": 1.0},
        {"pose_bias": "3"},
        {"segmenter": "none"},
        {"emotion": "nun"},
    ):
        with pytest.raises(ValueError):
            CandidateOptions(**wrong).check_candidates()
    assert any("NOT JUDGED" in note for note in CandidateOptions().candidate_notes())
    assert CandidateOptions(models="here").as_dict() == CandidateOptions(models="there").as_dict()


def test_a_network_without_a_published_digest_is_part_of_the_plan(networks):
    how = CandidateOptions(emotion="mini-xception", models=str(networks))
    stored = (networks / network("mini-xception").file).read_bytes()
    assert how.as_dict()["emotion"] == f"mini-xception {sha256(stored).hexdigest()}"


@pytest.mark.parametrize("held", range(1, 9))
def test_photos_are_read_upright(tmp_path, held):
    stored = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 56, 3), np.uint8))
    exif = Image.Exif()
    exif[274] = held
    stored.save(tmp_path / "a.png", exif=exif)
    found = read_photo(open_raw(str(tmp_path)), Candidate("a", 1, ["", "a.png"], False))
    with Image.open(tmp_path / "a.png") as again:
        np.testing.assert_array_equal(found, np.asarray(ImageOps.exif_transpose(again)))


def test_the_papers_largest_photo_is_read(tmp_path):
    (tmp_path / "a.jpg").write_bytes(cv2.imencode(".jpg", np.zeros((8093, 6245, 3), np.uint8))[1].tobytes())
    assert read_photo(open_raw(str(tmp_path)), Candidate("a", 1, ["", "a.jpg"], False)).shape == (8093, 6245, 3)
    (tmp_path / "b.jpg").write_bytes(cv2.imencode(".jpg", np.zeros((8193, 8193, 3), np.uint8))[1].tobytes())
    with pytest.raises(Reject, match="more than 67,108,864 pixels"):
        read_photo(open_raw(str(tmp_path)), Candidate("b", 1, ["", "b.jpg"], False))


def test_a_close_up_too_large_for_a_folder_is_turned_down_whoever_wants_it(planted, monkeypatch):
    far = np.array([[1000.0, 2000.0], [2500.0, 2000.0]])
    monkeypatch.setattr("facevox.builders.stages.candidate_examination.level_pupils", lambda *_: far)
    home, unit, _ = planted
    only = replace(unit, details=unit.details | {"pictures": [p for p in unit.details["pictures"] if "level0" in p[2]]})
    (item,) = outcomes(home, decided(only, level0="keep")).values()
    assert (item.stage, item.reason) == ("alignment", "crop of 6,198 x 6,198 px, expected at most 33,554,432 px")
    assert json.loads(item.measured)["side_px"] == 6198


def test_a_cartoon_is_flagged_and_a_photograph_is_not():
    detector, landmarks = open_detector("dlib-hog"), open_landmarks()
    for kind, drawn in (("drawing", True), ("good", False)):
        picture = np.ascontiguousarray(photo(kind, 0).picture[..., ::-1])
        assert looks_drawn(*style(picture, largest_face(picture, detector, landmarks))) == drawn


def test_masks_that_lose_the_face_or_find_no_background_are_turned_down():
    whole, points = np.ones((100, 100), np.float32), np.random.default_rng(0).uniform(30, 70, (68, 2))
    half = whole.copy()
    half[50:] = 0
    face = whole.copy()
    face[:20] = 0
    assert "no background" in mask_problem(whole, whole, points)
    assert "of the face" in mask_problem(half, whole, points)
    assert mask_problem(face, whole, points) == ""


# --- real pictures ---

PORTRAITS = (
    "crema_d/crema_*/*.png",
    "openface/adams/adams.jpg",
    "lfw/Anthony_Hopkins/Anthony_Hopkins_0002.jpg",
    "face_recognition/alex_lacamoire/img1.jpg",
    "face_recognition/obama/obama.jpg",
    "face_recognition/obama/obama_small.jpg",
    "deepface/df_01/img6.jpg",
    "deepface/df_01/img10.jpg",
    "deepface/df_16/img17.jpg",
    "deepface/df_16/img62.jpg",
    "deepface/df_20/img20.jpg",
    "deepface/df_29/img30.jpg",
)
"""Faces that look into the camera; the other photographs of the pack show turned heads."""
LONGEST = 1_000
"""Of a picture's longer side in px: cutting out and segmenting larger ones takes most of the time."""
BAD = {
    "no_face": ("faces", "found no face"),
    "several_faces": ("faces", "as wide as the largest"),
    "tiny": ("resolution", "px apart"),
    "cropped": ("edge", "edge cuts the face"),
    "drawing": ("pose", "five-point asymmetry"),
    "1st_50TghvQjXD0.jpg": ("quality", "blurred"),
    "1st_GVz6D5d2H8o.jpg": ("pose", "five-point asymmetry"),
    "1st_LQ8IAmeTcGc.jpg": ("edge", "edge cuts the face"),
    "1st_ndxzsyFWUw.jpg": ("edge", "edge cuts the face"),
    "2nd_O_0m1BRLJqI.jpg": ("quality", "blurred"),
    "2nd_m4VfAaGJyrI.jpg": ("quality", "blurred"),
    "2nd_wPkxZC1GCTo.jpg": ("edge", "edge cuts the face"),
    "Not100_2aQ1s1ioNWM.jpg": ("faces", "found no face"),
    "Not100_401xOIclWE.jpg": ("quality", "blurred"),
    "Not100_qfH0VkLTVhM.jpg": ("quality", "blurred"),
    "Not100_xIcYZqiI8AY.jpg": ("edge", "edge cuts the face"),
}
"""By folder, or by file where a folder's pictures are bad in several ways."""


def copied(pictures, home):
    """A release in which every folder of pictures is a person, none longer than LONGEST px; their names."""
    for picture in pictures:
        place = home / "vox1" / picture.parent.name / picture.name
        place.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(picture) as stored:
            if max(stored.size) <= LONGEST:
                shutil.copy(picture, place)
                continue
            stored.thumbnail((LONGEST, LONGEST))
            stored.save(place, **({"quality": 95} if place.suffix == ".jpg" else {}))
    return sorted({picture.parent.name for picture in pictures})


def everything(pictures, home):
    """{folder/file: sample or rejection}, nobody dropped for having few pictures."""
    names = copied(pictures, home)
    found = {}
    for unit in units(home, *names):
        assert isinstance(unit, Unit)
        found |= {f"{unit.identity.split('/')[-1]}/{name}": item for name, item in outcomes(home, unit).items()}
    assert len(found) == len(pictures)
    return found


@pytest.mark.real
def test_all_published_faces_and_the_other_good_portraits_are_kept(real, tmp_path):
    published = sorted((real / "faces" / "hq_voxceleb").glob("*/*.jpg"))
    portraits = [path for pattern in PORTRAITS for path in sorted((real / "faces").glob(pattern))]
    assert (len(published), len(portraits)) == (14, 18)
    found = everything(published + portraits, tmp_path)
    assert {name: item.reason for name, item in found.items() if isinstance(item, Rejection)} == {}
    detector, landmarks = open_detector("dlib-hog"), open_landmarks()
    for name, item in found.items():
        crop = decode_picture(item.media["origin.jpg"])
        side = item.facts["side_px"]
        target = np.array([[0.379, 0.480], [0.621, 0.480]]) * side - 0.5
        again = largest_face(crop, detector, landmarks)
        assert np.abs(level_pupils(crop, again, landmarks) - target).max() < 1, name
        assert 0.3 < item.facts["mask_fraction"] < 0.95, name
        assert item.facts["drawing"] == NOT_JUDGED, name
        white = decode_picture(item.media["masked.jpg"])[: side // 20, [*range(side // 20), *range(-side // 20, 0)]]
        if item.identity.split("/")[-1][:5] in ("Andre", "Antho", "Bear_", "Emraa"):
            assert white.min() > 240, name


@pytest.mark.real
def test_bad_pictures_are_turned_down_for_the_right_reason(real, tmp_path):
    pictures = sorted((real / "bad").glob("*/*"))
    assert len(pictures) == 24
    found = everything(pictures, tmp_path)
    for name, item in found.items():
        assert isinstance(item, Rejection), f"{name} was kept"
        folder, file = name.split("/")
        stage, words = BAD.get(file) or BAD[folder]
        assert item.stage == stage and words in item.reason, (name, item.reason)
    assert json.loads(found["drawing/art_18.png"].measured)["drawing"] == "drawing"
