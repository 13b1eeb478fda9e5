"""The kept candidates of a collection as units of a build, video by video, in the split asked for."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from ..core.builder import Unit
from ..core.stage import Rejection, as_json
from .chinese_vf_collection import Collection, identity_of, video_key
from .chinese_vf_files import CANDIDATES, FOLDERS, REFUSED, SPEAKERS, Video, find_media
from .chinese_vf_options import SEEN_HEARD, VFMR3, VFMR4
from .chinese_vf_tables import MAX_TABLE_BYTES, Speaker, refused
from .voice_face_facts import SPLIT_GROUP_FACT
from .vox_vgg_splits import held_out

MISSING, STRAY, TURNED_DOWN = "missing file", "no row", "collect"
"""Stages of what the listing leaves out."""
STATED = {
    "faces": {
        "tau_face": "tau_face",
        "face_embedder": "face_embedder",
        "detector": "detector",
        "box_scale": "box_scale",
    },
    "voices": {"tau_voice": "tau_voice", "voice_embedder": "voice_embedder"},
}
"""Facts by config, and their names in the collection's parameters."""


class CollectionUnits:
    """Units and splits of one collection. Raises ValueError where the fold asked for has nobody."""

    def __init__(self, collection: Collection) -> None:
        self.collection, self.how = collection, collection.how
        folds = sorted({who.fold for who in collection.speakers.values() if who.fold is not None})
        if self.how.splits == VFMR4 and self.how.fold not in folds:
            raise ValueError(
                f"{collection.tables.place(SPEAKERS)}: nobody is in fold {self.how.fold}, there is: "
                f"{', '.join(map(str, folds)) or 'none'}. Choose another --fold, or --splits {VFMR3}"
            )

    def of(self, config: str) -> Iterator[Unit | Rejection]:
        """One unit for each video of a person with something kept, rows for the rest; asked for once a config."""
        collection = self.collection
        for place, reason in collection.problems:
            yield Rejection("", config, "", "table", place, reason)
        if CANDIDATES[config] not in collection.tables.at:
            yield Rejection("", config, "", "config", CANDIDATES[config], f"no {CANDIDATES[config]} in the collection")
            return
        waiting = collection.take(config)
        yield from collection.bad[config]
        yield from self._turned_down(config)
        media, rows = find_media(collection.raw, config)
        yield from rows
        for at in sorted(waiting):
            yield from self._unit(config, at, waiting.pop(at), *media.pop(at))
        for at, place, count in media.rest():
            if self.how.wants(at[0]):
                yield Rejection("", config, "", STRAY, place, _unnamed(config, count))

    def _turned_down(self, config: str) -> Iterator[Rejection]:
        """Videos that the collection left out whole, and people of whom nothing was kept."""
        tables = self.collection.tables
        if (data := tables.read(REFUSED, MAX_TABLE_BYTES)) is not None:
            for number, speaker, reason in refused(data, tables.place(REFUSED)):
                if not speaker or self.how.wants(speaker):
                    yield Rejection("", config, "", TURNED_DOWN, f"{tables.place(REFUSED)}, row {number}", reason)
        there = {speaker for speaker, _ in self.collection.counts[config]}
        for who in self.collection.speakers:
            if who not in there and self.how.wants(who):
                reason = f"nothing of {who} was kept; the table `candidates` tells why"
                yield Rejection("", config, "", TURNED_DOWN, f"{tables.place(SPEAKERS)}: {who}", reason)

    def _unit(
        self,
        config: str,
        at: Video,
        rows: list[str],
        folders: list[tuple[str, str]],
        files: dict[str, tuple[int, int]],
        second: list[str],
    ) -> Iterator[Unit | Rejection]:
        who, stem = self.collection.speakers[at[0]], video_key(at)
        split, kept, size = self.split_of(who, at[1]), list[str](), 0
        for row in rows:
            moment, *numbers = row.split(",")
            name, key = file_name(config, moment), f"{stem}_{moment}"
            place = f"{FOLDERS[config]}/{at[0]}/{at[1]}/{name}"
            if not split:
                reason = f"{who.id} has no fold and takes no part in split {self.how.splits}"
                yield Rejection(key, config, "", "split", place, reason)
            elif name not in files:
                reason = f"kept by {CANDIDATES[config]}, but there is no such file: collect again"
                yield Rejection(key, config, split, MISSING, place, reason, measured=_measured(numbers))
            else:
                folder, bytes_ = files.pop(name)
                kept.append(f"{row},{folder}")
                size += bytes_
        if files:
            first = min(files)
            place = "".join(folders[files[first][0]]) + first
            yield Rejection("", config, "", STRAY, place, _unnamed(config, len(files)))
        for place in second:
            yield Rejection("", config, "", STRAY, place, "a second file of one name in one video; the first is read")
        if kept:
            details = {"folders": folders, "rows": "\n".join(kept), "facts": self._facts(config, who, at)}
            key = stem if len(kept) > 1 else f"{stem}_{kept[0].partition(',')[0]}"
            yield Unit(key, config, split, identity_of(who.id), size, details, len(kept))

    def _facts(self, config: str, who: Speaker, at: Video) -> dict[str, Any]:
        """Those that all samples of a video share."""
        how, told = self.how, self.collection.parameters
        return {
            "speaker_id": who.id,
            "gender": who.gender,
            "fold": who.fold,
            "split_rule": f"{how.splits} fold {how.fold}" if how.splits == VFMR4 else how.splits,
            SPLIT_GROUP_FACT.name: video_key(at) if how.splits == SEEN_HEARD else None,
            "video_id": at[1],
            **{fact: told.get(name) for fact, name in STATED[config].items()},
            **self.collection.terms,
        }

    @cached_property
    def held_out(self) -> set[Video]:
        """Videos held out of each person's for a seen-heard test, by faces and voices together."""
        of_person: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for counts in self.collection.counts.values():
            for (speaker, video), count in counts.items():
                of_person[speaker][video] += count
        return {
            (speaker, video)
            for speaker, clips in of_person.items()
            for video in held_out(clips, speaker, self.how.split_seed)
        }

    def split_of(self, who: Speaker, video: str) -> str:
        """train or test; "" for who takes no part."""
        if self.how.splits == VFMR3:
            return "test"
        if self.how.splits == SEEN_HEARD:
            return "test" if (who.id, video) in self.held_out else "train"
        return "" if who.fold is None else "test" if who.fold == self.how.fold else "train"


def file_name(config: str, moment: str) -> str:
    """As the collector names the file of a kept candidate: `00012000_0.jpg`, `00000000_00003500.wav`."""
    first, second = moment.split("_")
    return f"{first}_{int(second)}.jpg" if config == "faces" else f"{moment}.wav"


def _measured(numbers: list[str]) -> str:
    return as_json({"score": float(numbers[-1])})


def _unnamed(config: str, count: int) -> str:
    files = "1 file that no kept row" if count == 1 else f"{count:,} files that no kept row"
    return f"{files} of {CANDIDATES[config]} names, this one and after; not read"
