"""A release of three people and the folder built from it, for what people decide about it."""

import pytest
from facevox.builders.population.clips import ForgeOptions
from facevox.builders.population.speakingfaces import forge

SAME = {"configs": ("utterances",), "shard_mb": 1}


@pytest.fixture(scope="session")
def few(tmp_path_factory):
    """Three people in three splits, two utterances each: three shards."""
    out = tmp_path_factory.mktemp("few") / "release"
    forge(out, ForgeOptions(subjects=3, positions=1, utterances=1, frames=6, stills_frames=0, size="small"))
    return out


@pytest.fixture(scope="session")
def undecided(few, tmp_path_factory, build_folder):
    """`few` built before anybody decided anything; copy it before deciding."""
    out = tmp_path_factory.mktemp("undecided") / "out"
    build_folder(few, out, **SAME)
    return out
