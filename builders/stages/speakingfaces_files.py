"""Which files of a SpeakingFaces release, or of raw recordings, a sample is made of."""

from dataclasses import replace

from ..core.builder import Unit
from ..core.source_files import SourceFiles
from .speakingfaces_release import Stem


def sample_files(unit: Unit, key: str) -> SourceFiles | None:
    """Frames and sounds of an utterance or a still, for crops too; of a pair those of its frame.

    A unit of pairs also knows the utterances that it draws from, and as a whole it is made of them all.
    """
    if unit.config != "pairs":
        return (
            _clip(replace(unit, config="utterances") if unit.config == "crops" else unit) if key == unit.key else None
        )
    clips = [
        Unit(clip["key"], "utterances", clip["split"], unit.identity, clip["size"], clip["details"])
        for clip in unit.details["clips"]
    ]
    for clip in clips:
        if key == clip.key:
            return _clip(clip)
        if key.startswith(clip.key + "_"):
            return _frame(clip, int(key.rsplit("_", 1)[1]))
    whole = [_clip(clip) for clip in clips] if key == unit.key else []
    return (
        SourceFiles(tuple(file for one in whole for file in one.files), [one.part for one in whole]) if whole else None
    )


def _clip(unit: Unit) -> SourceFiles:
    details = unit.details
    if "members" in details:
        recorded = {name: details.get(name) for name in ("first", "pieces", "begin", "end", "rescue")}
        return SourceFiles(
            tuple((details["archive"], name) for _, name in sorted(details["members"].items())), recorded
        )
    stem, first = Stem(unit), details["first"]
    streams = (1, 2, 3) if details["aligned"] else (1, 2)
    names = [stem.picture(stream, first + n) for stream in streams for n in range(details["frames"])]
    names += [stem.sound(mic) for mic in (1, 2)] if stem.session == 2 else []
    return SourceFiles(tuple((details["archive"], name) for name in names))


def _frame(unit: Unit, number: int) -> SourceFiles:
    """Of one frame of an utterance, from 1."""
    details = unit.details
    if "members" in details:
        return replace(_clip(unit), part=[_clip(unit).part, number])
    stem, streams = Stem(unit), (1, 2, 3) if details["aligned"] else (1, 2)
    names = [stem.picture(stream, details["first"] + number - 1) for stream in streams]
    return SourceFiles(tuple((details["archive"], name) for name in names))
