"""The view statistics without a browser: the tables of `facevox stats`."""

from facevox.loaders.folder import Folder
from facevox.loaders.statistics import statistics


def test_tables_are_those_of_the_command(client, picked):
    own, counted = client(picked), statistics(Folder(picked))
    found = own.get("/api/statistics/tables").json()
    assert [table["title"] for table in found["tables"]] == [
        table.title for table in (*counted.tables, counted.applying)
    ]
    first = found["tables"][0]
    assert first["rows"][0][:3] == ["identities", "published", "2,890"] and first["numbers"][:3] == [False, False, True]


def test_people_who_judged_the_same_stand_before_the_tables(client, picked):
    ann, ben = client(picked), client(picked, who="ben")
    rows = [row for row in Folder(picked).index.to_pylist() if row["config"] == "faces"]
    keys = [row["key"] for row in rows][:2]
    for who, verdicts in ((ann, ("keep", "leave out")), (ben, ("keep", "keep"))):
        for key, verdict in zip(keys, verdicts, strict=True):
            assert who.post("/api/decide", json={"key": key, "about": "face", "verdict": verdict}).status_code == 200
    agreement, apart = ann.get("/api/statistics/tables").json()["tables"][:2]
    assert (agreement["title"], agreement["rows"]) == ("Agreement of people", [["face", "ann and ben", "2", "1", "0"]])
    assert apart["rows"] == [[keys[1], "face", "ann says leave out, ben says keep"]]
