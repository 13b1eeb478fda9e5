"""How HQ-VoxCeleb is picked from candidates: web photos in a folder per person."""

from dataclasses import dataclass, field, replace
from typing import Any

from ...models.core.detectors import Detector, open_detector, open_landmarks
from ...models.core.emotion import Emotion, open_emotion
from ...models.core.networks import NETWORKS
from ...models.core.pretrained import locate, sha256
from ...models.core.segmentation import Segmenter, open_segmenter
from ..core.builder import ReleaseOptions
from .detector_choice import DetectorChoice
from .faces import Landmarks


@dataclass(frozen=True)
class CandidateJudges:
    """What looks at a photo, opened once per process."""

    detector: Detector
    landmarks: Landmarks
    emotion: Emotion | None
    """None: not judged."""
    segmenter: Segmenter


@dataclass(frozen=True)
class CandidateOptions(DetectorChoice, ReleaseOptions):
    """Thresholds and judges of the face pipeline (HQ-VoxCeleb, appendix B.1; numbers of the sheet, section 2.1)."""

    detector: str = field(
        default="dlib-hog",
        metadata={"help": "finds faces, from coarse to fine: dlib-hog, dlib-cnn, mtcnn, yunet or an .onnx file"},
    )
    models: str = field(default="", metadata={"help": "folder with networks, looked through before the packages"})
    emotion: str = field(
        default="none",
        metadata={
            "help": "network that must call a face neutral: mini-xception or mobilefacenet-fer; none records every "
            "face as not judged (default: none)"
        },
    )
    segmenter: str = field(
        default="grabcut",
        metadata={
            "help": "tells the person from the background: pphumanseg, pspnet-voc, deeplab-voc, or grabcut, which "
            "needs no network (default: grabcut)"
        },
    )
    min_images: int = field(default=3, metadata={"help": "people with fewer pictures that fit are left out"})
    max_images: int = field(default=7, metadata={"help": "at most this many pictures of a person, the best ranked"})
    min_ipd: float = field(default=30.0, metadata={"help": "smallest distance of the pupils in px"})
    min_sharpness: float = field(
        default=40.0, metadata={"help": "smallest variance of the face's Laplacian, pupils at most 60 px apart"}
    )
    max_asym5: float = field(default=0.045, metadata={"help": "largest asymmetry by nose and eyes, in pupil distances"})
    max_asym68: float = field(default=0.06, metadata={"help": "largest asymmetry by 68 points, in pupil distances"})
    pose_bias: str = field(
        default="",
        metadata={
            "help": "YAW,PITCH in degrees that solvePnP gives for a frontal face, as in 0,3.9: only with it do "
            "--max-yaw and --max-pitch decide (default: yaw and pitch are stored only)"
        },
    )
    max_yaw: float = field(default=5.0, metadata={"help": "largest yaw in degrees after --pose-bias"})
    max_pitch: float = field(default=5.0, metadata={"help": "largest pitch in degrees after --pose-bias"})
    max_border: float = field(default=0.5, metadata={"help": "largest share of the square crop beyond the photo"})

    detector_sha256: str = ""
    """Of an ONNX detector's file, filled in by `settled`; registered networks are held against their own digests."""

    def settled(self) -> "CandidateOptions":
        return replace(self, detector_sha256=self._file_sha256())

    def as_dict(self) -> dict[str, Any]:
        """What decides the bytes: of files whose digest is not in the registry the content, not the place."""
        values = super().as_dict()
        for judge in ("emotion", "segmenter"):
            name = values[judge]
            if name in NETWORKS and not NETWORKS[name].sha256:
                values[judge] = f"{name} {sha256(locate(name, self.models_folder))}"
        return self._by_content(values)

    def declared_bias(self) -> tuple[float, float] | None:
        """(yaw, pitch) in degrees of `pose_bias`, or None. Raises ValueError for anything but two numbers."""
        if not self.pose_bias:
            return None
        try:
            yaw, pitch = (float(number) for number in self.pose_bias.split(","))
        except ValueError:
            raise ValueError(f"pose_bias {self.pose_bias!r}: expected YAW,PITCH in degrees, as in 0,3.9") from None
        return yaw, pitch

    def judges(self) -> CandidateJudges:
        """The judges of these options; each network is loaded once per process. Raises what `check_candidates` does."""
        segmenter = open_segmenter(self.segmenter, self.models_folder)
        if segmenter is None:
            raise ValueError("masked faces need a --segmenter; grabcut needs no network")
        folder = self.models_folder
        return CandidateJudges(
            open_detector(self.detector, folder), open_landmarks(folder), open_emotion(self.emotion, folder), segmenter
        )

    def check_candidates(self) -> None:
        """Raises ValueError for a value out of range or an unknown judge.

        Raises FileNotFoundError for a missing network, ModuleNotFoundError for a package that is not installed.
        """
        if not 1 <= self.min_images <= self.max_images:
            raise ValueError(f"min_images {self.min_images}, max_images {self.max_images}: expected 1 <= min <= max")
        if not 0 <= self.max_border < 1:
            raise ValueError(f"max_border {self.max_border}: expected a share of 0 to below 1")
        self.declared_bias()
        self._check_unchanged()
        self.judges()

    def candidate_notes(self) -> list[str]:
        """What a reader of the card must not miss about how these faces were picked."""
        notes = [
            "No person has picked these faces: they are the best ranked of those that passed every measured threshold."
        ]
        if self.emotion == "none":
            notes.append("Neutral expression was NOT JUDGED: no emotion network was chosen (`emotion_judge`).")
        if self.segmenter == "grabcut":
            notes.append(
                "Backgrounds were removed by GrabCut, a classical stand-in for the paper's segmentation network."
            )
        if not self.pose_bias:
            notes.append("Yaw and pitch are stored and did not decide: no bias of the head model was declared.")
        return notes
