"""AVSpeech (Ephrat et al., SIGGRAPH 2018) as Speech2Face takes it: six seconds of a voice and one face."""

from collections.abc import Iterator
from dataclasses import replace

from ..loaders.sample import Sample
from .core.builder import Builder, ReleaseOptions, Unit
from .core.raw import Folder
from .core.source_files import SourceFiles
from .core.stage import Clock, Rejection
from .stages.avspeech_clips import CLIPS, USUAL_MS, read_clip
from .stages.avspeech_listing import Listing
from .stages.avspeech_options import AvspeechOptions
from .stages.voice_face_facts import is_forged, terms

STATED_TERMS = {
    "licence": "of the list: as stated on the AVSpeech page; the videos remain their uploaders'",
    "consent": "none known: nobody in the videos is known to have been asked",
    "source": "AVSpeech, Google Research: segments of videos on YouTube",
}


class Avspeech(Builder):
    """Segments of YouTube videos, from clips named by id, start and end, or from the whole videos."""

    name = "avspeech"
    title = "AVSpeech"
    licence = "other"
    tags = ("face", "speech", "biometrics", "multimodal")
    person_facts = ("youtube_id", "release_split")
    options_type = AvspeechOptions
    configs = (CLIPS,)

    def __init__(self, options: ReleaseOptions) -> None:
        super().__init__(options)
        if not isinstance(options, AvspeechOptions):
            raise TypeError(f"expected AvspeechOptions, found {type(options).__name__}")
        options.check()
        self.how = options

    def expected_bytes(self, unit: Unit) -> float:
        # A clip of 5 s at 360p has about 300 kB; its face and voice about 200 kB, the spectrogram 1.2 MB.
        return unit.size * (5.0 if self.how.features else 1.0)

    def notes(self) -> list[str]:
        quality = self.how.quality
        return [f"Faces are LOSSY (WebP quality {quality})."] if quality >= 0 else []

    def source_files(self, unit: Unit, key: str) -> SourceFiles | None:
        of = super().source_files(unit, key)
        return replace(of, part=[unit.details["span"], unit.details["point"]]) if of else None

    def units(self, raw: Folder, config: str) -> Iterator[Unit | Rejection]:
        """Rows of the tables with a clip or a video here, each with its terms."""
        of_release = terms(STATED_TERMS, self.title, is_forged(raw))
        return Listing(raw, config, self.how, of_release).units()

    def read(self, raw: Folder, unit: Unit, clock: Clock) -> Iterator[Sample | Rejection]:
        media, found = read_clip(raw, unit, self.how, clock)
        (start, end), (x, y), (table, row) = (unit.details[name] for name in ("span", "point", "row"))
        stated = {
            "youtube_id": unit.details["video"],
            "start_ms": start,
            "end_ms": end,
            "usual_length": USUAL_MS[0] <= end - start <= USUAL_MS[1],
            "face_x": x,
            "face_y": y,
            "release_split": table,
            "release_row": row,
            "split_rule": self.how.split,
        }
        yield Sample(unit.key, unit.identity, unit.split, media, stated | found | dict(unit.details["terms"]))


BUILDER = Avspeech
