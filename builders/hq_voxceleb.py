"""HQ-VoxCeleb (Bai et al., SF2F): aligned faces of VoxCeleb's speakers before white, and their voices."""

from collections.abc import Iterator

from ..loaders.sample import Config, Sample
from .core.builder import Builder, ReleaseOptions, Unit
from .core.decisions import VERDICTS
from .core.raw import Folder
from .core.source_files import SourceFiles
from .core.stage import Clock, Rejection
from .stages.candidates import candidate_files, candidate_units, read_candidates
from .stages.hq_faces import FACES
from .stages.hq_options import HqVoxCelebOptions
from .stages.hq_pairing import lonely_people, without
from .stages.hq_release import face_units, hq_voice_units, read_face, read_mel_sample
from .stages.release_files import release_files
from .stages.voice_face_facts import PERSON, VOICE_TERMS, is_forged, terms
from .stages.voice_listing import Corpus, expected_bytes
from .stages.voices import VOICES, read_voice_sample
from .stages.voxceleb_tables import SPLIT_RULE, Identities, read_identities

FACE_TERMS = {
    "release": {
        "licence": "repository under Apache-2.0; rights in the photographs are not stated",
        "consent": "none stated: photographs of public people found on the web",
        "source": "BAI-Yeqi/HQ-VoxCeleb, the released faces",
    },
    "candidates": {
        "licence": "not known to facevox: that of each photograph in the folder given",
        "consent": "not known to facevox",
        "source": "photographs gathered by whoever built this folder, see image_name",
    },
}
NO_FACES = {
    "release": "no masked_faces/ or origin_faces/ with pictures here; web photos need --source candidates",
    "candidates": "no vox1/<Name>/<picture> here; the published faces need --source release",
}


class HqVoxCeleb(Builder):
    """Faces and voices of the same people, from the published files or with faces picked from web photos."""

    name = "hq_voxceleb"
    title = "HQ-VoxCeleb"
    licence = "other"
    tags = ("face", "speech", "biometrics", "voice-face")
    person_facts = tuple(fact.name for fact in PERSON)
    options_type = HqVoxCelebOptions
    configs = (FACES, VOICES)

    def __init__(self, options: ReleaseOptions) -> None:
        super().__init__(options)
        if not isinstance(options, HqVoxCelebOptions):
            raise TypeError(f"expected HqVoxCelebOptions, found {type(options).__name__}")
        options.check()
        self.how = options.explicit()

    def notes(self) -> list[str]:
        return self.how.notes()

    def units(self, raw: Folder, config: str) -> Iterator[Unit | Rejection]:
        identities = read_identities(raw)
        for problem in identities.problems:
            yield Rejection(problem.key, config, "", "table", problem.place, problem.reason)
        corpus, files = self._corpus(raw, config, identities), list(release_files(raw, config))
        if config == VOICES.name:
            listed = hq_voice_units(files, corpus)
        elif self.how.source == "candidates":
            listed = candidate_units(files, corpus)
        else:
            listed = face_units(files, corpus, self.how.min_images)
        if self.how.paired and self.how.source == "release":
            listed = without(listed, lonely_people(files, corpus))
        found = False
        for item in listed:
            found = found or isinstance(item, Unit)
            yield item
        if config == FACES.name and not found:
            yield Rejection("", config, "", "config", raw.label, NO_FACES[self.how.source])

    def _corpus(self, raw: Folder, config: str, identities: Identities) -> Corpus:
        stated = VOICE_TERMS if config == VOICES.name else FACE_TERMS[self.how.source]
        return Corpus(
            self.name,
            identities,
            lambda person: person.split,
            lambda person: f"{self.name}/{'/'.join(person.key)}",
            SPLIT_RULE,
            terms(stated, self.title, is_forged(raw)),
            self.how.subjects,
        )

    def expected_bytes(self, unit: Unit) -> float:
        if unit.config == VOICES.name and "file" in unit.details:
            return expected_bytes([unit], self.how.feature_names)
        return unit.size

    def source_files(self, unit: Unit, key: str) -> SourceFiles | None:
        if "pictures" in unit.details:
            return candidate_files(unit, key)
        if key != unit.key or "file" in unit.details:
            return super().source_files(unit, key)
        places = unit.details["files"].values() if "files" in unit.details else [unit.details["mel"]]
        return SourceFiles(tuple((archive, name) for archive, name in places))

    def decidable(self, config: Config) -> dict[str, tuple[str, ...]]:
        picked = {"face": VERDICTS["face"]} if config.name == FACES.name and self.how.source == "candidates" else {}
        return super().decidable(config) | picked

    def read(self, raw: Folder, unit: Unit, clock: Clock) -> Iterator[Sample | Rejection]:
        if unit.config == FACES.name and self.how.source == "candidates":
            yield from read_candidates(raw, unit, self.how, clock)
        elif unit.config == FACES.name:
            yield read_face(raw, unit, self.how, clock)
        elif "mel" in unit.details:
            yield read_mel_sample(raw, unit, clock)
        else:
            yield read_voice_sample(raw, unit, self.how, clock)


BUILDER = HqVoxCeleb
