"""The forged release: layout, names, formats, tables and planted truth."""

import csv
import hashlib
import io
import json
import re
import wave
import zipfile
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from facevox.builders.population.clips import SPLITS, ForgeOptions, command_text
from facevox.builders.population.speakingfaces import forge, plan, truth_path
from facevox.builders.stages.align import homography, warp
from facevox.loaders.palette import OUTSIDE, heat_index

SPOKEN = re.compile(
    r"sub_(?P<a>\d+)_ia/trial_(?P<t>[12])/(?P<folder>thr_image_cmd|rgb_image_cmd|rgb_image_cmd_aligned)/"
    r"(?P<sub>\d+)_(?P<trial>[12])_2_(?P<pos>[1-9])_(?P<cmd>\d+)_(?P<frame>\d+)_(?P<stream>[123])\.png"
)
SOUND = re.compile(
    r"sub_(?P<a>\d+)_ia/trial_(?P<t>[12])/mic(?P<m>[12])_audio_cmd_trim/"
    r"(?P<sub>\d+)_(?P<trial>[12])_2_(?P<pos>[1-9])_(?P<cmd>\d+)_(?P<mic>[12])\.wav"
)
STILL = re.compile(
    r"sub_(?P<a>\d+)_io/trial_(?P<t>[12])/(?P<folder>thr_image|rgb_image|rgb_image_aligned)/"
    r"(?P<sub>\d+)_(?P<trial>[12])_1_(?P<pos>[1-9])_(?P<frame>\d+)_(?P<stream>[123])\.png"
)
STREAMS = {"thr_image": 1, "rgb_image": 2, "rgb_image_aligned": 3}
LINE = re.compile(
    r"python align_crop_image\.py +-p +\S+ +-i +(\d+) +(\d+) +(\d+) +-y((?: +-?\d+)+) +-x((?: +-?\d+)+) +-s +[01] +"
    r"-l((?: +\d+)+)(?: +-f +(dnn|none))?(?: +-r((?: +\d+){4}))? *(?:\((.*)\))? *"
)


def digests(root: Path) -> dict[str, str]:
    """Every file under a folder and its hash."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def members(forged: Any, pattern: str) -> dict[str, bytes]:
    """All members of the archives that match, by name."""
    found = {}
    for path in sorted(forged.path.glob(pattern)):
        with zipfile.ZipFile(path) as file:
            found |= {name: file.read(name) for name in file.namelist()}
    return found


@pytest.fixture(scope="module")
def spoken(forged: Any) -> dict[str, bytes]:
    return members(forged, "image_audio/*.zip")


def frame(spoken: dict[str, bytes], clip: dict, number: int, stream: int) -> bytes:
    """The bytes of one PNG of a clip of the truth."""
    folder = {1: "thr_image_cmd", 2: "rgb_image_cmd", 3: "rgb_image_cmd_aligned"}[stream]
    sub, trial, pos, cmd = (clip[name] for name in ("subject", "trial", "position", "command"))
    return spoken[f"sub_{sub}_ia/trial_{trial}/{folder}/{sub}_{trial}_2_{pos}_{cmd}_{number}_{stream}.png"]


def picture(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def utterances(forged: Any) -> dict[str, dict]:
    return {key: clip for key, clip in forged.truth["clips"].items() if clip["session"] == 2}


def test_every_member_name_is_of_the_release_and_agrees_with_its_folder(forged: Any, spoken: dict[str, bytes]):
    for name in spoken:
        match = SPOKEN.fullmatch(name) or SOUND.fullmatch(name)
        assert match, name
        assert match["sub"] == match["a"]
        assert match["trial"] == match["t"]
        if "stream" in match.groupdict():
            assert STREAMS[match["folder"].replace("_cmd", "")] == int(match["stream"])
        else:
            assert match["mic"] == match["m"]
    for name in members(forged, "image_only/*.zip"):
        match = STILL.fullmatch(name)
        assert match, name
        assert STREAMS[match["folder"]] == int(match["stream"])


def test_frames_are_numbered_from_one_without_gaps_and_match_the_sound(forged: Any, spoken: dict[str, bytes]):
    frames: dict[tuple, list[int]] = defaultdict(list)
    for name in spoken:
        if match := SPOKEN.fullmatch(name):
            key = tuple(int(match[part]) for part in ("sub", "trial", "pos", "cmd", "stream"))
            frames[key].append(int(match["frame"]))
    sounds = {name: data for name, data in spoken.items() if name.endswith(".wav")}
    assert len(sounds) == 2 * forged.summary["utterances"] == 48
    tracks = defaultdict(list)
    for name, data in sounds.items():
        match = SOUND.fullmatch(name)
        key = tuple(int(match[part]) for part in ("sub", "trial", "pos", "cmd"))
        with wave.open(io.BytesIO(data)) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (44100, 1, 2)
            count, samples = file.getnframes(), file.readframes(file.getnframes())
        tracks[key].append(samples)
        for stream in (1, 2, 3):
            assert sorted(frames[*key, stream]) == list(range(1, count * 28 // 44100 + 1))
    for one, two in tracks.values():
        assert len(one) == len(two)
        assert one != two
    assert len({len(one) for one, _ in tracks.values()}) > 12


def test_pictures_have_the_sizes_and_the_palette(forged: Any, spoken: dict[str, bytes]):
    for name, data in list(spoken.items())[::37]:
        if match := SPOKEN.fullmatch(name):
            shown = picture(data)
            assert shown.shape == ((256, 384, 3) if match["stream"] == "2" else (174, 232, 3))
            if match["stream"] == "1":
                assert heat_index(shown[..., ::-1].copy()).max() < OUTSIDE


def test_aligned_is_the_warped_visual_frame_for_every_frame(forged: Any, spoken: dict[str, bytes]):
    clips = utterances(forged)
    deviating = [key for key, clip in clips.items() if len(clip["segments"]) > 1]
    assert len(deviating) >= 2
    for key in {*list(clips)[:4], *deviating}:
        clip = clips[key]
        for part in clip["segments"]:
            assert np.allclose(np.array(part["h"]).reshape(3, 3), homography(part["dx"], part["dy"], 0.5))
            for number in range(part["first"], part["last"] + 1):
                visual, aligned = (picture(frame(spoken, clip, number, stream)) for stream in (2, 3))
                assert np.array_equal(aligned, warp(visual, homography(part["dx"], part["dy"], 0.5), (232, 174)))
        assert clip["segments"][0]["first"] == 1
        assert clip["segments"][-1]["last"] == clip["frames"]


def test_subjects_table_is_spelled_as_published(forged: Any):
    data = (forged.path / "metadata/subjects.csv").read_bytes()
    assert data.startswith(b"Sub_ID,Split,Age,Gender,Ethnicity,Acc_Trial_1,Acc_Trial_2\r\n")
    assert not data.endswith(b"\n")
    rows = list(csv.DictReader(io.StringIO(data.decode())))
    assert [int(row["Sub_ID"]) for row in rows] == sorted(int(subject) for subject in forged.truth["subjects"])
    for split, (low, high) in SPLITS.items():
        here = [row for row in rows if row["Split"] == split.title()]
        assert all(low <= int(row["Sub_ID"]) <= high for row in here)
        assert {row["Gender"] for row in here} == {"Male", "Female"}


@pytest.mark.parametrize(("count", "splits"), [(1, 1), (2, 2), (3, 3), (12, 3), (142, 3)])
def test_splits_are_filled_from_three_people_on(count: int, splits: int):
    casts = plan(ForgeOptions(subjects=count, positions=1, utterances=1))
    assert len({cast.person.subject for cast in casts}) == count
    assert len({cast.split for cast in casts}) == splits


def test_command_tables_list_every_utterance_with_its_codes(forged: Any):
    listed = {}
    for path in (forged.path / "metadata/commands").iterdir():
        _, sub, _, trial = path.stem.split("_")
        for row in csv.DictReader(path.open(newline="")):
            key = f"{int(sub):03d}_{trial}_2_{row['position_id']}_{int(row['command_id']):04d}"
            listed[key] = row
    clips = utterances(forged)
    assert listed.keys() == clips.keys()
    kinds = set()
    for key, row in listed.items():
        kinds |= set(clips[key]["artifacts"])
        codes = clips[key]["codes"]
        assert [int(row[name]) for name in ("thermal", "visual", "audio", "text")] == list(codes.values())
        assert (row["transcription"] != row["command_name"]) == (codes["text_code"] == 1)
    assert kinds == {"freeze", "blur", "chin", "noise", "jump", "text", "both"}


def test_commands_keep_their_words_and_stay_in_range():
    for split, last in (("train", 1297), ("valid", 250), ("test", 250)):
        texts = [command_text(split, command) for command in range(1, last + 1)]
        assert len(set(texts)) == last
        assert 3 < np.mean([len(text.split()) for text in texts]) < 7


def test_a_command_comes_again_at_another_position(forged: Any):
    seen = defaultdict(set)
    for clip in utterances(forged).values():
        seen[clip["subject"], clip["trial"], clip["command"]].add(clip["position"])
    assert any(len(positions) > 1 for positions in seen.values())


def test_session_1_shifts_are_published_for_all_splits(forged: Any):
    for split in SPLITS:
        path = forged.path / f"metadata/session_1/alignment_info_{split}.csv"
        assert path.read_bytes().startswith(b"sub_id,trial_id,dy,dx\r\n")
        for row in csv.DictReader(path.open(newline="")):
            assert len(row["dy"].split()) == len(row["dx"].split()) == 9
            for position in (1, 2):
                (part,) = forged.truth["clips"][f"{int(row['sub_id']):03d}_{row['trial_id']}_1_{position}"]["segments"]
                assert part["dy"] == int(row["dy"].split()[position - 1])
                assert part["dx"] == int(row["dx"].split()[position - 1])


def rules(forged: Any) -> dict[tuple[int, int, int], list[tuple[int, int, str]]]:
    """(sub, trial, pos) -> [(dx, dy, condition)] by a reader of our own for the hand-written lines."""
    found = defaultdict(list)
    for split in ("train", "valid"):
        path = forged.path / f"metadata/session_2/{split}.csv"
        for row in csv.reader(path.open(newline="")):
            if not row[0].isdigit():
                continue
            for text in row[2].splitlines():
                if not text.strip():
                    continue
                match = LINE.fullmatch(text)
                assert match, text
                sub, trial, position = (int(match[place]) for place in (1, 2, 3))
                dy, dx, upper = (match[place].split() for place in (4, 5, 6))
                assert len(dy) == len(dx) == len(upper) == position
                assert (match[7] == "none") == (match[8] is not None)
                found[sub, trial, position].append((int(dx[-1]), int(dy[-1]), match[9] or ""))
    return found


def test_session_2_lines_carry_the_true_shifts(forged: Any):
    assert not (forged.path / "metadata/session_2/test.csv").exists()
    known = rules(forged)
    conditions = " ".join(rule for lines in known.values() for _, _, rule in lines)
    assert "frame_id=='2'" in conditions
    assert "int(frame_id)<" in conditions
    assert "for everything else" in conditions
    for clip in utterances(forged).values():
        lines = known.get((clip["subject"], clip["trial"], clip["position"]))
        assert bool(lines) == (clip["subject"] <= 120)
        for part in clip["segments"] if lines else ():
            chosen = f"for command_id=='{clip['command']}'"
            wanted = {
                "default": ("", "for everything else"),
                "command": (chosen,),
                "frames": (f"{chosen} and int(frame_id)<{part['last'] + 1}",),
                "jump": (f"{chosen} and frame_id=='2'",),
            }[part["why"]]
            assert any((part["dx"], part["dy"], condition) in lines for condition in wanted)


def test_planted_artifacts_are_in_the_bytes(forged: Any, spoken: dict[str, bytes]):
    for clip in utterances(forged).values():
        (kind, span), *_ = [*clip["artifacts"].items(), ("", [0, 0])]
        thermal = [frame(spoken, clip, number, 1) for number in range(1, clip["frames"] + 1)]
        frozen = range(span[0], span[1]) if kind == "freeze" else ()
        assert [one == two for one, two in pairwise(thermal)] == [
            number in frozen for number in range(1, clip["frames"])
        ]
        assert kind != "freeze" or span[1] - span[0] + 1 >= 10
        for number in range(1, clip["frames"] + 1):
            grey = cv2.cvtColor(picture(frame(spoken, clip, number, 2)), cv2.COLOR_BGR2GRAY)
            sharp = cv2.Laplacian(grey, cv2.CV_64F).var()
            blurred = kind in ("blur", "both") and span[0] <= number <= span[1]
            assert sharp < 10 if blurred else sharp > 30


def test_a_jump_moves_the_visual_picture_and_not_the_thermal_one(forged: Any, spoken: dict[str, bytes]):
    (clip,) = [clip for clip in utterances(forged).values() if "jump" in clip["artifacts"]]
    before, during, after = (picture(frame(spoken, clip, number, 2)).astype(float) for number in (1, 2, 3))
    moved = clip["segments"][1]["dx"] - clip["segments"][0]["dx"]
    assert abs(moved) > 60
    assert np.abs(during - before).mean() > 5 * np.abs(after - before).mean()
    assert np.abs(np.roll(during, -moved, 1) - before).mean() < 3
    thermal = [picture(frame(spoken, clip, number, 1)).astype(float) for number in (1, 2, 3)]
    assert np.abs(thermal[1] - thermal[0]).mean() < 8


def test_a_cut_chin_leaves_the_frame_and_others_stay(forged: Any):
    for clip in utterances(forged).values():
        cast = next(cast for cast in plan(forged.options) if cast.person.subject == clip["subject"])
        from facevox.builders.population.people import shape

        chin = shape(cast.person)[8, 1] - 250.0
        rows = [y + chin * (0.96 if clip["position"] == 2 else 1.0) for _, y, _, _ in clip["places"]]
        cut = bool({"chin", "both"} & clip["artifacts"].keys())
        assert all(row > 515 if cut else row < 508 for row in rows)


def test_truth_lies_beside_the_release(forged: Any):
    assert truth_path(forged.path).parent == forged.path.parent
    assert not list(forged.path.rglob("*truth*"))
    assert forged.truth["options"]["seed"] == 3


def test_the_same_options_give_the_same_bytes_with_one_and_two_workers(tmp_path: Path):
    options = ForgeOptions(subjects=3, positions=1, utterances=1, frames=4, stills_frames=1, size="small")
    done: list[int] = []
    forge(tmp_path / "one", options, lambda count, of: done.append(count))
    forge(tmp_path / "two", options, workers=2)
    assert done == [1, 2, 3]
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    assert truth_path(tmp_path / "one").read_bytes() == truth_path(tmp_path / "two").read_bytes()


def test_extracted_holds_the_members_of_the_archives(tmp_path: Path):
    options = ForgeOptions(subjects=1, positions=1, utterances=1, frames=4, stills_frames=1, size="small")
    forge(tmp_path / "zipped", options)
    forge(tmp_path / "plain", replace(options, extracted=True))
    for folder in ("image_audio", "image_only"):
        (path,) = (tmp_path / "zipped" / folder).iterdir()
        with zipfile.ZipFile(path) as file:
            assert {entry.compress_type for entry in file.infolist()} == {zipfile.ZIP_STORED}
            packed = {name: hashlib.sha256(file.read(name)).hexdigest() for name in file.namelist()}
        assert digests(tmp_path / "plain" / folder) == packed


def test_full_size_frames_are_those_of_the_release(tmp_path: Path):
    options = ForgeOptions(subjects=1, positions=1, utterances=0, stills_frames=1)
    forge(tmp_path / "full", options)
    assert not (tmp_path / "full/image_audio").exists()
    with zipfile.ZipFile(next((tmp_path / "full/image_only").iterdir())) as file:
        sizes = {}
        for name in file.namelist():
            height, width, _ = picture(file.read(name)).shape
            sizes[name[-5]] = (width, height, len(file.read(name)) // 1000)
    assert sizes["1"][:2] == sizes["3"][:2] == (464, 348)
    assert sizes["2"][:2] == (768, 512)
    assert 80 <= sizes["1"][2] <= 140
    assert 160 <= sizes["2"][2] <= 280
    truth = json.loads(truth_path(tmp_path / "full").read_text())
    assert all(clip["segments"][0]["dy"] >= 2 for clip in truth["clips"].values())


def test_bad_options_and_full_folders_are_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=r"subjects must lie in 1\.\.142, got 143"):
        ForgeOptions(subjects=143)
    with pytest.raises(ValueError, match="size must be"):
        ForgeOptions(size="huge")
    (tmp_path / "there").write_text("x")
    with pytest.raises(FileExistsError, match="new or empty"):
        forge(tmp_path, ForgeOptions())


def test_an_interrupted_release_is_removed(tmp_path):
    def interrupt(done: int, of: int) -> None:
        raise KeyboardInterrupt

    options = ForgeOptions(subjects=2, positions=1, utterances=1, frames=4, stills_frames=0, size="small")
    for workers in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            forge(tmp_path / "release", options, interrupt, workers)
        assert not list(tmp_path.iterdir())
