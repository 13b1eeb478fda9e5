"""Decoded copies: beside every sound and still picture an array of what it decodes to, so that training need not."""

from dataclasses import replace

from ...loaders.arrays import MAX_ARRAY_BYTES, encode_array
from ...loaders.media import decode_audio, decode_picture
from ...loaders.sample import Config, Field, Sample, copy_name

SHAPES = {"audio": "int16 (samples,)", "image": "uint8 (height, width, 3) RGB"}
TIMES = {"audio": 2.0, "image": 40.0}
"""Bytes of a copy by those of what it is a copy of, generously."""
BESIDE_CLIPS = 0.2
"""The same where clips, which are not copied, are most of a sample."""


def with_copies(config: Config) -> Config:
    """The config with a field more for each sound and picture."""
    copies = [
        Field(copy_name(one.name), "array", f"{one.name} decoded, read in its place: {SHAPES[one.kind]}", optional=True)
        for one in config.fields
        if one.kind in SHAPES
    ]
    return replace(config, fields=(*config.fields, *copies))


def copied(sample: Sample, config: Config) -> Sample:
    """The sample with the copies that its config, one of `with_copies`, has fields for.

    None of sounds in stereo, nor of what is larger than readers take.
    """
    media = dict(sample.media)
    for one in config.fields:
        if one.kind in SHAPES and (data := sample.media.get(one.name)) is not None:
            values = decode_audio(data)[0] if one.kind == "audio" else decode_picture(data)
            array = encode_array(values)
            if (one.kind == "image" or values.ndim == 1) and len(array) <= MAX_ARRAY_BYTES:
                media[copy_name(one.name)] = array
    return replace(sample, media=media)


def times(config: Config) -> float:
    """How many times the bytes of a sample its copies take, generously."""
    kinds = {one.kind for one in config.fields}
    found = max((TIMES[kind] for kind in kinds & TIMES.keys()), default=0.0)
    return min(found, BESIDE_CLIPS) if "clip" in kinds else found
