"""A release of three people and the folder built from it, for what people decide about it."""

import pytest
from facevox.builders.population.clips import ForgeOptions
from facevox.builders.population.speakingfaces import forge

SAME = {"configs": ("utterances",), "shard_mb": 1}


@pytest.fixture(scope="session")
def few(made_once):
    """Three people in three splits, two utterances each: three shards."""
    options = ForgeOptions(subjects=3, positions=1, utterances=1, frames=6, stills_frames=0, size="small")
    return made_once("few", lambda home: forge(home / "release", options)) / "release"


@pytest.fixture(scope="session")
def undecided(few, made_once, build_folder):
    """`few` built before anybody decided anything; copy it before deciding."""
    return made_once("undecided", lambda home: build_folder(few, home / "out", **SAME)) / "out"
