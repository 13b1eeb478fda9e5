"""CUT and FastCUT: published constants and sizes, losses by hand, gradients that stop, exact resuming."""

import copy

import pytest
import torch
from facevox.loaders.folder import Folder
from facevox.models.core import checkpoint
from facevox.models.core.train import TrainOptions, fit
from facevox.models.core.translation_networks import drawn_places, patch_nce
from facevox.models.cut import Cut, CutOptions
from torch import nn

SMALL = {"width": 0.0625, "blocks": 5, "crop_size": 32, "load_size": 34, "patches": 16}


def model_of(**options) -> Cut:
    torch.manual_seed(0)
    return Cut(CutOptions(**SMALL | options)).train()


def batch_of(model: Cut) -> dict:
    random = torch.Generator().manual_seed(1)
    side = model.settings.load_size
    kinds = ("loaded_thermal", "loaded_visual")
    pictures = {k: torch.randint(0, 256, (1, 3, side, side), dtype=torch.uint8, generator=random) for k in kinds}
    return pictures | {"keys": ["k"], "dropped": 0}


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("fast", "epochs", "nce", "variant"), [(False, (200, 200), 1, ""), (True, (150, 50), 10, "fast")]
)
def test_defaults_are_the_published_ones(fast, epochs, nce, variant):
    model = Cut(CutOptions(fast=fast))
    sizes = [count(part) for part in (model.generator, model.discriminator, model.projection)]
    assert sizes == [11_378_179, 2_764_737, 560_384]
    assert (model.options.constant, model.options.decay, model.epochs) == (*epochs, sum(epochs))
    assert (model.options.nce, model.options.patches, model.options.temperature) == (nce, 256, 0.07)
    assert (model.batch_size, model.variant) == (1, variant)
    groups = {name: optimizer.param_groups[0] for name, optimizer in model.optimizers.items()}
    assert {name: (group["lr"], group["betas"]) for name, group in groups.items()} == dict.fromkeys(
        ("generator", "discriminator", "projection"), (2e-4, (0.5, 0.999))
    )


def test_weights_begin_by_fan_in_and_out():
    layer = model_of(width=0.5).projection.each[2][0]
    assert layer.weight.std().item() == pytest.approx(0.02 * (2 / (layer.in_features + 256)) ** 0.5, rel=0.02)
    assert not layer.bias.any()


def compared(model: Cut, queries: torch.Tensor, source: torch.Tensor, places: list, turned: bool) -> torch.Tensor:
    found, keys = model.generator.features(queries), model.generator.features(source)
    found = [part.flip(3) for part in found] if turned else found
    pairs = zip(model.projection(found, places), model.projection(keys, places), strict=True)
    return sum(patch_nce(made, key) for made, key in pairs) / 5


@pytest.mark.parametrize(("fast", "seed", "turned"), [(False, 3, False), (True, 5, True), (True, 3, False)])
def test_losses_are_those_of_the_paper(fast, seed, turned):
    model = model_of(fast=fast)
    before, batch = copy.deepcopy(model), batch_of(model)
    # The discriminator is asked again after its step: without a rate it stays as it was.
    model.optimizers["discriminator"].param_groups[0]["lr"] = 0.0
    torch.manual_seed(seed)
    losses = model.step(batch)
    torch.manual_seed(seed)
    thermal, visual = before.unpaired(batch)
    assert (fast and torch.rand(()).item() < 0.5) == turned
    made = before.generator(thermal.flip(3) if turned else thermal)
    places = drawn_places(before.generator.features(thermal), 16)
    expected = {"nce": before.options.nce * compared(before, made, thermal, places, turned)}
    if not fast:
        own = before.generator(visual)
        expected["identity"] = compared(before, own, visual, drawn_places(before.generator.features(own), 16), False)
    scores = before.discriminator(made), before.discriminator(visual)
    expected["adversarial"] = (scores[0] - 1).square().mean()
    expected["discriminator"] = (scores[0].square().mean() + (scores[1] - 1).square().mean()) / 2
    assert losses.keys() == expected.keys()
    for name, loss in expected.items():
        assert losses[name].item() == pytest.approx(loss.item(), rel=1e-5), name


def test_a_step_moves_all_networks_and_spares_the_discriminator_the_generators_gradient():
    model = model_of()
    before = copy.deepcopy(model)
    kept = []
    learn = model.optimizers["generator"].step
    told = {}

    def watched(*_):
        kept.extend(parameter.grad for parameter in model.discriminator.parameters())
        return learn()

    model.optimizers["discriminator"].register_step_post_hook(
        lambda *_: told.update({n: p.grad.clone() for n, p in model.discriminator.named_parameters()})
    )
    model.optimizers["generator"].step = watched
    model.step(batch_of(model))
    assert all(torch.equal(mine, then) for mine, then in zip(kept, told.values(), strict=True))
    moved = {n.split(".")[0] for n, p in model.named_parameters() if not torch.equal(p, before.get_parameter(n))}
    assert moved == {"generator", "discriminator", "projection"}


@pytest.mark.parametrize(
    ("options", "words"), [({"blocks": 4}, "5 blocks or more"), ({"temperature": 0.0}, "a temperature above 0")]
)
def test_options_out_of_range_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        model_of(**options)


def test_resumed_training_gives_the_same_weights(with_faces: Folder, tmp_path):
    settings = CutOptions(**SMALL, constant=1, decay=1, fast=True, faces="crops")
    options = {"validate_every": 0, "device": "cpu", "batch_size": 2, "settings": settings}
    whole = fit(TrainOptions("cut", with_faces.path, tmp_path / "whole", **options))
    for steps in (2, 0):
        parts = fit(TrainOptions("cut", with_faces.path, tmp_path / "parts", max_steps=steps, **options))
    assert whole.epochs == parts.epochs == 2
    assert parts.home.parent.name == "cut-fast"
    one, two = (checkpoint.load(report.home / "last.pt") for report in (whole, parts))
    assert all(torch.equal(value, two["weights"][name]) for name, value in one["weights"].items())
    assert one["schedulers"] == two["schedulers"]
