"""RC-GAN's networks: counts, shapes, ranges."""

import torch
from facevox.models.core.rcgan_networks import Autoencoder, Discriminator, Generator, VoiceClassifierNetwork
from torch import nn


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_parameters_are_the_expected_ones():
    with torch.device("meta"):
        networks = VoiceClassifierNetwork(), Autoencoder(), Generator(), Discriminator()
        assert [count(network) for network in networks] == [758_153, 4_427_331, 11_285_379, 2_766_657]


def test_shapes_and_ranges():
    voices, spectrograms = torch.randn(2, 128), torch.randn(2, 2, 60, 41)
    classifier = VoiceClassifierNetwork().eval()
    assert classifier(spectrograms).shape == (2, 9)
    embedded = classifier.embed(spectrograms)
    assert embedded.shape == (2, 128) and embedded.min() >= 0
    assert torch.equal(embedded, classifier.embed(spectrograms, activated=False).relu())
    for faces in (Generator()(voices), Autoencoder()(voices)[0]):
        assert faces.shape == (2, 3, 64, 64)
        assert faces.min() >= 0 and faces.max() <= 1
        assert Discriminator()(faces, voices).shape == (2, 1)


def test_the_penalty_is_that_of_dense_weights_alone():
    classifier = VoiceClassifierNetwork()
    dense = [module.weight for module in classifier.modules() if isinstance(module, nn.Linear)]
    assert torch.isclose(classifier.weight_penalty(), 0.001 * sum((weight**2).sum() for weight in dense))


def test_the_autoencoder_draws_only_while_it_learns():
    network, voices = Autoencoder(), torch.randn(2, 128)
    assert not torch.equal(network(voices)[0], network(voices)[0])
    network.eval()
    assert torch.equal(network(voices)[0], network(voices)[0])
