"""VFMR: one sphere for voices and faces, what is frozen, its three stages, resumed as without a break."""

import math
from dataclasses import replace

import pytest
import torch
from facevox.benchmarks.core.learning import Exam
from facevox.models.core import checkpoint
from facevox.models.core.train import TrainOptions, fit
from facevox.models.core.triplets import matched
from facevox.models.vfmr import Vfmr, VfmrOptions

NARROW = {"voice_width": 0.05, "face_width": 0.05, "seconds": 1.0, "voices": 2, "faces": 2}


def model_of(stage: str = "joint", people: tuple[str, ...] = (), **options) -> Vfmr:
    torch.manual_seed(0)
    own = {"face_network": "small", "freeze_voice": False}
    return Vfmr(VfmrOptions(stage=stage, **{**NARROW, **own, **options}), people)


def batch_of(people: int, voices: int = 2, faces: int = 2) -> dict:
    random = torch.Generator().manual_seed(0)
    found = {"identities": [f"p{number}" for number in range(people)], "keys": ["k"] * people * max(voices, faces)}
    if voices:
        wave = torch.randint(-9000, 9000, (people * voices, 20_000), dtype=torch.int16, generator=random)
        found |= {"wave": wave, "length": torch.full((people * voices,), 20_000)}
    if faces:
        shape = (people * faces, 3, 112, 112)
        found["face"] = torch.randint(0, 256, shape, dtype=torch.uint8, generator=random)
    return found


def test_the_paper_s_networks_and_constants():
    with torch.device("meta"):
        model = Vfmr(VfmrOptions())
    count = {name: sum(p.numel() for p in model.get_submodule(name).parameters()) for name in ("voice", "face")}
    assert count == {"voice": 7_656_200, "face": 43_574_976}
    ghost = VfmrOptions(vlad="ghostvlad", face_network="table2")
    with torch.device("meta"):
        other = Vfmr(ghost)
    assert sum(p.numel() for p in other.voice.parameters()) == 7_664_394
    assert sum(p.numel() for p in other.face.parameters()) == 74_886_208
    assert other.variant == "joint-ghostvlad-table2"
    assert (Vfmr.steps, Vfmr.batch_size) == (70_000, 4)
    assert model.inputs().samples == {"voices": 4, "faces": 8}


def test_voices_and_faces_lie_on_one_sphere_and_the_score_is_their_cosine():
    model = model_of().eval()
    batch = batch_of(2)
    heard, seen = model.hear(batch["wave"].float() / 32_768), model.see(batch["face"])
    assert heard.shape == (4, 512) and seen.shape == (4, 512)
    for vectors in (heard, seen):
        assert torch.allclose(vectors.norm(dim=1), torch.full((4,), 128.0), atol=1e-3)
    cosines = model.match(batch["wave"][0], batch["face"])
    assert torch.allclose(cosines, seen @ heard[0] / 128**2, atol=1e-4)
    with pytest.raises(ValueError, match="give a joint checkpoint"):
        model_of("voice", ("p0", "p1")).match(batch["wave"][0], batch["face"])


def test_without_the_sphere_the_nearest_face_is_first_as_it_was_trained():
    model, batch = model_of(sphere=False).eval(), batch_of(2)
    seen = model.see(batch["face"])
    assert seen.norm(dim=1).std() > 0.1
    heard = model.hear_whole(batch["wave"][0])
    scores = model.match(batch["wave"][0], batch["face"])
    assert torch.allclose(scores, -(seen - heard).norm(dim=1), rtol=1e-4)
    assert "Euclidean distance" in model.portable()["face"].about


def test_what_is_frozen_gets_no_gradient_and_keeps_its_statistics():
    model = model_of(freeze_voice=True, freeze_voice_head=True)
    with pytest.raises(ValueError, match="the voice network is frozen and was never trained: `facevox train vfmr"):
        model.step(batch_of(2))
    model.begun = frozenset({"voice"})
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    model.step(batch_of(2))
    moved = {name.split(".")[0] for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"face", "face_head"}
    assert all(p.grad is None for part in (model.voice, model.voice_head) for p in part.parameters())
    face = model_of(freeze_face=True)
    face.begun = frozenset({"face"})
    face.train().step(batch_of(2))
    assert all(p.grad is None for p in face.face.parameters())
    assert all(p.grad is not None for p in face.voice.parameters())


def test_heads_learn_by_the_printed_steps_and_networks_at_one_rate():
    model = model_of(lr_steps=2, network_lr=1e-6)
    model.train()
    rates = []
    for _ in range(7):
        rates.append(model.learning_rate)
        model.step(batch_of(2))
    assert rates == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4, 1e-5, 1e-5, 1e-6])
    assert model.optimizers["networks"].param_groups[0]["lr"] == 1e-6
    assert model.schedulers["heads"].milestones.keys() == {2, 4, 6}
    assert VfmrOptions().lr_steps == 20_000


def test_the_merit_is_the_share_of_right_triplets():
    centres = 10 * torch.eye(3)[:, None]
    assert matched(centres.expand(3, 2, 3), centres.expand(3, 4, 3))[0].tolist() == [1.0] * 6
    right, loss = matched(torch.zeros(3, 2, 3), torch.zeros(3, 4, 3), margin=1.5)
    assert right.tolist() == [0.5] * 6 and loss.tolist() == [1.5] * 6
    # Of two people with two pictures each, one picture of the second lies with the first person's.
    faces = torch.tensor([[[0.0], [1.0]], [[9.0], [0.5]]])
    assert matched(faces, faces, paired=True)[0].tolist() == [0.5, 0.5, 0.5, 0.0]
    model = model_of().eval()
    assert model.evaluate(batch_of(3))["merit"].shape == (6,)


@pytest.mark.parametrize(("stage", "voices", "faces"), [("voice", 2, 0), ("face", 0, 2)])
def test_the_first_stages_tell_people_apart(stage, voices, faces):
    model, batch = model_of(stage, ("p0", "p1", "p2")), batch_of(3, voices, faces)
    model.train()
    losses = [float(model.step(batch)["softmax"]) for _ in range(12)]
    assert losses[0] == pytest.approx(math.log(3), abs=0.9)
    assert losses[-1] < losses[0]
    with torch.inference_mode():
        assert model.eval().evaluate(batch)["merit"].shape == (6,)
    assert Vfmr.tells_apart(model.options) == (f"{stage}s",)
    assert model.inputs().samples == {f"{stage}s": 2}
    with pytest.raises(ValueError, match="1 people in train"):
        model_of(stage, ("p0",))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"stage": "both"}, "expected one of joint, voice, face"),
        ({"voices": 1, "stage": "voice"}, "stage voice needs 2 or more"),
        ({"faces": 0}, "0 faces of each person: stage joint needs 1"),
        ({"seconds": 0.5}, "the voice network needs 1 or more"),
        ({"scale": 0.0}, "scale 0.0: expected more than 0"),
    ],
)
def test_options_out_of_range_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        VfmrOptions(**options).settled()


def test_all_stages_one_after_the_other_and_resumed_as_without_a_break(voices_and_faces, resumed, tmp_path):
    data = voices_and_faces.path
    settings = VfmrOptions(face_network="small", **NARROW)
    base = TrainOptions("vfmr", data, tmp_path, epochs=1, batch_size=2, device="cpu", validation="test")
    for stage in ("voice", "face"):
        report = fit(replace(base, settings=replace(settings, stage=stage)))
        assert 0 <= report.best <= 1
        # A stage of one config is examined as well as one of two.
        exam = Exam(data, {stage: report.home / "best.pt"}, linked=True)
        assert exam.results(stage, "test", batch_size=2)["merit"].mean() == pytest.approx(report.best, abs=1e-6)
    begun = ",".join(
        f"{part}={tmp_path}/vfmr-{part}-{kind}/seed0/best.pt"
        for part, kind in (("voice", "netvlad"), ("face", "small"))
    )
    joint = replace(base, epochs=2, settings=settings, initial=begun)
    whole, first = resumed(joint), checkpoint.load(tmp_path / "vfmr-voice-netvlad/seed0/best.pt")
    assert (tmp_path / "vfmr-joint-netvlad-small/seed0/last.pt").is_file()
    assert whole["progress"]["step"] == 2
    assert torch.equal(whole["weights"]["voice.local.weight"], first["weights"]["voice.local.weight"])
    with pytest.raises(ValueError, match="the voice network is frozen and was never trained"):
        fit(replace(joint, initial="", out=tmp_path / "fresh"))
