"""SF2F and voice2face: published counts, shapes and time chains; the fuser's invariance."""

import pytest
import torch
from facevox.models.core.sf2f_networks import FaceDecoder, Fuser, PlainEncoder, TransposedDecoder, VoiceEncoder
from torch import nn


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_parameters_of_the_encoders():
    with torch.device("meta"):
        encoder = VoiceEncoder()
        assert [count(block) for block in encoder.blocks] == [44_032, 418_560, 941_184, 2_116_800]
        assert count(encoder.last) == 1_327_616
        assert (count(encoder), count(VoiceEncoder("inception"))) == (4_848_192, 5_401_664)
        assert (count(PlainEncoder()), count(PlainEncoder(64, 64))) == (3_813_952, 2_670_720)


@pytest.mark.parametrize(
    ("frames", "chain"), [(100, [50, 25, 13, 7, 4]), (125, [63, 32, 16, 8, 4]), (150, [75, 38, 19, 10, 5])]
)
def test_time_halves_with_every_block(frames, chain):
    with torch.device("meta"):
        encoder, found, seen = VoiceEncoder(), torch.zeros(1, 40, frames), []
        for part in (*encoder.blocks, encoder.last):
            found = part(found)
            seen.append(found.shape[2])
        assert seen == chain


def test_voices_become_unit_vectors():
    voices = VoiceEncoder(width=0.1)(torch.randn(2, 40, 125))
    assert voices.shape == (2, 512)
    assert torch.allclose(voices.norm(dim=1), torch.ones(2))


@pytest.mark.parametrize("beside", ["query", "embedding"])
def test_the_fuser_does_not_care_for_order_or_padding(beside):
    windows = nn.functional.normalize(torch.randn(2, 5, 512), dim=2)
    fuser = Fuser(beside=beside)
    assert count(fuser) == 786_432
    fused = fuser(windows)
    assert torch.allclose(fused.norm(dim=1), torch.ones(2))
    assert torch.allclose(fuser(windows[:, torch.randperm(5)]), fused, atol=1e-5)
    padded = torch.cat([windows, torch.randn(2, 3, 512)], 1)
    real = torch.arange(8).expand(2, 8) < 5
    assert torch.allclose(fuser(padded, real), fused, atol=1e-5)


@pytest.mark.parametrize(("sides", "published"), [((64,), 11_566_083), ((64, 128), 11_577_734), ((128,), None)])
def test_decoders(sides, published):
    with torch.device("meta"):
        decoder = FaceDecoder(sides)
        assert published is None or count(decoder) == published
        assert [tuple(picture.shape) for picture in decoder(torch.zeros(2, 512))] == [(2, 3, s, s) for s in sides]
        assert (count(TransposedDecoder(64)), count(TransposedDecoder())) == (12_191_875, 19_531_907)
        assert TransposedDecoder()(torch.zeros(2, 512)).shape == (2, 3, 64, 64)


@pytest.mark.parametrize(
    "wrong", [lambda: FaceDecoder((32,)), lambda: VoiceEncoder("gru"), lambda: Fuser(beside="key")]
)
def test_other_variants_are_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        wrong()
