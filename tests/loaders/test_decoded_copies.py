"""Decoded copies: the samples of a folder that has them are those of one that has none, with fewer bytes to work on."""

import facevox
import numpy as np
import pytest
from facevox.builders.core.decoded_copies import copied, with_copies
from facevox.loaders.arrays import decode_array, encode_array
from facevox.loaders.decoded_copies import HEADER, of_sound
from facevox.loaders.folder import FolderError
from facevox.loaders.media import decode_audio, encode_flac
from facevox.loaders.sample import Config, Field, Sample
from facevox.loaders.stream import Stream, StreamOptions

CONFIGS = ("utterances", "stills")


@pytest.fixture(scope="module")
def pair(release, tmp_path_factory, build_folder):
    """One subject's samples, without and with copies: {format: (without, with)}."""
    home = tmp_path_factory.mktemp("copies")
    own = {"limit": 2, "configs": CONFIGS}
    return {
        kind: tuple(
            build_folder(release, home / f"{kind}-{decoded}", format=kind, decoded=decoded, **own)
            for decoded in (False, True)
        )
        for kind in ("tar", "parquet", "arrow")
    }


def everything(folder, config, **options):
    found = {}
    for batch in Stream(folder, config, split_of(folder), StreamOptions(frames=2, batch_size=1, **options)):
        found[batch["__key__"][0]] = {name: batch[name][0] for name in batch if "." in name}
    return found


def split_of(folder):
    return folder.index["split"][0].as_py()


@pytest.mark.parametrize("kind", ["tar", "parquet", "arrow"])
@pytest.mark.parametrize(
    "options",
    [{}, {"sound_seconds": 0.05}, {"sound_seconds": 100}, {"thermal": "index"}, {"align": True}, {"workers": 2}],
    ids=str,
)
def test_samples_with_copies_are_those_without(pair, kind, options):
    for config in CONFIGS[: 1 if options.get("align") else 2]:
        without, with_them = (everything(folder, config, **options) for folder in pair[kind])
        assert without.keys() == with_them.keys() and len(without) > 0
        for key, sample in without.items():
            assert sample.keys() == with_them[key].keys()
            for name, value in sample.items():
                assert value.dtype == with_them[key][name].dtype
                assert np.array_equal(value, with_them[key][name]), (key, name)


def test_random_parts_are_the_same(pair):
    def drawn(folder):
        options = {"identities": 1, "samples": {"utterances": 2}, "fields": {"utterances": ("mic1.flac",)}}
        stream = facevox.identity_batches(folder, split_of(folder), random_seconds=0.1, seed=3, **options)
        return [batch["utterances"]["mic1.flac"] for _ in range(2) for batch in stream]

    without, with_them = (drawn(folder) for folder in pair["tar"])
    assert len(without) and all(np.array_equal(one, other) for one, other in zip(without, with_them, strict=True))


def test_a_sample_that_is_drawn_twice_is_twice_there(pair):
    samples = facevox.dataset(pair["tar"][1], "utterances", split_of(pair["tar"][1]), fields=("mic1.flac",))
    one, other = samples.__getitems__([0, 0])
    one["mic1.flac"][:] = 0
    assert other["mic1.flac"].any()


def test_only_the_wanted_part_of_a_sound_is_read(pair):
    _, folder = pair["tar"]
    options = StreamOptions(fields=("mic1.flac",), sound_seconds=0.05, batch_size=1)
    stream = Stream(folder, "utterances", split_of(folder), options)
    request = stream._batches.reader.request(np.arange(1))
    assert [size for ranges in request.ranges.values() for _, size in ranges] == [2 * round(0.05 * 44_100)]


def test_the_encoded_bytes_are_still_there(pair):
    without, with_them = (
        everything(folder, "utterances", decode=False, fields=("mic1.flac",)) for folder in pair["tar"]
    )
    assert without == with_them
    copies = everything(pair["tar"][1], "utterances", fields=("mic1.flac.array",))
    for key, sample in without.items():
        assert np.array_equal(copies[key]["mic1.flac.array"], decode_audio(sample["mic1.flac"])[0])


def test_a_folder_with_copies_is_sound_and_converts(pair, tmp_path):
    folder = pair["tar"][1]
    assert facevox.verify(folder.path).problems == []
    facevox.convert(folder.path, tmp_path / "P", format="parquet")
    files = ("tables/index.parquet", "checksums.sha256")
    assert all((tmp_path / "P" / name).read_bytes() == (pair["parquet"][1].path / name).read_bytes() for name in files)


def test_copies_are_part_of_the_plan(pair, release, build_folder):
    with pytest.raises(FolderError, match="decoded was True, now None"):
        build_folder(release, pair["tar"][1].path, limit=2, configs=CONFIGS)


def test_a_copy_of_another_size_is_told(pair):
    folder = pair["tar"][1]
    stream = Stream(folder, "utterances", split_of(folder), StreamOptions(fields=("mic1.flac",)))
    numbers = stream._batches.reader.members._numbers
    numbers["size"] = numbers["size"] + 1
    with pytest.raises(FolderError, match=r"\.mic1\.flac: its decoded copy has [\d,]+ bytes, .* Run `facevox verify`"):
        list(stream)


@pytest.mark.parametrize("samples", [0, 1, 9, 99_999, 123_456_789])
def test_the_header_of_a_sound_has_one_length(samples):
    values = np.zeros(min(samples, 100_000), np.int16)
    assert len(encode_array(values)) - values.nbytes == HEADER
    copy = of_sound({"offset": 7, "size": HEADER + 2 * samples}, 16_000, 0.001, None)
    assert copy.range == (7 + HEADER + 2 * (samples // 2 - min(16, samples) // 2), 2 * min(16, samples))


def test_sounds_in_stereo_have_no_copy():
    config = with_copies(Config("voices", "", (Field("voice.flac", "audio", ""),), ()))
    mono, stereo = (np.arange(64, dtype=np.int16).reshape(shape) for shape in ((64,), (32, 2)))
    for sound, expected in ((mono, ["voice.flac", "voice.flac.array"]), (stereo, ["voice.flac"])):
        sample = copied(Sample("a", "b", "train", {"voice.flac": encode_flac(sound, 16_000)}), config)
        assert list(sample.media) == expected
    assert np.array_equal(
        decode_array(
            copied(Sample("a", "b", "train", {"voice.flac": encode_flac(mono, 16_000)}), config).media[
                "voice.flac.array"
            ]
        ),
        mono,
    )


def test_what_readers_would_refuse_is_not_copied(monkeypatch):
    config = with_copies(Config("voices", "", (Field("voice.flac", "audio", ""),), ()))
    sample = Sample("a", "b", "train", {"voice.flac": encode_flac(np.arange(64, dtype=np.int16), 16_000)})
    for most, names in ((HEADER + 128, 2), (HEADER + 127, 1)):
        monkeypatch.setattr("facevox.builders.core.decoded_copies.MAX_ARRAY_BYTES", most)
        monkeypatch.setattr("facevox.loaders.decoded_copies.MAX_ARRAY_BYTES", most)
        made = copied(sample, config).media
        assert len(made) == names
        for data in list(made.values())[1:]:
            of_sound({"offset": 0, "size": len(data)}, 16_000, 0, None)
