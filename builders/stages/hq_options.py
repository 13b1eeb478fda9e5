"""How HQ-VoxCeleb is read, picked and measured."""

from dataclasses import dataclass, field, replace
from typing import Any

from ...models.core.detectors import open_detector, open_landmarks
from .candidate_options import CandidateOptions
from .voices import VoiceReleaseOptions

LEAST_IMAGES = {"release": 1, "candidates": 3}
"""The paper asks for 3 of a person and its release has 2.21 on average."""


@dataclass(frozen=True)
class HqVoxCelebOptions(VoiceReleaseOptions, CandidateOptions):
    """How HQ-VoxCeleb is built; most options of faces are for candidates alone."""

    source: str = field(
        default="release",
        metadata={
            "help": "release: the published faces; candidates: a folder of web photos per person, from which faces are "
            "picked (default: release)",
            "choices": ("release", "candidates"),
        },
    )
    detector: str = field(
        default="dlib-hog",
        metadata={
            "help": "finds faces: dlib-hog, dlib-cnn, mtcnn, yunet or an .onnx file; none leaves pupils and pose of a "
            "release unmeasured (default: dlib-hog)"
        },
    )
    min_images: int = field(
        default=0,
        metadata={"help": "people with fewer faces are left out (default: 1 of a release, 3 of candidates)"},
    )

    paired: bool = field(
        default=True,
        metadata={
            "help": "with --source release, only people with a face and a voice, in each subset of which both are "
            "here, as SF2F takes them; --no-paired keeps everybody, as --source candidates always does"
        },
    )

    def settled(self) -> "HqVoxCelebOptions":
        return replace(self, vad=self.voice.speech.vad, detector_sha256=self._file_sha256()).explicit()

    def explicit(self) -> "HqVoxCelebOptions":
        """The same with `min_images` as the source has it."""
        return replace(self, min_images=self.min_images or LEAST_IMAGES.get(self.source, 1))

    def as_dict(self) -> dict[str, Any]:
        return super().as_dict() | {"min_images": self.explicit().min_images}

    def check(self) -> None:
        """Raises ValueError for a value out of range or an unknown judge.

        Raises FileNotFoundError for a missing network, ModuleNotFoundError for a package that is not installed.
        """
        if self.source not in LEAST_IMAGES:
            raise ValueError(f"source {self.source!r}: expected release or candidates")
        if self.min_images < 0:
            raise ValueError(f"min_images {self.min_images}: expected 1 or more, or 0 for the source's own")
        _ = self.feature_names, self.voice
        if self.source == "candidates":
            if self.detector == "none":
                raise ValueError("candidates need faces: choose a --detector")
            self.explicit().check_candidates()
        elif self.detector != "none":
            try:
                open_detector(self.detector, self.models_folder)
                open_landmarks(self.models_folder)
            except ModuleNotFoundError as error:
                raise ModuleNotFoundError(f"{error}, or leave pupils unmeasured: --detector none") from None

    def notes(self) -> list[str]:
        """What a reader of the card must not miss."""
        notes = [
            "Faces and voices of named people: biometric data. A face made from a voice is nobody's likeness; do not "
            "use it to find, name or profile anybody."
        ]
        notes += self.candidate_notes() if self.source == "candidates" else []
        if self.voice.speech.vad == "energy":
            notes.append("Speech was found by its energy, not by WebRTC's detector as in SF2F.")
        return notes
