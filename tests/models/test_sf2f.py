"""SF2F: the released weights of losses, what learns in which stage, crops and windows, training that resumes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from facevox.models.core import checkpoint
from facevox.models.core.sf2f_schedule import fading
from facevox.models.core.sound import SF2F
from facevox.models.core.train import TrainOptions, fit
from facevox.models.sf2f import RECORDINGS, Sf2f, Sf2fOptions
from facevox.models.vfmr import VfmrOptions

RANDOM = np.random.default_rng(0)
PEOPLE = ("a", "b", "c")
NARROW = {"width": 0.0625, "perceptual": 0.0}


def model_of(stage: str = "encoder", people: tuple[str, ...] = PEOPLE, **options) -> Sf2f:
    torch.manual_seed(0)
    return Sf2f(Sf2fOptions(stage=stage, **NARROW, **options), people)


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_paper_s_networks_and_constants():
    people = tuple(str(number) for number in range(2_890))
    with torch.device("meta"):
        first = Sf2f(Sf2fOptions(perceptual=0), people)
        second = Sf2f(Sf2fOptions(perceptual=0, stage="fuser", sides="64+128"), people)
    networks = first.networks
    assert (count(networks.encoder), count(networks.decoder)) == (4_848_192, 11_566_083)
    assert (count(networks.real), count(networks.who)) == (659_521, 3_885_707)
    assert (count(second.fuser), count(second.networks.decoder)) == (786_432, 11_577_734)
    assert [count(second.networks.who[side]) for side in ("64", "128")] == [3_885_707, 6_246_027]
    assert (first.steps, second.steps, first.batch_size) == (120_000, 360, 256)
    assert (first.learning_rate, second.learning_rate) == (5e-4, 1e-4)
    assert (first.variant, second.variant) == ("encoder-64", "fuser-64-128")
    options = Sf2fOptions()
    assert (options.picture_weight, options.adversarial, options.identity, options.perceptual) == (10, 1, 0.05, 100)
    assert (options.perceptual_network, Sf2fOptions(sides="64+128").picture_weight) == ("facenet", 100)
    assert [fading(step) for step in (0, 100_000, 120_000, 130_000)] == pytest.approx([1, 1, 1e-3, 1e-3])
    shorter = model_of(schedule=600)
    assert (shorter.steps, model_of().steps) == (600, 120_000)
    rates = [shorter.schedulers["made"].lr_lambdas[0](step) for step in (0, 500, 550, 600)]
    assert rates == pytest.approx([1, 1, 0.5005, 1e-3])


def test_voices_are_their_speech_and_short_ones_end_in_silence(drawing_batch):
    model = model_of()
    batch = drawing_batch(model, PEOPLE, seconds=1.0, pause=True)
    assert batch["face"].shape == (3, 3, 64, 64)
    # 15,000 of the 16,000 samples are speech: 1 + ceil((15,000 - 400) / 160) frames.
    assert batch["mel"].shape == (3, 40, 150)
    assert batch["frames"].tolist() == [93] * 3
    assert torch.allclose(batch["mel"][..., 93:], torch.tensor(SF2F.padding))
    assert batch["keys"] == [f"v-{name}-0" for name in PEOPLE]
    model.eval()
    assert torch.allclose(model.vectors(batch).norm(dim=1), torch.ones(3))


def test_the_fuser_takes_windows_of_several_recordings(drawing_batch):
    model = model_of("fuser", most_windows=6)
    batch = drawing_batch(model, PEOPLE, seconds=2.2, pause=True)
    # 34,200 samples are 213 frames: windows begin at 0 and 63; five recordings have ten, of which six are taken.
    assert RECORDINGS == 5
    assert batch["mel"].shape == (3, 6, 40, 125)
    assert batch["real"].all()
    assert batch["keys"] == [f"v-{name}-0" for name in PEOPLE]
    assert model_of("fuser")(batch)[0].shape == (3, 3, 64, 64)


def test_losses_by_hand():
    model = model_of(sides="64+128")
    model.eval()
    made = [torch.zeros(3, 3, side, side) for side in (64, 128)]
    real = [torch.full_like(picture, 0.5) for picture in made]
    for module in (model.networks.real, model.networks.who):
        for name, weight in module.named_parameters():
            if name.split(".")[1] in ("score", "joint", "real", "who"):
                torch.nn.init.zeros_(weight)
    who = torch.tensor([0, 1, 2])
    losses = model.drawing_losses(made, real, who)
    two, three = np.log(2), np.log(3)
    expected = {"picture": 2 * 100 * 0.5, "adversarial": 2 * two, "identity": 2 * 0.05 * (three + two)}
    assert {name: float(loss.detach()) for name, loss in losses.items()} == pytest.approx(expected, rel=1e-5)
    told = model.telling_losses(made, real, who)
    expected = {"real": 2 * 2 * two, "who": 2 * (2 * two + three)}
    assert {name: float(loss.detach()) for name, loss in told.items()} == pytest.approx(expected, rel=1e-5)


def test_a_discriminator_without_weight_does_not_learn(drawing_batch):
    model = model_of(adversarial=0.0)
    model.train()
    assert set(model.step(drawing_batch(model, PEOPLE))) == {"picture", "identity", "who"}
    assert not model.optimizers["real"].state


@pytest.mark.parametrize(("stage", "learning"), [("encoder", {"encoder", "decoder"}), ("fuser", {"fuser"})])
def test_what_is_given_stays_and_discriminators_learn_on(drawing_batch, stage, learning):
    model = model_of(stage, sides="64+128")
    batch = drawing_batch(model, PEOPLE, pause=True)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    losses = model.step(batch)
    assert set(losses) == {"picture", "adversarial", "identity", "real", "who"}
    moved = {
        name.removeprefix("networks.").split(".")[0]
        for name, was in before.items()
        if not model.state_dict()[name].equal(was)
    }
    assert moved == learning | {"real", "who"}
    if stage == "fuser":
        assert all(weight.grad is None for weight in (*model.networks.encoder.parameters(),))
        assert all(weight.grad is None for weight in (*model.networks.decoder.parameters(),))


def test_the_second_picture_is_half_the_first_and_a_voice_gives_one_face(drawing_batch):
    model = model_of(sides="64+128")
    batch = drawing_batch(model, PEOPLE, pause=True)
    model.eval()
    small, large = model.real(batch)
    assert torch.equal(small, large[..., ::2, ::2])
    assert [tuple(column.shape) for column in model.draw(batch)] == [(3, 3, 128, 128), (3, 3, 64, 64), (3, 3, 128, 128)]
    sound = (RANDOM.standard_normal(40_000) * 3000).astype(np.int16)
    with torch.inference_mode():
        face = model.generate(sound, [(0, 40_000)])
        again = model.generate(sound, [(0, 20_000), (20_000, 40_000)])
    assert face.shape == (1, 3, 128, 128)
    assert face.dtype == torch.uint8
    assert torch.equal(face, again)
    assert "nobody's likeness" in model.warning


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"stage": "decoder"}, "expected one of encoder, fuser"),
        ({"sides": "32"}, "64, 128, 64"),
        ({"lr": -1.0}, "0 or"),
        ({"perceptual_network": "large"}, "expected one of facenet, small"),
    ],
)
def test_options_out_of_range_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        Sf2fOptions(**options).settled()


def test_a_face_network_trained_here_may_stand_in_for_facenet(voices_and_faces, tmp_path):
    about = {"epochs": 1, "batch_size": 2, "max_steps": 1, "device": "cpu", "validate_every": 0}
    data, small = voices_and_faces.path, {"face_network": "small", "face_width": 0.125}
    seeing = VfmrOptions(stage="face", voices=0, faces=2, **small)
    home = fit(TrainOptions("vfmr", data, tmp_path, settings=seeing, **about)).home
    settings = Sf2fOptions(width=0.0625, face="face.webp", perceptual_network="small", perceptual_width=0.125)
    run = TrainOptions("sf2f", data, tmp_path, settings=settings, initial=f"face_network={home}/best.pt", **about)
    drawn, seen = (checkpoint.load(at / "last.pt")["weights"] for at in (fit(run).home, home))
    assert drawn["face_network.trunk.0.weight"].equal(seen["face.trunk.0.weight"])
    with pytest.raises(ValueError, match="other options than sf2f has now"):
        fit(replace(run, out=tmp_path / "wide", settings=replace(settings, perceptual_width=0.25)))
    with pytest.raises(ValueError, match="`facevox train vfmr` makes one"):
        fit(replace(run, out=tmp_path / "fresh", initial=""))


def test_both_stages_resume_as_without_a_break(voices_and_faces, resumed, tmp_path):
    settings = Sf2fOptions(face="face.webp", **NARROW)
    first = TrainOptions(
        *("sf2f", voices_and_faces.path, tmp_path),
        epochs=2,
        batch_size=2,
        device="cpu",
        validation="test",
        settings=settings,
    )
    home = fit(first).home
    assert (home / "grids/epoch0002.png").is_file()
    second = replace(first, settings=replace(settings, stage="fuser"), initial=f"networks={home}/best.pt")
    for base in (first, second):
        assert resumed(base)["progress"]["step"] == 2
    with pytest.raises(ValueError, match="sf2f begins with a trained networks"):
        fit(replace(second, initial="", out=tmp_path / "fresh"))
    with pytest.raises(ValueError, match="--perceptual 0 trains without it"):
        fit(replace(first, settings=Sf2fOptions(width=0.0625), out=tmp_path / "seen"))
