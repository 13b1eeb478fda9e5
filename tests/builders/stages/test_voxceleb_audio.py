"""VoxCeleb's recordings, wav and m4a, become 16 kHz sounds with their speech found; damage is told."""

import io
from fractions import Fraction

import av
import numpy as np
import pytest
import soundfile
from facevox.builders.core.stage import Reject
from facevox.builders.population.people import draw
from facevox.builders.population.voices import RATE, speak
from facevox.builders.stages.speech import VOICE2FACE, find_speech
from facevox.builders.stages.voxceleb_audio import VoiceOptions, read_voice, recording
from facevox.loaders.media import decode_audio, encode_flac
from facevox.loaders.resample import resample


def wav(samples: np.ndarray, rate: int = 16_000) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, samples, rate, format="WAV", subtype="PCM_16")
    return out.getvalue()


def m4a(samples: np.ndarray, rate: int = 16_000, codec: str = "aac") -> bytes:
    """(samples,) or (samples, 2) int16 as an m4a."""
    out = io.BytesIO()
    layout = "mono" if samples.ndim == 1 else "stereo"
    with av.open(out, "w", format="ipod" if codec == "aac" else "mp4") as container:
        track = container.add_stream(codec, rate=rate, layout=layout)
        track.bit_rate = 96_000
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        container.mux(track.encode(frame))
        container.mux(track.encode(None))
    return out.getvalue()


@pytest.fixture(scope="module")
def said() -> np.ndarray:
    """Two and a half seconds of a forged voice, (40000,) int16 at 16 kHz."""
    voice = speak(draw(0, 3, "Female"), "turn on the kitchen light please", round(2.5 * RATE), np.random.default_rng(1))
    return resample(np.rint(voice * 20_000).astype(np.int16), RATE, 16_000)[:40_000]


@pytest.mark.parametrize(
    ("member", "key", "subset"),
    [
        ("wav/id10001/1zcIwhmdeo4/00001.wav", "id10001_1zcIwhmdeo4_00001", "vox1"),
        ("vox2_dev_aac/aac/id00012/-1Uxsk_6VDQ/00110.m4a", "id00012_-1Uxsk_6VDQ_00110", "vox2"),
        ("raw_wav/vox1/dev/id10001/J9lHsKG98U8/00026.wav", "id10001_J9lHsKG98U8_00026", "vox1"),
        ("id00012/21Uxsk56VDQ/00001.flac", "id00012_21Uxsk56VDQ_00001", "vox2"),
    ],
)
def test_places_of_recordings_are_read(member, key, subset):
    found = recording(member)
    assert (found.key, found.subset) == (key, subset)


@pytest.mark.parametrize(
    "member",
    [
        "txt/id10001/1zcIwhmdeo4/00001.txt",
        "wav/id20001/1zcIwhmdeo4/00001.wav",
        "wav/id10001/1zcIwhmdeo/00001.wav",
        "wav/id10001/1zcIwhmdeo4/1.wav",
        "wav/id10001/1zcIwhmdeo4/00001.wav.part",
        "xid10001/1zcIwhmdeo4/00001.wav",
    ],
)
def test_other_files_are_no_recordings(member):
    assert recording(member) is None


def test_a_wav_at_16_khz_keeps_every_sample_up_to_the_flac(said):
    voice = read_voice(wav(said), "x.wav")
    assert np.array_equal(voice.sound, said)
    assert (voice.codec, voice.source_rate, voice.source_channels) == ("wav", 16_000, 1)
    assert voice.speech == find_speech(said)
    assert len(voice.spoken) > 0.6 * len(said)
    assert np.array_equal(decode_audio(encode_flac(voice.spoken, 16_000))[0], voice.spoken)
    assert read_voice(encode_flac(said, 16_000), "x.flac").codec == "flac"
    other = read_voice(wav(said), "x.wav", VoiceOptions(VOICE2FACE))
    assert other.speech == find_speech(said, options=VOICE2FACE)


@pytest.mark.parametrize("length", [40_000, 39_936, 31_111])
def test_an_m4a_has_the_length_and_the_sound_it_was_made_of(said, length):
    voice = read_voice(m4a(said[:length]), "x.m4a")
    # The container counts milliseconds.
    assert abs(len(voice.sound) - length) <= 16
    assert (voice.codec, voice.source_rate, voice.source_channels) == ("aac", 16_000, 1)
    assert np.corrcoef(voice.sound[: length - 16], said[: length - 16])[0, 1] > 0.99


@pytest.mark.parametrize("pack", [wav, m4a])
def test_other_rates_and_two_channels_become_one_at_16_khz(said, pack):
    louder = resample(said, 16_000, 44_100)
    both = np.stack([louder, louder // 2], 1)
    voice = read_voice(pack(both, 44_100), "x")
    assert (voice.source_rate, voice.source_channels) == (44_100, 2)
    assert abs(len(voice.sound) - len(said)) <= 16
    near = slice(2_000, 38_000)
    assert np.corrcoef(voice.sound[near], said[near])[0, 1] > 0.99
    assert voice.sound[near].astype(float).std() / said[near].std() == pytest.approx(0.75, abs=0.05)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda said: b"", "no sound: 0 bytes, expected a wav"),
        (lambda said: b"RIFF" + b"\0" * 40, "WAV without a data chunk"),
        (lambda said: wav(said)[:-1_000], "WAV cut short"),
        (lambda said: m4a(said)[:3_000], "not a readable m4a or mp4"),
        (lambda said: b"#EXTM3U\nfile:///etc/hostname\n", "no sound: begins with b.#EXTM3U"),
        (lambda said: wav(np.zeros(32_000, np.int16)), r"no speech in 2.00 s of sound \(webrtc\)"),
        (lambda said: m4a(np.zeros(32_000, np.int16)), "no speech"),
        (lambda said: wav(np.zeros(700, np.int16), 1_000_000), "expected rates of 1 to 384,000 Hz"),
        (lambda said: wav(np.tile(said, 5)), "sound of 12.5 s, expected at most 4"),
        (lambda said: m4a(np.tile(said, 5)), "sound of 12.5 s, expected more than 0 and at most 4"),
    ],
)
def test_damage_silence_and_length_are_told(said, damage, reason):
    with pytest.raises(Reject, match=reason) as told:
        read_voice(damage(said), "wav/id10001/1zcIwhmdeo4/00001.wav", VoiceOptions(max_seconds=4))
    assert told.value.place == "wav/id10001/1zcIwhmdeo4/00001.wav"


def test_flipped_bytes_of_an_m4a_are_sound_or_a_verdict(said):
    random, whole = np.random.default_rng(0), m4a(said)
    verdicts = 0
    for _ in range(60):
        data = bytearray(whole)
        for at in random.integers(0, len(data), 3):
            data[at] = random.integers(256)
        try:
            assert len(read_voice(bytes(data), "x.m4a", VoiceOptions(max_seconds=4)).sound) <= 4 * 16_000 + 16
        except Reject:
            verdicts += 1
    assert 10 < verdicts < 60


@pytest.mark.real
@pytest.mark.parametrize("pack", [wav, m4a])
def test_real_voices_keep_most_of_their_length(real, pack):
    sounds = [soundfile.read(path, dtype="int16")[0] for path in sorted(real.glob("voices/librispeech/*/*.flac"))]
    files = [pack(sound) for sound in sounds]
    voices = [read_voice(data, "x") for data in files]
    flacs = [encode_flac(voice.spoken, 16_000) for voice in voices]
    seconds = sum(map(len, sounds)) / 16_000
    assert sum(map(len, flacs)) < 2 * 16_000 * seconds
    assert sum(len(voice.spoken) for voice in voices) > 0.8 * sum(map(len, sounds))


@pytest.mark.real
def test_the_silent_clip_of_the_pack_says_nothing(real):
    with pytest.raises(Reject, match="no speech in 7.20 s"):
        read_voice((real / "talking_negative/audio/lp_d18.wav").read_bytes(), "lp_d18.wav")


@pytest.mark.real
def test_the_sound_of_a_real_clip_is_that_of_its_wav(real):
    clip = read_voice((real / "talking/video/vr_face3.mp4").read_bytes(), "vr_face3.mp4")
    plain = read_voice((real / "talking/audio/vr_face3.wav").read_bytes(), "vr_face3.wav")
    length = min(len(clip.sound), len(plain.sound))
    assert abs(len(clip.sound) - len(plain.sound)) < 2_048
    assert np.corrcoef(clip.sound[:length], plain.sound[:length])[0, 1] > 0.98
