"""The view *faces*: all faces of one person side by side, picked or left out by hand (SF2F, appendix B.1, step 8)."""

import math
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .desk import Desk
from .originals import Originals, face_box, measured
from .people import People, face_configs
from .words import Words

PEOPLE_AT_ONCE, FACES_AT_ONCE = 200, 500
"""Most rows of one answer."""
SHOWN = ("all", "left", "done", "too few", "none kept", "in conflict")
"""What the list of people can be narrowed to."""
FIT = ("rank", "identity", "review")
"""Stages whose faces passed every threshold, or that people left out: shown before the others."""


class Faces:
    """Routes below /api/faces/."""

    name, title = "faces", "Faces"

    def __init__(self, desk: Desk) -> None:
        self.desk, self.words, self.originals = desk, Words(desk), Originals(desk)
        self._lock = threading.Lock()
        self._people: dict[tuple[str, str], People] = {}

    def available(self) -> bool:
        """Whether the folder has a config of faces."""
        return self.desk.options.folder is not None and bool(face_configs(self.desk.folder))

    def routes(self) -> list[Route]:
        return [
            Route("/api/faces/configs", self.configs),
            Route("/api/faces/people", self.people),
            Route("/api/faces/person", self.person),
        ]

    def left(self) -> tuple[int, int] | None:
        """People done, and all people of whom a face was kept, over every config of faces."""
        if not self.available():
            return None
        counts = [self._counts(self._of(config.name)) for config in face_configs(self.desk.folder)]
        return sum(done for done, _ in counts), sum(total for _, total in counts)

    def configs(self, request: Request) -> Response:
        """What each config of faces shows and measures, and how many faces of a person its build keeps."""
        answer = []
        for config in face_configs(self.desk.folder):
            people = self._of(config.name)
            fields = [field.name for field in config.fields if field.kind == "image"]
            facts = {fact.name: fact.meaning for fact in config.facts}
            done, total = self._counts(people)
            about: dict[str, Any] = {"name": config.name, "meaning": config.meaning, "fields": fields, "facts": facts}
            about |= {"scores": [asdict(score) for score in people.scores], "wanted": people.wanted, "show": SHOWN}
            answer.append(about | {"done": done, "total": total, "originals": self.originals.there})
        return JSONResponse(answer)

    def people(self, request: Request) -> Response:
        """Some of the people of a config, narrowed to `show` and `find`; from `from` on, or around the key `at`."""
        people = self._of(request.query_params.get("config", ""))
        sums = self._said(people)
        table = self._narrowed(people, request, sums)
        count = whole(request, "count", 50, PEOPLE_AT_ONCE)
        start = whole(request, "from", 0, table.num_rows)
        if at := request.query_params.get("at", ""):
            before = pc.sum(pc.less(table["first"], at)).as_py() or 0
            start = before - before % max(count, 1)
        page = table.slice(start, count)
        rows = [row | _sums(sums.get(row["person"]), row["kept"], people.wanted) for row in page.to_pylist()]
        done, total = self._counts(people)
        return JSONResponse({"total": table.num_rows, "from": start, "people": rows, "done": done, "of": total})

    def person(self, request: Request) -> Response:
        """All faces of the person to whom the face `key` belongs, kept ones first, with what was measured and said.

        `after` and `before` lead on to the next and last person of the list as narrowed to `show` and `find`. null for
        a key that is no face, as after a build without it, and beyond the list's ends.
        """
        people, asked = self._of(request.query_params.get("config", "")), request.query_params
        table, sums = people.table, self._said(people)
        if key := asked.get("key", ""):
            known = people.people_of([key])
            who = known[key][0] if key in known else ""
        else:
            who = self._step(self._narrowed(people, request, sums), asked.get("after"), asked.get("before"))
        found = table.filter(pc.equal(table["person"], who)).to_pylist()
        if not found:
            return JSONResponse(None)
        kept, aside = people.of(who)
        faces = [self._kept(row, people) for row in kept] + [self._aside(row) for row in aside]
        said = self.words.about(("face", "quarantine"))
        for face in faces:
            words = [word for word in said.get(face["key"], ()) if word.about == "face"]
            face |= {"words": self.words.shown(words), "says": self.words.verdict(words)}
        faces.sort(key=_order)
        start, count = whole(request, "from", 0, len(faces)), whole(request, "count", 200, FACES_AT_ONCE)
        answer = found[0] | _sums(sums.get(who), found[0]["kept"], people.wanted)
        answer |= {"total": len(faces), "from": start, "faces": faces[start : start + count]}
        return JSONResponse(answer)

    @staticmethod
    def _step(table: pa.Table, after: str | None, before: str | None) -> str:
        """The person after or before the one whose keys begin with the given one; the first without either."""
        if before is not None:
            some = table.filter(pc.less(table["first"], before))
            some = some.slice(max(some.num_rows - 1, 0))
        else:
            some = table.filter(pc.greater(table["first"], after)) if after is not None else table
        return str(some["person"][0]) if some.num_rows else ""

    # --- rows for the page ---

    def _kept(self, row: Mapping[str, Any], people: People) -> dict[str, Any]:
        names = [fact.name for fact in people.config.facts if fact.name != "decisions"]
        facts = {name: plain(row.get(name)) for name in names if row.get(name) is not None}
        pictures = {field.name for field in people.config.fields if field.kind == "image"}
        entries = [entry for entry in row["fields"] if entry["name"] in pictures]
        return {
            "key": row["key"],
            "kept": True,
            "rank": row.get("rank"),
            "fields": [entry["name"] for entry in entries],
            "size": [entries[0]["width"], entries[0]["height"]] if entries else None,
            "place": row.get("image_name"),
            "facts": facts,
        }

    def _aside(self, row: Mapping[str, Any]) -> dict[str, Any]:
        facts = {name: plain(value) for name, value in measured(row).items()}
        about = {name: row[name] for name in ("key", "row", "stage", "place", "reason")}
        kind = self.originals.kind(row["place"])
        # Where in a whole video a segment begins its row does not say.
        picture = kind == "picture" or (kind == "video" and not facts.get("whole_video"))
        return about | {"kept": False, "rank": facts.get("rank"), "picture": picture, "facts": facts,
                        "box": face_box(row)}  # fmt: skip

    # --- counts ---

    def _of(self, config: str) -> People:
        """The people of a config. Raises ValueError for one that has no faces."""
        folder, version = self.desk.folder, self.desk.version
        with self._lock:
            if (version, config) not in self._people:
                found = {one.name: one for one in face_configs(folder)}
                if config not in found:
                    raise ValueError(f"config={config!r}: expected one of {', '.join(found) or 'none'}")
                self._people = {at: people for at, people in self._people.items() if at[0] == version}
                self._people[version, config] = People(folder, found[config])
            return self._people[version, config]

    def _said(self, people: People) -> dict[str, Counter[str]]:
        """Person -> how many faces have which verdict; "word": kept faces that anybody said something about."""
        said = self.words.about(("face",))
        found: dict[str, Counter[str]] = {}
        for key, (person, kept) in people.people_of(sorted(said)).items():
            own = found.setdefault(person, Counter())
            own[self.words.verdict(said[key])] += 1
            own["word"] += kept
        return found

    def _counts(self, people: People) -> tuple[int, int]:
        said = self._said(people)
        kept = people.kept_of(said)
        done = sum(_sums(own, kept[who], people.wanted)["done"] and kept[who] > 0 for who, own in said.items())
        return done, people.with_faces

    def _narrowed(self, people: People, request: Request, sums: Mapping[str, Counter[str]]) -> pa.Table:
        """The people whose name or key has `find`, narrowed to `show`. Raises ValueError for an unknown `show`."""
        table = people.table
        show, find = request.query_params.get("show", "all"), request.query_params.get("find", "")
        if show not in SHOWN:
            raise ValueError(f"show={show!r}: expected one of {', '.join(SHOWN)}")
        table = table.filter(self._mask(people, sums, show))
        if find:
            # Names are shown with blanks for their underscores.
            words = [find, find.replace(" ", "_")]
            named = [
                pc.match_substring(table[name], word, ignore_case=True) for name in ("name", "first") for word in words
            ]
            table = table.filter(reduce(pc.or_, named))
        return table

    @staticmethod
    def _mask(people: People, sums: Mapping[str, Counter[str]], show: str) -> Any:
        table, counts = people.table, people.kept_of(sums)
        kept = pc.greater(table["kept"], 0)
        finished = [who for who, own in sums.items() if _sums(own, counts[who], people.wanted)["done"]]
        done = pc.is_in(table["person"], pa.array(finished, pa.string()))
        conflict = [who for who, own in sums.items() if own["in conflict"]]
        return {
            "all": pc.is_valid(table["person"]),
            "left": pc.and_(kept, pc.invert(done)),
            "done": done,
            "too few": pc.and_(kept, pc.less(table["kept"], (people.wanted or (1, 0))[0])),
            "none kept": pc.invert(kept),
            "in conflict": pc.is_in(table["person"], pa.array(conflict, pa.string())),
        }[show]


def _sums(said: Counter[str] | None, kept: int, wanted: tuple[int, int] | None) -> dict[str, Any]:
    """Picked and left out by people, and whether that is all: enough picked, or a word on every kept face."""
    own = said or Counter[str]()
    enough = wanted is not None and own["keep"] >= wanted[0] and not own["in conflict"]
    done = bool(own) and (enough or own["word"] >= kept) and not own["in conflict"]
    return {"picked": own["keep"], "left_out": own["leave out"], "conflicts": own["in conflict"], "done": done}


def _order(face: Mapping[str, Any]) -> tuple[Any, ...]:
    """Kept by rank; then what fitted but came too late; then what was turned down, step by step."""
    rank = face["rank"] if isinstance(face["rank"], int) else 1 << 30
    if face["kept"]:
        return 0, rank, "", face["key"]
    return 1 if face["stage"] in FIT else 2, rank, face["stage"], face["key"]


def plain(value: Any) -> Any:
    """A fact as JSON has it: numbers that are none become null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def whole(request: Request, name: str, default: int, most: int) -> int:
    """A query parameter as a whole number of 0 to `most`. Raises ValueError for anything else."""
    text = request.query_params.get(name, str(default))
    if not text.isascii() or not text.isdecimal() or len(text) > 12:
        raise ValueError(f"{name}={text[:40]!r}: expected a whole number from 0")
    return min(int(text), most)
