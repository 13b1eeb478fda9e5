"""`facevox stats` counts a built folder as an independent count of the forged release does."""

import json
import shutil
from collections import Counter

import facevox
import pyarrow.parquet as pq
import pytest
from facevox.cli import main
from facevox.loaders.folder import Folder
from facevox.loaders.rows import read_rows
from facevox.loaders.statistics import statistics

WORDS = {"train": "train", "valid": "validation", "test": "test"}
SPLITS = (*WORDS.values(), "total")


@pytest.fixture(scope="module")
def found(built):
    return statistics(built["tar"])


@pytest.fixture(scope="module")
def made(truth):
    """The forged release's own account: people and clips, with the split's name in our words."""
    whole = json.loads(truth.read_text())
    people = {int(number): {**who, "split": WORDS[who["split"]]} for number, who in whole["subjects"].items()}
    clips = [{**clip, "split": people[clip["subject"]]["split"]} for clip in whole["clips"].values()]
    return people, clips


def rows_of(found, title: str) -> list[tuple]:
    return [row for table in found.tables if table.title.startswith(title) for row in table.rows]


def counted(values) -> tuple:
    """How many of each split, then in all."""
    per = Counter(values)
    return (*(per[split] for split in SPLITS[:-1]), per.total())


def test_table_2_equals_the_truth(found, made):
    people, clips = made
    lines, name = {}, ""
    for row in rows_of(found, "Table 2"):
        name = row[0] or name
        if row[1] == "built":
            lines[name] = row[2:]
    spoken = [clip for clip in clips if clip["session"] == 2]
    silent = [clip for clip in clips if clip["session"] == 1]
    said = {s: [w for c in spoken if s in (c["split"], "total") for w in c["said"].lower().split()] for s in SPLITS}
    frames = {
        session: tuple(sum(c["frames"] for c in chosen if split in (c["split"], "total")) for split in SPLITS)
        for session, chosen in ((1, silent), (2, spoken))
    }
    assert lines["speakers"] == counted(who["split"] for who in people.values())
    assert lines["utterances"] == counted(clip["split"] for clip in spoken)
    assert lines["unique commands"] == counted(split for split, _ in {(c["split"], c["command"]) for c in spoken})
    assert lines["words"] == tuple(map(len, said.values()))
    assert lines["unique words"] == tuple(len(set(words)) for words in said.values())
    assert lines["image pairs, session 1"] == frames[1]
    assert lines["image pairs, session 2"] == frames[2]
    assert lines["hours, session 2"] == pytest.approx([count / 28 / 3600 for count in frames[2]])
    frame_bytes = 3 * (384 * 256 + 232 * 174)
    sound = [sum(4 * c["samples"] for c in spoken if split in (c["split"], "total")) for split in SPLITS]
    raw = [(a + b) * frame_bytes + s for a, b, s in zip(frames[1], frames[2], sound, strict=True)]
    assert lines["TB uncompressed"] == pytest.approx([size / 1e12 for size in raw])


def test_table_3_and_accessories_equal_the_truth(found, made):
    people, clips = made
    spoken = [clip for clip in clips if clip["session"] == 2]
    names = {"text": "text_code"}
    for stream, code, _, *counts, _ in rows_of(found, "Table 3")[:-1]:
        wanted = [c["split"] for c in spoken if c["codes"][names.get(stream, stream)] == code]
        assert tuple(counts) == counted(wanted), (stream, code)
    clean = counted(clip["split"] for clip in spoken if not any(clip["codes"].values()))
    assert rows_of(found, "Table 3")[-1][3:7] == clean
    table = {row[:2]: row[2:] for row in rows_of(found, "People")}
    for trial in (1, 2):
        for kind in {who["accessories"][trial - 1] for who in people.values()}:
            worn = counted(who["split"] for who in people.values() if who["accessories"][trial - 1] == kind)
            assert table[f"worn in trial {trial}", kind] == worn
    for fact in ("gender", "ethnicity"):
        for value in {who[fact] for who in people.values()}:
            assert table[fact, value] == counted(who["split"] for who in people.values() if who[fact] == value)


def test_our_verdicts_are_counted_beside_the_releases_codes(found, built):
    spoken = [row for row in built["tar"].index.to_pylist() if row["config"] == "utterances"]
    agreement = {row[0]: row[1:] for row in rows_of(found, "Artifacts: the release")}
    for name, code, bit, verdict in (
        ("thermal: frozen", "thermal_code", 1, "frozen"),
        ("visual: blurred", "visual_code", 1, "blurred"),
    ):
        pairs = Counter((bool(row[code] & bit), row[verdict]) for row in spoken)
        cases = ((True, True), (True, False), (False, True), (False, False))
        assert agreement[name] == (len(spoken), *(pairs[case] for case in cases))


def test_all_formats_count_alike_but_for_their_own_size(built, found):
    for name in ("parquet", "arrow"):
        assert statistics(built[name]).tables == found.tables


def test_what_is_said_here_is_about_this_folder(found, made):
    people, clips = made
    here = {row[0]: row[3] for row in found.errata.rows}
    assert len(here) == 17
    ages = [who["age"] for who in people.values()]
    assert here[7] == f"{min(ages)} to {max(ages)}"
    assert here[6] == str(sum(clip["session"] == 2 for clip in clips))
    silent, spoken = (sum(c["frames"] for c in clips if c["session"] == session) for session in (1, 2))
    assert here[4] == f"{spoken:,} + {silent:,} = {spoken + silent:,}"
    assert here[10] == "the same samples in 0 of 24 utterances"
    assert all(here[number] is None for number in (11, 12, 13, 14, 15, 16))
    assert {row[0] for row in found.applying.rows} == {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 17}


def test_a_folder_without_stills_says_so(release, build_folder, tmp_path):
    folder = build_folder(release, tmp_path / "out", configs=("utterances",), subjects="1-100", limit=2)
    found = statistics(folder)
    rows = rows_of(found, "Table 2")
    at = next(number for number, row in enumerate(rows) if row[0] == "image pairs, session 1")
    assert rows[at + 1][2:] == ("not built",) * 4 and rows[at + 2][2:] == (None,) * 4
    assert "Not built here: stills." in found.text()
    assert {row[0] for row in found.applying.rows}.isdisjoint({1, 2, 4})
    card = (folder.path / "README.md").read_text()
    assert "| image pairs, session 1 | published (wrong: 1, 2) |" in card and "not built" in card


def test_the_card_holds_the_tables_and_no_picture(built, found):
    for folder in built.values():
        card = (folder.path / "README.md").read_text()
        assert found.tables[0].markdown(3) in card
        assert all(f"### {table.title}\n" in card for table in found.tables)
        assert "## Known inconsistencies of the release" in card
        assert str(folder.path) not in card
        assert not list(folder.path.rglob("*.png"))


def test_frame_lists_and_shards_are_not_read(built, tmp_path):
    shutil.copytree(built["tar"].path / "tables", tmp_path / "folder" / "tables")
    folder = Folder(tmp_path / "folder")
    assert statistics(folder).tables == statistics(built["tar"]).tables
    rows = read_rows(folder, ("gender", "no such fact"))
    assert not any(isinstance(value, list | dict) for column in rows.columns.values() for value in column)
    assert rows["no such fact"] == [None] * 48 and rows.configs == ("stills", "utterances")


@pytest.mark.parametrize(("form", "ending"), [("text", "txt"), ("markdown", "md"), ("json", "json")])
def test_the_command_prints_and_draws(built, tmp_path, capsys, form, ending):
    assert main(["stats", str(built["tar"].path), "--format", form, "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert (tmp_path / f"statistics.{ending}").read_text() == printed
    first = (tmp_path / "statistics.png").read_bytes()
    assert first[:4] == b"\x89PNG" and b"matplotlib" not in first.lower()
    if form == "json":
        content = json.loads(printed)
        assert len(content["tables"][-1]["rows"]) == 17
        lengths = next(panel for panel in content["histograms"] if panel["title"] == "Length")
        assert sum(lengths["series"]["utterances"]) == 24
        facevox.stats(built["tar"].path, tmp_path)
        assert (tmp_path / "statistics.png").read_bytes() == first


def test_bad_use_is_told_in_one_line(built, tmp_path, capsys):
    folder = str(built["tar"].path)
    assert main(["stats", folder, "--out", f"{folder}/figures"]) == 2
    assert "takes no further files" in capsys.readouterr().err
    assert main(["stats", str(tmp_path)]) == 2
    assert "no dataset folder" in capsys.readouterr().err
    with pytest.raises(ValueError, match="expected one of text, markdown, json"):
        facevox.stats(folder, format="html")
    shutil.copytree(built["tar"].path / "tables", tmp_path / "tables")
    path = tmp_path / "tables" / "identities.parquet"
    table = pq.read_table(path)
    strange = [f"../{name}" for name in table["identity"].to_pylist()]
    pq.write_table(table.set_column(0, "identity", [strange]), path)
    assert main(["stats", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "people of '..'" in said and len(said.splitlines()) == 1
