"""How a SpeakingFaces release is read, measured and encoded."""

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

from ...loaders.media import ClipWriter
from ...models.core.detectors import open_detector
from ..core.builder import ReleaseOptions
from .artifacts import FROZEN_FRAMES
from .calibration import Calibration, parse, read
from .detector_choice import DetectorChoice
from .faces import FaceTracker, open_tracker
from .parity import DETECTOR


@dataclass(frozen=True)
class SpeakingFacesOptions(DetectorChoice, ReleaseOptions):
    """How SpeakingFaces is encoded and checked."""

    source: str = field(
        default="release",
        metadata={
            "help": "release: the published archives of pictures and trimmed sounds; raw: whole recordings (AVI and "
            "WAV per position, in video_audio_raw/ and video_only_raw/ or {train,valid,test}_data/sub_N), cut by the "
            "recording plan commands_subN_trialM.csv and mended by salvage_mission_all_data.csv (default: release)",
            "choices": ("release", "raw"),
        },
    )
    as_recorded: bool = field(
        default=False,
        metadata={"help": "raw files bear the recorder's names: thermal 0, visual 1, no session, as in 1_1_4_0.avi"},
    )
    effort: int = field(
        default=0, metadata={"help": "lossless WebP effort, 0 fast to 6 small (from 1 on also by libwebp)"}
    )
    quality: int = field(
        default=-1, metadata={"help": "write lossy clips of this quality, 0 to 100 (default: lossless)"}
    )
    check_aligned: str = field(
        default="ends",
        metadata={
            "help": "aligned frames compared per clip: first, middle and last, or all",
            "choices": ("ends", "all"),
        },
    )
    materialize_aligned: bool = field(default=False, metadata={"help": "store the aligned clip in every sample"})
    freeze_frames: int = field(
        default=FROZEN_FRAMES, metadata={"help": "identical frames from which a clip counts as frozen"}
    )

    detector: str = field(
        default="dlib-hog",
        metadata={
            "help": "finds faces for chins, jumps, pairs and crops: none, dlib-hog, dlib-cnn, mtcnn or an .onnx file"
        },
    )
    models: str = field(default="", metadata={"help": "folder with networks, looked through before the packages"})
    parity: bool = field(
        default=False, metadata={"help": "apply the published artifact rules as well (0.3 s a frame pair)"}
    )
    pairs_seed: int = field(default=0, metadata={"help": "which three frames of a position become pairs"})

    calibration: str = field(
        default="", metadata={"help": "calibration.json of facevox calibrate, in place of the published matrix"}
    )

    calibration_text: str = ""
    """Content of that file, filled in by `settled`."""
    detector_sha256: str = ""
    """Of an ONNX detector's file, filled in by `settled`; registered networks are held against their own digests."""

    def settled(self) -> "SpeakingFacesOptions":
        text = read(self.calibration) if self.calibration else ""
        return replace(self, calibration_text=text, detector_sha256=self._file_sha256())

    def as_dict(self) -> dict[str, Any]:
        """What decides the bytes: of the calibration and an ONNX detector their content, not their place."""
        values = super().as_dict()
        text = values.pop("calibration_text") or (read(self.calibration) if self.calibration else "")
        values["calibration"] = hashlib.sha256(text.encode()).hexdigest() if text else ""
        return self._by_content(values)

    def open_tracker(self) -> FaceTracker:
        """A tracker with that detector, for one clip."""
        return open_tracker(self.detector, self.models_folder)

    def calibrated(self) -> Calibration | None:
        """The calibration to align with. Raises FileNotFoundError, or ValueError for a file that is none."""
        if not self.calibration:
            return None
        return parse(self.calibration_text or read(self.calibration), self.calibration)

    def check_detector(self) -> None:
        """Raises ValueError where faces are needed and no detector is chosen."""
        if self.detector == "none":
            raise ValueError("configs pairs and crops need faces: choose a --detector")

    def check(self) -> None:
        """Raises ValueError for a value out of range, values that exclude each other or an unknown detector.

        Raises FileNotFoundError for a missing network, ModuleNotFoundError for a package that is not installed.
        """
        if self.source not in ("release", "raw"):
            raise ValueError(f"source {self.source!r}: expected release or raw")
        if self.as_recorded and self.source != "raw":
            raise ValueError("as_recorded tells how raw files are named: it needs source raw (--source raw)")
        if self.calibration and self.materialize_aligned:
            raise ValueError("materialize_aligned stores the release's frames, which are not calibrated: choose one")
        if self.check_aligned not in ("ends", "all"):
            raise ValueError(f"check_aligned {self.check_aligned!r}: expected ends or all")
        if self.freeze_frames < 2:
            raise ValueError(f"freeze_frames {self.freeze_frames}: a run needs at least 2 identical frames")
        ClipWriter(self.effort, self.quality if self.quality >= 0 else None)
        self._check_unchanged()
        try:
            if self.detector != "none":
                self.open_tracker()
            if self.parity:
                open_detector(DETECTOR, self.models_folder)
        except ModuleNotFoundError as error:
            if self.parity:
                raise
            raise ModuleNotFoundError(f"{error}, or leave chins and jumps unjudged: --detector none") from None
