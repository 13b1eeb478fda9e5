"""The seventeen known inconsistencies of SpeakingFaces, held against rows that show them."""

import pytest
from facevox.loaders.errata.speakingfaces import ERRATA, errata, number_ranges
from facevox.loaders.rows import Rows


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ([], "none"),
        ([3], "3"),
        ([2, 1, 3, 3], "1-3"),
        ([1, 2, 5, 9, 10], "1-2, 5, 9-10"),
        (range(1, 30, 2), "1, 3, ..., 29"),
    ],
)
def test_numbers_are_told_as_ranges(numbers, words):
    assert number_ranges(numbers) == words


def test_seventeen_are_known_and_an_empty_folder_says_nothing():
    table = errata(Rows({}))
    assert len(ERRATA) == 17
    assert [row[0] for row in table.rows] == list(range(1, 18))
    assert all(row[3] is None for row in table.rows)
    assert all(row[1] and row[2] for row in table.rows)


def test_the_face_pairs_of_a_folder_are_held_against_the_published_sets():
    subjects = [*range(101, 140), 141, 142, 90]
    lines = [("pairs", "test", subject, trial) for subject in subjects for trial in (1, 2) for _ in range(27)]
    names = ("config", "split", "subject", "trial")
    columns = dict(zip(names, map(list, zip(*lines, strict=True)), strict=True))
    rows = Rows({**columns, "identity": [f"speakingfaces/main/{n}" for n in columns["subject"]]}, ("pairs",))
    here = {row[0]: row[3] for row in errata(rows).rows}
    assert here[11] == "trial 1 + trial 2: test 1134 + 1134"
    assert here[12] == "90, 101-139, 141-142"


def test_identical_microphones_and_sources_of_matrices_are_counted():
    columns = {
        "config": ["utterances"] * 3,
        "same_sound": [True, False, None],
        "alignment_source": ["published", "estimated", None],
        "identity": ["a", "a", "b"],
    }
    here = {row[0]: row[3] for row in errata(Rows(columns, ("utterances",))).rows}
    assert here[10] == "the same samples in 1 of 2 utterances"
    assert here[17] == "matrices of samples: 1 estimated, 1 published"
