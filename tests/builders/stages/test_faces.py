"""Faces followed through clips, carried to thermal, and mouth boxes."""

import csv
import zipfile

import cv2
import numpy as np
import pytest
from facevox.builders.stages.align import homography, warp
from facevox.builders.stages.faces import (
    DETECT_EVERY,
    FaceTracker,
    carried,
    carried_box,
    open_tracker,
    working_frame,
)
from facevox.builders.stages.mouths import mouth_box, mouth_crop
from facevox.models.core.detectors import Face, open_detector, open_landmarks


def eyes_apart(points: np.ndarray) -> float:
    return float(np.linalg.norm(points[36:42].mean(0) - points[42:48].mean(0)))


def follow(tracker: FaceTracker, frames: list[np.ndarray]) -> list:
    found = []
    for frame in frames:
        working = working_frame(frame)
        grey = cv2.cvtColor(working, cv2.COLOR_RGB2GRAY)
        found.append(tracker.add(working, grey, frame.shape[1] / working.shape[1]))
    return found


def frame_by_frame(frames: list[np.ndarray]) -> list:
    """The surest face searched for in every frame on its own, with plain dlib calls."""
    detect, landmarks, found = open_detector("dlib-hog"), open_landmarks(), []
    for frame in frames:
        faces = detect(frame)
        found.append(landmarks(frame, faces[0].box) if faces else None)
    return found


def visual_frames(release, session="image_audio") -> list[np.ndarray]:
    archive = zipfile.ZipFile(sorted((release / session).iterdir())[0])
    names = [name for name in archive.namelist() if name.endswith("_2.png")]
    stem = names[0].rsplit("_", 2)[0]
    names = sorted((n for n in names if n.startswith(stem)), key=lambda n: int(n.split("_")[-2]))
    return [cv2.imdecode(np.frombuffer(archive.read(n), np.uint8), cv2.IMREAD_COLOR_RGB) for n in names]


def test_a_followed_face_is_where_a_search_in_every_frame_finds_it(release):
    frames = visual_frames(release)
    tracker = open_tracker("dlib-hog")
    followed, searched = follow(tracker, frames), frame_by_frame(frames)
    assert tracker.searched < len(frames) / 2
    assert followed[0].detected and not followed[1].detected
    away = [
        np.linalg.norm(f.points - s, axis=1).mean() / eyes_apart(s) for f, s in zip(followed, searched, strict=True)
    ]
    assert np.median(away) < 0.1 and max(away) < 0.15
    large = [cv2.resize(frame, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC) for frame in frames[:3]]
    for face, small in zip(follow(open_tracker("dlib-hog"), large), followed, strict=False):
        assert np.linalg.norm(face.points - 2 * small.points, axis=1).mean() < 0.1 * eyes_apart(small.points)


def test_a_clip_does_not_depend_on_the_clip_before(release):
    frames = visual_frames(release)[:4]
    once, again = follow(open_tracker("dlib-hog"), frames), follow(open_tracker("dlib-hog"), frames)
    assert all(np.array_equal(a.points, b.points) and a.box == b.box for a, b in zip(once, again, strict=True))


class Scripted:
    """A detector that finds a face where a bright square is, and counts its calls."""

    name, calls = "scripted", 0

    def __call__(self, image):
        self.calls += 1
        rows, columns = np.nonzero(image[..., 0] > 200)
        return [Face((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1), 1.0)] if len(rows) else []


def square(left: int | None) -> np.ndarray:
    frame = np.random.default_rng(left).integers(0, 60, (128, 192, 3)).astype(np.uint8)
    if left is not None:
        frame[40:80, left : left + 40] = np.random.default_rng(0).integers(201, 256, (40, 40, 1))
    return frame


def corners(image, box):
    """Landmarks spread over the box; they do not look at the picture."""
    steps = np.linspace(0, 1, 68)[:, None]
    left, top, right, bottom = box
    return np.round(np.hstack([left + steps * (right - left), top + steps * (bottom - top)])).astype(np.int32)


def test_a_face_is_searched_for_when_it_jumps_is_lost_or_time_is_up():
    detector = Scripted()
    found = follow(FaceTracker(detector, corners), [square(20)] * 3 + [square(120)] * 2 + [square(None), square(20)])
    assert [face and face.detected for face in found] == [True, False, False, True, False, None, True]
    assert [round(face.box[0]) for face in found if face] == [20, 20, 20, 120, 120, 20]
    tracker = FaceTracker(detector, corners)
    found = follow(tracker, [square(20)] * (2 * DETECT_EVERY + 1))
    assert [at for at, face in enumerate(found) if face.detected] == [0, DETECT_EVERY, 2 * DETECT_EVERY]


def test_points_and_boxes_are_carried_as_opencv_carries_pixels():
    matrix = homography(7, 43)
    points = np.random.default_rng(1).uniform(100, 500, (68, 2)).astype(np.float32)
    known = cv2.perspectiveTransform(points[None].astype(np.float64), matrix)[0]
    assert np.abs(carried(points, matrix) - known).max() < 1e-3
    picture = np.zeros((512, 768, 3), np.uint8)
    cv2.circle(picture, (400, 300), 6, (255, 255, 255), -1)
    ys, xs = np.nonzero(warp(picture, matrix, (464, 348))[..., 0] > 127)
    assert carried(np.array([[400, 300]]), matrix)[0] == pytest.approx((xs.mean(), ys.mean()), abs=0.3)
    picture[:] = 0
    picture[200:320, 300:420] = 255
    ys, xs = np.nonzero(warp(picture, matrix, (464, 348))[..., 0])
    box = carried_box((300, 200, 420, 320), matrix)
    assert box == pytest.approx((xs.min(), ys.min(), xs.max() + 1, ys.max() + 1), abs=1)


@pytest.mark.parametrize(("position", "aside", "upper"), [(1, 0, 2), (3, 0, 1), (5, 20, 1), (8, -20, 2)])
def test_mouth_boxes_follow_the_published_rule(position, aside, upper):
    points = np.zeros((68, 2), np.float32)
    points[:17] = [(100 + 10 * n, 200 + 3 * n) for n in range(17)]
    assert mouth_box(points, position) == (120 + aside, 200 + 3 * upper, 240 + aside, 218)
    assert mouth_box(points, position, 0) == (120 + aside, 200, 240 + aside, 218)


def test_mouth_crops_are_shrunk_by_area_and_cut_at_the_edges():
    frame = np.random.default_rng(0).integers(0, 256, (348, 464, 3)).astype(np.uint8)
    crop = mouth_crop(frame, (10, 20, 266, 148))
    blocks = frame[20:148, 10:266].reshape(64, 2, 128, 2, 3).mean((1, 3))
    assert crop.shape == (64, 128, 3) and np.abs(crop - blocks).max() <= 0.75
    assert np.array_equal(mouth_crop(frame, (400, 300, 500, 400)), mouth_crop(frame, (400, 300, 464, 348)))
    assert mouth_crop(frame, (464, 0, 500, 20)) is None
    with pytest.raises(ValueError, match="expected 0 to 3"):
        mouth_box(np.zeros((68, 2)), 1, 4)
    with pytest.raises(ValueError, match="expected 1 to 9"):
        mouth_box(np.zeros((17, 2)), 1)


@pytest.mark.real
def test_real_clips_are_followed(real):
    shares = []
    for path in [*sorted((real / "grid" / "video").iterdir())[:2], real / "talking" / "video" / "vr_face1.mp4"]:
        video, frames = cv2.VideoCapture(str(path)), []
        while len(frames) < 45 and (read := video.read())[0]:
            frames.append(working_frame(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB)))
        tracker = open_tracker("dlib-hog")
        followed = follow(tracker, frames)
        assert all(face is not None for face in followed) and tracker.searched <= 6
        pairs = [(f, s) for f, s in zip(followed, frame_by_frame(frames), strict=True) if s is not None]
        shares += [np.linalg.norm(f.points - s, axis=1).mean() < 0.1 * eyes_apart(s) for f, s in pairs]
    assert np.mean(shares) > 0.97


@pytest.mark.real
def test_real_face_panels_have_the_measured_landmarks(real):
    """The boxes of the table come from one detector call per picture; ours from a working frame, or a border below."""
    with (real / "ground_truth" / "landmarks68.csv").open() as table:
        rows = [row for row in csv.DictReader(table) if "panels/" in row["path"] and "_visual" in row["path"]]
    found = close = 0
    for row in rows:
        known = np.array([[float(row[f"x{n}"]), float(row[f"y{n}"])] for n in range(68)])
        picture = cv2.imread(str(real / row["path"]), cv2.IMREAD_COLOR_RGB)
        (face,) = follow(open_tracker("dlib-hog"), [picture])
        if face is not None:
            found += 1
            close += np.linalg.norm(face.points - known, axis=1).mean() < 0.15 * eyes_apart(known)
    assert len(rows) >= 15 and found >= 0.6 * len(rows)
    assert close >= 0.9 * found
