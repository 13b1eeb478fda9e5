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
def forged(made_once) -> Forged:
    """24 utterances of 6 people at half size, every artifact once."""

    def make(home: Path) -> None:
        (home / "summary.json").write_text(json.dumps(forge(home / "release", OPTIONS)))

    home = made_once("forged", make)
    truth = json.loads(truth_path(home / "release").read_text())
    return Forged(home / "release", OPTIONS, truth, json.loads((home / "summary.json").read_text()))
