"""Published mel dictionaries: read as unpickling would, with nothing in them ever run."""

import contextlib
import os
import pickle
import struct
import sys

import numpy as np
import pytest
from facevox.builders.core.stage import Reject
from facevox.builders.stages import pickled_arrays
from facevox.builders.stages.mel_dictionary import BANDS, MEAN, STD, mel_place, read_mel
from facevox.builders.stages.pickled_arrays import read_pickled
from facevox.models.core.sound import SF2F
from hypothesis import given
from hypothesis import strategies as st

NAME = "vox1/mel_spectrograms/A.J._Buckley/id10001_J9lHsKG98U8_00026.pickle"
ABOUT = mel_place(NAME)
MEL = np.random.default_rng(0).normal(11, 3, (40, 7))


def dictionary(**other) -> dict:
    return {"LogMel_Features": MEL, "spkid": "id10001", "clipid": "J9lHsKG98U8", "wavid": "00026"} | other


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "mel", [MEL, MEL.T.copy().T, MEL[:, ::2], MEL.astype(">f4"), MEL[:, :1]], ids=["C", "F", "cut", "big", "one"]
)
def test_every_protocol_of_python_3_is_read_as_python_reads_it(mel, protocol):
    found = read_pickled(pickle.dumps(dictionary(LogMel_Features=mel), protocol), "x")
    assert found.keys() == dictionary().keys()
    assert np.array_equal(found["LogMel_Features"], mel)
    assert (found["spkid"], found["clipid"], found["wavid"]) == ("id10001", "J9lHsKG98U8", "00026")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("core", ["core", "_core"])
def test_numpy_1_and_2_name_their_modules_differently(core, protocol):
    data = pickle.dumps(dictionary(), protocol, fix_imports=False)
    for now in (b"numpy._core.multiarray", b"numpy._core.numeric"):
        named = now.replace(b"_core", core.encode())
        data = data.replace(b"\x8c" + bytes([len(now)]) + now, b"\x8c" + bytes([len(named)]) + named)
        data = data.replace(b"c" + now + b"\n", b"c" + named + b"\n")
    if protocol > 3:
        # Frames state their length, which the shorter names change.
        at = data.index(b"\x95")
        data = data[: at + 1] + struct.pack("<Q", len(data) - at - 9) + data[at + 9 :]
    assert np.array_equal(read_pickled(data, "x")["LogMel_Features"], MEL)


def of_python_2(protocol: int) -> bytes:
    """As Python 2 with numpy 1 spells it: byte strings for text and content."""

    def text(value: bytes) -> bytes:
        if protocol == 0:
            return b"S" + repr(value)[1:].encode() + b"\n"
        short = len(value) < 256
        return (b"U" + bytes([len(value)]) if short else b"T" + struct.pack("<I", len(value))) + value

    def number(value: int) -> bytes:
        return b"I%d\n" % value if protocol == 0 else b"J" + struct.pack("<i", value)

    start, end, mark = (b"\x80\x02" if protocol == 2 else b""), b".", b"("
    array = b"cnumpy.core.multiarray\n_reconstruct\n" + mark + b"cnumpy\nndarray\n"
    array += mark + number(0) + b"t" + text(b"b") + b"tR"
    kind = b"cnumpy\ndtype\n" + mark + text(b"f8") + number(0) + number(1) + b"tR"
    kind += mark + number(3) + text(b"<") + b"NNN" + number(-1) + number(-1) + number(0) + b"tb"
    state = mark + number(1) + mark + number(40) + number(7) + b"t" + kind + b"I00\n" + text(MEL.tobytes()) + b"tb"
    items = text(b"LogMel_Features") + array + state + b"s"
    for key, value in (("spkid", "id10001"), ("clipid", "J9lHsKG98U8"), ("wavid", "00026")):
        items += text(key.encode()) + text(value.encode()) + b"s"
    return start + (b"(d" if protocol == 0 else b"}") + items + end


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_dictionaries_of_python_2_are_read(protocol):
    data = of_python_2(protocol)
    # Python 3 agrees that this is such a dictionary.
    assert np.array_equal(pickle.loads(data, encoding="latin1")["LogMel_Features"], MEL)  # noqa: S301 - ours
    assert np.array_equal(read_pickled(data, "x")["LogMel_Features"], MEL)


def test_a_mel_dictionary_means_what_our_own_spectrograms_mean():
    mel = read_mel(pickle.dumps(dictionary()), ABOUT, NAME)
    assert (mel.dtype, mel.shape) == (np.float32, (40, 7))
    np.testing.assert_allclose(mel, (MEL - SF2F.mean) / SF2F.std, rtol=1e-6)
    assert (SF2F.bands, SF2F.mean, SF2F.std) == (BANDS, MEAN, STD)


class Runs:
    def __init__(self, call, *arguments):
        self.call, self.arguments = call, arguments

    def __reduce__(self):
        return self.call, self.arguments


def object_array() -> np.ndarray:
    made = np.empty((40, 2), object)
    made[:] = "x"
    return made


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    ("value", "named"),
    [
        (Runs(os.system, "echo harm > {harm}"), "system"),
        (Runs(eval, "1+1"), "eval"),
        (Runs(np.load, "x"), "load"),
        (Runs(getattr, np, "load"), "getattr|TypeError|module"),
        (object_array(), "floats of 2, 4 or 8"),
        (np.zeros(3, "i8"), "floats of 2, 4 or 8"),
        (np.zeros(3, [("a", "f8")]), "floats of 2, 4 or 8"),
        (np.float64(1), "scalar"),
        (1.5, "FLOAT"),
        ([1], "LIST"),
        ({1, 2}, "set|ADDITEMS|EMPTY_SET"),
        (17, "is a int"),
        (None, "is a NoneType"),
        ({"a": 1}, "is a dict"),
        (b"abc", "is a bytes|_codecs|bytes"),
    ],
)
def test_anything_else_is_named_and_never_run(value, named, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        data = pickle.dumps(dictionary(spkid=value), protocol)
    except TypeError:
        pytest.skip("python itself cannot pickle it")
    with pytest.raises(ValueError, match=f"x: not a pickled dictionary of text and arrays: .*({named})"):
        read_pickled(data, "x")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "cut short"),
        (b"\x80\x04", "cut short"),
        (b"}.more", "behind the end"),
        (b"N.", "it holds a NoneType"),
        (b"\xff", "where an operation should be"),
        (b"}" * 2 + b".", "beside the dictionary"),
        (b"}" + b"N" * 600 + b".", "more than 500 operations"),
        (b"cnumpy\nndarray\nN\x85R.", "a call of something that is no part of an array"),
        (b"cnumpy\ndtype\n)R.", "a call of numpy dtype with 0 arguments"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "the name 'os.system'"),
        (b"cos\nsystem\n.", "the name 'os.system'"),
        (b"(S'echo'\nios\nsystem\n.", "the operation INST"),
        (b"}h\x05.", "something remembered as 5"),
        (b"R.", "more taken than there is"),
        (b"t.", "a mark is missing"),
        (b"}NNs.", "keys are no text"),
    ],
)
def test_damage_is_told(data, told):
    with pytest.raises(ValueError, match=told):
        read_pickled(data, "x")


def array_spelled(shape: bytes, content: bytes = b"C\x00", kind: bytes = b"X\x02\x00\x00\x00f8") -> bytes:
    """A dictionary of one array of protocol 4 in numpy's older form."""
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"
    state = b"(K\x01" + shape + b"cnumpy\ndtype\n" + kind + b"\x85R\x89" + content + b"tb"
    return b"\x80\x04}X\x01\x00\x00\x00a" + array + state + b"s."


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        (b"\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x10K\x28\x86", "0 bytes of f8, which is not"),
        (b"J\xff\xff\xff\xffK\x28\x86", "whole numbers"),
        (b"(" + b"K\x01" * 40 + b"t", "whole numbers"),
        (b"K\x28", "whole numbers"),
        (b"\x8a\xff" + b"\x7f" * 255 + b"K\x28\x86", "whole numbers|which is not"),
    ],
    ids=["huge", "negative", "many", "no tuple", "2048 bits"],
)
def test_shapes_that_do_not_fit_their_bytes_are_refused(shape, told):
    with pytest.raises(ValueError, match=told):
        read_pickled(array_spelled(shape), "x")


DOUBLED = b"Nq\x00" + b"".join(b"h%c\x86q%c" % (n, n + 1) for n in range(100))
"""A tuple that holds one twice, that holds one twice, and so on: small in memory, endless when printed or walked."""


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (array_spelled(DOUBLED), "whole numbers"),
        (array_spelled(b"K\x01K\x02\x86", DOUBLED), "no plain bytes"),
        (array_spelled(b"K\x01K\x02\x86", kind=DOUBLED), "an array of a tuple"),
        (b"}X\x01\x00\x00\x00a" + DOUBLED + b"s.", "'a' is a tuple"),
        (b"c_codecs\nencode\nX\x01\x00\x00\x00a" + DOUBLED + b"\x86R.", "bytes spelled in a tuple"),
        (DOUBLED + b"h\x05\x93.", "the name ''"),
        (b"}" + DOUBLED + b"Ns.", "keys are no text"),
    ],
    ids=["shape", "content", "kind", "value", "coding", "name", "key"],
)
def test_tuples_that_double_are_never_walked(data, told):
    with pytest.raises(ValueError, match=told):
        read_pickled(data, "x")


def test_an_array_in_that_form_is_read():
    data = array_spelled(b"K\x01K\x02\x86", b"C\x10" + struct.pack("<2d", 1.5, -2))
    assert read_pickled(data, "x")["a"].tolist() == [[1.5, -2]]


def test_one_text_cannot_be_made_into_bytes_without_end():
    text = b"X" + struct.pack("<I", 100_000) + b"y" * 100_000 + b"q\x00"
    calls = b"c_codecs\nencode\nh\x00X\x06\x00\x00\x00latin1\x86R" * 50
    with pytest.raises(ValueError, match="more bytes than the file holds"):
        read_pickled(b"\x80\x02" + text + calls + b".", "x")


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    with contextlib.suppress(ValueError):
        assert isinstance(read_pickled(data, "x"), dict)


@given(st.integers(0, 5), st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), min_size=1, max_size=4))
def test_any_damage_is_read_or_refused(protocol, flips):
    data = bytearray(pickle.dumps(dictionary(), protocol))
    for at, value in flips:
        data[at % len(data)] = value
    loaded = set(sys.modules)
    with contextlib.suppress(ValueError):
        assert isinstance(read_pickled(bytes(data), "x"), dict)
    assert not {name for name in set(sys.modules) - loaded if not name.startswith("hypothesis")}


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"spkid": "id10002"}, "spkid is 'id10002', the file's name says 'id10001'"),
        ({"wavid": MEL}, "wavid is no text"),
        ({"LogMel_Features": MEL.T}, r"LogMel_Features of \(7, 40\), expected \(40, frames\)"),
        ({"LogMel_Features": "x"}, "LogMel_Features of str"),
        ({"LogMel_Features": MEL * np.inf}, "not finite"),
        ({"LogMel_Features": np.full((40, 2), 1e300)}, "not finite"),
        ({"LogMel_Features": MEL[:, :0]}, "expected"),
    ],
)
def test_a_dictionary_of_another_recording_or_form_is_left_out(other, told):
    with pytest.raises(Reject, match=told) as verdict:
        read_mel(pickle.dumps(dictionary(**other)), ABOUT, NAME)
    assert verdict.value.place == NAME


def test_places_are_told_by_folder_and_name():
    assert (ABOUT.subset, ABOUT.folder, ABOUT.number) == ("vox1", "A.J._Buckley", "00026")
    assert mel_place("a/vox2/mel_spectrograms/X/id00012_-_lHsKG98U8_00001.pkl").clip == "-_lHsKG98U8"
    assert mel_place("vox1/masked_faces/X/1.jpg") is None
    assert "pickle" not in vars(pickled_arrays)
