"""CycleGAN: published constants and sizes, losses by hand, unpaired pictures, exact resuming."""

import copy

import pytest
import torch
from facevox.loaders.folder import Folder
from facevox.models.core import checkpoint
from facevox.models.core.train import TrainOptions, fit
from facevox.models.cyclegan import Cyclegan, CycleganOptions
from torch import nn

SMALL = {"width": 0.0625, "blocks": 1, "crop_size": 32, "load_size": 34}


def model_of(**options) -> Cyclegan:
    torch.manual_seed(0)
    return Cyclegan(CycleganOptions(**SMALL | options)).train()


def batch_of(model: Cyclegan, count: int = 1) -> dict:
    random = torch.Generator().manual_seed(1)
    sides = {"": model.settings.crop_size, "loaded_": model.settings.load_size}
    pictures = {
        f"{size}{kind}": torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=random)
        for kind in ("thermal", "visual")
        for size, side in sides.items()
    }
    return pictures | {"keys": [f"k{number}" for number in range(count)], "dropped": 0}


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_defaults_are_the_published_ones():
    model = Cyclegan(CycleganOptions())
    sizes = [count(part) for part in (model.generator, model.inverse, model.discriminator, model.inverse_discriminator)]
    assert sizes == [11_378_179, 11_378_179, 2_764_737, 2_764_737]
    assert (model.batch_size, model.epochs, Cyclegan.epochs) == (1, 100, 100)
    assert model.pool.held.shape == (50, 3, 128, 128)
    for name, networks in (("generators", "generator"), ("discriminators", "discriminator")):
        group = model.optimizers[name].param_groups[0]
        assert (group["lr"], group["betas"]) == (1e-4, (0.1, 0.999))
        assert len(group["params"]) == 2 * len(list(getattr(model, networks).parameters()))


def test_weights_begin_normal_with_deviation_a_fiftieth():
    model = model_of(width=0.5)
    weights = torch.cat([part.weight.flatten() for part in model.modules() if isinstance(part, nn.Conv2d)])
    assert weights.std().item() == pytest.approx(0.02, rel=0.02)
    assert all(not part.bias.any() for part in model.modules() if isinstance(part, nn.Conv2d | nn.ConvTranspose2d))


def test_losses_are_those_of_the_paper():
    model = model_of()
    before, batch = copy.deepcopy(model), batch_of(model)
    torch.manual_seed(3)
    losses = model.step(batch)
    torch.manual_seed(3)
    thermal, visual = before.unpaired(batch)
    made, made_thermal = before.generator(thermal), before.inverse(visual)
    l1 = nn.functional.l1_loss
    cycle = 10 * (l1(before.inverse(made), thermal) + l1(before.generator(made_thermal), visual))
    identity = 5 * (l1(before.generator(visual), visual) + l1(before.inverse(thermal), thermal))
    pairs = ((before.discriminator, made, visual), (before.inverse_discriminator, made_thermal, thermal))
    fooled = sum((network(fake) - 1).square().mean() for network, fake, _ in pairs)
    told = sum(
        ((network(real) - 1).square().mean() + network(fake).square().mean()) / 2 for network, fake, real in pairs
    )
    expected = {"cycle": cycle, "adversarial": fooled, "identity": identity, "discriminator": told}
    assert losses.keys() == expected.keys()
    for name, loss in expected.items():
        assert losses[name].item() == pytest.approx(loss.item(), rel=1e-5), name
    assert all(not torch.equal(a, b) for a, b in zip(model.parameters(), before.parameters(), strict=True) if b.any())


def test_discriminators_get_no_gradient_from_the_generators_and_the_other_way_round():
    model = model_of()
    model.step(batch_of(model))
    seen = {}
    for name, optimizer in model.optimizers.items():
        optimizer.step = lambda name=name: seen.update(
            {name: {n.split(".")[0] for n, p in model.named_parameters() if p.grad is not None and p.grad.any()}}
        )
        optimizer.zero_grad()
    model.step(batch_of(model))
    assert seen["generators"] == {"generator", "inverse"}
    assert seen["discriminators"] - seen["generators"] == {"discriminator", "inverse_discriminator"}


@pytest.mark.parametrize(
    ("size", "expected"),
    [(2, [(0, 1), (1, 0), (2, 1), (3, 2), (4, 3), (5, 4)]), (1, [(0, 0), (1, 0), (2, 1)])],
)
def test_no_thermal_picture_meets_its_own_partner_after_the_first_step(size, expected):
    model = model_of(load_size=32)
    batches = [batch_of(model, size) for _ in range(3)]
    for number, batch in enumerate(batches):
        for row in range(size):
            batch["loaded_visual"][row] = batch["loaded_thermal"][row] = size * number + row
    met = []
    for batch in batches:
        thermal, visual = ((127.5 * (part + 1)).round() for part in model.unpaired(batch))
        met += zip(thermal[:, 0, 0, 0].tolist(), visual[:, 0, 0, 0].tolist(), strict=True)
    assert met == expected


def test_the_rate_is_constant_and_then_falls_in_equal_steps():
    model = model_of(constant=2, decay=3, lr=1.0)
    model.step(batch_of(model))
    rates = []
    for _ in range(6):
        rates.append(model.learning_rate)
        model.finish_epoch()
    assert rates == pytest.approx([1, 1, 0.75, 0.5, 0.25, 0])
    assert model.epochs == 5


def test_testing_scales_the_whole_crop_and_training_cuts_at_random():
    model = model_of()
    flat = torch.full((1, 3, 80, 60), 200, dtype=torch.uint8)
    made = model.translate(flat)
    assert (made.shape, made.dtype) == ((1, 3, 32, 32), torch.uint8)
    sample = {"__key__": "k", "json": {"face_box": {}}, "visual.webp": flat[0].permute(1, 2, 0).numpy()}
    sample["thermal.webp"] = sample["visual.webp"]
    batch = model.inputs()([sample, {"__key__": "none", "json": {"face_box": None}}])
    assert (batch["keys"], batch["dropped"]) == (["k"], 1)
    assert batch["loaded_visual"].shape == (1, 3, 34, 34)
    assert torch.equal(batch["thermal"], torch.full((1, 3, 32, 32), 200, dtype=torch.uint8))
    random = batch_of(model, 8)
    assert not torch.equal(model.unpaired(random)[0], model.unpaired(random)[0])
    assert torch.equal(model(random), model(random))
    thermal, shown, visual = model.draw(random)
    assert torch.equal(thermal, random["thermal"]) and torch.equal(visual, random["visual"])
    assert torch.equal(shown, model.translate(thermal))
    found = model.evaluate(random)
    error = (model(random) - (visual / 127.5 - 1)).abs().mean((1, 2, 3))
    assert torch.allclose(found["loss"], error) and torch.allclose(found["merit"], 1 - error / 2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"faces": "utterances"}, "expected pairs or crops"),
        ({"crop_size": 30}, "multiple of 4"),
        ({"load_size": 31}, "no smaller load size"),
        ({"width": 0.0}, "width above 0"),
        ({"cycle": -1.0}, "expected 0 or more"),
    ],
)
def test_options_out_of_range_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        model_of(**options)


def test_resumed_training_gives_the_same_weights_pools_and_pictures(with_faces: Folder, tmp_path):
    settings = CycleganOptions(**SMALL, constant=1, decay=1)
    options = {"validation": "test", "device": "cpu", "batch_size": 4, "settings": settings}
    whole = fit(TrainOptions("cyclegan", with_faces.path, tmp_path / "whole", **options))
    for steps in (3, 0):
        parts = fit(TrainOptions("cyclegan", with_faces.path, tmp_path / "parts", max_steps=steps, **options))
    assert whole.epochs == parts.epochs == 2
    one, two = (checkpoint.load(report.home / "last.pt") for report in (whole, parts))
    assert all(torch.equal(value, two["weights"][name]) for name, value in one["weights"].items())
    assert one["weights"]["pool.count"] > 0 and one["weights"]["later.begun"]
    best = checkpoint.load(whole.home / "best.pt")["weights"]
    assert not [name for name in best if name.startswith(("pool", "inverse_pool", "later"))]
    assert one["schedulers"] == two["schedulers"]
    names = ["epoch0001.png", "epoch0002.png"]
    assert [path.name for path in sorted((parts.home / "grids").iterdir())] == names
    for name in names:
        assert (whole.home / "grids" / name).read_bytes() == (parts.home / "grids" / name).read_bytes()
