"""Speech is found where it is, and nowhere else; segments are those of the ring of the papers' code."""

import numpy as np
import pytest
import soundfile
from facevox.builders.population.people import draw
from facevox.builders.population.voices import RATE, speak
from facevox.builders.stages import speech
from facevox.builders.stages.speech import SF2F, VOICE2FACE, Speech, SpeechOptions, find_speech, segments
from facevox.loaders.resample import resample

DETECTORS = ("webrtc", "energy")


def with_detector(options: SpeechOptions, vad: str) -> SpeechOptions:
    return SpeechOptions(options.aggressiveness, options.frame_ms, options.ring_ms, options.share, vad)


@pytest.fixture(scope="module")
def planted() -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Two utterances in eleven seconds of faint noise at 16 kHz, and where they lie."""
    random = np.random.default_rng(5)
    sound = random.normal(0, 6, 11 * 16_000)
    places = []
    for subject, start in ((1, 2.0), (2, 7.0)):
        voice = speak(draw(0, subject, "Male"), "turn on the little kitchen light please", 2 * RATE, random)
        samples = resample(np.rint(voice * 20_000).astype(np.int16), RATE, 16_000)
        at = int(start * 16_000)
        sound[at : at + len(samples)] += samples
        loud = np.flatnonzero(np.abs(samples.astype(int)) > 1000)
        places.append((at + int(loud[0]), at + int(loud[-1])))
    return np.clip(np.rint(sound), -32_768, 32_767).astype(np.int16), places


@pytest.mark.parametrize("vad", DETECTORS)
@pytest.mark.parametrize("options", [SF2F, VOICE2FACE], ids=["sf2f", "voice2face"])
def test_planted_speech_is_found_and_the_noise_around_it_left_out(planted, options, vad):
    sound, places = planted
    found = find_speech(sound, 16_000, with_detector(options, vad))
    assert found.vad == vad
    marked = np.zeros(len(sound), bool)
    for start, end in found.segments:
        marked[start:end] = True
    true, near = np.zeros(len(sound), bool), np.zeros(len(sound), bool)
    for start, end in places:
        true[start:end] = True
        near[max(0, start - 8_000) : end + 8_000] = True
    assert marked[true].mean() > 0.8
    assert not marked[~near].any()
    assert len(found.cut(sound)) == found.samples == marked.sum()


@pytest.mark.parametrize("vad", DETECTORS)
@pytest.mark.parametrize("options", [SF2F, VOICE2FACE], ids=["sf2f", "voice2face"])
def test_silence_and_sounds_of_nothing_pass_nothing(options, vad):
    faint = np.random.default_rng(0).normal(0, 3, 48_000).astype(np.int16)
    for sound in (np.zeros(48_000, np.int16), faint, faint[:100], faint[:0]):
        found = find_speech(sound, 16_000, with_detector(options, vad))
        assert found == Speech((), vad)
        assert len(found.cut(sound)) == 0


def ring_of_frames(voiced: list[bool], ring: int, share: float) -> list[list[int]]:
    """The rule told with lists: gather frames until the ring says start, then until it says stop."""
    found, gathered, waiting, inside = [], [], [], False
    for number, speech_here in enumerate(voiced):
        waiting = [*waiting, (number, speech_here)][-ring:]
        if inside:
            gathered.append(number)
            if sum(not one for _, one in waiting) > share * ring:
                found.append(gathered)
                gathered, waiting, inside = [], [], False
        elif sum(one for _, one in waiting) > share * ring:
            gathered, waiting, inside = [one for one, _ in waiting], [], True
    return [*found, gathered] if gathered else found


@pytest.mark.parametrize(("ring", "share"), [(10, 0.9), (2, 0.9), (1, 0.9), (7, 0.5)])
def test_segments_are_those_of_the_ring(ring, share):
    random = np.random.default_rng(ring)
    for _ in range(50):
        voiced = (np.convolve(random.normal(size=80), np.ones(6), "same") > 0).tolist()
        expected = [(one[0], one[-1] + 1) for one in ring_of_frames(voiced, ring, share)]
        assert segments(voiced, ring, share) == expected


def test_ten_voiced_frames_start_a_segment_and_nine_do_not():
    assert segments([False] * 5 + [True] * 9 + [False] * 30, 10, 0.9) == []
    assert segments([False] * 5 + [True] * 10 + [False] * 30, 10, 0.9) == [(5, 25)]
    assert segments([True] * 12, 10, 0.9) == [(0, 12)]


def test_frames_judged_by_webrtc_are_those_of_the_package(planted):
    import webrtcvad

    sound = planted[0][: 16_000 * 5 + 77]
    detector = webrtcvad.Vad(1)
    voiced = [detector.is_speech(sound[at : at + 480].tobytes(), 16_000) for at in range(0, len(sound) - 479, 480)]
    expected = tuple((start * 480, end * 480) for start, end in segments(voiced, 10, 0.9))
    assert find_speech(sound).segments == expected
    assert expected


def test_without_the_package_the_energy_speaks_and_says_so(planted, monkeypatch):
    monkeypatch.setattr(speech, "webrtcvad", None)
    assert find_speech(planted[0]).vad == "energy"
    with pytest.raises(ImportError, match="webrtcvad is missing"):
        find_speech(planted[0], 16_000, with_detector(SF2F, "webrtc"))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (lambda: SpeechOptions(frame_ms=25), "expected frames of 10, 20, 30 ms"),
        (lambda: SpeechOptions(aggressiveness=4), "aggressiveness of 0 to 3"),
        (lambda: find_speech(np.zeros(100, np.int16), 44_100), "resample it first"),
        (lambda: find_speech(np.zeros((100, 2), np.int16)), "expected int16 of one channel"),
        (lambda: find_speech(np.zeros(100)), "expected int16 of one channel"),
    ],
)
def test_wrong_options_and_sounds_are_errors(bad, message):
    with pytest.raises(ValueError, match=message):
        bad()


@pytest.mark.real
@pytest.mark.parametrize("vad", DETECTORS)
@pytest.mark.parametrize("options", [SF2F, VOICE2FACE], ids=["sf2f", "voice2face"])
def test_real_voices_pass_with_most_of_their_length_and_the_silent_clip_with_nothing(real, options, vad):
    files = sorted((real / "voices").glob("librispeech/*/*.flac")) + sorted((real / "voices/named").rglob("*.flac"))
    assert len(files) == 24
    shares = []
    for path in files:
        samples, rate = soundfile.read(path, dtype="int16")
        sound = resample(samples, rate, 16_000)
        shares.append(find_speech(sound, 16_000, with_detector(options, vad)).samples / len(sound))
    assert min(shares) > 0.5
    assert np.mean(shares) > (0.85 if options is SF2F and vad == "webrtc" else 0.65)
    silent, rate = soundfile.read(real / "talking_negative/audio/lp_d18.wav", dtype="int16")
    assert find_speech(silent, rate, with_detector(options, vad)).segments == ()
