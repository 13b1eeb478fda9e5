"""One small forged release for all tests of this folder."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from facevox.builders.population.speakingfaces import ForgeOptions, forge, truth_path

OPTIONS = ForgeOptions(subjects=6, positions=2, utterances=1, frames=12, stills_frames=2, seed=3, size="small")


@dataclass(frozen=True)
class Forged:
    """A release on disk, what was asked for and what is true of it."""

    path: Path
    options: ForgeOptions
    truth: dict[str, Any]
    summary: dict[str, Any]


@pytest.fixture(scope="session")
def forged(tmp_path_factory: pytest.TempPathFactory) -> Forged:
    """24 utterances of 6 people at half size, every artifact once."""
    path = tmp_path_factory.mktemp("forged") / "release"
    summary = forge(path, OPTIONS)
    return Forged(path, OPTIONS, json.loads(truth_path(path).read_text()), summary)
