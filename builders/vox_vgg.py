"""Vox-VGG-1 and Vox-VGG-2 (VFMR): the voices of VoxCeleb1 and 2 with the faces of VGGFace and VGGFace2."""

from collections.abc import Iterator

from ..loaders.sample import Sample
from .core.builder import Builder, ReleaseOptions, Unit
from .core.raw import Folder
from .core.source_files import SourceFiles
from .core.stage import Clock, Rejection
from .stages.hq_pairing import without
from .stages.rcgan_subset import RCGAN, TargetFaces, rcgan_units, read_rcgan
from .stages.vggface_faces import FACES, face_files, read_faces
from .stages.voice_listing import expected_bytes
from .stages.voices import read_voice_sample
from .stages.vox_vgg_options import VoxVggOptions
from .stages.vox_vgg_units import HELD_OUT_VOICES, NAME, VoxVggRelease

FACE_BYTES = 24_000
"""Of one lossless face of 112 px with its tar headers, generously; larger faces take more."""


class VoxVgg(Builder):
    """Faces and voices of the people that VoxCeleb and VGGFace share, in the published splits."""

    name = NAME
    title = "Vox-VGG"
    licence = "other"
    tags = ("face", "speech", "biometrics", "multimodal", "voice-face matching")
    person_facts = ("subset", "name", "speaker_id", "vggface_id", "gender", "nationality", "release_split")
    options_type = VoxVggOptions
    configs = (FACES, HELD_OUT_VOICES, RCGAN)

    def __init__(self, options: ReleaseOptions) -> None:
        super().__init__(options)
        if not isinstance(options, VoxVggOptions):
            raise TypeError(f"expected VoxVggOptions, found {type(options).__name__}")
        options.check()
        self.how = options
        self.targets = TargetFaces(options)

    def notes(self) -> list[str]:
        notes = ["Faces and voices of named people: biometric data. The section Intended use says what it is not for."]
        notes.append(f"Split {self.how.splits}: {self.how.split.rule} (seed {self.how.split_seed}).")
        if self.how.quality >= 0:
            notes.append(f"Faces are LOSSY (WebP quality {self.how.quality}).")
        return notes

    def units(self, raw: Folder, config: str) -> Iterator[Unit | Rejection]:
        release = VoxVggRelease(raw, self.how, config)
        if config == FACES.name:
            self.how.open_detector()
            listed = release.face_units()
        else:
            listed = release.voice_units() if config == HELD_OUT_VOICES.name else rcgan_units(release)
        if self.how.paired and config != RCGAN.name:
            listed = without(listed, release.lonely())
        yield from listed

    def source_files(self, unit: Unit, key: str) -> SourceFiles | None:
        return face_files(unit, key) if unit.config == FACES.name else super().source_files(unit, key)

    def expected_bytes(self, unit: Unit) -> float:
        if unit.config == FACES.name:
            return FACE_BYTES * max(1.0, (self.how.face_size / 112) ** 2) * unit.samples
        return expected_bytes([unit], ("piczak",) if unit.config == RCGAN.name else self.how.feature_names)

    def read(self, raw: Folder, unit: Unit, clock: Clock) -> Iterator[Sample | Rejection]:
        if unit.config == FACES.name:
            yield from read_faces(raw, unit, self.how, clock)
        elif unit.config == RCGAN.name:
            yield read_rcgan(raw, unit, self.how, self.targets, clock)
        else:
            yield read_voice_sample(raw, unit, self.how, clock)


BUILDER = VoxVgg
