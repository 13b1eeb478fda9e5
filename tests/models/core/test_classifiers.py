"""The torch classifiers: the published weights fit them by name and size, and what reaches them is as published."""

import numpy as np
import pytest
import torch
from facevox.models.core.classifiers import MODULES, open_classifier
from facevox.models.core.inception import InceptionA, InceptionE
from facevox.models.core.inception_resnet import InceptionResnetV1
from facevox.models.core.networks import NETWORKS
from torch import nn


def planned(name):
    with torch.device("meta"):
        return MODULES[name]().eval()


@pytest.mark.parametrize(
    ("name", "parameters", "published_bytes"),
    [
        ("facenet", 27_910_327, 111_898_327),
        ("vggface-vgg16", 145_002_878, 580_015_466),
        ("vggface-resnet50", 41_192_951, None),
        ("inception-2015", 23_850_960, 95_628_359),
    ],
)
def test_sizes_are_those_of_the_published_files(name, parameters, published_bytes):
    module = planned(name)
    assert sum(tensor.numel() for tensor in module.parameters()) == parameters
    stored = sum(tensor.numel() * tensor.element_size() for tensor in module.state_dict().values())
    if published_bytes:
        # A file has some 200 bytes beside the numbers for each of its tensors.
        assert 0 < published_bytes - stored < 200 * len(module.state_dict())


def made(name):
    """The module with numbers in it: one seed, small weights of convolutions, the rest as batch norms begin."""
    torch.manual_seed(0)
    module = planned(name)
    module.to_empty(device="cpu")
    for tensor_name, tensor in module.state_dict().items():
        ones = tensor_name.endswith((".running_var", "bn.weight"))
        nn.init.normal_(tensor, 0, 0.05) if tensor.dim() > 1 else tensor.fill_(float(ones))
    return module


@pytest.mark.parametrize(
    ("name", "shapes"), [("vggface-resnet50", ((1, 2048), (1, 8631))), ("inception-2015", ((1, 2048), (1, 1008)))]
)
def test_features_and_logits_have_the_published_sizes(name, shapes):
    height, width = NETWORKS[name].takes.size
    with torch.inference_mode():
        found = made(name)(torch.randn(1, 3, height, width))
    assert tuple(tuple(tensor.shape) for tensor in found) == shapes
    assert all(bool(tensor.isfinite().all()) for tensor in found)


def test_vggfaces_feature_is_fc7_before_its_rectifier():
    module = planned("vggface-vgg16")
    module.fc6, module.fc7, module.fc8 = nn.Linear(25_088, 8), nn.Linear(8, 6), nn.Linear(6, 4)
    for child in module.children():
        child.to_empty(device="cpu")
        # Every layer passes a picture of ones on, but for the edges.
        nn.init.constant_(child.weight, 1 / child.weight[0].numel())
        nn.init.zeros_(child.bias)
    with torch.no_grad():
        module.fc7.bias[:3] = -9
        module.fc8.weight.fill_(1)
        fc7, logits = module(torch.ones(1, 3, 224, 224))
    assert (fc7[0, :3] < 0).all()
    torch.testing.assert_close(logits[0], fc7.clamp(min=0).sum().expand(4))


PUBLISHED = {
    "facenet": """repeat_1.4.branch2.2.bn.running_var repeat_2.9.branch1.1.conv.weight repeat_3.0.conv2d.bias
        mixed_7a.branch0.1.conv.weight block8.branch1.2.conv.weight last_bn.bias logits.weight""",
    "vggface-vgg16": "conv1_1.weight conv5_3.bias fc6.weight fc7.bias fc8.weight",
    "vggface-resnet50": """conv1_7x7_s2.weight conv2_1_1x1_proj_bn.running_mean conv4_6_3x3.weight
        conv5_3_1x1_increase_bn.weight classifier.bias""",
    "inception-2015": """Conv2d_2b_3x3.conv.weight Mixed_5d.branch_pool.bn.bias Mixed_6a.branch3x3.conv.weight
        Mixed_6e.branch7x7dbl_5.conv.weight Mixed_7a.branch7x7x3_4.bn.running_var
        Mixed_7c.branch3x3dbl_3b.conv.weight fc.weight""",
}


@pytest.mark.parametrize(("name", "some"), PUBLISHED.items())
def test_names_are_those_of_the_published_files(name, some):
    assert set(some.split()) <= set(planned(name).state_dict())


def test_facenets_groups_have_the_sizes_that_sf2f_compares():
    module, seen = made("facenet"), {}

    def watch(name):
        def hook(_module, _given, found):
            seen[name] = tuple(found.shape[1:])

        module.get_submodule(name).register_forward_hook(hook)

    for name in ("repeat_1", "repeat_2", "block8"):
        watch(name)
    with torch.inference_mode():
        module(torch.randn(1, 3, 140, 140))
    assert seen == {"repeat_1": (256, 15, 15), "repeat_2": (896, 7, 7), "block8": (1792, 3, 3)}


class Means(nn.Module):
    """Stands for a network: the mean of each colour, and their sum."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x):
        means = x.mean((2, 3)) * self.scale
        return means, means.sum(1, keepdim=True)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("facenet", (np.array([200, 100, 50]) - 127.5) / 128),
        ("vggface-vgg16", np.array([200, 100, 50]) - [129.1863, 104.7624, 93.5940]),
        ("vggface-resnet50", np.array([200, 100, 50]) - [131.0912, 103.8827, 91.4953]),
        ("inception-2015", np.array([200, 100, 50]) / 127.5 - 1),
    ],
)
@pytest.mark.parametrize("old", [False, True])
def test_pictures_reach_the_network_as_published(tmp_path, place, monkeypatch, name, expected, old):
    monkeypatch.setitem(MODULES, name, Means)
    torch.save({"scale": torch.tensor(2.0)}, tmp_path / "saved", _use_new_zipfile_serialization=not old)
    place(name, (tmp_path / "saved").read_bytes(), tmp_path)
    classify = open_classifier(name, tmp_path)
    found = classify(np.full((3, 40, 30, 3), (200, 100, 50), np.uint8))
    assert (found.features.shape, found.logits.shape, found.features.dtype) == ((3, 3), (3, 1), np.float32)
    np.testing.assert_allclose(found.features, np.tile(2 * expected, (3, 1)), atol=1e-3)
    np.testing.assert_allclose(found.logits[:, 0], 2 * expected.sum(), atol=1e-3)
    assert classify is open_classifier(name, tmp_path)


def test_facenet_is_filled_and_gives_unit_vectors(tmp_path, place):
    from facevox.models.core.detectors import Face
    from facevox.models.core.embedding import open_embedder

    torch.manual_seed(0)
    source = InceptionResnetV1().eval()
    # Weights of before torch 0.4.1 do not count batches.
    state = {name: tensor for name, tensor in source.state_dict().items() if "num_batches" not in name}
    torch.save(state, tmp_path / "saved")
    place("facenet", (tmp_path / "saved").read_bytes(), tmp_path)
    image = np.random.default_rng(0).integers(0, 256, (90, 80, 3), dtype=np.uint8)
    classify = open_classifier("facenet", tmp_path)
    found = classify(image[None])
    given = torch.from_numpy(NETWORKS["facenet"].takes.batch(resized_by_cv2(image, 160)[None]))
    with torch.inference_mode():
        np.testing.assert_allclose(found.features, source(given)[0].numpy(), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found.features, axis=1), 1, atol=1e-5)
    (vector,) = open_embedder("facenet", tmp_path)([image], [Face((0, 0, 80, 90), 1.0)])
    np.testing.assert_allclose(vector, found.features[0], atol=1e-6)


def resized_by_cv2(image, side):
    import cv2

    return cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)


def test_inceptions_means_leave_out_what_is_beyond_the_edge():
    """With every weight so that a branch passes its input on, a picture of ones stays one up to its edge."""
    for block, inputs in ((InceptionA(4, 4), 4), (InceptionE(4, maxima=False), 4), (InceptionE(4, maxima=True), 4)):
        pool = block.eval().branch_pool
        nn.init.constant_(pool.conv.weight, 0.25)
        ones = torch.ones(1, inputs, 5, 5)
        outputs = pool.conv.out_channels
        torch.testing.assert_close(block(ones)[:, -outputs:], torch.full((1, outputs, 5, 5), 1 / 1.001**0.5))


def test_other_names_pictures_and_files_are_refused(tmp_path, place, monkeypatch):
    with pytest.raises(ValueError, match="no classifier 'vggface-vgg19'; did you mean 'vggface-vgg16'"):
        open_classifier("vggface-vgg19")
    with pytest.raises(FileNotFoundError, match=r"resnet50_ft_dag.pth here; .* resnet50_ft_pytorch.tar.gz"):
        open_classifier("vggface-resnet50", tmp_path)
    monkeypatch.setitem(MODULES, "facenet", Means)
    torch.save({"scale": torch.tensor(2.0)}, tmp_path / "saved")
    place("facenet", (tmp_path / "saved").read_bytes(), tmp_path)
    classify = open_classifier("facenet", tmp_path)
    for wrong in (np.zeros((9, 9, 3), np.uint8), np.zeros((0, 9, 9, 3), np.uint8), None):
        with pytest.raises(ValueError, match=r"expected \(N, H, W, 3\)"):
            classify(wrong)
    (tmp_path / NETWORKS["facenet"].file).write_bytes(b"other")
    with pytest.raises(ValueError, match="damaged or another file"):
        open_classifier("facenet", tmp_path)
