"""Artifacts planted in forged releases are found, with their frames, and nothing else is."""

import json
import zipfile
from dataclasses import replace

import cv2
import numpy as np
import pytest
from facevox.builders.core.stage import Clock
from facevox.builders.population.clips import Clip, ForgeOptions, Segment
from facevox.builders.population.heads import head
from facevox.builders.population.people import draw
from facevox.builders.population.scene import Stage
from facevox.builders.population.speakingfaces import _Sink, _write_frames, forge, truth_path
from facevox.builders.stages.artifacts import Freeze
from facevox.builders.stages.chin import Chin
from facevox.builders.stages.evidence import Evidence
from facevox.builders.stages.faces import TrackedFace
from facevox.builders.stages.flicker import Flicker, shift_between
from facevox.builders.stages.noise import snr_db
from facevox.builders.stages.parity import PublishedRules
from facevox.builders.stages.speakingfaces_options import SpeakingFacesOptions
from facevox.loaders.palette import OUTSIDE, heat_index


def planted(clip: dict) -> dict[str, bool]:
    """What the verdicts should be, from the forger's truth."""
    kinds = clip["artifacts"].keys()
    frozen = clip["artifacts"].get("freeze", (1, 0))
    return {
        "frozen": frozen[1] - frozen[0] + 1 >= 10,
        "blurred": bool(kinds & {"blur", "both"}),
        "chin_cut": bool(kinds & {"chin", "both"}),
        "flickers": "jump" in kinds,
        "noisy": "noise" in kinds,
    }


def hold_against_truth(rows: list[dict], clips: dict[str, dict]) -> set[str]:
    """Every verdict equals the truth, frames of freezes and jumps included; returns the artifacts met."""
    met = set()
    for row in rows:
        clip = clips[row["key"]]
        assert {name: row[name] for name in planted(clip)} == planted(clip), row["key"]
        met |= clip["artifacts"].keys()
        if "freeze" in clip["artifacts"]:
            first, last = clip["artifacts"]["freeze"]
            assert row["freeze_runs"] == [{"first": first, "last": last}]
        if "jump" in clip["artifacts"]:
            (jump,), (first, last) = row["jumps"], clip["artifacts"]["jump"]
            assert jump["frame"] == first == last
            away, scale = clip["segments"][1]["dx"] - clip["segments"][0]["dx"], row["scale"]
            width = 768 * scale
            assert abs((jump["dx"] - away + width / 2) % width - width / 2) <= 3 and abs(jump["dy"]) <= 3
        if not row["flickers"]:
            assert row["faceless_share"] == 0
    return met


@pytest.fixture
def judged(with_faces) -> list[dict]:
    return [row for row in with_faces.index.to_pylist() if row["config"] == "utterances"]


def test_every_planted_artifact_is_found_and_nothing_else(judged, truth):
    rows = [row | {"scale": 0.5} for row in judged]
    met = hold_against_truth(rows, json.loads(truth.read_text())["clips"])
    assert {"freeze", "blur", "chin", "jump", "noise"} <= met


@pytest.mark.slow
def test_two_workers_judge_alike(judged, release, tmp_path, build_folder):
    rows = {row["key"]: row for row in judged}
    people = sorted({row["subject"] for row in rows.values() if row["flickers"] or row["chin_cut"]})[:2]
    folder = build_folder(
        release,
        tmp_path / "out",
        configs=("utterances",),
        detector="dlib-hog",
        subjects=",".join(map(str, people)),
        workers=2,
        shard_mb=2,
    )
    for row in folder.index.to_pylist():
        for name in ("chin", "jumps", "blur", "freeze_runs", "snr_db", "faceless_share"):
            assert row[name] == rows[row["key"]][name]


@pytest.mark.slow
def test_full_size_artifacts_are_found(tmp_path, build_folder):
    options = ForgeOptions(subjects=1, positions=1, utterances=6, frames=12, stills_frames=0)
    forge(tmp_path / "release", options)
    clips = json.loads(truth_path(tmp_path / "release").read_text())["clips"]
    truth_path(tmp_path / "release").unlink()
    folder = build_folder(tmp_path / "release", tmp_path / "out", detector="dlib-hog")
    met = hold_against_truth([row | {"scale": 1.0} for row in folder.index.to_pylist()], clips)
    assert {"freeze", "blur", "chin", "noise"} <= met


def test_without_a_detector_nothing_is_said_of_chins_and_jumps(built):
    rows = built["tar"].index.to_pylist()
    silent = ("chin", "chin_overshoot", "chin_share", "chin_cut", "faceless_share", "jumps", "flickers")
    assert all(row[name] is None for row in rows for name in (*silent, "visual_parity", "freeze_parity"))


# --- the published hand comments ---

NAMED = {8: 56, 5: 31, 9: 1}
"""Position -> frames named in the hand comments of session 2 that are frame 2 of a command (88 of 89)."""
FREEZES = (("12_2_6", 80, 139), ("20_2_1", 1, 66), ("41_2_8", 1, 55), ("58_1_4", 1, 45), ("63_1_9", 21, 82),
           ("64_1_7", 49, 109), ("66_1_5", 34, 88), ("69_1_7", 1, 54))  # fmt: skip
"""Frozen thermal stretches named there."""


@pytest.fixture(scope="module")
def actor():
    """options, person's head, and a function clip -> [(visual, thermal) uint8 RGB] read back from a forged archive."""
    options = ForgeOptions(subjects=1, size="small")
    return options, head(draw(0, 12, "Male", True), 1, options.scale)


def play(actor, clip: Clip, folder) -> list[tuple[np.ndarray, np.ndarray]]:
    """Frame pairs of a clip, written as a release and read back."""
    options, portrait = actor
    sink = _Sink(folder, 2, clip.subject, False)
    stage = Stage(portrait, options.seed, 12, 1, clip.position, options.scale)
    _write_frames(sink, clip, options, stage, np.zeros(clip.frames))
    sink.close()
    archive = zipfile.ZipFile(sink.zip.filename)
    pairs = []
    for number in range(1, clip.frames + 1):
        stem = f"{clip.subject}_{clip.trial}_2_{clip.position}_{clip.command}_{number}"
        names = (f"rgb_image_cmd/{stem}_2.png", f"thr_image_cmd/{stem}_1.png")
        data = [archive.read(f"{sink.prefix}/trial_{clip.trial}/{name}") for name in names]
        pairs.append(tuple(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR_RGB) for png in data))
    return pairs


@pytest.mark.slow
def test_named_jumps_of_the_published_comments_are_found(actor, tmp_path):
    jumps = [*range(-166, -154), *range(-322, -316), *range(478, 485)]
    number = 0
    for position, count in NAMED.items():
        for _ in range(count):
            number += 1
            away = round(jumps[7 * number % len(jumps)] / 2)
            base = Segment(1, 1, 0, 24)
            parts = (base, Segment(2, 2, away, 24, "jump"), replace(base, first=3, last=5))
            clip = Clip(12, 1, 2, position, number, 5, segments=parts, artifact="jump", span=(2, 2))
            evidence = Evidence(SpeakingFacesOptions(), 0.5, Clock())
            for visual, thermal in play(actor, clip, tmp_path):
                evidence.add(visual, thermal)
            facts = evidence.facts()
            (jump,) = facts["jumps"]
            assert jump["frame"] == 2 and not facts["chin_cut"] and not facts["frozen"]
            assert abs((jump["dx"] - away + 192) % 384 - 192) <= 3, (away, jump)
    assert number == 88


@pytest.mark.parametrize(("place", "first", "last"), FREEZES)
def test_frozen_stretches_of_the_published_comments_have_their_ends(actor, tmp_path, place, first, last):
    subject, trial, position = map(int, place.split("_"))
    before = max(1, first - 4)
    span = (first - before + 1, last - before + 1)
    clip = Clip(subject, trial, 2, position, 7, span[1] + 3, segments=(Segment(1, span[1] + 3, 0, 24),))
    freeze, rules = Freeze(), PublishedRules(lambda image: [], None, 0.5)
    for visual, thermal in play(actor, replace(clip, artifact="freeze", span=span), tmp_path):
        freeze.add(thermal)
        rules.add(visual, thermal)
    facts = freeze.facts()
    assert facts["freeze_runs"] == [{"first": span[0], "last": span[1]}] and facts["frozen"]
    long = last - first + 1 >= 53
    assert rules.facts()["freeze_parity"] == ([{"first": span[0], "last": span[0] + 52}] if long else [])


# --- each rule on its own ---


def face_at(points: np.ndarray) -> TrackedFace:
    return TrackedFace((0, 0, 1, 1), points.astype(np.float32), True)


def chin_line(x: float, y: float) -> np.ndarray:
    """68 points inside 100 x 80, the chin point 8 at (x, y)."""
    points = np.full((68, 2), 40.0)
    points[8] = x, y
    return points


@pytest.mark.parametrize(
    ("x", "y", "overshoot"), [(50, 79, 0), (50, 99, 20), (130, 40, 31), (-12, 40, 12), (50, -4, 4), (50, 60, -19)]
)
def test_the_chin_leaves_the_picture_on_any_side(x, y, overshoot):
    chin = Chin()
    chin.add(face_at(chin_line(x, y)), 100, 80)
    facts = chin.facts()
    assert facts["chin"] == [overshoot] and facts["chin_overshoot"] == max(0, overshoot)
    assert facts["chin_cut"] == (overshoot > 4)


def test_a_face_below_the_picture_has_no_chin_in_it():
    """Landmarks stop at the edge, the box does not."""
    chin = Chin()
    chin.add(TrackedFace((20, 20, 60, 95), chin_line(50, 79).astype(np.float32), True), 100, 80)
    assert chin.facts()["chin_overshoot"] == 15 and chin.facts()["chin_cut"]


def test_chins_are_judged_where_faces_are_and_nothing_jumps():
    chin = Chin(0.5)
    for y in (60, 86, None, 60):
        chin.add(None if y is None else face_at(chin_line(50, y)), 100, 80)
    assert (chin.facts()["chin_share"], chin.facts()["faceless_share"], chin.facts()["chin_cut"]) == (1 / 3, 0.25, True)
    assert (chin.facts({2})["chin_share"], chin.facts({2})["chin_cut"]) == (0, False)
    assert chin.facts({1, 2, 4})["chin_cut"] is None


def scenery(seed: int = 0) -> np.ndarray:
    """A picture (256, 900) uint8 grey with structure at all sizes."""
    random, total = np.random.default_rng(seed), np.zeros((256, 900), np.float32)
    for cells in (4, 12, 40):
        noise = random.normal(0, 30, (cells, 3 * cells)).astype(np.float32)
        total += cv2.resize(noise, (900, 256), interpolation=cv2.INTER_CUBIC)
    return np.clip(total + 128, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("dx", "dy"), [(80, 0), (-160, 0), (241, 0), (-77, 31), (0, -60)])
def test_shifts_of_cut_out_and_of_wrapped_pictures_are_found(dx, dy):
    picture = scenery()
    here, there = picture[64:192, 258:642], np.roll(picture, (dy, dx), (0, 1))[64:192, 258:642]
    found = shift_between(here, there)
    assert found is not None and np.abs(np.subtract(found, (dx, dy))).max() <= 1
    wrapped = shift_between(here, np.roll(here, dx, 1))
    if dx:
        assert wrapped is not None and abs((wrapped[0] - dx + 192) % 384 - 192) <= 1 and abs(wrapped[0]) <= 192


def test_another_scene_or_another_light_is_no_shift():
    picture = scenery()[:, :384]
    assert shift_between(picture, scenery(1)[:, :384]) is None
    flicker = Flicker(0.5)
    for light in (1.0, 0.7, 1.0, 1.0):
        flicker.add((picture * light).astype(np.uint8), None)
    assert flicker.facts() == {"jumps": [], "flickers": False}


def run_flicker(shifts: list[tuple[int, int]], faces: list[int | None] | None = None) -> list[int]:
    """Frames that jump when the picture is at these shifts, with faces at these columns."""
    flicker, picture = Flicker(0.5), scenery()
    for at, (dx, dy) in enumerate(shifts):
        face = faces[at] if faces else None
        seen = np.roll(picture, (dy, dx), (0, 1))[:, 258:642]
        flicker.add(seen, None if face is None else face_at(np.tile((face, 100.0), (68, 1))))
    return [jump["frame"] for jump in flicker.jumps()]


def test_jumps_are_frames_off_the_running_median():
    assert run_flicker([(0, 0), (80, 0), (0, 0), (0, 0)]) == [2]
    assert run_flicker([(80, 0), (80, 0), (80, 0), *[(0, 0)] * 5]) == [1, 2, 3]
    assert run_flicker([*[(0, 0)] * 5, (0, 40), (-160, 0), (0, 0), (0, 0)]) == [6, 7]
    assert run_flicker([(0, 0), (20, 0), (0, 0), (0, 0)]) == []
    assert run_flicker([*[(0, 0)] * 20, *[(80, 0)] * 20]) == []


def test_a_face_must_jump_with_its_picture():
    there = [(0, 0), (80, 0), (0, 0), (0, 0), (0, 0)]
    assert run_flicker(there, [190, 270, 190, 190, 190]) == [2]
    assert run_flicker(there, [190, None, 190, 190, 190]) == [2]
    assert run_flicker(there, [190, 190, 190, 190, 190]) == []
    assert run_flicker([(0, 0)] * 5, [190, 270, 190, 190, 190]) == []


def test_the_signal_to_noise_ratio_follows_planted_noise():
    random = np.random.default_rng(0)
    speech = random.normal(0, 3000, 44_100) * (np.sin(np.arange(44_100) / 1500) > -0.5)
    ratios = [
        snr_db((speech + random.normal(0, level, 44_100)).astype(np.int16), 44_100) for level in (3, 30, 300, 3000)
    ]
    assert np.abs(np.diff(ratios)[:2] + 20).max() < 2
    assert np.abs(ratios[1] - 40) < 3 and ratios[3] < 10
    assert snr_db(np.zeros(44_100, np.int16), 44_100) == 0


def test_published_rules_without_their_bugs():
    class Fixed:
        def __init__(self, faces):
            self.faces = list(faces)

        def __call__(self, image, box=None):
            points = np.full((68, 2), 40)
            points[2, 0], points[7, 1], points[16, 0] = self.faces.pop(0)
            return points

    def rules(faces):
        found = PublishedRules(lambda image: [face_at(np.zeros((68, 2)))], Fixed(faces))
        frame = np.random.default_rng(0).integers(0, 255, (80, 100, 3)).astype(np.uint8)
        for number in range(len(faces)):
            found.add(frame, np.full((4, 4, 3), number, np.uint8))
        return found.facts()

    assert rules([(20, 50, 60), (90, 50, 60), (20, 50, 60)])["flicker_parity"] == [2]
    assert rules([(20, 50, 90)])["visual_parity"] == 0
    assert rules([(20, 91, 90)])["visual_parity"] == 2 == rules([(20, 50, 100)])["visual_parity"]
    assert rules([(0, 91, 90)])["visual_parity"] == 0


def test_the_published_rules_join_the_facts_when_asked(release, tmp_path, build_folder, truth):
    clips = json.loads(truth.read_text())["clips"]
    cut = next(key for key, clip in clips.items() if "both" in clip["artifacts"])
    folder = build_folder(
        release, tmp_path / "out", configs=("utterances",), subjects=str(int(cut[:3])), parity=True, detector="dlib-hog"
    )
    rows = {row["key"]: row for row in folder.index.to_pylist()}
    assert rows[cut]["visual_parity"] == 3
    for row in rows.values():
        assert row["thermal_parity"] == 0 and row["freeze_parity"] == [], "no freeze here is 53 frames long"
        assert row["visual_parity"] & 1 == row["blurred"]
        assert row["flicker_parity"] == [jump["frame"] for jump in row["jumps"]]


@pytest.mark.real
def test_real_thermal_frames_of_another_camera_are_off_the_palette(real):
    evidence = Evidence(SpeakingFacesOptions(detector="none"), 1.0, Clock())
    picture = np.zeros((512, 768, 3), np.uint8)
    for path in sorted((real / "thermal" / "tfw").iterdir()):
        evidence.add(picture, cv2.imread(str(path), cv2.IMREAD_COLOR_RGB))
    assert not evidence.facts()["palette_exact"] and evidence.facts()["palette_outside"] > 1000


@pytest.mark.real
def test_real_thermal_frames_of_this_camera_leave_the_palette_only_where_they_were_drawn_on(real):
    """Published with a box and 54 points drawn over the face."""
    frames = [cv2.imread(str(path), cv2.IMREAD_COLOR_RGB) for path in sorted((real / "thermal" / "sf_tl54").iterdir())]
    for frame in frames:
        assert frame.shape == (348, 464, 3)
        outside = heat_index(frame) == OUTSIDE
        assert 0.01 < outside.mean() < 0.03
        assert not outside[:20].any() and not outside[-5:].any()


@pytest.mark.real
def test_real_clips_neither_jump_nor_lose_their_chin_until_they_do(real):
    video, frames = cv2.VideoCapture(str(next(iter(sorted((real / "grid" / "video").iterdir()))))), []
    while len(frames) < 24 and (read := video.read())[0]:
        frames.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
    thermal = np.zeros((8, 8, 3), np.uint8)

    def facts(frames):
        evidence = Evidence(SpeakingFacesOptions(), 0.5, Clock())
        for frame in frames:
            evidence.add(frame, thermal)
        return evidence.facts()

    calm = facts(frames)
    assert (calm["jumps"], calm["chin_cut"], calm["blurred"], calm["faceless_share"]) == ([], False, False, 0)
    torn = facts([frames[0], np.roll(frames[1], 80, 1), *frames[2:]])
    assert [jump["frame"] for jump in torn["jumps"]] == [2] and abs(torn["jumps"][0]["dx"] - 80) <= 2
    assert facts([frame[: 288 - 56] for frame in frames])["chin_cut"]
