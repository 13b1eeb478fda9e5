"""The view *quarantine*: why each sample was left out; accept it, or have the next build try again."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ...loaders.folder import Folder
from ...loaders.sample import KEY
from ..core.builder import find
from ..core.review import STAGE
from .desk import Desk
from .faces import plain, whole
from .media import Thumbnails, ranged, small_webp
from .originals import EDGES, PLAYED, Originals, cannot_be_shown, face_box, measured
from .words import Words, moment

ROWS_AT_ONCE = 200
STATES = ("open", "accepted", "retry", "in conflict", "no sample", "all")
"""What the rows can be narrowed to: open ones wait for a word, those without a sample's key cannot get one."""
MOST_PATTERNS = 12
_NUMBER = r"[-+]?[0-9][0-9.,]*"


class Quarantine:
    """Routes below /api/quarantine/."""

    name, title = "quarantine", "Quarantine"

    def __init__(self, desk: Desk) -> None:
        self.desk, self.words, self.originals = desk, Words(desk), Originals(desk)
        self.thumbnails = Thumbnails(desk.cache / "originals")

    def available(self) -> bool:
        """Whether there is a folder; nothing left out is worth a look too."""
        return self.desk.options.folder is not None

    def routes(self) -> list[Route]:
        return [
            Route("/api/quarantine/groups", self.groups),
            Route("/api/quarantine/rows", self.rows),
            Route("/api/quarantine/original/{row:int}", self.original),
            Route("/api/quarantine/picture/{row:int}.webp", self.picture),
            Route("/api/quarantine/media/{row:int}", self.media),
        ]

    def left(self) -> tuple[int, int] | None:
        """Rows with a word, and all rows that can get one."""
        states = _States(self.desk, self.words)
        total = pc.sum(states.decidable).as_py() or 0
        return total - (pc.sum(states.of("open")).as_py() or 0), total

    def groups(self, request: Request) -> Response:
        """Rows and open rows of every config and stage, largest first, and what the configs' facts mean."""
        folder, states = self.desk.folder, _States(self.desk, self.words)
        table = folder.quarantine.select(["config", "stage", "reason"])
        table = table.append_column("open", pc.cast(states.of("open"), pa.int64()))
        counted = table.group_by(["config", "stage"], use_threads=False).aggregate(
            [("reason", "count"), ("open", "sum"), ("reason", "first")]
        )
        named = counted.rename_columns({"reason_count": "rows", "open_sum": "open", "reason_first": "first"})
        groups = named.sort_by([("config", "ascending"), ("rows", "descending"), ("stage", "ascending")]).to_pylist()
        done, total = self.left() or (0, 0)
        answer = {"groups": groups, "done": done, "total": total, "originals": self.originals.there}
        return JSONResponse(answer | {"states": STATES, "facts": _meanings(folder)})

    def rows(self, request: Request) -> Response:
        """Rows of a config, a stage, a state, a pattern of reasons, with `find` in key, place or reason.

        In pages: from `from` on, or the one around the key `at`.
        """
        folder, states = self.desk.folder, _States(self.desk, self.words)
        table, asked = folder.quarantine, request.query_params
        mask = states.of(asked.get("state", "all"))
        for column in ("config", "stage"):
            if asked.get(column):
                mask = pc.and_(mask, pc.equal(table[column], asked[column]))
        if text := asked.get("find", ""):
            found = [pc.match_substring(table[name], text, ignore_case=True) for name in ("key", "place", "reason")]
            mask = pc.and_(mask, pc.or_(pc.or_(*found[:2]), found[2]))
        reasons = pc.replace_substring_regex(pc.filter(table["reason"], mask), _NUMBER, "…")
        patterns = _counted(reasons)
        numbers = pc.indices_nonzero(mask)
        if pattern := asked.get("pattern", ""):
            numbers = pc.filter(numbers, pc.equal(reasons, pattern))
        start, count = whole(request, "from", 0, len(numbers)), whole(request, "count", 50, ROWS_AT_ONCE)
        if at := asked.get("at", ""):
            before = pc.sum(pc.less(numbers, max(0, pc.index(table["key"], at).as_py()))).as_py() or 0
            start = before - before % max(count, 1)
        page = numbers.slice(start, count)
        rows = [
            self._row(number, row, states)
            for number, row in zip(page.to_pylist(), table.take(page).to_pylist(), strict=True)
        ]
        return JSONResponse({"total": len(numbers), "from": start, "rows": rows, "patterns": patterns})

    def _row(self, number: int, row: Mapping[str, Any], states: "_States") -> dict[str, Any]:
        words = states.said.get(row["key"], ())
        names = ("key", "config", "split", "stage", "place", "reason", "kind")
        return {
            "row": number,
            **{name: row[name] for name in names},
            "measured": {name: plain(value) for name, value in measured(row).items()},
            "words": self.words.shown(words),
            "state": states.name(number),
            "tried": any(word.verdict == "retry" and moment(word) < states.built for word in words),
            "media": self.originals.kind(row["place"]),
        }

    # --- what the release holds ---

    def original(self, request: Request) -> Response:
        """What the release has at the place of a row: kind, and for pictures their size and the face's box in px.

        `problem` says why nothing can be shown, or is "".
        """
        row = self._of(request)
        kind = self.originals.kind(row["place"])
        answer: dict[str, Any] = {"size": None, "box": None, "problem": ""}
        try:
            if kind == "picture":
                height, width = self.originals.picture(row).shape[:2]
                answer |= {"size": [width, height], "box": face_box(row)}
            elif kind == "video":
                self.originals.picture(row)
            elif kind:
                self.originals.opened(row["place"]).close()
        except (ValueError, OSError) as error:
            answer["problem"] = str(error)
        return JSONResponse({"kind": kind, **answer})

    def picture(self, request: Request) -> Response:
        """The picture at the place of a row, small (edge 192) or large (640), `of` its face or whole; made once."""
        row = self._of(request)
        edge, of = whole(request, "edge", EDGES[0], EDGES[-1]), request.query_params.get("of", "whole")
        if edge not in EDGES or of not in ("whole", "face"):
            raise ValueError(f"edge={edge}, of={of!r}: expected an edge of {EDGES} px and whole or face")
        take = self.originals.face if of == "face" else self.originals.picture
        try:
            name = f"{self.desk.raw}\n{row['place']}\n{row['source_digest']}\n{row['measured']}\n{of}"
            return self.thumbnails.response(name, lambda: take(row), edge)
        except (ValueError, OSError):
            # Not kept by the browser: the disk with the release may be there the next time.
            return Response(small_webp(cannot_be_shown(edge), edge), media_type="image/webp")

    def media(self, request: Request) -> Response:
        """The sound or video at the place of a row, in ranges when asked. KeyError for a row about anything else."""
        row = self._of(request)
        if self.originals.kind(row["place"]) not in ("sound", "video"):
            raise KeyError(f"no sound or video at {row['place'][:200]!r}")
        file = self.originals.opened(row["place"])
        ending = row["place"][row["place"].rindex(".") :].lower()
        return ranged(request, file, PLAYED[ending], 0, file.seek(0, 2))

    def _of(self, request: Request) -> dict[str, Any]:
        """The quarantine row of a request. Raises KeyError beyond the table, or without a release."""
        table, number = self.desk.folder.quarantine, request.path_params["row"]
        if not self.originals.there:
            raise KeyError("no release: start the page with --raw")
        if number >= table.num_rows:
            raise KeyError(f"row {number} of {table.num_rows}")
        found: list[dict[str, Any]] = table.slice(number, 1).to_pylist()
        return found[0]


class _States:
    """Which rows wait for a word, as masks over the whole table."""

    def __init__(self, desk: Desk, words: Words) -> None:
        self.table = desk.folder.quarantine
        self.said = words.about(("quarantine", "face"))
        self.built = desk.built
        """What people wanted tried again before has been tried."""
        self._masks: dict[str, Any] = {}
        by_verdict: dict[str, list[str]] = {"accepted": [], "retry": [], "in conflict": []}
        for key, own in self.said.items():
            verdicts = {word.verdict for word in own if not (word.verdict == "retry" and moment(word) < self.built)}
            if state := _state({_STATE_OF[verdict] for verdict in verdicts if verdict in _STATE_OF}):
                by_verdict[state].append(key)
        self._keys = {state: pa.array(keys, pa.string()) for state, keys in by_verdict.items()}
        self.decidable = pc.and_(
            pc.match_substring_regex(self.table["key"], f"^{KEY.pattern}$"), pc.not_equal(self.table["stage"], STAGE)
        )

    def of(self, state: str) -> Any:
        """Boolean column of the rows in a state. Raises ValueError for a state that is none."""
        if state not in STATES:
            raise ValueError(f"state={state!r}: expected one of {', '.join(STATES)}")
        if state not in self._masks:
            self._masks[state] = self._mask(state)
        return self._masks[state]

    def _mask(self, state: str) -> Any:
        if state == "all":
            return pc.is_valid(self.table["key"])
        if state == "no sample":
            return pc.invert(self.decidable)
        if state == "open":
            said = pa.concat_arrays(list(self._keys.values()))
            return pc.and_(self.decidable, pc.invert(pc.is_in(self.table["key"], said)))
        return pc.and_(self.decidable, pc.is_in(self.table["key"], self._keys[state]))

    def name(self, number: int) -> str:
        """The state of one row."""
        return next(state for state in STATES if state == "all" or self.of(state)[number].as_py())


_STATE_OF = {"accept": "accepted", "leave out": "accepted", "retry": "retry", "keep": "retry"}
"""A face that people want kept is tried again by the next build, past the thresholds."""


def _state(found: set[str]) -> str:
    return "in conflict" if len(found) > 1 else next(iter(found), "")


def _counted(reasons: Any) -> list[dict[str, Any]]:
    """The commonest reasons, numbers aside."""
    counted = pc.value_counts(reasons.combine_chunks() if isinstance(reasons, pa.ChunkedArray) else reasons)
    table = pa.table({"pattern": counted.field("values"), "rows": counted.field("counts")})
    most = table.sort_by([("rows", "descending"), ("pattern", "ascending")]).slice(0, MOST_PATTERNS)
    found: list[dict[str, Any]] = most.to_pylist()
    return found


def _meanings(folder: Folder) -> dict[str, str]:
    """What the measured facts mean, by name."""
    name = folder.dataset
    configs = find(name).configs if name else ()
    return {fact.name: fact.meaning for config in configs for fact in config.facts}
