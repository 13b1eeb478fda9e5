"""How AVSpeech is split, how its faces are found and what is stored.

The detector's default was chosen by measuring on 48 real pictures: frames of seven talking clips, one a second, and
seven group photographs. The paper's (dlib-cnn) finds 72 faces in 1.9 s a picture on one core. dlib-hog finds 70 of
them in 0.026 s, with boxes of the same kind (9 % larger; median overlap 0.75). MTCNN finds 71 and 24 more, small ones,
in 0.056 s, with other boxes (8 % narrower, 28 % higher; overlap 0.69). Scaled-down pictures are faster and lose half
of the faces of both of dlib's. A clip has six frames to be found in: of 28 segments of the seven clips all three keep
the same 24 (the others are silent), dlib-hog and dlib-cnn with the same frame in 21.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from ...loaders.media import ClipWriter
from ...models.core.face_vectors import SIZES, FaceVector, open_face_vector
from ...models.core.networks import NETWORKS
from ...models.core.pretrained import locate, sha256
from ..core.builder import ReleaseOptions
from .detector_choice import DetectorChoice

SPLITTERS = ("hash", "official")
FEATURES = ("", "speech2face")


@dataclass(frozen=True)
class AvspeechOptions(DetectorChoice, ReleaseOptions):
    """How AVSpeech is read."""

    subjects: str = field(
        default="", metadata={"help": "only these videos: YouTube ids joined by commas, as in --subjects=-a1B2c3D4e5"}
    )
    split: str = field(
        default="hash",
        metadata={
            "help": "hash: SHA-1 of the YouTube id modulo 10, 8 validation, 9 test, over both tables; official: the "
            "videos of avspeech_test.csv are test, of the others 8 is validation (default: hash)",
            "choices": SPLITTERS,
        },
    )
    detector: str = field(
        default="dlib-hog",
        metadata={
            "help": "finds faces: dlib-hog (0.03 s a picture, faces from 80 px), mtcnn (0.06 s, from 20 px, higher "
            "boxes), dlib-cnn (the paper's, 2 s, 1.2 GB a worker) or an .onnx file"
        },
    )
    models: str = field(default="", metadata={"help": "folder with networks, looked through before the packages"})
    one_face: bool = field(default=False, metadata={"help": "leave out clips whose frame shows several faces"})
    quality: int = field(
        default=-1, metadata={"help": "write lossy faces of this WebP quality, 0 to 100 (default: lossless)"}
    )
    features: str = field(
        default="",
        metadata={
            "help": "speech2face: store the spectrogram (2, 598, 257) beside each voice (1.2 MB; default: none)",
            "choices": FEATURES,
        },
    )
    face_network: str = field(
        default="",
        metadata={
            "help": "store what a face network makes of each face, for `facevox train speech2face`: vggface-vgg16 (the "
            "paper's, 4096 numbers), vggface-resnet50, facenet, dlib (128 numbers, 0.1 s a face) or sface (default: "
            "none)",
            "choices": ("", *SIZES),
        },
    )
    detector_sha256: str = ""
    """Of an ONNX detector's file, filled in by `settled`; registered networks are held against their own digests."""
    face_network_sha256: str = ""
    """Of a face network's file for which no digest is registered, filled in by `settled`."""

    def settled(self) -> "AvspeechOptions":
        return replace(self, detector_sha256=self._file_sha256(), face_network_sha256=self._network_sha256())

    def as_dict(self) -> dict[str, Any]:
        """What decides the bytes: of an ONNX detector and a face network of one's own the content, not the place."""
        values = super().as_dict()
        if digest := values.pop("face_network_sha256") or self._network_sha256():
            values["face_network"] = f"{self.face_network} {digest}"
        return self._by_content(values)

    def open_face_vector(self) -> FaceVector:
        """Raises what `open_face_vector` of models/core raises."""
        return open_face_vector(self.face_network, self.models_folder)

    def _network_sha256(self) -> str:
        entry = NETWORKS.get(self.face_network)
        return sha256(locate(entry.name, self.models_folder)) if entry and not entry.sha256 else ""

    @property
    def wanted(self) -> frozenset[str]:
        """The YouTube ids of `subjects`; none for all."""
        return frozenset(name.strip() for name in self.subjects.split(",") if name.strip())

    def check(self) -> None:
        """Raises ValueError for a value out of range or an unknown detector.

        Raises FileNotFoundError for a missing network, ModuleNotFoundError for a package that is not installed.
        """
        if self.split not in SPLITTERS:
            raise ValueError(f"split {self.split!r}: expected {' or '.join(SPLITTERS)}")
        if self.features not in FEATURES:
            raise ValueError(f"features {self.features!r}: expected speech2face or nothing")
        ClipWriter(0, self.quality if self.quality >= 0 else None)
        self._check_unchanged()
        self.open_detector()
        if self.face_network_sha256 not in ("", self._network_sha256()):
            raise ValueError(f"face network {self.face_network}: its file changed since the build began. Build again")
        if self.face_network:
            self.open_face_vector()
