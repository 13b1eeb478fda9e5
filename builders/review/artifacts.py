"""The view *artifacts*: clips with the evidence of the build, to confirm or to overturn what it found."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import soundfile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ...loaders.folder import FolderError
from ..core.decisions import ARTIFACTS
from ..stages.artifacts import BLURRED_BELOW
from ..stages.chin import CHIN_MARGIN
from ..stages.noise import NOISY_BELOW_DB
from .desk import Desk

PAGE_ITEMS, MOST_ITEMS = 50, 200
PEAKS = 1200
"""Columns of the waveform."""
WORDS = {"frozen": "frozen", "blurred": "blurred", "chin_cut": "chin cut", "flickers": "jumps", "noisy": "noisy"}
RELEASE_WIDTH = 768
"""Width of the release's visual frames, in whose pixels the chin's margin is given."""
ABOUT = ("gender", "age", "ethnicity", "accessories", "trial", "session", "position", "command")
_PUBLISHED = {
    "frozen": ("thermal_code", 1),
    "blurred": ("visual_code", 1),
    "chin_cut": ("visual_code", 2),
    "noisy": ("audio_code", 1),
}
"""Column and bit of the release's own code for an artifact."""


class Artifacts:
    """Samples with artifact verdicts, in the order of the index."""

    name, title = "artifacts", "Artifacts"

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._judged: tuple[str, list[tuple[str, str, dict[str, bool | None]]]] | None = None

    def available(self) -> bool:
        return self.desk.options.folder is not None and bool(self._rows())

    def routes(self) -> list[Route]:
        return [
            Route("/api/artifacts/items", self.items),
            Route("/api/artifacts/item", self.item),
            Route("/api/artifacts/wave", self.wave),
        ]

    def _rows(self) -> list[tuple[str, str, dict[str, bool | None]]]:
        """(config, key, verdict by artifact; None: not judged) of the samples that have any verdict."""
        version = self.desk.version
        if self._judged is None or self._judged[0] != version:
            index = self.desk.folder.index
            there = [name for name in ARTIFACTS if name in index.column_names]
            names = zip(*(index[name].to_pylist() for name in ("config", "key")), strict=True)
            verdicts = zip(*(index[name].to_pylist() for name in there), strict=True) if there else iter(())
            rows = [(*who, dict(zip(there, said, strict=True))) for who, said in zip(names, verdicts, strict=False)]
            self._judged = version, [row for row in rows if any(there is not None for there in row[2].values())]
        return self._judged[1]

    def _own(self) -> dict[str, dict[str, str]]:
        """This person's verdicts that a build would follow: artifact to verdict, by key."""
        found: dict[str, dict[str, str]] = {}
        stale = self.desk.out_of_date()
        for (key, about, value), decision in self.desk.own().items():
            if about == "artifact" and decision not in stale:
                found.setdefault(key, {})[value] = decision.verdict
        return found

    def left(self) -> tuple[int, int]:
        """Samples with a flag whose every flag this person has decided, of all samples with a flag."""
        own, done, total = self._own(), 0, 0
        for _, key, verdicts in self._rows():
            flags = [name for name, there in verdicts.items() if there]
            total += bool(flags)
            done += bool(flags) and all(name in own.get(key, ()) for name in flags)
        return done, total

    def items(self, request: Request) -> Response:
        """A page of samples: `show` flagged, all, unjudged or one artifact; `undecided`; `find` in keys; `at` a key."""
        asked = request.query_params
        show, find = asked.get("show", "flagged"), asked.get("find", "").lower()
        if show not in ("flagged", "all", "unjudged", *ARTIFACTS):
            raise ValueError(f"show {show[:40]!r}: expected flagged, all, unjudged or one of {', '.join(ARTIFACTS)}")
        own, chosen = self._own(), []
        for config, key, verdicts in self._rows():
            here = [name for name, there in verdicts.items() if (there is None if show == "unjudged" else there)]
            said = own.get(key, {})
            wanted = [show] if show in ARTIFACTS else here
            if (show != "all" and not set(wanted) & set(here)) or find not in key:
                continue
            if "undecided" in asked and wanted and all(name in said for name in wanted) and key != asked.get("at"):
                continue
            flags = [name for name, there in verdicts.items() if there]
            chosen.append({"config": config, "key": key, "flags": flags, "unjudged": here, "own": said})
        limit = min(MOST_ITEMS, _whole(asked.get("limit"), PAGE_ITEMS))
        places = (
            at for at, row in enumerate(chosen) if (row["config"], row["key"]) == (asked.get("in"), asked.get("at"))
        )
        at = next(places, None)
        first = _whole(asked.get("first"), 0) if at is None else at // limit * limit
        return JSONResponse({"total": len(chosen), "first": first, "at": at, "items": chosen[first : first + limit]})

    def item(self, request: Request) -> Response:
        """Everything about one sample: media, evidence per frame, and each artifact's verdict in words."""
        config, key = _named(request)
        row = self.desk.row(config, key)
        entries = {entry["name"]: entry for entry in row["fields"]}
        clips = {
            name: {"width": entry["width"], "height": entry["height"], "frames": len(entry["frame_offset"])}
            for name, entry in entries.items()
            if len(entry["frame_offset"])
        }
        sounds = [name for name in entries if name.endswith((".flac", ".wav"))]
        scale = (entries["visual.webp"]["width"] or RELEASE_WIDTH) / RELEASE_WIDTH if "visual.webp" in entries else 1.0
        evidence = {name: row.get(name) for name in ("blur", "chin", "freeze_runs", "jumps", "snr_db", "trim_proposed")}
        segments = [
            {name: segment[name] for name in ("first", "last", "source", "dx", "dy")}
            for segment in row.get("alignment") or ()
        ]
        return JSONResponse(
            {
                **{name: row.get(name) for name in ("key", "config", "identity", "split", "transcript", "seconds")},
                "about": {name: row[name] for name in ABOUT if row.get(name) is not None},
                "fps": row.get("fps") or 28,
                "clips": clips,
                "sounds": sounds,
                "samples": row.get("samples"),
                "sample_rate": row.get("sample_rate"),
                **evidence,
                "alignment": segments,
                "blurred_below": BLURRED_BELOW,
                "chin_margin": CHIN_MARGIN * scale,
                "artifacts": [self._artifact(row, name) for name in ARTIFACTS if name in row],
                "trim": self._trim(key),
            }
        )

    def _artifact(self, row: Mapping[str, Any], name: str) -> dict[str, Any]:
        column, bit = _PUBLISHED.get(name, ("", 0))
        code = row.get(column)
        own = self.desk.own().get((row["key"], "artifact", name))
        others: dict[str, str] = {}
        for record in self.desk.records():
            if record.subject == (row["key"], "artifact", name) and record.who != self.desk.who:
                others[record.who] = record.verdict
        return {
            "name": name,
            "word": WORDS[name],
            "built": row[name],
            "evidence": evidence_words(row, name),
            "published": None if code is None else bool(code & bit),
            "own": own.verdict if own else None,
            "outdated": own in self.desk.out_of_date(),
            "reason": own.reason if own else "",
            "others": {who: verdict for who, verdict in others.items() if verdict != "undo"},
        }

    def _trim(self, key: str) -> int | None:
        own = self.desk.own().get((key, "trim", ""))
        follows = own is not None and own not in self.desk.out_of_date()
        return own.value if own is not None and follows and isinstance(own.value, int) else None

    def wave(self, request: Request) -> Response:
        """The sound as PEAKS pairs of lowest and highest sample, -1 to 1."""
        config, key = _named(request)
        row, entry = self.desk.member(config, key, request.query_params.get("field", ""))
        if not entry["name"].endswith((".flac", ".wav")):
            raise KeyError(f"{entry['name']} is no sound")
        data = bytes(self.desk.parts(row, [(int(entry["offset"]), int(entry["size"]))])[0])
        return JSONResponse({"peaks": peaks(data), "seconds": _seconds(data)})


def peaks(data: bytes) -> list[list[float]]:
    """Up to PEAKS [lowest, highest] of equal pieces of a FLAC or WAV, -1 to 1. Raises ValueError when it is damaged."""
    from ...loaders.media import decode_audio

    samples = decode_audio(data)[0]
    mono = samples if samples.ndim == 1 else samples[:, 0]
    edges = np.linspace(0, len(mono), min(PEAKS, len(mono)) + 1).astype(int)[:-1]
    if not len(edges):
        return []
    low, high = (kind.reduceat(mono, edges) / 32768 for kind in (np.minimum, np.maximum))
    return [[round(float(a), 4), round(float(b), 4)] for a, b in zip(low, high, strict=True)]


def _seconds(data: bytes) -> float:
    with soundfile.SoundFile(io.BytesIO(data)) as sound:
        return float(sound.frames / sound.samplerate)


def evidence_words(row: Mapping[str, Any], name: str) -> str:
    """What the build measured for an artifact of an index row, in one line; "not measured" where there is nothing."""
    words = {"frozen": _frozen, "blurred": _blurred, "chin_cut": _chin_cut, "flickers": _flickers, "noisy": _noisy}
    return words[name](row) or "not measured"


def _frozen(row: Mapping[str, Any]) -> str:
    runs = row.get("freeze_runs")
    if runs is None:
        return ""
    if not runs:
        return "no two thermal frames alike"
    longest = max(runs, key=lambda run: run["last"] - run["first"])
    count = longest["last"] - longest["first"] + 1
    return f"{count} thermal frames alike, {longest['first']} to {longest['last']}"


def _blurred(row: Mapping[str, Any]) -> str:
    if row.get("blur_min") is None:
        return ""
    share = row.get("blur_share") or 0.0
    below = f"below {BLURRED_BELOW:g} in {share:.0%} of the frames" if share else f"never below {BLURRED_BELOW:g}"
    return f"least sharpness {row['blur_min']:.3g}, {below}"


def _chin_cut(row: Mapping[str, Any]) -> str:
    if row.get("chin_overshoot") is None:
        return "no face found" if row.get("faceless_share") == 1 else ""
    share = row.get("chin_share") or 0.0
    if not row["chin_overshoot"]:
        return "inside the picture wherever a face was found"
    return f"up to {row['chin_overshoot']:.0f} px outside, too far in {share:.0%} of the frames"


def _flickers(row: Mapping[str, Any]) -> str:
    jumps = row.get("jumps")
    if jumps is None:
        return ""
    if not jumps:
        return "the picture stays in its place"
    first, number = jumps[0], len(jumps)
    return f"{number} of the frames, first {first['frame']}: {first['dx']:.0f}, {first['dy']:.0f} px aside"


def _noisy(row: Mapping[str, Any]) -> str:
    snr = row.get("snr_db")
    return "" if snr is None else f"{snr:.0f} dB over the noise; noisy below {NOISY_BELOW_DB:g}"


def _whole(text: str | None, default: int) -> int:
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise ValueError(f"{text[:20]!r}: expected a whole number")
    return int(text) or default


def _named(request: Request) -> tuple[str, str]:
    config, key = request.query_params.get("config"), request.query_params.get("key")
    if not config or not key:
        raise FolderError("expected a config and a key")
    return config, key
