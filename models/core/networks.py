"""The networks trained by others: where each lies, what it must hash to, what it takes, and its licence.

A further network is one more entry of NETWORKS. Digests are those of the packages, or of the files' Git LFS pointers at
the named revisions; where the publisher states none, `sha256` is empty and the user states it (see `Network`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...loaders.names import nearest

COLOURS = ("rgb", "bgr", "gray")


@dataclass(frozen=True)
class Convention:
    """What a network takes: pictures of `size` (height, width; None: any), with (pixel - mean) * scale as numbers.

    Pixels are 0..255; `mean` and `scale` are one number, or one for each of `colours` (rgb or bgr) in that order.
    `gray` is 0.299 R + 0.587 G + 0.114 B. `channels_last` is the order (N, H, W, C) of Keras; else (N, C, H, W).
    """

    size: tuple[int, int] | None = None
    colours: str = "rgb"
    mean: float | tuple[float, float, float] = 0.0
    scale: float | tuple[float, float, float] = 1.0
    channels_last: bool = False

    def __post_init__(self) -> None:
        if self.colours not in COLOURS:
            raise ValueError(f"colours {self.colours!r}: expected one of {', '.join(COLOURS)}")

    def normal(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """RGB pictures (..., H, W, 3) uint8 -> the same in the network's colours and range; gray ones (..., H, W, 1).

        Raises ValueError for another shape, size or dtype.
        """
        shape: tuple[int, ...] = getattr(pictures, "shape", ())
        kind = getattr(pictures, "dtype", type(pictures).__name__)
        wanted = self.size or ("H", "W")
        if kind != np.uint8 or len(shape) < 3 or shape[-1] != 3 or 0 in shape or self.size not in (None, shape[-3:-1]):
            expected = f"RGB of shape (..., {wanted[0]}, {wanted[1]}, 3), uint8"
            raise ValueError(f"picture of shape {shape}, {kind}: expected {expected}")
        ordered = pictures[..., ::-1] if self.colours == "bgr" else pictures
        if self.colours == "gray":
            # Rounded to whole numbers, as the gray pictures are that networks were trained on.
            ordered = (pictures @ np.array([0.299, 0.587, 0.114]))[..., None].round()
        mean, scale = (np.asarray(number, dtype=np.float32) for number in (self.mean, self.scale))
        return (ordered.astype(np.float32) - mean) * scale

    def batch(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """RGB pictures (N, H, W, 3) uint8 -> what the network takes, in its order. Raises ValueError as `normal`."""
        normal = self.normal(pictures)
        if normal.ndim != 4:
            raise ValueError(f"pictures of shape {pictures.shape}: expected (N, H, W, 3)")
        return np.ascontiguousarray(normal if self.channels_last else normal.transpose(0, 3, 1, 2))


@dataclass(frozen=True)
class Hub:
    """A file of a Hugging Face repository at one commit."""

    repository: str
    file: str
    revision: str


@dataclass(frozen=True)
class Network:
    """One file of weights.

    `file` is its name in a folder of the user's (--models), `inside` its path in `package` (an import name). `kind` is
    dlib, onnx, torch or arrays (as mtcnn stores them). `source` says where the user gets a file that neither a package
    nor the hub has. An empty `sha256` means that none is published: the user then states it in a file beside it, named
    as it is plus `.sha256`, as sha256sum writes it.
    """

    name: str
    file: str
    sha256: str
    kind: str
    licence: str
    takes: Convention
    package: str = ""
    inside: str = ""
    hub: Hub | None = None
    source: str = ""


CC0 = "CC0 1.0, see face_recognition_models"
HALF = 127.5
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_SCALE = (1 / 58.395, 1 / 57.12, 1 / 57.375)
"""ImageNet's mean and one over its standard deviation, 0.485 0.456 0.406 and 0.229 0.224 0.225 of 255."""


def _dlib(name: str, file: str, sha256: str, licence: str = CC0, size: tuple[int, int] | None = None) -> Network:
    return Network(name, file, sha256, "dlib", licence, Convention(size), "face_recognition_models", f"models/{file}")


def _mtcnn(net: str, side: int | None, sha256: str) -> Network:
    takes = Convention(None if side is None else (side, side), "rgb", HALF, 1 / 128)
    inside = f"assets/weights/{net}.lz4"
    return Network(f"mtcnn-{net}", f"{net}.lz4", sha256, "arrays", "MIT, see mtcnn", takes, "mtcnn", inside)


def _opencv(name: str, file: str, sha256: str, licence: str, takes: Convention, hub: tuple[str, str]) -> Network:
    """A network of OpenCV's zoo; `hub` is the repository's name there and its commit."""
    return Network(name, file, sha256, "onnx", licence, takes, hub=Hub(f"opencv/{hub[0]}", file, hub[1]))


def _voc(name: str, side: int, source: str) -> Network:
    takes = Convention((side, side), "rgb", IMAGENET_MEAN, IMAGENET_SCALE)
    file = f"{name.replace('-', '_')}.onnx"
    return Network(name, file, "", "onnx", "that of the file given", takes, source=source)


FINDERS = (
    _dlib(
        "dlib-cnn",
        "mmod_human_face_detector.dat",
        "4cb19393e2fbaf2b1609a9319ad5386618c886a6234ec1b971f3e87c85d87fe6",
    ),
    _dlib(
        "dlib-landmarks68",
        "shape_predictor_68_face_landmarks.dat",
        "fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",
        f"{CC0}; its training set iBUG 300-W excludes commercial use",
    ),
    _dlib(
        "dlib-landmarks5",
        "shape_predictor_5_face_landmarks.dat",
        "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
    ),
    _mtcnn("pnet", None, "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5"),
    _mtcnn("rnet", 24, "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee"),
    _mtcnn("onet", 48, "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3"),
    _opencv(
        "yunet",
        "face_detection_yunet_2023mar.onnx",
        "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        "MIT, see opencv_zoo",
        Convention(colours="bgr"),
        ("face_detection_yunet", "3cc26e7f1014a5ee5d74a42acee58bafc9d0a310"),
    ),
)

EMOTION = (
    Network(
        "mini-xception",
        "fer2013_mini_xception.onnx",
        "",
        "onnx",
        "MIT, see oarriaga/face_classification",
        Convention((64, 64), "gray", HALF, 1 / HALF, channels_last=True),
        source="fer2013_mini_XCEPTION.102-0.66.hdf5 of github.com/oarriaga/face_classification, turned into ONNX",
    ),
    _opencv(
        "mobilefacenet-fer",
        "facial_expression_recognition_mobilefacenet_2022july.onnx",
        "4f61307602fc089ce20488a31d4e4614e3c9753a7d6c41578c854858b183e1a9",
        "Apache-2.0, see opencv_zoo",
        Convention((112, 112), "rgb", HALF, 1 / HALF),
        ("facial_expression_recognition", "cc14b308d84bae302497477d202314a3348addf7"),
    ),
)

SEGMENTATION = (
    _opencv(
        "pphumanseg",
        "human_segmentation_pphumanseg_2023mar.onnx",
        "552d8a984054e59b5d773d24b9b12022b22046ceb2bbc4c9aaeaceb36a9ddf24",
        "Apache-2.0, see opencv_zoo",
        Convention((192, 192), "rgb", HALF, 1 / HALF),
        ("human_segmentation_pphumanseg", "e876e63603f6c65c1a22576bfd5fc7c07ecf9eb9"),
    ),
    _voc("pspnet-voc", 473, "a PSPNet trained on Pascal VOC 2012, 473x473 in, 21 classes out, as ONNX"),
    _voc("deeplab-voc", 520, "a DeepLab trained on Pascal VOC 2012, 520x520 in, 21 classes out, as ONNX"),
)

EMBEDDING = (
    _dlib(
        "dlib-descriptor",
        "dlib_face_recognition_resnet_model_v1.dat",
        "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
        size=(150, 150),
    ),
    _opencv(
        "sface",
        "face_recognition_sface_2021dec.onnx",
        "0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
        "Apache-2.0, see opencv_zoo",
        Convention((112, 112), "rgb"),
        ("face_recognition_sface", "3d7082438a6e4551e840c9b2bb60b71e8da4b524"),
    ),
)

VGG_FACE_MEAN = (129.186279296875, 104.76238250732422, 93.59396362304688)
VGG_FACE_2_MEAN = (131.0912, 103.8827, 91.4953)
"""The mean face of each training set, red, green, blue, as published with the torch weights."""
UNSTATED = "not stated with the weights, which were trained on photographs of celebrities collected for research"

ARCFACE = (
    # No digest of these two is published.
    Network(
        "arcface-ir50",
        "backbone_ir50_ms1m_epoch120.pth",
        "",
        "torch",
        UNSTATED,
        Convention((112, 112), "rgb", HALF, 1 / HALF),
        source="IR-50 trained on MS-Celeb-1M, of the model zoo of github.com/ZhaoJ9014/face.evoLVe",
    ),
    Network(
        "arcface-ir-se50",
        "model_ir_se50.pth",
        "",
        "torch",
        UNSTATED,
        Convention((112, 112), "rgb", HALF, 1 / HALF),
        source="IR-SE50 of github.com/TreB1eN/InsightFace_Pytorch",
    ),
)

CLASSIFIERS = (
    # The hub has a copy of facenet-pytorch's file, byte for byte.
    Network(
        "facenet",
        "20180402-114759-vggface2.pt",
        "281cebca8662831adb987a874bdcb36e73f5b1c6dc5ee5878f305e985625d99b",
        "torch",
        "MIT, see timesler/facenet-pytorch",
        Convention((160, 160), "rgb", HALF, 1 / 128),
        hub=Hub("py-feat/facenet", "facenet_20180402_114759_vggface2.pth", "8dd79278b755ee24ee9922619122df8a2b80b787"),
    ),
    # No digest of these two is published.
    Network(
        "vggface-resnet50",
        "resnet50_ft_dag.pth",
        "",
        "torch",
        UNSTATED,
        Convention((224, 224), "rgb", VGG_FACE_2_MEAN),
        source="the one in resnet50_ft_pytorch.tar.gz of www.robots.ox.ac.uk/~vgg/data/vgg_face2",
    ),
    Network(
        "vggface-vgg16",
        "vgg_face_dag.pth",
        "",
        "torch",
        UNSTATED,
        Convention((224, 224), "rgb", VGG_FACE_MEAN),
        source="VGG-Face of www.robots.ox.ac.uk/~albanie/pytorch-models.html",
    ),
    # The hub has a copy of pytorch-fid's file, whose name says how its digest begins.
    Network(
        "inception-2015",
        "pt_inception-2015-12-05-6726825d.pth",
        "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        "torch",
        "Apache-2.0, see mseitzer/pytorch-fid",
        Convention((299, 299), "rgb", HALF, 1 / HALF),
        hub=Hub(
            "RaphaelLiu/EvalCrafter-Models",
            "pt_inception-2015-12-05-6726825d.pth",
            "6040b4d40fdcde446a0cf753b0527585b6b77c54",
        ),
    ),
)

NETWORKS: dict[str, Network] = {
    network.name: network for network in (*FINDERS, *EMOTION, *SEGMENTATION, *EMBEDDING, *ARCFACE, *CLASSIFIERS)
}


def network(name: str) -> Network:
    """The registered network of that name. Raises ValueError naming the nearest."""
    if name not in NETWORKS:
        raise ValueError(f"no network {name!r}; {nearest(name, list(NETWORKS))}")
    return NETWORKS[name]
