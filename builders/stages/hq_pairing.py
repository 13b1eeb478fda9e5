"""SF2F's people: those of whom a release has both a face and a voice."""

from collections import Counter
from collections.abc import Iterable, Iterator

from ..core.builder import Unit
from ..core.stage import Rejection, as_json
from .hq_faces import FACES
from .hq_release import face_place
from .mel_dictionary import mel_place
from .release_files import ReleaseFile
from .voice_listing import Corpus
from .voxceleb_audio import recording
from .voxceleb_tables import Identity

WANTING = {FACES.name: "voice", "voices": "face"}


def lonely_people(files: Iterable[ReleaseFile | Rejection], corpus: Corpus) -> set[str]:
    """`identity` of everybody with faces alone or voices alone, in those subsets of which there are both."""
    seen: dict[str, dict[str, Identity]] = {"face": {}, "voice": {}}
    for file in files:
        if isinstance(file, ReleaseFile) and (found := _person(file.name, corpus)):
            kind, person = found
            seen[kind][corpus.identity_of(person)] = person
    both = {person.subset for person in seen["face"].values()} & {person.subset for person in seen["voice"].values()}
    everybody = seen["face"] | seen["voice"]
    one = seen["face"].keys() ^ seen["voice"].keys()
    return {identity for identity in one if everybody[identity].subset in both}


def _person(name: str, corpus: Corpus) -> tuple[str, Identity] | None:
    if about := recording(name):
        kind, person = "voice", corpus.identities.by_speaker.get(about.speaker)
    elif mel := mel_place(name):
        kind, person = "voice", corpus.identities.find(mel.subset, mel.folder)
    elif face := face_place(name):
        kind, person = "face", corpus.identities.find(face[0], face[2])
    else:
        return None
    return (kind, person) if person else None


def without(items: Iterable[Unit | Rejection], lonely: set[str]) -> Iterator[Unit | Rejection]:
    """The items but for the units of those people; one row for each of them."""
    left: Counter[str] = Counter()
    first: dict[str, Unit] = {}
    for item in items:
        if isinstance(item, Unit) and item.identity in lonely:
            left[item.identity] += 1
            first.setdefault(item.identity, item)
        else:
            yield item
    for identity, count in sorted(left.items()):
        unit = first[identity]
        person = unit.key.split("_")[0]
        reason = f"{count:,} {unit.config} of a person without a {WANTING[unit.config]} here (--no-paired keeps them)"
        measured = as_json({unit.config: count})
        yield Rejection(person, unit.config, unit.split, "pairing", identity, reason, measured=measured)
