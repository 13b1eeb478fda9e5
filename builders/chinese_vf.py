"""Chinese_VF (VFMR): faces and voices that `facevox collect` kept of videos of single talkers."""

from collections.abc import Collection as AnyOf
from collections.abc import Iterator, Mapping

import pyarrow as pa

from ..loaders.sample import Sample
from .core.builder import Builder, ReleaseOptions, Unit
from .core.raw import Folder
from .core.source_files import SourceFiles
from .core.stage import Clock, Rejection
from .stages.chinese_vf_candidates import CANDIDATES, candidate_batches
from .stages.chinese_vf_collection import NAME, TITLE, Collection
from .stages.chinese_vf_options import SPLITS, VFMR4, ChineseVfOptions
from .stages.chinese_vf_samples import FACES, SPOKEN, read_samples, sample_files
from .stages.chinese_vf_units import CollectionUnits
from .stages.voice_listing import BYTES_PER_SECOND, SPEECH2FACE_BYTES

WAV_BYTES_PER_SECOND = 32_000
TAR_BYTES = 3_072
"""Of one sample: headers, padding and facts."""


class ChineseVf(Builder):
    """Faces and windows of speech of a collection, with their scores, thresholds and folds."""

    name = NAME
    title = TITLE
    licence = "other"
    tags = ("face", "speech", "biometrics", "multimodal", "voice-face matching")
    person_facts = ("speaker_id", "gender", "fold")
    options_type = ChineseVfOptions
    configs = (FACES, SPOKEN)
    tables = (CANDIDATES,)

    def __init__(self, options: ReleaseOptions) -> None:
        super().__init__(options)
        if not isinstance(options, ChineseVfOptions):
            raise TypeError(f"expected ChineseVfOptions, found {type(options).__name__}")
        options.check()
        self.how = options
        self._collection: Collection | None = None

    def _of(self, raw: Folder) -> Collection:
        """The collection, read once: its tables of candidates may have millions of rows."""
        if self._collection is None or self._collection.raw.root != raw.root:
            self._collection = Collection(raw, self.how)
        return self._collection

    def notes(self) -> list[str]:
        notes = ["Faces and voices of people who were not asked: biometric data. See Intended use."]
        rule = f" (fold {self.how.fold})" if self.how.splits == VFMR4 else ""
        notes.append(f"Split {self.how.splits}{rule}: {SPLITS[self.how.splits]} (seed {self.how.split_seed}).")
        told = self._collection.parameters if self._collection else {}
        if told:
            listed = ", ".join(f"{name} {value}" for name, value in told.items() if value not in ("", None))
            notes.append(f"Collected with {listed}.")
        return notes

    def units(self, raw: Folder, config: str) -> Iterator[Unit | Rejection]:
        yield from CollectionUnits(self._of(raw)).of(config)

    def rows(self, raw: Folder, table: str, planned: Mapping[str, AnyOf[str]]) -> Iterator[pa.RecordBatch]:
        if table != CANDIDATES.name:
            yield from super().rows(raw, table, planned)
        yield from candidate_batches(self._of(raw), {config: frozenset(keys) for config, keys in planned.items()})

    def source_files(self, unit: Unit, key: str) -> SourceFiles | None:
        return sample_files(unit, key)

    def expected_bytes(self, unit: Unit) -> float:
        names = self.how.feature_names if unit.config == SPOKEN.name else ()
        arrays = sum(BYTES_PER_SECOND[name] for name in names) / WAV_BYTES_PER_SECOND * unit.size
        each = TAR_BYTES + SPEECH2FACE_BYTES * ("speech2face" in names)
        return unit.size + arrays + each * unit.samples

    def read(self, raw: Folder, unit: Unit, clock: Clock) -> Iterator[Sample | Rejection]:
        yield from read_samples(raw, unit, self.how, clock)


BUILDER = ChineseVf
"""How a collection becomes a dataset."""
