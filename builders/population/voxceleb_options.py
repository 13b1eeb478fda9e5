"""How much of VoxCeleb's people a forged release holds: the options that its datasets share."""

from dataclasses import dataclass, field
from typing import ClassVar

from .voxceleb_people import Roster, roster
from .voxceleb_sounds import SoundOptions


@dataclass(frozen=True)
class VoxcelebOptions:
    """People, pictures and recordings; numbers that are not given are those of `size`."""

    sizes: ClassVar[dict[str, tuple[int, int, int, float]]]
    """By name: people of each subset, pictures of each, recordings of each, seconds of each."""

    size: str = field(
        default="tiny",
        metadata={"help": "tiny: for tests; small: for a look at everything", "choices": ("tiny", "small")},
    )
    people: int = field(default=0, metadata={"help": "people of each subset, 1..800 (0: as the size has)"})
    images: int = field(default=0, metadata={"help": "pictures of each person, 1..500 (0: as the size has)"})
    utterances: int = field(
        default=-1, metadata={"help": "recordings of each person, 0..500 (-1: as the size has; 0: no audio at all)"}
    )
    videos: int = field(default=2, metadata={"help": "videos that a person's recordings come from, 1..50"})
    seconds: float = field(default=0.0, metadata={"help": "nominal length of a recording, 1..60 (0: as the size has)"})
    archives: bool = field(default=False, metadata={"help": "zips as published in place of plain folders"})
    faults: bool = field(default=True, metadata={"help": "a noisy and a silent recording of each person"})
    link: bool = field(
        default=True,
        metadata={"help": "a voice that fits the face; without, everybody has somebody else's: the null control"},
    )
    seed: int = field(default=0, metadata={"help": "population and everything else"})

    def __post_init__(self) -> None:
        if self.size not in self.sizes:
            raise ValueError(f"size must be one of {', '.join(self.sizes)}, got {self.size!r}.")
        people, images, utterances, seconds = self.sizes[self.size]
        settled = {
            "people": self.people or people,
            "images": self.images or images,
            "utterances": utterances if self.utterances == -1 else self.utterances,
            "seconds": float(self.seconds or seconds),
        }
        for name, value in settled.items():
            object.__setattr__(self, name, value)
        limits = {"people": (1, 800), "images": (1, 500), "utterances": (0, 500), "videos": (1, 50), "seconds": (1, 60)}
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} must lie in {low}..{high}, got {getattr(self, name)}.")

    @property
    def sounds(self) -> SoundOptions:
        return SoundOptions(self.utterances, self.videos, self.seconds, self.seed, self.faults)

    @property
    def roster(self) -> Roster:
        return roster(self.people, self.seed, self.link)
