"""FLAC decoded by this package gives libsndfile's samples, any part of them, or is left to it."""

import io

import numpy as np
import pytest
import soundfile
from facevox.loaders import flac_decoder, sound_window
from facevox.loaders.flac_header import flac_header
from facevox.loaders.media import encode_flac
from facevox.loaders.sound_window import (
    OWN_AFTER,
    VARIABLE,
    SoundDecoder,
    decode_middle,
    decode_whole,
    decode_window,
)
from hypothesis import given, settings
from hypothesis import strategies as st

GUARD = 64
KINDS = ("speech", "tone", "noise", "silence", "steps", "quiet", "lone click", "coarse")


def sound_of(kind: str, seed: int, samples: int) -> np.ndarray:
    """Sounds for which an encoder takes each of the format's ways."""
    random, t = np.random.default_rng(seed), np.arange(samples)
    if kind == "speech":
        loud = np.clip(np.sin(t / 700 + seed), 0, 1)
        wave = loud * sum(np.sin(t * f) * 3000 for f in random.uniform(0.01, 0.6, 8)) + random.normal(0, 20, samples)
    elif kind == "tone":
        wave = 20000 * np.sin(t * 0.05 + seed)
    elif kind == "noise":
        wave = random.integers(-32768, 32768, samples)
    elif kind == "steps":
        wave = np.repeat(random.integers(-32768, 32768, samples // 50 + 1), 50)[:samples]
    elif kind == "quiet":
        wave = random.integers(-2, 3, samples)
    elif kind == "lone click":
        wave = np.where(t == samples // 3, 32767, 0)
    elif kind == "coarse":
        wave = random.integers(-500, 500, samples) * 32
    else:
        wave = np.full(samples, seed % 7 - 3)
    return np.clip(np.rint(wave), -32768, 32767).astype(np.int16)


def flac_of(wave: np.ndarray, level: float) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, wave, 16_000, format="FLAC", subtype="PCM_16", compression_level=level)
    return out.getvalue()


def part(data: bytes, first: int, count: int) -> np.ndarray | None:
    """What is decoded, None where it is left to libsndfile; asserts that nothing around it is written to."""
    header = flac_header(data)
    if header is None:
        return None
    around = np.full(2 * GUARD + count, 77, np.int16)
    taken = flac_decoder.decode(data, header, first, around[GUARD : GUARD + count])
    assert (around[:GUARD] == 77).all() and (around[GUARD + count :] == 77).all()
    return around[GUARD : GUARD + count] if taken else None


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(KINDS), st.integers(0, 999), st.integers(1, 30_000), st.sampled_from([0.0, 0.5, 1.0]), st.data())
def test_every_part_of_every_sound_is_that_of_the_whole(kind, seed, samples, level, data):
    wave = sound_of(kind, seed, samples)
    flac = flac_of(wave, level)
    whole = part(flac, 0, samples)
    assert whole is not None and np.array_equal(whole, wave)
    first = data.draw(st.integers(0, samples))
    count = data.draw(st.integers(0, samples - first))
    found = part(flac, first, count)
    assert found is not None and np.array_equal(found, wave[first : first + count])


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(KINDS), st.integers(0, 2**32), st.booleans())
def test_damaged_bytes_touch_nothing_outside_and_are_never_other_samples(kind, seed, cut):
    random = np.random.default_rng(seed)
    wave = sound_of(kind, seed % 7, 9_000)
    flac = bytearray(flac_of(wave, 0.5))
    begin = flac_header(bytes(flac)).first_frame
    if cut:
        del flac[random.integers(begin, len(flac)) :]
    else:
        for _ in range(random.integers(1, 4)):
            flac[random.integers(begin, len(flac))] ^= 1 << random.integers(8)
    first, count = int(random.integers(0, 9_000)), int(random.integers(1, 4_000))
    found = part(bytes(flac), first, min(count, 9_000 - first))
    assert found is None or np.array_equal(found, wave[first : first + count])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.integers(1, 6_000))
def test_bytes_of_no_sound_are_left_alone(data, count):
    head = encode_flac(np.zeros(6_000, np.int16), 16_000)
    begin = flac_header(head).first_frame
    assert flac_header(data) is None
    for made in (head[:begin] + data, head[: begin + 6] + data):
        found = part(made, 0, count)
        assert found is None or len(found) == count


def test_a_header_that_lies_about_the_length_is_left_to_libsndfile():
    data = bytearray(encode_flac(sound_of("speech", 1, 9_000), 16_000))
    data[21:26] = (int.from_bytes(data[21:26], "big") + 4_000).to_bytes(5, "big")
    assert flac_header(bytes(data)).samples == 13_000
    assert part(bytes(data), 0, 13_000) is None
    with pytest.raises(ValueError, match="sound"):
        decode_whole(bytes(data))


def test_other_kinds_of_sound_are_left_to_libsndfile(monkeypatch):
    monkeypatch.setenv(VARIABLE, "own")
    two = np.stack([sound_of("speech", 1, 5_000), sound_of("tone", 1, 5_000)], 1)
    for kind in ("FLAC", "WAV"):
        out = io.BytesIO()
        soundfile.write(out, two, 16_000, format=kind, subtype="PCM_16")
        assert np.array_equal(decode_whole(out.getvalue()), two)
        assert np.array_equal(decode_window(out.getvalue(), 0.1, 0.5), two[1700:3300])
    out = io.BytesIO()
    soundfile.write(out, two[:, 0], 16_000, format="FLAC", subtype="PCM_24")
    with pytest.raises(ValueError, match="PCM_24"):
        decode_whole(out.getvalue())


@pytest.mark.parametrize("choice", ["own", "libsndfile"])
def test_parts_begin_where_they_are_said_to(choice, monkeypatch):
    monkeypatch.setenv(VARIABLE, choice)
    wave = sound_of("speech", 3, 16_001)
    flac = memoryview(encode_flac(wave, 16_000))
    assert np.array_equal(decode_whole(flac), wave)
    for seconds, count in ((0.01, 160), (0.4, 6_400), (1.0, 16_000), (3.0, 16_001)):
        begin = len(wave) // 2 - count // 2
        assert np.array_equal(decode_middle(flac, seconds), wave[begin : begin + count])
        for place in (0.0, 0.3, np.nextafter(1.0, 0.0)):
            begin = int(place * (len(wave) - count + 1))
            assert np.array_equal(decode_window(flac, seconds, place), wave[begin : begin + count])
        assert begin == len(wave) - count, "the last place is the last possible"


def test_the_switch_chooses(monkeypatch):
    wave, tried = sound_of("speech", 3, 5_000), []
    flac = encode_flac(wave, 16_000)
    monkeypatch.setattr(sound_window, "_SOUNDS", SoundDecoder())
    monkeypatch.setattr(flac_decoder, "_decode", lambda *given: tried.append(1) or False)
    for choice, expected in (("libsndfile", 0), ("own", 1), ("auto", 1)):
        monkeypatch.setenv(VARIABLE, choice)
        assert np.array_equal(decode_whole(flac), wave)
        assert len(tried) == expected
    for _ in range(OWN_AFTER):
        decode_whole(flac[:40] + flac[40:])
    assert 1 < len(tried) <= OWN_AFTER, "loaded once it pays"
    monkeypatch.setenv(VARIABLE, "fast")
    with pytest.raises(ValueError, match="expected 'auto', 'own' or 'libsndfile'"):
        decode_whole(flac)
