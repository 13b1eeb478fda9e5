"""Recording plans and the rescue table: every rule by an example, every unreadable row by its number."""

import pytest
from facevox.builders.stages.recording_plan import RATE, Cut, cuts, read_plan, read_rescue, whole_frames

PLAN = b""",commands,command_id,pos_id,start_fr_id,end_fr_id\r
0,open the door,11,1,1,100\r
1,close the door,12,1,101,180\r
2,play a song,13,1,181,260\r
3,stop,11,2,1,60\r
"""
HEADER = "raw_audio_name,begin_timestamp,end_timestamp,new_name,comment,\n"


def rescued(rows: str, as_recorded: bool = False) -> dict[int, Cut]:
    """Cuts of position 1 by command, with the rescue table applied."""
    plan, problems = read_plan(PLAN, "plan.csv", 1)
    assert problems == []
    rescue = read_rescue((HEADER + rows).encode(), "s.csv", as_recorded)
    found = [cut for cut in cuts(plan, rescue, "s.csv") if cut.place.position == 1]
    assert len({cut.place for cut in found}) == len(found)
    return {cut.place.command: cut for cut in found}


def test_frames_are_counted_in_whole_numbers():
    assert [whole_frames(1575 * count) for count in range(1, 901)] == list(range(1, 901))
    assert [whole_frames(1575 * count - 1) for count in range(1, 901)] == list(range(900))
    lost = [count for count in range(1, 901) if int(1575 * count / 44_100 * 28) != count]
    assert (len(lost), lost[:4]) == (17, [61, 115, 122, 230])


def test_a_plan_is_cut_as_it_says():
    found = rescued("")
    assert {command: cut.pieces for command, cut in found.items()} == {
        11: ((1, 100),), 12: ((101, 180),), 13: ((181, 260),),
    }  # fmt: skip
    assert found[12].text == "close the door"
    assert all((cut.begin, cut.end, cut.rescue, cut.problem) == (0, None, "", "") for cut in found.values())


def test_the_text_column_may_be_headed_by_anything_and_the_others_by_known_words():
    other = PLAN.replace(b"commands,command_id", b"prompt shown,Cmd ID").replace(b"start_fr_id", b"Start-Frame")
    assert read_plan(other, "plan.csv", 1)[0] == read_plan(PLAN, "plan.csv", 1)[0]
    with pytest.raises(ValueError, match=r"plan\.csv: no column for 'end_fr_id'; the header is \['', 'commands'"):
        read_plan(PLAN.replace(b"end_fr_id", b"last"), "plan.csv", 1)


@pytest.mark.parametrize("row", ["4,x,14,0,1,9", "4,x,14,10,1,9", "4,x,14,1,0,9", "4,x,14,1,9,8", "4,x,a,1,1,9", "4"])
def test_unreadable_plan_rows_are_told_by_their_number(row):
    rows, problems = read_plan(PLAN + row.encode(), "plan.csv", 1)
    assert len(rows) == 4
    assert [number for number, _ in problems] == [6]


def test_copy_keeps_the_cut_and_renames_the_command():
    found = rescued("1_1_2_1_12_1.wav,,,99,copy,\n")
    assert (found[99].pieces, found[99].begin, found[99].end, found[99].rescue) == (((101, 180),), 0, None, "copy")
    assert 12 not in found
    assert found.keys() == {11, 13, 99}


def test_trim_takes_seconds_of_the_cut_and_an_empty_end_means_all_the_rest():
    found = rescued("1_1_2_1_12_1.wav,0.5,2.25,,trim,\n1_1_2_1_13_1.wav,1,,,Trim ,\n")
    assert (found[12].pieces, found[12].begin, found[12].end) == (((101, 180),), RATE // 2, RATE * 9 // 4)
    assert (found[13].begin, found[13].end) == (RATE, None)


def test_merge_appends_the_next_rows_utterance_and_counts_the_end_in_it():
    found = rescued("1_1_2_1_11_1.wav,0.25,0.5,,merge and trim,\n1_1_2_1_12_1.wav,0.5,,,trim,\n")
    assert found[11].pieces == ((1, 100), (101, 180))
    assert (found[11].begin, found[11].end) == (RATE // 4, 100 * 1575 + RATE // 2)
    assert (found[12].pieces, found[12].begin) == (((101, 180),), RATE // 2)
    assert rescued("1_1_2_1_11_1.wav,,,,merge and trim,\n1_1_2_1_12_1.wav,,,,skip\n")[11].end is None


def test_skip_leaves_out_with_the_row_named():
    cut = rescued("1_1_2_1_12_1.wav,,,,skip: laughter,\n")[12]
    assert (cut.problem, cut.where) == ("the rescue table says to skip it", "s.csv row 2")


def test_one_cut_may_become_two_utterances():
    found = rescued("1_1_2_1_12_1.wav,0,1,,trim,\n1_1_2_1_12_1.wav,1,2,44,trim,\n")
    assert (found[12].end, found[44].begin) == (RATE, RATE)


def test_microphone_two_follows_microphone_one():
    rows = "1_1_2_1_11_1.wav,0,0.5,,merge and trim,\n1_1_2_1_11_2.wav,0,9,,trim,\n1_1_2_1_12_1.wav,,,,copy,\n"
    found = rescued(rows)
    assert found[11].pieces == ((1, 100), (101, 180))
    assert rescued("1_1_2_1_12_2.wav,0,1,,trim,\n")[12].end == RATE


def test_names_as_recorded_count_only_when_asked_for():
    assert rescued("1_1_1_2_12.wav,0,1,,trim,\n", as_recorded=True)[12].end == RATE
    (row,) = read_rescue((HEADER + "1_1_1_2_12.wav,0,1,,trim,\n").encode(), "s.csv", False)
    assert "expected the name of a cut sound" in row.problem


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1_1_2_1_12_1.wav,0,1,,cut,", "comment 'cut', expected copy, trim"),
        ("1_1_2_1_12_1.wav,x,1,,trim,", "unreadable row"),
        ("1_1_2_1_12_1.wav,nan,1,,trim,", "expected 0 to 3600"),
        ("1_1_2_1_12_1.wav,-1,1,,trim,", "expected 0 to 3600"),
        ("1_1_2_1_12_1.wav,2,1,,trim,", "is not before end"),
        ("1_1_2_1_12_1.wav,9,,,trim,", "nothing is left"),
        ("1_1_2_1_12_1.wav,0,1,zz,copy,", "unreadable row"),
        ("1_1_2_1_12_1.wav,0,1,,merge and trim,", "needs a next row"),
        ("1_1_2_1_12_1.wav,0,1,,merge and trim,\n1_1_2_2_11_1.wav,,,,copy,", "needs a next row"),
    ],
)
def test_rows_that_cannot_be_followed_leave_the_utterance_out_with_a_reason(row, reason):
    cut = rescued(row + "\n")[12]
    assert reason in cut.problem
    assert cut.where == "s.csv row 2"


def test_rescue_of_an_utterance_nobody_planned_is_told():
    plan, _ = read_plan(PLAN, "plan.csv", 1)
    rescue = read_rescue((HEADER + "1_1_2_1_77_1.wav,,,,copy,\n").encode(), "s.csv", False)
    assert [cut.problem for cut in cuts(plan, rescue, "s.csv") if cut.problem] == ["rescue of no planned utterance"]


def test_unknown_headers_fail_with_the_headers_seen():
    with pytest.raises(ValueError, match=r"no column for 'comment'; the header is .*'remark'.*known spellings"):
        read_rescue(HEADER.replace("comment", "remark").encode(), "s.csv", False)
