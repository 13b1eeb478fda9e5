"""Statistics of AVSpeech: counts of a folder beside the published ones, counted here by hand."""

from facevox.loaders.published import avspeech
from facevox.loaders.rows import Rows


def some_rows() -> Rows:
    column = {
        "identity": ["avspeech/main/a", "avspeech/main/a", "avspeech/main/b", "avspeech/main/c"],
        "split": ["train", "train", "validation", "test"],
        "release_split": ["train", "train", "train", "test"],
        "start_ms": [0, 5_000, 1_000, 0],
        "end_ms": [3_000, 12_000, 6_500, 2_000],
        "usual_length": [True, True, True, False],
        "repeats": [2, 1, 2, 3],
        "seconds": [3.0, 6.0, 5.5, 2.0],
        "faces": [1, 3, 1, 1],
        "frame_attempt": [1, 1, 4, 1],
        "face_holds_point": [True, False, True, True],
        "whole_video": [False, True, False, False],
        "source": ["AVSpeech"] * 4,
        "face_box": [{"left": 10, "top": 0, "right": 110, "bottom": 90}] * 3 + [None],
    }
    return Rows(column, ("clips",))


def cells(table, name: str) -> tuple:
    (row,) = [row for row in table.rows if row[0] == name]
    return row[1:]


def test_published_counts_are_those_of_the_sheet_and_add_up():
    table = avspeech.clips_used(some_rows())
    assert cells(table, "text of the re-implementation") == (4880, 610, 610, 6100)
    assert cells(table, "its logs") == (4832, 604, 604, 6040)
    for train, validation, test, total in (counts for _, counts in avspeech.USED):
        assert total is None or train + validation + test == total
    assert cells(table, "this folder, clips") == (2, 1, 1, 4)
    assert cells(table, "this folder, videos") == (1, 1, 1, 3)


def test_the_list_is_counted_by_table_and_by_annotated_length():
    table = avspeech.of_the_list(some_rows())
    assert cells(table, "rows of avspeech_train.csv") == (2_621_845, 3)
    assert cells(table, "videos")[1] == 3
    assert cells(table, "hours")[1] == round((3 + 7 + 5.5 + 2) / 3600, 4)
    assert cells(table, "longest segment, s") == (10, 7.0)


def test_what_was_found_here_is_counted_over_all_clips():
    table = avspeech.found_here(some_rows())
    assert cells(table, "voice repeated to reach 6 s") == (1, 1, 1, 3, "75.0")
    assert cells(table, "several faces in the frame") == (1, 0, 0, 1, "25.0")
    assert cells(table, "face in the first frame")[3] == 3


def test_the_errata_hold_the_folder_against_the_statements():
    findings = [row[-1] for row in avspeech.errata(some_rows()).rows]
    assert findings[0] == "4 clips: train 2, validation 1, test 1"
    assert findings[1] == "0 of 3 videos in two splits"
    assert findings[4].startswith("the point lies in the face in 3 of 4 clips; 1 show")
    assert findings[6] is None


def test_every_table_and_panel_can_be_made_of_a_folder_and_of_nothing():
    for rows in (some_rows(), Rows({}, ("clips",))):
        assert len(list(avspeech.tables(rows))) == 4
        assert all(len(panel.series) >= 0 for panel in avspeech.panels(rows))
    distributions = list(avspeech.tables(some_rows()))[-1]
    (width,) = [row for row in distributions.rows if row[0] == "width of the face"]
    assert width[3:5] == (3, 100.0)
