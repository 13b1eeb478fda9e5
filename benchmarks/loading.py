"""Reading beside other loaders: the same three frames and sound of every clip, measured side by side."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from ..loaders.folder import Folder, FolderError
from .core.bench import BenchOptions
from .core.loading_ways import SOUND, STREAMS, WAYS, Asked, write_loose
from .core.table import aligned, piped

TITLE = "Reading for training: three frames of both cameras and 0.4 s of sound from every clip"
DATASETS = ("speakingfaces",)
NEEDS = "tar shards, webdataset and datasets"
APART = "measures the speed of an idle machine"
REPEATS = 3
WORKERS = 2
BATCH = 8
COLUMNS = ("way", "samples/s", "of the best other", "CPU ms a sample", "s to the first batch", "same contents")


@dataclass(frozen=True)
class Loading:
    """Medians of interleaved runs by way."""

    results: Mapping[str, Mapping[str, float]]
    notes: tuple[str, ...]
    facts: Mapping[str, Any]

    def _lines(self) -> list[tuple[str, ...]]:
        ours = next(iter(self.results))
        best = max(found["rate"] for way, found in self.results.items() if way != ours)
        return [
            (
                way,
                f"{found['rate']:.1f}",
                f"{found['rate'] / best:.2f}",
                f"{1000 * found['cpu']:.1f}",
                f"{found['first']:.2f}",
                "yes" if found["same"] else "NO",
            )
            for way, found in self.results.items()
        ]

    def text(self) -> str:
        """For a terminal: aligned columns, then the notes."""
        return "\n".join([TITLE, "", *aligned([COLUMNS, *self._lines()]), "", *self.notes])

    def markdown(self) -> str:
        """A Markdown section."""
        drawn = piped([COLUMNS, *self._lines()])
        return "\n".join([f"## {TITLE}", "", *drawn, "", *(f"- {note}" for note in self.notes), ""])

    def json(self) -> str:
        """Everything."""
        return json.dumps({"title": TITLE, "facts": self.facts, "results": self.results, "notes": self.notes}, indent=1)


def run(options: BenchOptions) -> Loading:
    """Read the training split in every way, each in fresh processes, by turns, three times.

    The folder is to be of tar shards, for webdataset reads no others. Loose files are written to a temporary folder
    first. Raises FolderError for a folder without clips and sound, or in another format, RuntimeError when a way fails.
    """
    folder = Folder(options.data)
    shards = folder.shards(options.config, "train")
    has = {field["name"] for row in folder.index["fields"].to_pylist() for field in row}
    if shards[0].suffix != ".tar" or not {*STREAMS, SOUND} <= has:
        raise FolderError(
            f"{folder}: expected tar shards with {', '.join((*STREAMS, SOUND))}, as `facevox build speakingfaces` "
            "makes them"
        )
    workers = options.workers or WORKERS
    with tempfile.TemporaryDirectory(prefix="facevox-loading-") as loose:
        write_loose(folder, options.config, "train", Path(loose), options.limit)
        given = (str(folder.path.resolve()), options.config, "train", loose)
        asked = {
            way: Asked(way, *given, BATCH, workers, options.limit, options.seed)
            for way in WAYS
            # The others cannot be told to stop in the middle of a shard.
            if not options.limit or way in list(WAYS)[:2]
        }
        found: dict[str, list[dict[str, Any]]] = {way: [] for way in asked}
        for _ in range(REPEATS):
            for way, one in asked.items():
                found[way].append(_fresh(one))
    check = {runs[0]["check"] for runs in found.values()}
    results = {
        way: {
            "rate": median(run["samples"] / run["seconds"] for run in runs),
            "cpu": median(run["cpu"] for run in runs),
            "first": median(run["first"] for run in runs),
            "same": float(len(check) == 1),
        }
        for way, runs in found.items()
    }
    samples = next(iter(found.values()))[0]["samples"]
    notes = (
        f"{samples} clips in {len(shards)} shard(s), {workers} processes, batches of {BATCH}; medians of "
        f"{REPEATS} interleaved runs of two epochs, the second for samples/s, both for CPU.",
        "Files in the page cache. Read the ratio and the CPU time: the rate drifts with what else the machine does.",
        "Fewer than some hundred clips measure little but the start of an epoch, for every way.",
        "webdataset and datasets read whole shards: with fewer shards than processes some of these stay idle.",
        "Controls: "
        + ("every way read the same values" if len(check) == 1 else "WARNING: the ways read different values")
        + ". Of times there are no others: nothing is guessed, judged or trained.",
    )
    facts = {"folder": folder.digest, "workers": workers, "samples": samples, "shards": len(shards)}
    return Loading(results, notes, facts)


def _fresh(asked: Asked) -> dict[str, Any]:
    """One measurement in a new process. Raises RuntimeError with its last words when it fails."""
    module = f"{__package__}.core.loading_ways"
    done = subprocess.run(
        [sys.executable, "-m", module, json.dumps(asdict(asked))], capture_output=True, text=True, check=False
    )
    if done.returncode:
        words = done.stderr.strip().splitlines()[-1:] or ["no words"]
        raise RuntimeError(f"reading by {asked.way} failed: {words[0]}")
    result: dict[str, Any] = json.loads(done.stdout.rstrip().rsplit("\n", 1)[-1])
    return result
