"""Fixtures: a small folder of voices and faces of the same people."""

from pathlib import Path

import pytest
from facevox.loaders.folder import Folder


@pytest.fixture(scope="session")
def voices_and_faces(made_once) -> Folder:
    """Vox-VGG of six forged people, three of them in train and three in test; two faces and two voices each."""

    def make(home: Path) -> None:
        from facevox.builders.core.run import BuildOptions, run
        from facevox.builders.population.vox_vgg import ForgeOptions, forge
        from facevox.builders.stages.vox_vgg_options import VoxVggOptions

        forge(home / "R", ForgeOptions(people=3, images=2, utterances=2, seconds=2.4, videos=1, faults=False))
        run(BuildOptions("vox_vgg", str(home / "R"), home / "O", release=VoxVggOptions(vad="energy")))

    return Folder(made_once("voices-and-faces", make) / "O")
