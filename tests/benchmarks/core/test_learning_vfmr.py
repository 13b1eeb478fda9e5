"""1:2 matching as the VFMR row counts it, on vectors laid by hand."""

import torch
from facevox.benchmarks.core.learning import lesson
from facevox.benchmarks.core.learning_vfmr import Unseen, matching_by_gender
from facevox.models.core.model import model_options


def test_pairs_of_one_gender_and_of_two_are_counted_apart():
    places = torch.eye(3)
    people = [vector.expand(2, 3) for vector in places]
    assert matching_by_gender(Unseen(people, people, ["m", "m", "f"])) == (100.0, 100.0)
    nothing = [torch.zeros(2, 3)] * 3
    assert matching_by_gender(Unseen(nothing, nothing, ["m", "m", "f"])) == (50.0, 50.0)
    # The two men have each other's faces; the woman has her own.
    exchanged = [people[1], people[0], people[2]]
    assert matching_by_gender(Unseen(people, exchanged, ["m", "m", "f"])) == (0.0, 75.0)


def test_the_row_s_trainings_are_options_of_the_model():
    for training in lesson("vfmr").trainings:
        flags = [word[2:].replace("-", "_") for word in training.options if word.startswith("--")]
        loop = {"initial", "batch_size", "epochs", "validate_every"}
        model_options("vfmr", {flag: None for flag in flags if flag not in loop and not flag.startswith("no_")})
