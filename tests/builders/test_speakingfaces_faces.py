"""Configs `pairs` and `crops`: published splits and names, boxes where the forged faces are, pixels of the release."""

import io
import json
import zipfile
from collections import Counter
from contextlib import closing

import cv2
import numpy as np
import pytest
from datasets import load_dataset
from facevox import decide, show
from facevox.builders.core.builder import Unit
from facevox.builders.core.raw import open_raw
from facevox.builders.core.stage import Clock, Reject, Rejection
from facevox.builders.population.clips import ForgeOptions
from facevox.builders.population.heads import head
from facevox.builders.population.people import draw
from facevox.builders.population.scene import Pose, at_position, placement
from facevox.builders.speakingfaces import SpeakingFaces, SpeakingFacesOptions
from facevox.builders.stages.faces import carried
from facevox.builders.stages.speakingfaces_pairs import drawn, pair_units, read_pairs, translation_split
from facevox.builders.stages.speakingfaces_release import THERMAL, ReleaseClip
from facevox.loaders.folder import Folder, FolderError
from facevox.loaders.sample import Sample
from facevox.loaders.verify import check
from PIL import Image


@pytest.fixture
def faces(with_faces) -> Folder:
    return with_faces


def rows(folder: Folder, config: str) -> list[dict]:
    return [row for row in folder.index.to_pylist() if row["config"] == config]


def fetched(folder: Folder, row: dict) -> dict[str, np.ndarray]:
    """Media of one sample decoded by Pillow from the shard's own bytes: keys alone are not unique over configs."""
    data = (folder.path / row["shard"]).read_bytes()
    media = {}
    for entry in row["fields"]:
        picture = Image.open(io.BytesIO(data[entry["offset"] : entry["offset"] + entry["size"]]))
        frames = []
        for number in range(getattr(picture, "n_frames", 1)):
            picture.seek(number)
            frames.append(np.asarray(picture.convert("RGB")))
        media[entry["name"]] = np.stack(frames)
    return media


def original(release, row: dict, stream: int, frame: int) -> np.ndarray:
    archive, stem = row["release_name"].split(":")
    folder = {1: "thr_image_cmd", 3: "rgb_image_cmd_aligned"}[stream]
    name = f"{archive.split('/')[1]}/trial_{row['trial']}/{folder}/{stem}_{frame}_{stream}.png"
    with zipfile.ZipFile(release / f"{archive}.zip") as members:
        return np.asarray(Image.open(io.BytesIO(members.read(name))))


def edges(box: dict[str, int]) -> tuple[int, int, int, int]:
    return box["left"], box["top"], box["right"], box["bottom"]


def planted(truth, key: str, frame: int) -> np.ndarray:
    """The 68 landmarks (68, 2) of the forged face on the aligned frame, from the truth alone."""
    known = json.loads(truth.read_text())
    options, clip = ForgeOptions(**known["options"]), known["clips"][key]
    person = known["subjects"][str(clip["subject"])]
    who = draw(options.seed, clip["subject"], person["gender"], options.link)
    x, y, roll, _ = clip["places"][frame - 1]
    seen = at_position(clip["position"], x, y)
    pose = Pose(x, y, seen.wide, seen.tall, roll)
    points = carried(head(who, clip["trial"], options.scale).points, placement(pose, options.scale))
    part = next(part for part in clip["segments"] if part["first"] <= frame <= part["last"])
    part = clip["segments"][-1] if part["why"] == "jump" else part
    return carried(points, np.array(part["h"]).reshape(3, 3))


def inside(points: np.ndarray, box: tuple[int, int, int, int]) -> float:
    left, top, right, bottom = box
    return float(np.mean([(left <= x < right) and (top <= y < bottom) for x, y in points]))


def test_the_split_of_the_translation_task_is_the_published_one():
    splits = {subject: translation_split(subject) for subject in range(1, 143)}
    assert Counter(splits.values()) == {"train": 100, "test": 42}
    assert (splits[90], splits[140], splits[100], splits[101]) == ("test", "train", "train", "test")


def test_three_pairs_per_position_with_published_names_and_own_splits(faces):
    pairs = rows(faces, "pairs")
    spoken = {row["key"]: row for row in rows(faces, "utterances")}
    assert set(Counter(row["key"].rsplit("_", 2)[0] for row in pairs).values()) == {3}
    assert len(pairs) == 3 * len({key.rsplit("_", 1)[0] for key in spoken})
    for row in pairs:
        utterance = spoken[row["key"].rsplit("_", 1)[0]]
        assert row["split"] == row["translation_split"] == translation_split(row["subject"])
        assert row["release_split"] == utterance["release_split"]
        assert 1 <= row["frame"] <= utterance["frames"]
        subject, trial, session, position, command, frame = map(int, row["key"].split("_"))
        assert row["published_name"] == f"{subject}_{trial}_{session}_{position}_{command}_{frame}_1.jpg"
    assert {row["release_split"] for row in pairs if row["split"] == "test"} == {"Valid", "Test"}
    assert not check(faces.path).problems
    people = {row["identity"]: row for row in faces.table("identities").to_pylist()}
    assert {row["split"] for row in people.values()} == {"train", "validation", "test"}


def test_pairs_are_the_pixels_of_one_box_and_it_holds_the_forged_face(release, truth, faces):
    for row in rows(faces, "pairs"):
        box = edges(row["face_box"])
        media = fetched(faces, row)
        for field, stream in (("visual.webp", 3), ("thermal.webp", 1)):
            left, top, right, bottom = box
            assert np.array_equal(media[field][0], original(release, row, stream, row["frame"])[top:bottom, left:right])
        points = planted(truth, row["key"].rsplit("_", 1)[0], row["frame"])
        # A cut chin has the mouth at or below the picture's edge; eyes and nose are in every box.
        assert inside(points[27:48], box) == 1, row["key"]


def test_pairs_load_as_pictures_without_code_of_ours(faces):
    sample = next(iter(load_dataset(str(faces.path), "pairs", split="train", streaming=True)))
    assert sample["visual.webp"].size == sample["thermal.webp"].size
    assert sample["json"]["published_name"].endswith("_1.jpg")


def test_mouth_clips_follow_the_rule_and_hold_the_forged_mouth(release, truth, faces):
    small = original(release, rows(faces, "crops")[0], 1, 1).shape[1] / THERMAL[0]
    shares, fixed = [], 0
    for row in rows(faces, "crops"):
        media = fetched(faces, row)
        assert media["mouth_visual.webp"].shape == media["mouth_thermal.webp"].shape == (row["frames"], 64, 128, 3)
        fixed += row["mouth_fixed"]
        for number in {1, row["frames"]} - set(row["mouthless"]):
            left, top, right, bottom = edges(row["mouth_boxes"][number - 1])
            for field, stream in (("mouth_visual.webp", 3), ("mouth_thermal.webp", 1)):
                frame = original(release, row, stream, number)
                area = frame[max(top, 0) : bottom, max(left, 0) : right]
                known = cv2.resize(area, (128, 64), interpolation=cv2.INTER_AREA)
                assert np.array_equal(media[field][number - 1], known)
            if not row["mouth_fixed"]:
                aside = {1: 0, 2: 0, 3: 0, 4: 20, 5: 20, 6: 20}.get(row["position"], -20) * small
                points = planted(truth, row["key"], number)[48:68] + np.array([aside, 0.0])
                shares.append(inside(points, (left, top, right, bottom)))
                assert inside([points.mean(0)], (left, top, right, bottom)) == 1, row["key"]
    assert fixed < len(rows(faces, "crops"))
    # The rule may cut into an upper lip: its upper edge is a chin landmark beside the mouth.
    assert np.mean(shares) > 0.9


def test_face_clips_have_one_box_that_holds_the_face(release, truth, faces):
    for row in rows(faces, "crops"):
        assert row["face_share"] > 0.8
        left, top, right, bottom = edges(row["face_box"])
        media = fetched(faces, row)
        for field, stream in (("face_visual.webp", 3), ("face_thermal.webp", 1)):
            assert len(media[field]) == row["frames"]
            known = original(release, row, stream, row["frames"])[top:bottom, left:right]
            assert np.array_equal(media[field][-1], known)
        middle = planted(truth, row["key"], (row["frames"] + 1) // 2)[27:48]
        assert inside(middle, (left, top, right, bottom)) == 1, row["key"]


def test_the_draw_is_a_function_of_the_seed(release):
    units = list(SpeakingFaces(SpeakingFacesOptions()).units(open_raw(str(release)), "pairs"))
    assert units and not any(isinstance(unit, Rejection) for unit in units)
    for unit in units:
        order = [(clip.key, frame) for clip, frame in drawn(unit, 0)]
        assert order == [(clip.key, frame) for clip, frame in drawn(unit, 0)]
        assert order != [(clip.key, frame) for clip, frame in drawn(unit, 1)]
        assert len(set(order)) == sum(clip["details"]["frames"] for clip in unit.details["clips"])


def test_what_people_leave_out_is_neither_drawn_nor_kept(release, faces, tmp_path, build_folder, tree):
    people = {str(row["subject"]) for row in rows(faces, "pairs") if row["split"] == "train"}
    options = {"configs": ("pairs",), "subjects": sorted(people)[0], "shard_mb": 1, "detector": "dlib-hog"}
    out = tmp_path / "out"
    before = build_folder(release, out, **options).index.to_pylist()
    pair, utterance = before[0]["key"], before[-1]["key"].rsplit("_", 1)[0]
    decide(out, pair, about="face", verdict="leave out", reason="a hand", who="ann")
    with (out / "review.jsonl").open("a") as file:
        record = {"key": utterance, "about": "quarantine", "verdict": "leave out", "reason": "", "who": "ann"}
        file.write(json.dumps({**record, "when": "2026-03-01T12:00:00Z"}) + "\n")
    folder = build_folder(release, out, **options)
    kept = folder.index["key"].to_pylist()
    assert pair not in kept
    assert not [key for key in kept if key.startswith(utterance)]
    reasons = {row["stage"]: row["reason"] for row in folder.quarantine.to_pylist()}
    assert reasons["review"] == "ann: a hand"
    assert "found a face in 0 of 0 frames drawn, expected 3" in reasons["faces"]
    assert not check(out).problems
    (tmp_path / "again" / ".build").mkdir(parents=True)
    (tmp_path / "again" / "review.jsonl").write_bytes((out / "review.jsonl").read_bytes())
    build_folder(release, tmp_path / "again", **{**options, "workers": 2})
    assert tree(tmp_path / "again") == tree(out)


def test_frames_that_cannot_be_read_are_rows_and_others_are_drawn(release, faces):
    builder = SpeakingFaces(SpeakingFacesOptions())
    raw = open_raw(str(release))
    unit = next(unit for unit in builder.units(raw, "pairs") if isinstance(unit, Unit))
    picture, first = ReleaseClip.picture, {frame for _, frame in drawn(unit, 0)[:2]}

    class Torn(ReleaseClip):
        def picture(self, stream, number):
            if number in first:
                raise Reject("torn", "here")
            return picture(self, stream, number)

    items = list(read_pairs(unit, builder.how, Clock(), lambda clip: closing(Torn(raw, clip, Clock()))))
    assert [(row.stage, row.place, row.reason) for row in items[:2]] == [("frame", "here", "torn")] * 2
    assert len([item for item in items if isinstance(item, Sample)]) == 3

    class Blank(ReleaseClip):
        def picture(self, stream, number):
            return np.zeros_like(picture(self, stream, number))

    (row,) = read_pairs(unit, builder.how, Clock(), lambda clip: closing(Blank(raw, clip, Clock())))
    assert row.reason.startswith("dlib-hog found a face in 0 of ")
    raw.close()


def test_a_missing_or_unknown_detector_is_one_clear_line(release, tmp_path, build_folder):
    for detector, words in (("none", "choose a --detector"), ("dlib-hogg", "did you mean 'dlib-hog'")):
        with pytest.raises(ValueError, match=words):
            build_folder(release, tmp_path / "out", configs=("pairs",), detector=detector)
    assert not (tmp_path / "out").exists()


def test_a_key_of_several_configs_is_asked_for_by_config(faces, tmp_path):
    key = rows(faces, "crops")[0]["key"]
    with pytest.raises(FolderError, match="is in crops, utterances; name one of them as config"):
        faces.row(key)
    (sample,) = faces.fetch([key], frames=[0], config="crops")
    assert sample["mouth_visual.webp"].shape == (1, 64, 128, 3)
    assert show(faces.path, key, tmp_path / "one.png").exists()
    pair = rows(faces, "pairs")[0]["key"]
    assert show(faces.path, pair, tmp_path / "two.png").exists()
    with pytest.raises(FolderError, match="frame 2, expected none: it has no clip"):
        show(faces.path, pair, tmp_path / "three.png", frame=2)


def test_the_default_build_makes_the_main_configs_alone(built):
    assert built["tar"].configs == ["stills", "utterances"]


def test_what_the_listing_left_out_is_left_out_of_pairs_too():
    (row,) = pair_units([Rejection("090_1_2_1_0001", "utterances", "train", "list", "here", "broken")])
    assert (row.config, row.split, row.reason) == ("pairs", "test", "broken")
