"""Table II of the voice-GAN: errors as counted plainly, what is missing, what is refused."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from facevox.benchmarks import rcgan_table2
from facevox.benchmarks.core.bench import BenchOptions, run
from facevox.loaders.folder import Folder
from facevox.models.core import checkpoint
from facevox.models.core.model import create, model_options

SMALL = {"kind": "vae", "classes": 2, "classifier_width": 0.125, "width": 0.125}


def saved(path, digest: str):
    options = model_options("rcgan", SMALL)
    torch.manual_seed(0)
    model = create("rcgan", options)
    path.parent.mkdir(parents=True)
    state = {"model": "rcgan", "options": options.as_dict(), "weights": model.state_dict(), "seed": 0}
    checkpoint.save(path, {**state, "folder": digest})
    return model.eval()


def test_errors_of_every_segment_are_those_of_a_plain_count(tmp_path, monkeypatch):
    path = tmp_path / "rcgan-vae/seed0/best.pt"
    model = saved(path, "d" * 64)
    draw = torch.Generator().manual_seed(1)
    batch = {
        "keys": ["a", "a", "b"],
        "class": torch.tensor([0, 0, 1]),
        "spectrogram": torch.randn(3, 2, 60, 41, generator=draw),
        "face": torch.randint(0, 256, (3, 3, 64, 64), generator=draw).byte(),
    }
    monkeypatch.setattr(rcgan_table2, "Reading", lambda *_, **__: SimpleNamespace(stream=lambda split: [batch]))
    found = rcgan_table2.drawn(SimpleNamespace(digest="d" * 64), path, BenchOptions(device="cpu")).errors
    with torch.inference_mode():
        difference = (model(batch) - batch["face"] / 255).numpy()
    assert found["mae"] == pytest.approx(np.abs(difference).mean((1, 2, 3)), rel=1e-5)
    assert found["psnr"] == pytest.approx(-10 * np.log10((difference**2).mean((1, 2, 3))), rel=1e-5)
    measured = rcgan_table2.summary("mae", [found, found], 0)
    assert measured.value == pytest.approx(np.abs(difference).mean())
    assert (measured.count, measured.groups, measured.seeds, measured.spread) == (3, 2, 2, 0)


def test_without_checkpoints_every_row_has_its_command(built, tmp_path):
    table = run("rcgan_table2", BenchOptions(built["tar"].path, tmp_path))
    assert len(table.rows) == 18 and all(row.measured is None for row in table.rows)
    assert [command.split("--kind ")[1].split()[0] for command in table.commands] == ["vae", "cgan", "rcgan"]
    assert table.rows[-1].published == 0.703 and "ahead of C-GAN" in table.rows[-1].flag
    assert any("forged" in note for note in table.notes) and any("VAE is ahead" in note for note in table.notes)


def test_a_checkpoint_of_another_kind_or_folder_is_refused(built, tmp_path):
    folder = Folder(built["tar"].path)
    saved(tmp_path / "a/rcgan-cgan/seed0/best.pt", folder.digest)
    saved(tmp_path / "b/rcgan-vae/seed0/best.pt", "f" * 64)
    for home, reason in (("a", "another model than its folder's name says"), ("b", "trained on a folder of digest")):
        with pytest.raises(ValueError, match=reason):
            rcgan_table2.measure(folder, BenchOptions(folder.path, tmp_path / home, device="cpu"))
