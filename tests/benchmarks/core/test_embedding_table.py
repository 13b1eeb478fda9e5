"""Tables of embeddings: the same out of every format, and refused with file, row and reason."""

import numpy as np
import pyarrow as pa
import pytest
from facevox.benchmarks.core.embedding_table import read_embeddings
from pyarrow import csv, parquet

VECTORS = np.arange(48.0).reshape(4, 12) / 7
LABELS = ["12", "7", "7", "12"]


def written(path, vectors=VECTORS, labels=LABELS, name="embedding"):
    """The table in the format of the path's ending."""
    if path.suffix == ".npz":
        np.savez(path, sub_id=np.array(labels), **{name: np.array(vectors)})
    elif path.suffix == ".csv":
        columns = {f"e{at}": np.asarray(vectors)[:, at] for at in range(np.shape(vectors)[1] - 1, -1, -1)}
        csv.write_csv(pa.table({"sub_id": labels, "frame9": ["x"] * len(labels), **columns}), path)
    else:
        parquet.write_table(pa.table({"sub_id": labels, name: [list(row) for row in vectors]}), path)
    return path


@pytest.mark.parametrize("ending", [".npz", ".csv", ".parquet"])
def test_all_formats_hold_the_same(tmp_path, ending):
    table = read_embeddings(written(tmp_path / f"e{ending}"))
    assert np.array_equal(table.vectors, VECTORS)
    assert table.labels.tolist() == LABELS
    assert table.people.tolist() == ["12", "7"]
    assert table.digest == read_embeddings(written(tmp_path / "again.npz")).digest


@pytest.mark.parametrize("ending", [".npz", ".csv", ".parquet"])
def test_nan_is_refused_with_its_row(tmp_path, ending):
    broken = VECTORS.copy()
    broken[2, 5] = np.nan
    with pytest.raises(ValueError, match=f"e{ending}, row 2: NaN or infinity in the vector of 7"):
        read_embeddings(written(tmp_path / f"e{ending}", broken))


def test_vectors_of_several_sizes_are_refused(tmp_path):
    with pytest.raises(ValueError, match="row 1: a vector of 2 numbers, the first row has 3"):
        read_embeddings(written(tmp_path / "e.parquet", [[1.0, 2, 3], [1, 2]], ["a", "b"]))
    objects = np.empty(2, object)
    objects[:] = [np.zeros(3), np.zeros(2)]
    np.savez(tmp_path / "e.npz", embedding=objects, sub_id=["a", "b"])
    with pytest.raises(ValueError, match="e.npz, embedding: .* are never unpickled"):
        read_embeddings(tmp_path / "e.npz")
    (tmp_path / "e.csv").write_text("label,e0,e1\na,1,2\nb,1\n")
    with pytest.raises(ValueError, match="e.csv: .*Expected 3 columns, got 2"):
        read_embeddings(tmp_path / "e.csv")


def test_missing_labels_are_refused(tmp_path):
    np.savez(tmp_path / "e.npz", embedding=VECTORS)
    with pytest.raises(ValueError, match="no labels; expected one of sub_id, subject"):
        read_embeddings(tmp_path / "e.npz")
    with pytest.raises(ValueError, match="row 3: sub_id is missing"):
        read_embeddings(written(tmp_path / "e.parquet", VECTORS, ["a", "b", "c", None]))
    np.savez(tmp_path / "e.npz", embedding=VECTORS, label=np.array([1.0, 2.0, np.nan, 4.0]))
    with pytest.raises(ValueError, match="row 2: label is missing"):
        read_embeddings(tmp_path / "e.npz")
    np.savez(tmp_path / "e.npz", embedding=VECTORS, label=LABELS[:3])
    with pytest.raises(ValueError, match="4 vectors and 3 labels"):
        read_embeddings(tmp_path / "e.npz")


def test_no_table_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such table"):
        read_embeddings(tmp_path / "e.npz")
    for name, reason in (
        ("e.npz", "no .npz file"),
        ("e.pkl", "expected a table of embeddings as .npz, .csv, .parquet"),
    ):
        (tmp_path / name).write_bytes(b"nothing of the kind")
        with pytest.raises(ValueError, match=reason):
            read_embeddings(tmp_path / name)
    with pytest.raises(ValueError, match="no vectors; expected embedding"):
        read_embeddings(written(tmp_path / "e.parquet", name="other"))
    with pytest.raises(ValueError, match="holds no vectors"):
        read_embeddings(written(tmp_path / "e.npz", np.zeros((0, 3)), []))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_file_is_refused_or_reads_the_same(tmp_path, save):
    save(tmp_path / "e.npz", embedding=VECTORS, sub_id=np.array(LABELS))
    whole, refused = (tmp_path / "e.npz").read_bytes(), 0
    broken = [whole[:end] for end in range(0, len(whole), 31)]
    for at in range(0, len(whole), 3):
        for bits in (0x01, 0x80):
            broken.append(whole[:at] + bytes([whole[at] ^ bits]) + whole[at + 1 :])
    for data in broken:
        (tmp_path / "bad.npz").write_bytes(data)
        try:
            table = read_embeddings(tmp_path / "bad.npz")
        except ValueError as error:
            assert "bad.npz" in str(error) and "unsafely" not in str(error)
            refused += 1
        else:
            assert np.array_equal(table.vectors, VECTORS) and table.labels.tolist() == LABELS
    assert refused > len(broken) / 2
