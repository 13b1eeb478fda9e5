"""How long exact matching takes beside matching of samples: 1:2 over all triplets, and over as many as VFMR drew."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .core.bench import BenchOptions
from .core.matching_ways import DIMENSION, WAYS, Matched, Wanted
from .core.table import aligned, piped

TITLE = "Speed of 1:2 matching: every triplet there is, beside samples as VFMR drew them"
NEEDS = "nothing; --people, --each, --triplets choose the size"
APART = "measures the speed of an idle machine"
FOLDER = False
COMMAND = "facevox bench matching_speed --people 2000 --each 20 --triplets 30720000"
COLUMNS = (
    "way",
    "triplets",
    "s",
    "CPU s",
    "triplets/s",
    "pairs/s",
    "peak MB",
    "right, %",
    "standard error of sampling",
)


@dataclass(frozen=True)
class Speed:
    """What each way took."""

    results: Mapping[str, Matched]
    notes: tuple[str, ...]
    facts: Mapping[str, Any]

    def _lines(self) -> list[tuple[str, ...]]:
        return [
            COLUMNS,
            *(
                (
                    way,
                    f"{found.triplets:,}",
                    f"{found.seconds:.1f}",
                    f"{found.cpu_seconds:.1f}",
                    f"{found.triplets / found.seconds:,.0f}",
                    f"{found.pairs / found.seconds:,.0f}",
                    f"{found.peak_bytes / 2**20:,.0f}",
                    f"{100 * found.accuracy:.3f}",
                    f"{100 * found.error:.3f}" if found.error else "none",
                )
                for way, found in self.results.items()
            ),
        ]

    def text(self) -> str:
        """For a terminal: aligned columns, then the notes."""
        return "\n".join([TITLE, "", *aligned(self._lines()), "", *self.notes])

    def markdown(self) -> str:
        """A Markdown section."""
        return "\n".join([f"## {TITLE}", "", *piped(self._lines()), "", *(f"- {note}" for note in self.notes), ""])

    def json(self) -> str:
        """Everything."""
        results = {way: asdict(found) for way, found in self.results.items()}
        return json.dumps({"title": TITLE, "facts": self.facts, "results": results, "notes": self.notes}, indent=1)


def run(options: BenchOptions) -> Speed:
    """Match made-up people both ways, each in a fresh process. Raises ValueError for too few, RuntimeError."""
    size = (options.people, options.each, options.triplets)
    found = {way: _fresh(Wanted(way, *size, options.device, options.seed)) for way in WAYS}
    exact, told = found["exact"], ", ".join(f"{100 * one.accuracy:.3f} {way}" for way, one in found.items())
    notes = (
        f"{options.people:,} identities with {options.each} voices and {options.each} faces each, random vectors of "
        f"{DIMENSION}; both ways half of one gender; {exact.threads} threads, exact on {exact.device}",
        "sampled: drawing, looking up and scoring, whole, nothing scaled; the vectors are computed before, for both",
        "pairs: of a voice and a face whose score is computed. Peak: of the whole process, with Python and libraries",
        "CPU s tells what was worked where other programs share the machine",
        f"controls: chance is 50 % by formula, of random vectors; found {told}. Of times there are no others: nothing "
        "is judged or trained",
    )
    return Speed(found, notes, {**asdict(Wanted("both", *size, options.device, options.seed)), "dimension": DIMENSION})


def _fresh(wanted: Wanted) -> Matched:
    """One measurement in a new process. Raises RuntimeError with its last words when it fails."""
    module = f"{__package__}.core.matching_ways"
    done = subprocess.run(
        [sys.executable, "-m", module, json.dumps(asdict(wanted))], capture_output=True, text=True, check=False
    )
    if done.returncode:
        words = done.stderr.strip().splitlines()[-1:] or ["no words"]
        raise RuntimeError(f"matching {wanted.way} failed: {words[0]}")
    return Matched(**json.loads(done.stdout.rstrip().rsplit("\n", 1)[-1]))
