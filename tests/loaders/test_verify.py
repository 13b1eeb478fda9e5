"""`verify` finds every kind of damage."""

import hashlib
import json
import random
import shutil

import pyarrow.parquet as pq
import pytest
from facevox.loaders.folder import TABLES, FolderError
from facevox.loaders.verify import VerifyOptions, _parsed_sums, check
from facevox.loaders.verify_working import check_decisions, check_working


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


def places(size: int, chance: random.Random) -> list[int]:
    """A file's first and last byte and two at random."""
    return sorted({0, size - 1, chance.randrange(size), chance.randrange(size)})


def test_one_flipped_bit_in_any_kind_of_file_is_found(copy):
    """Shards (headers, members, padding, footers), tables, cards and the list of checksums itself."""
    chance = random.Random(1)
    files = [p.relative_to(copy).as_posix() for p in sorted(copy.rglob("*")) if p.is_file() and ".build" not in p.parts]
    shards = [name for name in files if name.startswith("data/")]
    for name in [*(set(files) - {*shards}), *chance.sample(shards, 2)]:
        whole = (copy / name).read_bytes()
        for place in places(len(whole), chance):
            broken = bytearray(whole)
            broken[place] ^= 1 << chance.randrange(8)
            (copy / name).write_bytes(bytes(broken))
            try:
                problems = check(copy).problems
            except FolderError as error:
                problems = [str(error)]
            assert any(name in problem or name == "checksums.sha256" for problem in problems), (name, place)
        (copy / name).write_bytes(whole)
    assert not check(copy).problems


def test_flipped_bits_in_the_working_state_are_found_where_a_build_would_write_them(copy):
    chance, tables = random.Random(4), {name: pq.read_table(copy / "tables" / f"{name}.parquet") for name in TABLES}
    assert list(check_working(copy, tables, True)) == []
    files = [copy / ".build" / "plan.json", *chance.sample(sorted((copy / ".build" / "shards").rglob("*.json")), 2)]
    for file in files:
        whole = file.read_bytes()
        missed = []
        for place in chance.sample(range(len(whole)), 12):
            broken = bytearray(whole)
            broken[place] ^= 1 << chance.randrange(8)
            file.write_bytes(bytes(broken))
            if not list(check_working(copy, tables, True)):
                missed.append(bytes(broken))
        file.write_bytes(whole)
        # Decimals beyond what the tables hold: the next build writes the same.
        assert all(json.loads(broken, parse_float=lambda t: t[:6]) == rounded(whole) for broken in missed), file


def rounded(data: bytes):
    return json.loads(data, parse_float=lambda text: text[:6])


def test_no_bit_of_the_list_of_checksums_can_flip_unseen(built):
    """Every bit: another digest, another name, a list that is none, or one that no build writes."""
    file = built["tar"].path / "checksums.sha256"
    whole = file.read_bytes()
    sums = _parsed_sums(whole, file)
    assert sums[1] == []
    for place in range(len(whole)):
        for bit in range(8):
            broken = bytearray(whole)
            broken[place] ^= 1 << bit
            try:
                assert _parsed_sums(bytes(broken), file) != sums, (place, bit)
            except FolderError:
                continue


def test_a_sample_reads_what_it_says_and_no_more(copy):
    few = check(copy, options=VerifyOptions(sample=5))
    assert few.problems == []
    assert (few.sampled, few.samples) == (5, 48)
    shards = sum(file.stat().st_size for file in (copy / "data").rglob("*.*"))
    others = sum(file.stat().st_size for file in [*copy.glob("*.md"), *(copy / "tables").iterdir()])
    assert others < few.bytes < others + shards / 2
    words = " ".join(few.lines())
    assert "5 of 48 samples" in words and "not read" in words and "sound" not in words
    assert check(copy, options=VerifyOptions(sample=5)).bytes == few.bytes
    assert check(copy, options=VerifyOptions(sample=5, seed=1)).bytes != few.bytes
    assert check(copy, options=VerifyOptions(sample=0.25)).sampled == 12
    assert check(copy, options=VerifyOptions(sample=1000)).sampled == 48


def test_a_sample_finds_damaged_members_and_shards_of_another_size(copy):
    for file in (copy / "data").rglob("*.*"):
        data = bytearray(file.read_bytes())
        middle = len(data) // 4
        data[middle : middle * 3] = bytes(byte ^ 1 for byte in data[middle : middle * 3])
        file.write_bytes(bytes(data))
    assert any(
        "does not match the index" in problem for problem in check(copy, options=VerifyOptions(sample=24)).problems
    )
    cut = sorted((copy / "data").rglob("*.*"))[0]
    cut.write_bytes(cut.read_bytes()[:-1])
    assert any("the manifest says" in problem for problem in check(copy, options=VerifyOptions(sample=1)).problems)


NOT_FINITE = ({"sample": float("nan")}, {"sample": float("inf")})


@pytest.mark.parametrize("options", [{"workers": 0}, {"sample": 0}, {"sample": -0.5}, {"sample": 1.5}, *NOT_FINITE])
def test_options_that_mean_nothing_are_refused(built, options):
    with pytest.raises(ValueError, match="expected"):
        check(built["tar"].path, options=VerifyOptions(**options))


def test_every_byte_is_read_once_by_any_number_of_workers(copy):
    told = []
    verdict = check(copy, told.append, VerifyOptions(workers=4))
    sizes = [p.stat().st_size for p in copy.rglob("*") if p.is_file() and ".build" not in p.parts]
    assert sum(told) == verdict.bytes == sum(sizes) - (copy / "checksums.sha256").stat().st_size
    assert verdict.problems == []


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


def test_changes_of_what_people_said_are_noted_and_run_facts_that_cannot_be_read_are_problems(built, tmp_path):
    folder = tmp_path / "folder"
    shutil.copytree(built["tar"].path, folder)
    assert check(folder, options=VerifyOptions(sample=1)).notes == []
    review = folder / "review.jsonl"
    followed = b'{"key": "one"}\n{"key": "two"}\n'
    review.write_bytes(followed)
    told = check(folder, options=VerifyOptions(sample=1))
    note = "review.jsonl changed since the last build: 2 decisions not yet followed; build again"
    assert (told.problems, told.notes) == ([], [note]) and f"note: {note}" in told.lines()
    read = {"size": len(followed), "sha256": hashlib.sha256(followed).hexdigest()}
    (folder / ".build" / "followed.json").write_text(json.dumps(read))
    assert list(check_decisions(folder)) == []
    for place in range(len(followed)):
        review.write_bytes(followed[:place] + bytes([followed[place] ^ 1]) + followed[place + 1 :])
        assert "are others or gone" in next(check_decisions(folder))
    review.write_bytes(followed + b'{"key": "three"}\n')
    assert "1 decisions not yet followed" in next(check_decisions(folder))
    review.unlink()
    assert "are others or gone" in next(check_decisions(folder))
    runs = folder / ".build" / "runs.jsonl"
    runs.write_bytes(b"[" + runs.read_bytes()[1:])
    assert any("runs.jsonl, line 1: unreadable" in p for p in check(folder, options=VerifyOptions(sample=1)).problems)
