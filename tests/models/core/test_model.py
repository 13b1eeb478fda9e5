"""Models are found by name, and say what is wrong with what they are given."""

from dataclasses import fields

import pytest
import torch
from facevox.models.core.device import choose, networks
from facevox.models.core.model import ModelOptions, create, find, model_options, models
from facevox.models.core.train_options import TrainOptions
from facevox.models.gender import Gender, GenderOptions


def test_models_are_found_by_file_name():
    assert "gender" in models()
    assert find("gender") is Gender
    with pytest.raises(ValueError, match=r"no model 'gendre'; did you mean 'gender'\? there is: "):
        find("gendre")


def test_options_are_checked_by_name():
    assert model_options("gender", {"mode": 3}) == GenderOptions(mode=3)
    with pytest.raises(ValueError, match=r"gender has no option 'dropuot'; did you mean 'dropout'\?"):
        model_options("gender", {"dropuot": 0.1})
    with pytest.raises(ValueError, match="gender takes GenderOptions, not ModelOptions"):
        create("gender", ModelOptions())


@pytest.mark.parametrize("name", models())
def test_no_option_of_a_model_is_one_of_the_loop(name):
    """One command line and one call take both."""
    assert not {f.name for f in fields(find(name).options_type)} & {f.name for f in fields(TrainOptions)}


def test_networks_are_those_that_are_called():
    """Held parts without a call of their own are looked into; what has no weights needs no compiler."""
    model = Gender(GenderOptions(width=0.05))
    assert list(networks(model)) == [*model.encoders.values(), model.head]


def test_places():
    assert str(choose("cpu")) == "cpu fp32"
    assert choose("cpu", "bf16").bf16
    with pytest.raises(ValueError, match="device 'gpu', precision 'auto': expected one of auto, cpu, cuda"):
        choose("gpu")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="torch sees no GPU here"):
            choose("cuda")
