"""The training loop: resumed equals uninterrupted, and what is wrong is said in one line."""

import json
import math
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from facevox.loaders.folder import Folder, FolderError
from facevox.models.core import checkpoint
from facevox.models.core.train import TrainOptions, fit
from facevox.models.gender import Gender, GenderOptions

SETTINGS = GenderOptions(mode=6, width=0.05, dropout=0.3, optimizer="adam", lr=0.01)
TIMES = ("samples_per_second", "waiting", "finished", "peak_bytes")
EPOCHS = 3


@pytest.fixture(scope="module")
def options(built) -> TrainOptions:
    """Three epochs of a tiny mode 6 on the twelve or so training utterances of the forged release."""
    return TrainOptions(
        "gender",
        built["tar"].path,
        "",
        epochs=EPOCHS,
        batch_size=3,
        device="cpu",
        where="session == 2",
        settings=SETTINGS,
    )


@pytest.fixture(scope="module")
def straight(options, tmp_path_factory):
    """The same training without a break: its last.pt and best.pt."""
    home = fit(replace(options, out=tmp_path_factory.mktemp("straight"))).home
    return checkpoint.load(home / "last.pt"), checkpoint.load(home / "best.pt")


def same(a: object, b: object) -> bool:
    """Equal to the last bit, times left out."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(name in TIMES or name == "seconds" or same(a[name], b[name]) for name in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b or (a != a and b != b)


def steps_per_epoch(straight) -> int:
    return straight[0]["progress"]["step"] // EPOCHS


def test_patience_ends_a_run_that_no_longer_gets_better(options, tmp_path):
    still = replace(options, out=tmp_path, epochs=9, patience=2, settings=replace(SETTINGS, lr=0.0))
    report = fit(still)
    assert (report.best_epoch, report.epochs) == (1, 3)
    assert fit(still).epochs == 3


def test_a_folder_without_the_validation_split_says_what_to_do(options, tmp_path):
    with pytest.raises(
        FolderError, match=r"no split 'dev' to validate on; there is: train, .*Name one by --validation"
    ):
        fit(replace(options, out=tmp_path, validation="dev"))


def test_a_folder_without_a_split_to_validate_on_is_trained_on_and_says_so(options, tmp_path, monkeypatch):
    monkeypatch.setattr("facevox.models.core.train_options.VALIDATION", "dev")
    report = fit(replace(options, out=tmp_path / "W", epochs=1))
    assert any("nothing is validated" in line and "no split 'dev'" in line for line in report.lines())
    last, best = (checkpoint.load(report.home / f"{name}.pt") for name in ("last", "best"))
    assert same(last["weights"], best["weights"])


def test_a_run_leaves_its_four_files(options, tmp_path):
    report = fit(replace(options, out=tmp_path, epochs=2))
    assert report.home == tmp_path / "gender-mode6" / "seed0"
    assert sorted(p.name for p in report.home.iterdir()) == ["best.pt", "config.json", "last.pt", "runs.jsonl"]
    facts = [json.loads(line) for line in (report.home / "runs.jsonl").read_text().splitlines()]
    assert [f["epoch"] for f in facts] == [1, 2]
    assert all({"loss", "merit", "samples_per_second", "waiting", "lr", "dropped"} <= f.keys() for f in facts)
    assert json.loads((report.home / "config.json").read_text())["options"]["dropout"] == 0.3
    assert report.lines()[1].startswith("best accuracy on validation: ")
    model, state = checkpoint.restore(report.home / "best.pt")
    assert model.variant == "mode6"
    assert state["epoch"] == report.best_epoch
    again = fit(replace(options, out=tmp_path, epochs=2))
    assert (again.steps, again.epochs) == (report.steps, 2)


@pytest.mark.parametrize("cuts", [(1,), (2, 3), (5,), (1, 2, 3, 4, 5, 6, 7)])
def test_resumed_equals_uninterrupted(options, straight, tmp_path, cuts):
    assert steps_per_epoch(straight) >= 3
    for cut in cuts:
        fit(replace(options, out=tmp_path, max_steps=cut))
        torch.manual_seed(123)
    home = fit(replace(options, out=tmp_path)).home
    for name, expected in zip(("last.pt", "best.pt"), straight, strict=True):
        found = checkpoint.load(home / name)
        assert same(found, expected), [key for key in found if not same(found[key], expected[key])]


def test_resumed_with_other_workers_and_at_the_end_of_an_epoch(options, straight, tmp_path):
    fit(replace(options, out=tmp_path, max_steps=steps_per_epoch(straight)))
    fit(replace(options, out=tmp_path, max_steps=steps_per_epoch(straight) + 1, workers=1))
    home = fit(replace(options, out=tmp_path, save_every=1)).home
    assert same(checkpoint.load(home / "last.pt"), straight[0])


def test_ctrl_c_saves_and_resumes_exactly(options, straight, tmp_path, monkeypatch):
    steps, real = [], Gender.step

    def step(self, batch):
        steps.append(1)
        if len(steps) == 2:
            signal.raise_signal(signal.SIGINT)
        return real(self, batch)

    monkeypatch.setattr(Gender, "step", step)
    with pytest.raises(KeyboardInterrupt):
        fit(replace(options, out=tmp_path))
    assert checkpoint.load(tmp_path / "gender-mode6" / "seed0" / "last.pt")["progress"]["step"] == 2
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    home = fit(replace(options, out=tmp_path)).home
    assert same(checkpoint.load(home / "last.pt"), straight[0])


def test_a_crash_goes_back_to_the_last_checkpoint(options, straight, tmp_path, monkeypatch):
    real, steps = Gender.step, []

    def step(self, batch):
        steps.append(1)
        if len(steps) == 4:
            raise RuntimeError("out of memory")
        return real(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Gender, "step", step)
        with pytest.raises(RuntimeError, match="out of memory"):
            fit(replace(options, out=tmp_path, save_every=2))
    home = fit(replace(options, out=tmp_path)).home
    assert same(checkpoint.load(home / "last.pt"), straight[0])


def test_a_failed_save_leaves_the_old_checkpoint(options, tmp_path, monkeypatch):
    home = fit(replace(options, out=tmp_path, max_steps=1)).home
    before = (home / "last.pt").read_bytes()

    def cut(state, path):
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", cut)
        with pytest.raises(OSError, match="No space"):
            fit(replace(options, out=tmp_path, max_steps=2))
    assert (home / "last.pt").read_bytes() == before
    assert not list(home.glob("*.part"))


def test_seeds_differ_and_live_side_by_side(options, straight, tmp_path):
    home = fit(replace(options, out=tmp_path, seed=1)).home
    assert home.name == "seed1"
    assert not same(checkpoint.load(home / "last.pt")["weights"], straight[0]["weights"])


def test_without_validation_the_last_weights_are_kept(options, tmp_path):
    report = fit(replace(options, out=tmp_path, epochs=1, validate_every=0))
    assert math.isnan(report.best)
    assert checkpoint.load(report.home / "best.pt")["epoch"] == 1
    assert len(report.lines()) == 2


# --- what is wrong is said ---


def test_a_loss_that_is_not_finite_is_one_clear_error(options, tmp_path):
    settings = replace(SETTINGS, lr=1e30)
    with pytest.raises(ValueError, match=r"loss gender is (nan|inf) at step 2, epoch 1 \(samples \d+_.*Try a smaller"):
        fit(replace(options, out=tmp_path, settings=settings))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"settings": replace(SETTINGS, lr=0.02)}, "made with lr 0.01, now 0.02"),
        ({"settings": replace(SETTINGS, width=0.1)}, "made with width 0.05, now 0.1"),
        ({"batch_size": 2}, "made with batch_size 3, now 2"),
        ({"where": ""}, "made with where 'session == 2', now ''"),
    ],
)
def test_another_run_is_refused(options, tmp_path, change, expected):
    fit(replace(options, out=tmp_path, max_steps=1))
    with pytest.raises(ValueError, match=expected) as caught:
        fit(replace(options, out=tmp_path, **change))
    assert "last.pt" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_of_another_model_is_refused(options, straight, tmp_path):
    checkpoint.save(tmp_path / "gender-mode6" / "seed0" / "last.pt", {**straight[0], "model": "vfmr"})
    with pytest.raises(ValueError, match="made with model 'vfmr', now 'gender'. Give what it was made with to resume"):
        fit(replace(options, out=tmp_path))


def test_a_field_that_the_folder_lacks_is_named_with_what_there_is(options, tmp_path):
    with pytest.raises(FolderError, match=r"have no field 'mic1.flac', first \S+; there is: .*Choose those, or build"):
        fit(replace(options, out=tmp_path, config="stills", where=""))


def test_the_layout_of_memory_changes_no_checkpoint(options, straight, tmp_path):
    home = fit(replace(options, out=tmp_path, channels_last=True)).home
    found = checkpoint.load(home / "best.pt")["weights"]
    assert all(torch.allclose(value, straight[1]["weights"][name], atol=1e-3) for name, value in found.items())
    (*_, last) = map(json.loads, (home / "runs.jsonl").read_text().splitlines())
    assert last["channels_last"] and not last["compile"] and last["peak_bytes"] > 2**20


def test_another_folder_is_refused(options, built, tmp_path):
    fit(replace(options, out=tmp_path, max_steps=1))
    with pytest.raises(ValueError, match="made with data folder of digest [0-9a-f]+, now [0-9a-f]+"):
        fit(replace(options, out=tmp_path, data=built["parquet"].path))


def test_damaged_and_foreign_checkpoints_are_refused(options, tmp_path):
    home = fit(replace(options, out=tmp_path, max_steps=1)).home
    whole = (home / "last.pt").read_bytes()
    for damage in (b"", b"not a checkpoint", whole[: len(whole) // 2]):
        (home / "last.pt").write_bytes(damage)
        with pytest.raises(ValueError, match=r"last.pt: not a readable checkpoint. Give a best.pt"):
            fit(replace(options, out=tmp_path))
    for at in range(0, len(whole), len(whole) // 40):
        flipped = bytearray(whole)
        flipped[at] ^= 8
        (home / "last.pt").write_bytes(flipped)
        try:
            found = checkpoint.load(home / "last.pt")
        except ValueError:
            continue
        (home / "last.pt").write_bytes(whole)
        assert same(found, checkpoint.load(home / "last.pt")), f"bit of byte {at} flipped, and nobody noticed"
    torch.save({"format": 1, "run": Path("x")}, home / "last.pt")
    with pytest.raises(ValueError, match="names .*; only tensors and plain values are read"):
        fit(replace(options, out=tmp_path))
    for other, found in (({"weights": {}}, "none"), ({"format": 1, "weights": {}}, "1")):
        torch.save(other, home / "last.pt")
        with pytest.raises(ValueError, match=rf"not a checkpoint of this version .*, {found} found\)"):
            fit(replace(options, out=tmp_path))


def test_a_split_that_cannot_be_used_is_an_error(options, tmp_path):
    with pytest.raises(ValueError, match="none of the .* samples of utterances, train can be used by gender"):
        fit(replace(options, out=tmp_path, settings=replace(SETTINGS, frames=1000)))
    with pytest.raises(FolderError, match="no config 'utterance'"):
        fit(replace(options, out=tmp_path, config="utterance"))
    with pytest.raises(FolderError, match="no dataset folder"):
        fit(replace(options, out=tmp_path, data=tmp_path))
    with pytest.raises(ValueError, match="no model 'gendr'"):
        fit(replace(options, out=tmp_path, model="gendr", settings=None))
    assert isinstance(Folder(options.data), Folder)
