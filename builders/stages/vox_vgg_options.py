"""How Vox-VGG-1 and Vox-VGG-2 are put together."""

from dataclasses import dataclass, field, replace
from typing import Any

from ...loaders.media import ClipWriter
from .detector_choice import DetectorChoice
from .voices import VoiceReleaseOptions
from .vox_vgg_splits import SETS, SPLITS, Split

BOX_SCALES = (1.0, 1.1, 1.3)
"""VFMR: 1.0 by default, 1.1 as an ablation, 1.3 in Chinese_VF."""
RCGAN_CLASSES = 9


@dataclass(frozen=True)
class VoxVggOptions(DetectorChoice, VoiceReleaseOptions):
    """How Vox-VGG-1 and Vox-VGG-2 are put together."""

    set: str = field(
        default="",
        metadata={"help": "vox-vgg-1 or vox-vgg-2 (default: all that --splits is about)", "choices": ("", *SETS)},
    )
    splits: str = field(
        default="vfmr1",
        metadata={
            "help": "; ".join(f"{name}: {split.rule}" for name, split in SPLITS.items()) + " (default: vfmr1)",
            "choices": tuple(SPLITS),
        },
    )
    paired: bool = field(
        default=True,
        metadata={
            "help": "only people with pictures and recordings, in each set of which both are here: Vox-VGG is the "
            "intersection; --no-paired keeps everybody"
        },
    )
    split_seed: int = field(default=0, metadata={"help": "draws the people and clips that a split leaves open"})
    box_scale: float = field(
        default=1.0, metadata={"help": "side of the square crop over the longer side of the face's box, 1 to 3"}
    )
    face_size: int = field(default=112, metadata={"help": "pixels of a face's side, 16 to 1024"})
    detector: str = field(
        default="mtcnn", metadata={"help": "finds the faces: mtcnn, dlib-hog, dlib-cnn, yunet or an .onnx file"}
    )
    models: str = field(default="", metadata={"help": "folder with networks, looked through before the packages"})
    min_confidence: float = field(
        default=0.9, metadata={"help": "faces of a lower score do not count, in the detector's own scale"}
    )
    quality: int = field(
        default=-1, metadata={"help": "write lossy faces of this WebP quality, 0 to 100 (default: lossless)"}
    )
    min_voice_samples: int = field(
        default=200, metadata={"help": "rcgan: recordings that a class needs; the classes with most are taken"}
    )
    num_classes: int = field(default=RCGAN_CLASSES, metadata={"help": "rcgan: people"})
    target_seed: int = field(default=0, metadata={"help": "rcgan: draws each class's target face and test recordings"})

    detector_sha256: str = ""
    """Of an ONNX detector's file, filled in by `settled`; registered networks are held against their own digests."""

    def settled(self) -> "VoxVggOptions":
        return replace(self, vad=self.voice.speech.vad, detector_sha256=self._file_sha256())

    def as_dict(self) -> dict[str, Any]:
        """What decides the bytes: of an ONNX detector its content, not its place."""
        values = super().as_dict()
        return self._by_content(values)

    @property
    def split(self) -> Split:
        return SPLITS[self.splits]

    @property
    def sets(self) -> tuple[str, ...]:
        return (self.set,) if self.set else self.split.sets

    def check(self) -> None:
        """Raises ValueError for a value out of range or values that exclude each other."""
        if self.splits not in SPLITS:
            raise ValueError(f"splits {self.splits!r}: expected {', '.join(SPLITS)}")
        if self.set and self.set not in self.split.sets:
            raise ValueError(f"set {self.set!r}: split {self.splits} is about {' and '.join(self.split.sets)}")
        if not 1 <= self.box_scale <= 3:
            raise ValueError(f"box_scale {self.box_scale}: expected 1 to 3; published are {BOX_SCALES}")
        if not 16 <= self.face_size <= 1024:
            raise ValueError(f"face_size {self.face_size}: expected 16 to 1024 pixels")
        if self.min_voice_samples < 2 or self.num_classes < 1:
            raise ValueError(
                f"min_voice_samples {self.min_voice_samples}, num_classes {self.num_classes}: expected at least 2 and 1"
            )
        ClipWriter(0, self.quality if self.quality >= 0 else None)
        _ = self.feature_names, self.voice
        self._check_unchanged()
