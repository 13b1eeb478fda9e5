"""SpeakingFaces (Abdrakhmanova et al., Sensors 2021): thermal and visual video of 142 people, silent and speaking."""

from collections.abc import Iterator
from contextlib import closing

from ..loaders.sample import Config, Sample
from .core.builder import Builder, ReleaseOptions, Unit
from .core.decisions import VERDICTS
from .core.raw import Folder
from .core.review import decided_trim
from .core.source_files import SourceFiles
from .core.stage import Clock, Reject, Rejection
from .stages.align import Aligner
from .stages.calibration import calibration_note
from .stages.speakingfaces_clips import ClipPass, about, sounds
from .stages.speakingfaces_crops import CROPS, crop_units, read_crops
from .stages.speakingfaces_facts import ARTIFACT_CODES, CLIPS, DECIDED, EVIDENCE, SOUNDS, SPOKEN, WHO
from .stages.speakingfaces_files import sample_files
from .stages.speakingfaces_listing import Listing
from .stages.speakingfaces_options import SpeakingFacesOptions
from .stages.speakingfaces_pairs import PAIRS, pair_units, read_pairs
from .stages.speakingfaces_recording import RecordingClip
from .stages.speakingfaces_recordings import RecordingListing
from .stages.speakingfaces_release import ReleaseClip


class SpeakingFaces(Builder):
    """Utterances (session 2) and stills (session 1) from the published archives or from raw recordings."""

    name = "speakingfaces"
    title = "SpeakingFaces"
    licence = "cc-by-4.0"
    tags = ("face", "thermal", "speech", "biometrics", "multimodal")
    person_facts = ("subject", "gender", "age", "ethnicity", "release_split")
    verdicts = ARTIFACT_CODES
    options_type = SpeakingFacesOptions
    configs = (
        Config(
            "utterances", "One spoken command of session 2.", (*SOUNDS, *CLIPS), (*WHO, *SPOKEN, *EVIDENCE, *DECIDED)
        ),
        Config(
            "stills", "Up to 100 frames of the silent session 1 at one position.", CLIPS, (*WHO, *EVIDENCE, *DECIDED)
        ),
        PAIRS,
        CROPS,
    )

    def __init__(self, options: ReleaseOptions) -> None:
        super().__init__(options)
        if not isinstance(options, SpeakingFacesOptions):
            raise TypeError(f"expected SpeakingFacesOptions, found {type(options).__name__}")
        options.check()
        self.how = options
        self.calibration = options.calibrated()

    def expected_bytes(self, unit: Unit) -> float:
        return unit.size * (0.9 if self.how.materialize_aligned else 0.62)

    def notes(self) -> list[str]:
        notes = []
        if self.how.quality >= 0:
            notes.append(
                f"Clips are LOSSY (WebP quality {self.how.quality}); facts were measured on the original frames."
            )
        if self.calibration:
            notes.append(calibration_note(self.calibration))
        return notes

    def units(self, raw: Folder, config: str) -> Iterator[Unit | Rejection]:
        if config not in ("pairs", "crops"):
            return self._listing(raw, config).units()
        self.how.check_detector()
        spoken = self._listing(raw, "utterances")
        return pair_units(spoken.units()) if config == "pairs" else crop_units(spoken.units(), spoken.tables)

    def source_files(self, unit: Unit, key: str) -> SourceFiles | None:
        return sample_files(unit, key)

    def decidable(self, config: Config) -> dict[str, tuple[str, ...]]:
        can = super().decidable(config)
        if config.name == "utterances":
            return can | {"trim": VERDICTS["trim"]}
        # Silent clips have the column and nothing to hear.
        return can | {"artifact": tuple(a for a in can["artifact"] if a != "noisy")} if "artifact" in can else can

    def _listing(self, raw: Folder, config: str) -> Listing | RecordingListing:
        if self.how.source == "raw":
            return RecordingListing(raw, config, self.how.subjects, self.how.as_recorded)
        return Listing(raw, config, self.how.subjects)

    def read(self, raw: Folder, unit: Unit, clock: Clock) -> Iterator[Sample | Rejection]:
        if unit.config == "stills" and decided_trim(unit):
            raise Reject("decided to trim a silent clip, which has no sound to count samples of", "review.jsonl")
        kind = RecordingClip if self.how.source == "raw" else ReleaseClip
        if unit.config in ("pairs", "crops"):
            take = read_pairs if unit.config == "pairs" else read_crops
            yield from take(unit, self.how, clock, lambda clip: closing(kind(raw, clip, clock)))
            return
        with closing(kind(raw, unit, clock)) as source:
            yield from self._samples(source, unit, clock)

    def _samples(self, source: ReleaseClip | RecordingClip, unit: Unit, clock: Clock) -> Iterator[Sample]:
        stem, spoken = source.stem, unit.config == "utterances"
        heard, audio = sounds(source, stem.text, clock) if spoken else ({}, {})
        matrix = self.calibration.at(stem.scale) if self.calibration else None
        aligner = Aligner(source.spans, stem.scale, self.how.check_aligned == "all", matrix)
        seen, evidence = ClipPass(self.how, aligner, clock).run(source)
        row = unit.details.get("row", {})
        if spoken:
            row = {"command": stem.command, **row, **source.facts}
        yield Sample(unit.key, unit.identity, unit.split, heard | seen, about(unit, source) | row | audio | evidence)


BUILDER = SpeakingFaces
