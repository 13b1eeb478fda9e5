"""A small folder of people who do not exist, and VFMR trained on it for an epoch."""

from dataclasses import replace
from pathlib import Path

import pytest
from facevox.benchmarks.core.bench import BenchOptions
from facevox.loaders.folder import Folder
from facevox.models.core.train import TrainOptions, fit
from facevox.models.vfmr import VfmrOptions

TINY = VfmrOptions(
    face_network="small",
    voice_width=0.05,
    face_width=0.1,
    voices=2,
    faces=2,
    seconds=1,
    freeze_voice=False,
    picture="masked.jpg",
)


@pytest.fixture(scope="session")
def people(made_once) -> Folder:
    """Aligned faces and voices of forged people of two splits; two of both of everybody."""

    def make(home: Path) -> None:
        from facevox.builders.core.run import BuildOptions, run
        from facevox.builders.population.hq_voxceleb import ForgeOptions, forge
        from facevox.builders.stages.hq_options import HqVoxCelebOptions

        forge(home / "R", ForgeOptions(source="release", people=6, images=2, utterances=2, seconds=1.5, faults=False))
        release = HqVoxCelebOptions(vad="energy", detector="none")
        run(BuildOptions("hq_voxceleb", str(home / "R"), home / "O", release=release))

    return Folder(made_once("people", make) / "O")


@pytest.fixture(scope="session")
def options(people, made_once) -> BenchOptions:
    """One epoch of two seeds; nobody may write into the checkpoints' folder."""

    def make(home: Path) -> None:
        first = TrainOptions("vfmr", people.path, home / "W", epochs=1, batch_size=6, device="cpu", settings=TINY)
        for seed in (0, 1):
            fit(replace(first, seed=seed, validate_every=0))

    return BenchOptions(people.path, made_once("vfmr", make) / "W", device="cpu")
