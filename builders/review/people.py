"""Who has which faces: the kept ones of the index and those that the build turned down, counted in Arrow."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ...loaders.folder import Folder
from ...loaders.sample import KEY, Config
from ...loaders.statistics import described
from ...loaders.waterfall import Quality, options_of
from ..core.builder import find
from ..core.review import STAGE

NO_FACE = ("table", "config", "missing video")
"""Stages whose rows are about tables, configs and files that are not there."""
SEEN = r"(?i)\.(jpe?g|png|webp|mp4|webm|mkv)$"
"""Places of pictures and videos: what else was left out is about no face."""
FINDER = "detector"
"""The fact that a config of faces declares: what found them."""
PICKED = "picked_by"
"""The fact of a config whose faces a build picks from candidates: there, keep has an effect."""
FACE_FACTS = ("face_score", "det_conf", "face_distance", "ipd", "n_faces", "faces")
"""Facts of the datasets that compare faces, beside what their filters go by."""
_NUMBER = r"_.*$"
"""What a picture's key has after its person's."""


@dataclass(frozen=True)
class Score:
    """One number by which faces are compared."""

    fact: str
    meaning: str
    unit: str
    part: int | None = None
    """Which element of a fact that is a list."""
    threshold: float | None = None
    """The one that the build went by."""
    bound: str = ""
    """least or most: what the threshold is; "" where there is none."""


def face_configs(folder: Folder) -> list[Config]:
    """The configs of a folder whose samples are pictures of faces, in the dataset's order."""
    name = folder.dataset
    configs = find(name).configs if name else ()
    return [config for config in configs if config.name in folder.configs and _shows_faces(config)]


def _shows_faces(config: Config) -> bool:
    pictures = any(field.kind == "image" for field in config.fields)
    return pictures and any(fact.name == FINDER for fact in config.facts)


class People:
    """The people of one face config of a folder, in order of their keys. Built once per folder and config."""

    def __init__(self, folder: Folder, config: Config) -> None:
        self.folder, self.config = folder, config
        self.options = options_of(folder)
        self._known: dict[str, tuple[str, bool] | None] = {}

    @cached_property
    def kept(self) -> pa.Table:
        """Index rows of the config."""
        index = self.folder.index
        return index.filter(pc.equal(index["config"], self.config.name))

    @cached_property
    def turned_down(self) -> pa.Table:
        """Quarantine rows about single faces: with `row`, their number in the table, and `person`."""
        table = self.folder.quarantine
        table = table.append_column("row", pa.array(range(table.num_rows), pa.int64()))
        about = pc.and_(pc.equal(table["config"], self.config.name), _is_key(table["key"]))
        seen = pc.or_(pc.match_substring_regex(table["place"], SEEN), pc.equal(table["stage"], STAGE))
        about = pc.and_(about, seen)
        table = table.filter(pc.and_(about, pc.invert(pc.is_in(table["stage"], pa.array(NO_FACE)))))
        stems = _stems(table["key"])
        known = pc.take(self._stem_people["person"], pc.index_in(stems, self._stem_people["stem"].combine_chunks()))
        return table.append_column("person", pc.coalesce(known, stems))

    @cached_property
    def _stem_people(self) -> pa.Table:
        """Which identity the keys with a stem belong to."""
        pairs = pa.table({"stem": _stems(self.kept["key"]), "identity": self.kept["identity"]})
        found = pairs.group_by("stem", use_threads=False).aggregate([("identity", "first")])
        return pa.table({"stem": found["stem"], "person": found["identity_first"]})

    @cached_property
    def table(self) -> pa.Table:
        """One row per person: person (identity, or what the keys begin with where nothing was kept), first, name,
        split, kept, turned_down (counts)."""
        named = "name" in {fact.name for fact in self.config.facts}
        own = pa.table({"person": self.kept["identity"], **{n: self.kept[n] for n in ("key", "split")}})
        called = self.kept["name"] if named else pc.replace_substring_regex(self.kept["identity"], "^.*/", "")
        own = own.append_column("called", called)
        first = [("key", "min"), ("split", "first"), ("called", "first"), ("key", "count")]
        kept = own.group_by("person", use_threads=False).aggregate(first)
        aside = self.turned_down.group_by("person", use_threads=False).aggregate(
            [("key", "min"), ("split", "first"), ("place", "first"), ("key", "count")]
        )
        both = kept.rename_columns({"key_count": "kept", "key_min": "first", "split_first": "split"}).join(
            aside.rename_columns({"key_count": "turned_down"}), "person", join_type="full outer"
        )
        # Of people without a kept face the folder of their photos tells the name.
        places = both["place_first"].to_pylist() if named else [None] * both.num_rows
        folders = [PurePosixPath(place).parent.name if place else None for place in places]
        columns = {
            "person": both["person"],
            "first": pc.coalesce(both["first"], both["key_min"]),
            "name": pc.coalesce(both["called_first"], pa.array(folders, pa.string()), both["person"]),
            "split": pc.coalesce(both["split"], both["split_first"]),
            "kept": pc.fill_null(both["kept"], 0),
            "turned_down": pc.fill_null(both["turned_down"], 0),
        }
        return pa.table(columns).sort_by("first")

    @cached_property
    def picks(self) -> bool:
        """Whether the build picks faces from candidates, so that people's picks come first."""
        if PICKED not in {fact.name for fact in self.config.facts} or "max_images" not in self.options:
            return False
        return "release" not in pc.unique(self.kept[PICKED]).to_pylist()

    @property
    def wanted(self) -> tuple[int, int] | None:
        """Fewest and most faces of a person that the build keeps; None where it does not pick."""
        if not self.picks:
            return None
        return int(self.options.get("min_images", 1)), int(self.options["max_images"])

    @cached_property
    def scores(self) -> tuple[Score, ...]:
        """What the dataset measures of a face: what its filters go by first."""
        name = self.folder.dataset
        module = import_module(f"...loaders.published.{name}", __package__) if name in described() else None
        qualities: tuple[Quality, ...] = getattr(module, "QUALITIES", ())
        declared = {fact.name: fact.meaning for fact in self.config.facts}
        found = [
            self._score(quality)
            for quality in qualities
            if quality.config == self.config.name and quality.measure.fact in declared
        ]
        if any(field.kind == "audio" for field in self.config.fields):
            found = [score for score in found if "face" in f"{score.fact} {score.meaning}"]
        known = {score.fact for score in found}
        more = [fact for fact in FACE_FACTS if fact in declared and fact not in known]
        found += [Score(fact, fact.replace("_", " "), "") for fact in more]
        return tuple(found)

    def _score(self, quality: Quality) -> Score:
        measure, (kind, _, _) = quality.measure, quality.option.partition("_")
        bound = {"min": "least", "max": "most", "tau": "least"}.get(kind, "")
        stated = self.options.get(quality.option)
        if stated is None and quality.option in self.kept.column_names:
            stated = next(iter(pc.unique(self.kept[quality.option]).to_pylist()), None)
        try:
            threshold = float(stated) if bound and stated is not None else None
        except ValueError:
            threshold = None
        bound = bound if threshold is not None else ""
        return Score(measure.fact, measure.meaning, measure.unit, quality.part, threshold, bound)

    def of(self, person: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """(index rows, quarantine rows) of one person."""
        kept = self.kept.filter(pc.equal(self.kept["identity"], person))
        aside = self.turned_down.filter(pc.equal(self.turned_down["person"], person))
        return kept.to_pylist(), aside.to_pylist()

    @cached_property
    def with_faces(self) -> int:
        """People of whom at least one face was kept."""
        return pc.sum(pc.greater(self.table["kept"], 0)).as_py() or 0

    def kept_of(self, people: Iterable[str]) -> dict[str, int]:
        """Person -> how many faces were kept."""
        some = self.table.filter(pc.is_in(self.table["person"], pa.array(list(people), pa.string())))
        return dict(zip(some["person"].to_pylist(), some["kept"].to_pylist(), strict=True))

    def people_of(self, keys: Collection[str]) -> dict[str, tuple[str, bool]]:
        """(person, whether the face is kept) of those keys that are faces of this config."""
        new = [key for key in keys if key not in self._known]
        wanted = pa.array(new, pa.string())
        self._known.update(dict.fromkeys(new))
        for table, column, kept in ((self.turned_down, "person", False), (self.kept, "identity", True)):
            some = table.filter(pc.is_in(table["key"], wanted)).select(["key", column]) if new else table.slice(0, 0)
            for key, person in zip(some["key"].to_pylist(), some[column].to_pylist(), strict=True):
                self._known[key] = person, kept
        return {key: found for key in keys if (found := self._known[key])}


def _is_key(column: Any) -> Any:
    return pc.match_substring_regex(column, f"^{KEY.pattern}$")


def _stems(keys: Any) -> Any:
    """What keys begin with, the person: `vox1-id10009` of `vox1-id10009_0006`."""
    return pc.replace_substring_regex(keys, _NUMBER, "")
