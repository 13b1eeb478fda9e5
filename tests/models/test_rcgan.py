"""VAE, C-GAN and RC-GAN: losses by hand, a frozen encoder, faces learned."""

import numpy as np
import pytest
import torch
from facevox.models.core.segment_inputs import FIELD
from facevox.models.rcgan import FACE, Rcgan, RcganOptions

RANDOM = np.random.default_rng(0)
FACES = RANDOM.integers(0, 256, (2, 1, 1, 3)).astype(np.uint8) * np.ones((1, 64, 64, 1), np.uint8)


def recording(label: int, segments: int) -> dict:
    sound = RANDOM.standard_normal((segments, 2, 60, 41)).astype(np.float32) + 8 * label
    facts = {"class_index": label, "segments": segments}
    return {"__key__": f"r{label}", FIELD: sound, FACE: FACES[label], "json": facts}


def model_of(kind: str, **options) -> Rcgan:
    torch.manual_seed(0)
    return Rcgan(RcganOptions(kind=kind, classes=2, classifier_width=0.125, **options))


def test_every_segment_has_the_face_of_its_class():
    batch = model_of("rcgan").inputs()([recording(0, 2), recording(1, 3), recording(1, 0)])
    assert batch["face"].shape == (5, 3, 64, 64)
    assert torch.equal(batch["face"][4], torch.from_numpy(FACES[1]).permute(2, 0, 1))
    assert batch["dropped"] == 1
    with pytest.raises(ValueError, match=r"expected \(64, 64, 3\)"):
        model_of("rcgan").inputs()([recording(0, 1) | {FACE: np.zeros((96, 96, 3), np.uint8)}])


@pytest.mark.parametrize("kind", ["vae", "cgan", "rcgan"])
def test_a_step_moves_all_but_the_encoder(kind):
    model = model_of(kind)
    batch = model.inputs()([recording(0, 3), recording(1, 3)])
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    model.step(batch)
    moved = {name.split(".")[0] for name, value in model.named_parameters() if not torch.equal(value, before[name])}
    assert moved == ({"generator"} if kind == "vae" else {"generator", "discriminator"})
    assert all(value.grad is None for value in model.encoder.parameters())
    assert torch.equal(model.vectors(batch), model.vectors(batch))
    assert model(batch).shape == (6, 3, 64, 64)


def test_the_vae_sums_over_pixels_and_its_divergence_is_that_of_normals():
    model = model_of("vae")
    batch = model.inputs()([recording(0, 4)])
    vectors, faces = model.vectors(batch), batch["face"] / 255
    torch.manual_seed(1)
    made, mean, log_variance = model.generator(vectors)
    normal = torch.distributions.Normal(mean, (log_variance / 2).exp())
    divergence = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0)).sum(1).mean()
    torch.manual_seed(1)
    losses = model.step(batch)
    assert torch.isclose(losses["divergence"], divergence, rtol=1e-4)
    assert torch.isclose(losses["error"], ((made - faces) ** 2).flatten(1).sum(1).mean(), rtol=1e-4)


def test_rcgan_draws_the_face_of_the_voice():
    model = model_of("rcgan", lr=2e-3)
    read = model.inputs()
    for _ in range(25):
        model.train()
        model.step(read([recording(0, 4), recording(1, 4)]))
    model.eval()
    with torch.inference_mode():
        unseen = read([recording(0, 4), recording(1, 4)])
        right = model.evaluate(unseen)
        real, drawn = model.draw(unseen)
        assert (real.shape, drawn.shape, drawn.dtype) == ((2, 3, 64, 64), (2, 3, 64, 64), torch.uint8)
        assert (drawn.float() - real.float()).abs().mean() < 25
        unseen["face"] = unseen["face"].flip(0)
        wrong = model.evaluate(unseen)
    assert right["merit"].mean() > 0.9 > wrong["merit"].mean()
    with pytest.raises(ValueError, match="expected one of vae"):
        model_of("gan")
