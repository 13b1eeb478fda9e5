"""How a collection of videos in the way of Chinese_VF becomes a dataset: people, splits, arrays."""

import re
from dataclasses import dataclass, field
from functools import cached_property

from .voices import VoiceReleaseOptions

VFMR3, VFMR4, SEEN_HEARD = "vfmr3", "vfmr4", "sh"
SPLITS = {
    VFMR4: "people of --fold are test, all others train; published are 400 and 100 people, five folds",
    VFMR3: "everybody is test, as for a model trained on Vox-VGG-2",
    SEEN_HEARD: "seen-heard: everybody in train, a tenth of each person's faces and voices by video is test",
}
"""Of VFMR (Table 3) and its tests: the rule of each in words."""
SPEAKER = re.compile(r"cvf[0-9]{4,6}")
_RANGE = re.compile(r"(?:cvf)?([0-9]{1,6})(?:-(?:cvf)?([0-9]{1,6}))?")


@dataclass(frozen=True)
class ChineseVfOptions(VoiceReleaseOptions):
    """How a collection is read."""

    subjects: str = field(
        default="", metadata={"help": "only these people, as in 1-5,17 or cvf0001-cvf0005 (default: all)"}
    )
    splits: str = field(
        default=VFMR4,
        metadata={
            "help": "; ".join(f"{name}: {rule}" for name, rule in SPLITS.items()) + f" (default: {VFMR4})",
            "choices": tuple(SPLITS),
        },
    )
    fold: int = field(default=0, metadata={"help": f"{VFMR4}: the fold that is test, 0 to 4 of the usual five"})
    split_seed: int = field(default=0, metadata={"help": "draws the videos held out of each person's"})

    def check(self) -> None:
        """Raises ValueError for a value out of range."""
        if self.splits not in SPLITS:
            raise ValueError(f"splits {self.splits!r}: expected {', '.join(SPLITS)}")
        if self.fold < 0:
            raise ValueError(f"fold {self.fold}: expected 0 or more, as in meta/speakers.csv")
        if self.fold and self.splits != VFMR4:
            raise ValueError(f"fold {self.fold}: split {self.splits} has no folds; leave it out, or use {VFMR4}")
        _ = self.feature_names, self.voice, self.wanted

    @cached_property
    def wanted(self) -> tuple[tuple[int, int], ...]:
        """First and last number of the people asked for; () for all. Raises ValueError for what is no range."""
        found = []
        for part in filter(None, (part.strip() for part in self.subjects.split(","))):
            fits = _RANGE.fullmatch(part)
            first, last = (int(fits[1]), int(fits[2] or fits[1])) if fits else (1, 0)
            if first > last:
                raise ValueError(f"subjects {self.subjects!r}: {part!r}, expected numbers as in 1-5,17 or cvf0001")
            found.append((first, last))
        return tuple(found)

    def wants(self, speaker: str) -> bool:
        """Whether `subjects` names this person, by an id such as cvf0001."""
        number = int(speaker.removeprefix("cvf"))
        return not self.wanted or any(first <= number <= last for first, last in self.wanted)
