"""Embeddings files: what is written comes back, what is wrong is refused with the reason."""

import json
from dataclasses import replace
from zipfile import ZipFile

import numpy as np
import pytest
from facevox.benchmarks.core.embeddings import Embeddings, Vectors


def vectors(prefix, people, each, dimension=4, seed=0):
    values = np.random.default_rng(seed).standard_normal((people * each, dimension)).astype(np.float32)
    names = np.repeat([f"id{n:04d}" for n in range(people)], each)
    return Vectors(values, np.array([f"{prefix}{n}" for n in range(len(names))]), names)


@pytest.fixture
def embeddings():
    facts = {f"id{n:04d}": {"gender": "mf"[n % 2]} for n in range(4)}
    return Embeddings(vectors("v", 4, 3), vectors("f", 4, 2, seed=1), "d1" * 32, facts, "vfmr seed 0")


def test_saved_is_loaded(embeddings, tmp_path):
    embeddings.save(tmp_path / "E.npz")
    found = Embeddings.load(tmp_path / "E.npz")
    for kind in ("voices", "faces"):
        for part in ("values", "keys", "identities"):
            assert (getattr(getattr(found, kind), part) == getattr(getattr(embeddings, kind), part)).all()
    assert (found.folder, found.model, found.facts) == (embeddings.folder, embeddings.model, embeddings.facts)
    assert found.genders.tolist() == ["male", "female", "male", "female"]
    assert [path.name for path in tmp_path.iterdir()] == ["E.npz"]


def test_another_folder_is_refused(embeddings):
    assert embeddings.of("d1" * 32) is embeddings
    with pytest.raises(ValueError, match=r"folder of digest d1d1d1d1d1d1, this one has eeeeeeeeeeee\. Give --data"):
        embeddings.of("e" * 64)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_no_numbers_are_refused(embeddings, wrong):
    values = embeddings.voices.values.copy()
    values[5, 2] = values[7, 0] = wrong
    with pytest.raises(ValueError, match="vector of v5 and 1 more hold NaN or infinity"):
        replace(embeddings.voices, values=values)


def test_mixed_or_partial_inputs_are_refused(embeddings):
    with pytest.raises(ValueError, match="voices of 4 dimensions and faces of 5"):
        replace(embeddings, faces=vectors("f", 4, 2, dimension=5))
    with pytest.raises(ValueError, match="id0003 and 0 more identities have voices and no faces"):
        replace(embeddings, faces=vectors("f", 3, 2))
    with pytest.raises(ValueError, match="id0003 and 0 more identities have faces and no voices"):
        replace(embeddings, voices=vectors("v", 3, 2))
    with pytest.raises(ValueError, match="key v0 comes 2 times"):
        replace(embeddings.voices, keys=np.array(["v0", *embeddings.voices.keys[:-1]]))
    with pytest.raises(ValueError, match="sample v1 has no identity"):
        replace(embeddings.voices, identities=np.array(["a", "", *["b"] * 10]))
    with pytest.raises(ValueError, match=r"expected \(N, D\)"):
        Vectors(np.zeros((0, 4)), np.array([], str), np.array([], str))


def test_other_files_are_refused(embeddings, tmp_path):
    path = tmp_path / "E.npz"
    path.write_bytes(b"no zip")
    with pytest.raises(ValueError, match=r"E\.npz: no embeddings that can be used: File is not a zip"):
        Embeddings.load(path)
    np.savez(path, values=np.zeros(3))
    with pytest.raises(ValueError, match="about is missing"):
        Embeddings.load(path)
    embeddings.save(path)
    parts = dict(np.load(path))
    np.savez(path, **{**parts, "about": np.array(json.dumps({"format": "other"}))})
    with pytest.raises(ValueError, match="expected 'facevox embeddings 1'"):
        Embeddings.load(path)
    np.savez(path, **{**parts, "voices.keys": parts["voices.keys"].astype(object)})
    with pytest.raises(ValueError, match="voices.keys: shape"):
        Embeddings.load(path)


@pytest.mark.parametrize("packed", [False, True])
def test_a_damaged_file_is_refused_or_reads_the_same(embeddings, tmp_path, packed):
    embeddings.save(tmp_path / "E.npz")
    if packed:
        np.savez_compressed(tmp_path / "E.npz", **dict(np.load(tmp_path / "E.npz")))
    whole, refused = (tmp_path / "E.npz").read_bytes(), 0
    broken = [whole[:end] for end in range(0, len(whole), 101)]
    # The tail holds the list of members: every bit of it may send the reader elsewhere.
    places = [*range(0, len(whole), 29), *range(len(whole) - 22, len(whole))]
    for at in places:
        for bits in (0x01, 0x80):
            broken.append(whole[:at] + bytes([whole[at] ^ bits]) + whole[at + 1 :])
    for data in broken:
        (tmp_path / "bad.npz").write_bytes(data)
        try:
            found = Embeddings.load(tmp_path / "bad.npz")
        except ValueError as error:
            assert "bad.npz: no embeddings that can be used" in str(error)
            assert "Write them again" in str(error) and "unsafely" not in str(error)
            refused += 1
        else:
            assert np.array_equal(found.voices.values, embeddings.voices.values)
            assert np.array_equal(found.faces.identities, embeddings.faces.identities)
    assert refused > len(broken) / 2
    with pytest.raises(FileNotFoundError):
        Embeddings.load(tmp_path / "none.npz")


def test_damage_within_a_member_is_named(embeddings, tmp_path):
    embeddings.save(tmp_path / "E.npz")
    whole, values = (tmp_path / "E.npz").read_bytes(), embeddings.faces.values.tobytes()
    at = whole.index(values) + len(values) // 2
    (tmp_path / "E.npz").write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
    with pytest.raises(ValueError, match=r"E\.npz: .*Bad CRC-32 for file 'faces\.values\.npy'"):
        Embeddings.load(tmp_path / "E.npz")


def test_a_header_that_promises_more_than_there_is(embeddings, tmp_path):
    """Nothing is allocated for it."""
    embeddings.save(tmp_path / "E.npz")
    with ZipFile(tmp_path / "E.npz") as good, ZipFile(tmp_path / "bad.npz", "w") as bad:
        for name in good.namelist():
            short, long = b"(12, 4), }", b"(1200000000, 400), }"
            bad.writestr(name, good.read(name).replace(short + b" " * (len(long) - len(short)), long))
    with pytest.raises(
        ValueError, match=r"bad\.npz: .* voices\.values: shape \(1200000000, 400\) of float32 in 320 bytes"
    ):
        Embeddings.load(tmp_path / "bad.npz")


def test_a_header_that_is_none(embeddings, tmp_path):
    embeddings.save(tmp_path / "E.npz")
    with ZipFile(tmp_path / "E.npz") as good, ZipFile(tmp_path / "bad.npz", "w") as bad:
        for name in good.namelist():
            bad.writestr(name, good.read(name).replace(b"(12, 4), }", b"(12, 4), ("))
    with pytest.raises(ValueError, match=r"bad\.npz: no embeddings that can be used"):
        Embeddings.load(tmp_path / "bad.npz")


def test_joined_vectors_are_means_of_groups_of_one_person(embeddings):
    joined = embeddings.joined(voices=2, faces=5, seed=3)
    assert joined.voices.identities.tolist() == ["id0000", "id0001", "id0002", "id0003"]
    assert np.linalg.norm(joined.voices.values, axis=1) == pytest.approx(1)
    own = embeddings.faces.values[:2] / np.linalg.norm(embeddings.faces.values[:2], axis=1, keepdims=True)
    mean = own.mean(0)
    assert joined.faces.values[0] == pytest.approx(mean / np.linalg.norm(mean))
    assert embeddings.joined().voices is embeddings.voices


def test_some_people_and_the_other_way_round(embeddings):
    assert embeddings.only(["id0002", "id0000"]).people == ("id0000", "id0002")
    assert embeddings.swapped().voices is embeddings.faces
    with pytest.raises(ValueError, match="no embeddings of nobody"):
        embeddings.only(["nobody"])
