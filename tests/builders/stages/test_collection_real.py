"""Real people's clips and voices put together with known truth: what the collector keeps of them."""

import json
from collections import defaultdict
from fractions import Fraction
from functools import cache

import av
import cv2
import numpy as np
import pytest
import soundfile
from facevox.builders.population.footage import write_video
from facevox.builders.population.voices import RATE
from facevox.builders.stages.collection import collect
from facevox.builders.stages.collection_options import CollectOptions
from facevox.loaders.resample import resample

FPS, SIZE = 12, (400, 300)
PEOPLE = {"a": ("vr_face1", "1998"), "b": ("vr_face4", "2033"), "c": ("vr_face3", "3080")}
NEGATIVE = {
    "avobjects_demo": "several faces",
    "lp_d18": "silent from beginning to end",
    "short_hamilton_clip": "several faces",
}


def utterances(real, speaker):
    """(samples,) float at 44,100 Hz each, without what is 30 dB below their loud parts at both ends."""
    for path in sorted((real / "voices/librispeech" / speaker).glob("*.flac")):
        sound, rate = soundfile.read(path, dtype="int16")
        level = np.sqrt(np.mean(np.square(sound[: len(sound) // 160 * 160].reshape(-1, 160).astype(float)), 1))
        loud = np.flatnonzero(level > 10 ** (-30 / 20) * np.percentile(level, 95))
        yield resample(sound[loud[0] * 160 : (loud[-1] + 1) * 160], rate, RATE) / 32_768


@cache
def shown(real, clip):
    """The clip's frames, (300, 300, 3) BGR, and how many of them there are a second."""
    with av.open(str(real / f"talking/video/{clip}.mp4")) as container:
        track = container.streams.video[0]
        frames = [
            cv2.resize(frame.to_ndarray(format="bgr24"), (300, 300), interpolation=cv2.INTER_AREA)
            for frame in container.decode(track)
        ]
        return frames, float(track.average_rate)


def pictures(real, clip, count):
    """The clip's frames there and back for `count` frames at FPS, BGR."""
    frames, rate = shown(real, clip)
    order = [*range(len(frames)), *range(len(frames) - 2, 0, -1)]
    for number in range(count):
        picture = np.full((*SIZE[::-1], 3), 70, np.uint8)
        picture[:, 50:350] = frames[order[int(number * (rate / FPS)) % len(order)]]
        yield picture


def film(real, path, parts):
    """Write (face's clip, who is heard, sound) one after the other; returns [(start, end, who, face's clip)] in ms."""
    spans, at, frames, sounds = [], 0.0, [], []
    for clip, who, sound in parts:
        end = at + len(sound) / RATE
        frames += pictures(real, clip, round(end * FPS) - len(frames))
        spans.append((round(at * 1000), round(end * 1000), who, clip))
        sounds.append(sound)
        at = end
    write_video(path, iter(frames), Fraction(FPS), np.concatenate(sounds))
    return spans


@pytest.fixture(scope="module")
def collected(real, tmp_path_factory):
    folder = tmp_path_factory.mktemp("real") / "V"
    marks, truth = [], {}

    def say(video, about, **value):
        when = "2026-03-01T12:00:00Z"
        marks.append({"video": video, "about": about, "value": value, "who": "t", "when": when, "seen": ""})

    names = list(PEOPLE)
    for number, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        face, voice = PEOPLE[name]
        other_face, other_voice = PEOPLE[names[(number + 1) % len(names)]]
        pause, silence = np.zeros(round(0.3 * RATE)), np.zeros(4 * RATE)
        own, others = (list(utterances(real, one)) for one in (voice, other_voice))
        whole = np.concatenate([part for one in own for part in (one, pause)])
        parts = [
            *((face, "target", sound) for sound in (whole, whole[: 3 * RATE])),
            (face, "", silence),
            (other_face, "other", np.concatenate([others[0], pause, others[1]])),
            (face, "", pause),
            (face, "target", np.concatenate([own[2], pause, own[0]])),
        ]
        truth[f"cvf{number:04d}"] = film(real, folder / name / "talk.mp4", parts)
        say("", "speaker", folder=name, speaker=f"cvf{number:04d}", gender="")
        say(f"{name}/talk.mp4", "period", start_ms=0, end_ms=10_000)
        for ms in (500, 3000, 5500):
            say(f"{name}/talk.mp4", "screenshot", ms=ms, box=None)
    shown.cache_clear()
    for name in NEGATIVE:
        (folder / "a" / f"{name}.mp4").write_bytes((real / f"talking_negative/video/{name}.mp4").read_bytes())
    (folder / "marks.jsonl").write_text("".join(json.dumps(mark) + "\n" for mark in marks))
    return collect(CollectOptions(folder, folder.parent / "C")), folder.parent / "C", truth


@pytest.mark.real
def test_clips_that_are_not_of_one_talker_are_turned_down(collected):
    report, _, _ = collected
    reasons = {one.path.split("/")[-1]: one.reason for one in report.refused}
    assert len(reasons) == len(NEGATIVE)
    for name, words in NEGATIVE.items():
        assert words in reasons[f"{name}.mp4"]


@pytest.mark.real
def test_of_real_people_the_right_voice_and_face_are_kept(collected):
    _, out, truth = collected
    counted = defaultdict(float)
    for kind in ("voice", "face"):
        for line in (out / "candidates" / f"{kind}.csv").read_text().splitlines()[1:]:
            row = line.split(",")
            if row[-2] != "1":
                continue
            spans = truth[row[0]]
            if kind == "face":
                seen = next(clip for start, end, _, clip in spans if start <= int(row[2]) < end)
                counted["faces"] += 1
                counted["wrong"] += seen != spans[0][3]
                continue
            start, end = int(row[2]), int(row[3])
            counted["kept"] += end - start
            counted["right"] += sum(
                max(0, min(end, stop) - max(start, begin)) for begin, stop, who, _ in spans if who == "target"
            )
    spoken = sum(end - start for spans in truth.values() for start, end, who, _ in spans if who == "target")
    print(f"recall {counted['right'] / spoken:.3f}, purity {counted['right'] / counted['kept']:.3f}, {dict(counted)}")
    assert counted["faces"] >= 20 and not counted["wrong"]
    assert counted["right"] / spoken >= 0.85 and counted["right"] / counted["kept"] >= 0.98
