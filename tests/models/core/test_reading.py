"""What a model is given to read: samples in folder order, people in batches, and who there is to tell apart."""

from dataclasses import dataclass

import pytest
from facevox.loaders.folder import FolderError
from facevox.models.core.model import PeopleInputs
from facevox.models.core.reading import Reading, people, shortage


@dataclass(frozen=True)
class Heard(PeopleInputs):
    """Two utterances of each person, told by name."""

    @property
    def samples(self):
        return {"utterances": 2}

    @property
    def fields(self):
        return {"utterances": ("mic1.flac",)}

    def __call__(self, samples):
        return {"keys": samples["identities"], "dropped": 0, "of": [s["__identity__"] for s in samples["utterances"]]}


class HeardOften(Heard):
    """More utterances of each person than there are."""

    @property
    def samples(self):
        return {"utterances": 50}


def test_people_come_in_batches_and_everybody_is_validated(built):
    reading = Reading(built["tar"], Heard(), batch_size=2)
    everyone = people(built["tar"], ("utterances",), "train")
    batches = list(reading.stream("train"))
    assert sorted(name for batch in batches for name in batch["keys"]) == sorted(everyone)
    for batch in batches:
        assert batch["of"] == [name for name in batch["keys"] for _ in range(2)]
    again = [batch["keys"] for batch in Reading(built["tar"], Heard(), batch_size=2, workers=1).stream("train")]
    assert again == [batch["keys"] for batch in batches]


def test_people_are_those_of_all_configs_that_a_condition_leaves(built):
    index = built["tar"].index.to_pylist()
    heard = {row["identity"] for row in index if (row["config"], row["split"]) == ("utterances", "train")}
    assert people(built["tar"], ("utterances",), "train") == tuple(sorted(heard))
    some = people(built["tar"], ("utterances",), "train", where="gender == 'Female'")
    assert 0 < len(some) < len(heard) and set(some) < heard
    assert people(built["tar"], (), "train") == ()
    with pytest.raises(FolderError, match="fits where"):
        people(built["tar"], ("utterances",), "train", where="age > 200")


def test_a_model_of_people_takes_no_other_config_and_no_limit(built):
    with pytest.raises(ValueError, match="config 'stills': this model reads utterances; leave it out"):
        Reading(built["tar"], Heard(), config="stills").stream("train")
    with pytest.raises(ValueError, match="limit 3: this model reads people"):
        Reading(built["tar"], Heard(), limit=3).stream("train")


def test_too_few_people_for_a_batch_and_too_few_clips_of_one_are_said(built):
    everyone = len(people(built["tar"], ("utterances",), "train"))
    advice = f"{everyone} people have samples in utterances train, fewer than the 99 .* Take {everyone} or fewer"
    with pytest.raises(ValueError, match=advice):
        Reading(built["tar"], Heard(), batch_size=99).stream("train", shuffle=True)
    assert shortage(Reading(built["tar"], Heard(), batch_size=2).stream("train", shuffle=True)) == []
    (said,) = shortage(Reading(built["tar"], HeardOften(), batch_size=2).stream("train", shuffle=True))
    assert said.startswith(f"{everyone} people have fewer than 50 samples of utterances: ")
