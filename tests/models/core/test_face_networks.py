"""VFMR's other face networks: the shapes that the papers give."""

import pytest
import torch
from facevox.models.core.face_networks import DIMNET, FACE_NETWORKS, DimnetFace, VggM, face_network


def test_vgg_m_leaves_five_by_five_of_224():
    with torch.device("meta"):
        network = VggM()
        assert network.trunk(torch.zeros(2, 3, 224, 224)).shape == (2, 512, 5, 5)
        assert network.trunk(torch.zeros(2, 3, 112, 112)).shape == (2, 512, 2, 2)
        assert [layer.out_features for layer in network.head if isinstance(layer, torch.nn.Linear)] == [4096, 1024]


def test_dimnet_halves_five_times():
    with torch.device("meta"):
        network, found, shapes = DimnetFace(), torch.zeros(2, 3, 112, 112), []
        for layer in network.trunk:
            found = layer(found)
            shapes.append(tuple(found.shape[1:]))
        assert list(dict.fromkeys(shapes)) == [
            (channels, side, side) for channels, side in zip(DIMNET, (56, 28, 14, 7, 4), strict=True)
        ]


@pytest.mark.parametrize("name", FACE_NETWORKS)
def test_every_network_gives_vectors_of_its_size_at_any_width(name):
    network, size = face_network(name, 0.05)
    assert network.train()(torch.randn(2, 3, 112, 112)).shape == (2, size)


@pytest.mark.parametrize(
    ("name", "published"), [("ir50", 43_574_976), ("table2", 74_886_208), ("se", 77_417_200), ("se_ir50", 43_797_696)]
)
def test_names_mean_the_published_networks(name, published):
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in face_network(name)[0].parameters()) == published


def test_another_name_is_refused():
    with pytest.raises(ValueError, match="expected one of ir50, table2"):
        face_network("resnet")
