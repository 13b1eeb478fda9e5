"""How a SpeakingFaces release is read, measured and encoded."""

from dataclasses import dataclass, field

from ...loaders.media import ClipWriter
from ..core.builder import ReleaseOptions
from .artifacts import FROZEN_FRAMES


@dataclass(frozen=True)
class SpeakingFacesOptions(ReleaseOptions):
    """How SpeakingFaces is encoded and checked."""

    effort: int = field(default=0, metadata={"help": "lossless WebP effort, 0 fast to 6 small"})
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

    def check(self) -> None:
        """Raises ValueError for a value out of range."""
        if self.check_aligned not in ("ends", "all"):
            raise ValueError(f"check_aligned {self.check_aligned!r}: expected ends or all")
        if self.freeze_frames < 2:
            raise ValueError(f"freeze_frames {self.freeze_frames}: a run needs at least 2 identical frames")
        ClipWriter(self.effort, self.quality if self.quality >= 0 else None)
