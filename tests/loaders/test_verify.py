"""`verify` finds every kind of damage."""

import random
import shutil

import pyarrow.parquet as pq
import pytest
from facevox.loaders.folder import FolderError
from facevox.loaders.verify import check


@pytest.fixture(params=["tar", "parquet", "arrow"])
def copy(request, built, tmp_path):
    shutil.copytree(built[request.param].path, tmp_path / "folder")
    return tmp_path / "folder"


def test_sound_folders_are_sound(copy):
    verdict = check(copy)
    assert verdict.problems == []
    assert verdict.samples == 48
    assert verdict.members == 24 * 4 + 24 * 2
    assert verdict.lines()[-1] == "sound"


def test_one_flipped_bit_in_any_file_is_found(copy):
    chance = random.Random(1)
    for file in sorted(p for p in copy.rglob("*") if p.is_file() and ".build" not in p.parts):
        if file.name == "checksums.sha256":
            continue
        whole = file.read_bytes()
        broken = bytearray(whole)
        broken[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        file.write_bytes(bytes(broken))
        assert any(file.name in problem for problem in check(copy).problems), file
        file.write_bytes(whole)
    assert not check(copy).problems


def test_missing_extra_and_truncated_files_are_found(copy):
    shard = sorted((copy / "data").rglob("*-00000.*"))[0]
    (shard.parent / "train-00099.tar").write_bytes(b"extra")
    assert any("not listed" in problem for problem in check(copy).problems)
    (shard.parent / "train-00099.tar").unlink()
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-100_000])
    assert any("does not match its checksum" in problem for problem in check(copy).problems)
    shard.unlink()
    assert any("missing" in problem for problem in check(copy).problems)


def resign(folder, name: str) -> None:
    """Make checksums.sha256 agree with a changed file, so that only the deeper checks can object."""
    from facevox.loaders.folder import file_sha256

    sums = folder / "checksums.sha256"
    lines = [line.split("  ") for line in sums.read_text().splitlines()]
    sums.write_text("".join(f"{file_sha256(folder / n) if n == name else digest}  {n}\n" for digest, n in lines))


def change(folder, table: str, edit) -> None:
    path = folder / "tables" / f"{table}.parquet"
    found = pq.read_table(path)
    pq.write_table(edit(found), path)
    resign(folder, f"tables/{table}.parquet")


def test_tables_that_contradict_the_shards_are_found(copy):
    def shifted(index):
        rows = index.to_pylist()
        rows[0]["fields"][0]["offset"] += 1
        return type(index).from_pylist(rows, schema=index.schema)

    index = (copy / "tables" / "index.parquet").read_bytes()
    for edit, words in (
        (shifted, "does not match the index"),
        (lambda t: t.slice(1), "in the manifest|neither kept nor left out"),
        (
            lambda t: t.set_column(t.schema.get_field_index("identity"), "identity", [["somebody"] * t.num_rows]),
            "more than one split",
        ),
        (lambda t: t.set_column(t.schema.get_field_index("key"), "key", [["same"] * t.num_rows]), "occur twice"),
    ):
        change(copy, "index", edit)
        import re

        assert any(re.search(words, problem) for problem in check(copy).problems), words
        (copy / "tables" / "index.parquet").write_bytes(index)
        resign(copy, "tables/index.parquet")
    assert not check(copy).problems


def edited(column: str, value):
    """A table edit that replaces one column by value(old values)."""

    def edit(table):
        rows = table.to_pylist()
        for number, row in enumerate(rows):
            row[column] = value(row[column], number)
        return type(table).from_pylist(rows, schema=table.schema)

    return edit


def in_fields(**changes):
    def edit(fields, _):
        return [{**entry, **{name: change(entry[name]) for name, change in changes.items()}} for entry in fields]

    return edited("fields", edit)


@pytest.mark.parametrize(
    ("table", "edit", "words"),
    [
        ("index", edited("row", lambda row, _: row + 1), "not numbered"),
        ("index", edited("gender", lambda *_: "Other"), "gender is .* in the shard, 'Other' in the index"),
        ("index", edited("split", lambda *_: "dev"), "split 'dev'"),
        ("index", edited("key", lambda key, _: "../" + key), "key '../"),
        ("index", edited("shard", lambda *_: "../secret.tar"), "expected one like"),
        ("index", edited("fields", lambda fields, _: fields[:1]), "the index lists others"),
        (
            "index",
            in_fields(width=lambda width: width + 1 if width else 0),
            "frame table of the index is not the clip's",
        ),
        ("index", in_fields(frame_offset=lambda at: [n + 7 for n in at]), "frame table of the index is not the clip's"),
        ("index", in_fields(offset=lambda _: None), "nulls in the index"),
        ("index", lambda t: t.drop_columns(["identity"]), "columns missing: identity"),
        ("manifest", edited("sha256", lambda *_: "0" * 64), "another sha256"),
        ("manifest", lambda t: t.drop_columns(["units"]), "columns missing: units"),
        ("identities", lambda t: t.slice(1), "5 people, the index has 6"),
    ],
)
def test_tables_that_lie_are_found_though_every_checksum_agrees(copy, table, edit, words):
    import re

    change(copy, table, edit)
    assert any(re.search(words, problem) for problem in check(copy).problems), check(copy).problems[:3]


def test_unreadable_plans_and_checksums_are_problems_not_crashes(copy):
    (copy / ".build" / "plan.json").write_text("[]")
    assert any("plan.json: unreadable" in problem for problem in check(copy).problems)
    (copy / "checksums.sha256").write_bytes(b"\xff\xfe nonsense")
    with pytest.raises(FolderError, match="not a list"):
        check(copy)


def test_a_folder_without_checksums_is_not_finished(copy):
    (copy / "checksums.sha256").unlink()
    with pytest.raises(FolderError, match="run the build command again"):
        check(copy)


def test_checksums_that_point_outside_are_refused(copy):
    with (copy / "checksums.sha256").open("a") as sums:
        sums.write("0" * 64 + "  ../../etc/passwd\n")
    with pytest.raises(FolderError, match="not a list"):
        check(copy)
