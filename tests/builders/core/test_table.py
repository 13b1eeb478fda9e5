"""Tables whose spelling is not certain."""

import pytest
from facevox.builders.core.table import read_table

COLUMNS = {"command_id": ("cmd_id",), "transcription": ("transcript",), "note?": ()}


@pytest.mark.parametrize("header", ["command_id,transcription", "Command ID,TRANSCRIPT", "cmd-id,Transcription,extra"])
def test_known_spellings(header):
    rows = read_table(f"\ufeff{header}\r\n 7 ,None\r\n\r\n".encode(), COLUMNS, "t.csv")
    assert rows == [{"command_id": "7", "transcription": "None", "note": ""}]


def test_unknown_spellings_show_what_was_seen_and_what_is_known():
    with pytest.raises(
        ValueError, match=r"t.csv: no column for 'command_id'; the header is \['number', 'said'\].*cmd_id"
    ):
        read_table(b"number,said\n1,x\n", COLUMNS, "t.csv")
    with pytest.raises(ValueError, match=r"the header is \[\]"):
        read_table(b"", COLUMNS, "t.csv")


def test_short_rows_are_padded():
    assert read_table(b"cmd_id,transcript\n5\n", COLUMNS, "t.csv")[0]["transcription"] == ""


def test_columns_parted_by_tabs():
    rows = read_table(b"Command ID \tTranscript \n7 \ta, b \n", COLUMNS, "t.tsv", "\t")
    assert rows == [{"command_id": "7", "transcription": "a, b", "note": ""}]
