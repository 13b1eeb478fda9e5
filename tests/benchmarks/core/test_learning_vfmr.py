"""1:2 matching as the VFMR row counts it, on vectors laid by hand."""

import torch
from facevox.benchmarks.core.learning_vfmr import Unseen, matching_by_gender


def test_pairs_of_one_gender_and_of_two_are_counted_apart():
    places = torch.eye(3)
    people = [vector.expand(2, 3) for vector in places]
    assert matching_by_gender(Unseen(people, people, ["m", "m", "f"])) == (100.0, 100.0)
    nothing = [torch.zeros(2, 3)] * 3
    assert matching_by_gender(Unseen(nothing, nothing, ["m", "m", "f"])) == (50.0, 50.0)
    # The two men have each other's faces; the woman has her own.
    exchanged = [people[1], people[0], people[2]]
    assert matching_by_gender(Unseen(people, exchanged, ["m", "m", "f"])) == (0.0, 75.0)
