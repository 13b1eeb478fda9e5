"""Forged videos hold what the truth says: voices, silence and faces at known times, marks of the target alone."""

import json
from dataclasses import replace
from itertools import pairwise

import av
import numpy as np
import pytest
from facevox.builders.population.chinese_vf import ForgeOptions, forge, plan
from facevox.builders.population.chinese_vf_people import cast, unlike
from facevox.builders.population.chinese_vf_videos import ODD
from facevox.builders.population.people import Person
from facevox.builders.population.voices import voice_of
from facevox.builders.stages.collection_videos import digest
from facevox.builders.stages.marks import FILE, read, settle
from facevox.builders.stages.video import open_video
from facevox.models.core.detectors import open_detector
from facevox.models.core.embedding import open_embedder

SMALL = ForgeOptions(speakers=2, videos=1, seconds=17)
RATE = 16_000


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("chinese_vf")


@pytest.fixture(scope="module")
def videos(videos_with_odd_ones):
    return videos_with_odd_ones


@pytest.fixture(scope="module")
def truth(videos):
    return json.loads((videos.parent / "V.truth.json").read_text())


@pytest.fixture(scope="module")
def marks(videos):
    return [json.loads(line) for line in (videos / "marks.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def decoded(videos, truth):
    """By name of each video that shows its target: (frames, H, W, 3) RGB, samples at 16 kHz, key frames and types."""
    found = {}
    for name, facts in truth["videos"].items():
        if facts["left_out"]:
            continue
        with av.open(str(videos / name)) as file:
            frames = list(file.decode(video=0))
        with av.open(str(videos / name)) as file:
            mixer = av.AudioResampler(format="s16", layout="mono", rate=RATE)
            parts = [part.to_ndarray()[0] for frame in file.decode(audio=0) for part in mixer.resample(frame)]
        found[name] = frames, np.concatenate(parts).astype(np.float64) / 32_768
    return found


def level(piece):
    return 10 * np.log10(np.mean(piece**2) + 1e-12)


def pitch(piece):
    """Median autocorrelation pitch in Hz of the loud pieces of 64 ms."""
    found = []
    for start in range(0, len(piece) - 1024, 1024):
        part = piece[start : start + 1024]
        if level(part) > level(piece) - 3:
            spectrum = np.abs(np.fft.rfft(part * np.hanning(1024), 4096)) ** 2
            echo = np.fft.irfft(spectrum)[RATE // 400 : RATE // 70]
            found.append(RATE / (RATE // 400 + int(echo.argmax())))
    return float(np.median(found))


def person_of(facts):
    return Person(**{name: facts[name] for name in Person.__dataclass_fields__} | {"gender": facts["voice_gender"]})


def test_the_same_bytes_for_one_process_and_two_and_with_odd_videos_or_without(home, videos, marks):
    seen = []
    forge(home / "again", replace(SMALL, odd=False), lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]
    again = list((home / "again").rglob("*.mp4"))
    assert len(again) == 2
    for path in again:
        assert path.read_bytes() == (videos / path.relative_to(home / "again")).read_bytes()
    assert (home / "again" / "marks.jsonl").read_text() == (videos / "marks.jsonl").read_text()
    with pytest.raises(FileExistsError, match="new or empty"):
        forge(home / "again", SMALL)


def test_frames_rate_size_and_length_are_those_of_the_truth(decoded, truth):
    rates = set()
    for name, (frames, sound) in decoded.items():
        facts = truth["videos"][name]
        rates.add(tuple(facts["fps"]))
        fps = facts["fps"][0] / facts["fps"][1]
        assert len(frames) == facts["frames"] == int(facts["duration_ms"] * fps / 1000)
        assert {(frame.width, frame.height) for frame in frames} == {tuple(facts["size"])}
        assert len(sound) / RATE == pytest.approx(facts["duration_ms"] / 1000, abs=0.05)
        assert frames[-1].time == pytest.approx((facts["frames"] - 1) / fps, abs=0.002)
        keys = [frame.time for frame in frames if frame.key_frame]
        assert keys[0] == pytest.approx(0, abs=0.001)
        assert all(later - one <= facts["key_frame_seconds"] + 0.05 for one, later in pairwise(keys))
        if name.endswith(".mp4"):
            assert any(frame.pict_type == av.video.frame.PictureType.B for frame in frames)
    assert rates == {(25, 1), (30_000, 1001)}


def test_every_span_sounds_as_the_truth_says(decoded, truth):
    heard = set()
    for name, (_, sound) in decoded.items():
        facts = truth["videos"][name]
        own, other = (person_of(one) for one in (truth["speakers"][facts["speaker"]], facts["other"]))
        spans = facts["spans"]
        assert [spans[0][0], spans[-1][1]] == [0, facts["duration_ms"]]
        assert all(one[1] == later[0] for one, later in pairwise(spans))
        pieces = [(what, sound[start * 16 + 4800 : end * 16 - 800]) for start, end, what in spans if end - start > 450]
        loud = np.mean([level(piece) for what, piece in pieces if what == "target"])
        for what, piece in pieces:
            heard.add(what)
            if what == "silence":
                assert level(piece) < loud - 18
            else:
                assert abs(level(piece) - loud) < 8
            if what in ("target", "other"):
                assert pitch(piece) == pytest.approx(voice_of({"target": own, "other": other}[what]).pitch, rel=0.2)
    assert heard == {"target", "other", "silence", "noise"}


def test_a_detector_finds_the_faces_that_the_truth_names_and_no_others(decoded, truth):
    detect, embed = open_detector("mtcnn"), open_embedder("dlib")
    vectors, boxes_right, seen = [], [], set()
    for name, (frames, _) in decoded.items():
        facts = truth["videos"][name]
        for second in range(0, len(facts["faces"]), 3):
            picture = frames[int(second * facts["fps"][0] / facts["fps"][1])].to_ndarray(format="rgb24")
            found = [face for face in detect(picture) if face.score >= 0.9]
            truly = facts["boxes"][second]
            seen.add(facts["faces"][second])
            assert len(truly) == {"none": 0, "both": 2}.get(facts["faces"][second], 1)
            assert len(found) <= len(truly)
            for who, (left, top, width, height) in truly.items():
                inside = [
                    face
                    for face in found
                    if left < (face.box[0] + face.box[2]) / 2 < left + width
                    and top < (face.box[1] + face.box[3]) / 2 < top + height
                ]
                boxes_right.append(len(inside) == 1)
                if inside:
                    own = truth["speakers"][facts["speaker"]]
                    whose = (own if who == "target" else facts["other"])["subject"]
                    vectors.append((whose, embed([picture], inside)[0]))
    assert {"target", "other", "none"} <= seen
    assert np.mean(boxes_right) > 0.75
    same = [one @ other for a, one in vectors for b, other in vectors if a == b]
    different = [one @ other for a, one in vectors for b, other in vectors if a != b]
    assert np.percentile(different, 99) < np.percentile(same, 5)


def test_the_mouth_opens_with_the_voice(decoded, truth):
    name, facts = next(iter(truth["videos"].items()))
    frames, sound = decoded[name]
    fps = facts["fps"][0] / facts["fps"][1]
    start, end = next((a, b) for a, b, what in facts["spans"] if what == "target" and b - a > 9000)
    shown = next((a, b) for a, b, what in facts["shots"] if what == "target" and a < start + 1500 < b)
    first, last = max(start, shown[0]) + 100, min(end, shown[1]) - 100
    openness, loudness = [], []
    for number in range(int(first * fps / 1000), int(last * fps / 1000)):
        left, top, width, height = facts["boxes"][int(number / fps)]["target"]
        mouth = frames[number].to_ndarray(format="gray8")[
            top + int(0.68 * height) : top + height, left + width // 4 : left + 3 * width // 4
        ]
        openness.append(-np.percentile(mouth, 5))
        loudness.append(np.sqrt(np.mean(sound[int(number * RATE / fps) : int((number + 1) * RATE / fps)] ** 2)))
    assert np.corrcoef(openness, loudness)[0, 1] > 0.5


def test_marks_are_of_the_target_alone(videos, truth, marks):
    settled = settle(read(videos / FILE).marks)
    assert {one.gender for one in settled.speakers.values()} == {"f", "m"}
    for name, of_video in settled.videos.items():
        assert of_video.seen == {digest(videos / name)}
    speakers = {mark["value"]["folder"]: mark["value"]["speaker"] for mark in marks if mark["about"] == "speaker"}
    assert list(speakers.values()) == ["cvf0001", "cvf0002"]
    assert any(not folder.isascii() for folder in speakers)
    for folder in speakers:
        own = [mark for mark in marks if mark["video"].startswith(f"{folder}/")]
        assert sum(mark["about"] == "screenshot" for mark in own) >= 3
        assert sum(mark["about"] == "period" for mark in own) == 1
        for mark in own:
            facts, value = truth["videos"][mark["video"]], mark["value"]
            if mark["about"] == "period":
                assert value["end_ms"] - value["start_ms"] >= 10_000
                assert any(
                    start <= value["start_ms"] and value["end_ms"] <= end and what == "target"
                    for start, end, what in facts["spans"]
                )
            else:
                assert any(start <= value["ms"] < end and what == "target" for start, end, what in facts["shots"])


def test_odd_videos_cannot_be_read_as_the_truth_says(videos, truth):
    odd = {facts["odd"]: videos / name for name, facts in truth["videos"].items() if facts["odd"]}
    assert odd.keys() == ODD.keys()
    for name in ("cut off", "empty file"):
        with (
            pytest.raises(ValueError, match="not a readable video|0 bytes"),
            odd[name].open("rb") as file,
            open_video(file),
        ):
            pass
    with odd["no sound track"].open("rb") as file, open_video(file) as video:
        assert next(iter(video.shots([1]))) is not None
        with pytest.raises(ValueError, match="without a sound track"):
            video.sound(0, 1000, RATE)
    with (
        odd["codec not read"].open("rb") as file,
        open_video(file) as video,
        pytest.raises(ValueError, match="mpeg2video"),
    ):
        list(video.shots([0]))
    foreign = next(facts for facts in truth["videos"].values() if facts["odd"] == "somebody else")
    assert "target" not in {what for *_, what in foreign["spans"]} | set(foreign["faces"])


def test_people_of_a_release_differ_in_face_and_the_null_control_in_voice_alone():
    speakers, outside = cast(8, 3)
    people = [one.person for one in speakers] + list(outside)
    assert min(unlike(one, other) for at, one in enumerate(people) for other in people[:at]) > 0.04
    linked, unlinked = (plan(replace(SMALL, link=link)) for link in (True, False))
    for one, other in zip(linked, unlinked, strict=True):
        assert (one.spans, one.shots, one.name) == (other.spans, other.shots, other.name)
        assert voice_of(one.speaker.person) != voice_of(other.speaker.person)
    assert linked[0].speaker.person.voice != unlinked[0].speaker.person.voice


def test_hard_videos_speak_at_once_and_over_music():
    videos = plan(ForgeOptions(hard=True, odd=False))
    assert "overlap" in {span.what for video in videos for span in video.spans}
    assert all(video.channel.music_db is not None for video in videos)
    with pytest.raises(ValueError, match="expected 2 to 500 speakers"):
        ForgeOptions(speakers=1)
    with pytest.raises(ValueError, match="size must be"):
        ForgeOptions(size="huge")
