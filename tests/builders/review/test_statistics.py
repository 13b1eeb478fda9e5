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
