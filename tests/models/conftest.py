"""Fixtures: voices and faces of the same people, in a small folder and as a batch; a training that is resumed."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest


@pytest.fixture(scope="session")
def drawing_batch():
    """drawing_batch(model, people, seconds): a batch of random faces and of noise with a pause in it, if asked for."""
    random = np.random.default_rng(0)

    def make(model, people: tuple[str, ...], seconds: float = 2.0, pause: bool = False) -> dict:
        read = model.inputs()
        pictures = [random.integers(0, 256, (90, 91, 3)).astype(np.uint8) for _ in people]
        faces = [
            {"__key__": f"f-{name}", "masked.jpg": face, "json": {}}
            for name, face in zip(people, pictures, strict=True)
        ]
        voices = []
        for key in (f"v-{name}-{number}" for name in people for number in range(read.samples["voices"])):
            sound = (random.standard_normal(int(16_000 * seconds)) * 3000).astype(np.int16)
            parts = [(0, 8000), (9000, len(sound))] if pause else [(0, len(sound))]
            speech = [{"first": first, "end": end} for first, end in parts]
            voices.append({"__key__": key, "voice.flac": sound, "json": {"speech": speech}})
        return read({"identities": list(people), "faces": faces, "voices": voices})

    return make


@pytest.fixture
def resumed(tmp_path) -> Callable:
    """resumed(options): train without a break, and beside it stopped after a step; the same last.pt, as a dict."""
    import torch
    from facevox.models.core import checkpoint
    from facevox.models.core.train import fit

    def train(options) -> dict:
        whole = checkpoint.load(fit(options).home / "last.pt")
        parted = replace(options, out=tmp_path / "parted")
        fit(replace(parted, max_steps=1))
        torch.manual_seed(7)
        again = checkpoint.load(fit(parted).home / "last.pt")
        assert again["progress"]["step"] == whole["progress"]["step"]
        assert all(torch.equal(value, again["weights"][name]) for name, value in whole["weights"].items())
        assert str(again["schedulers"]) == str(whole["schedulers"])
        return whole

    return train
