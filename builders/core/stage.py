"""One unit in, samples out, or a quarantine row with stage, place and reason."""

import json
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

FAILURES_IN_A_ROW = 100
Outcome = TypeVar("Outcome")


class Reject(Exception):  # noqa: N818 - a verdict about the data, not an error of the program
    """Raised to leave a sample out: says what was expected, what was found; `place` names file, member or row.

    `measured` holds the facts known by then, so that thresholds can be judged by what they removed.
    """

    def __init__(self, reason: str, place: str = "", measured: Mapping[str, Any] | None = None) -> None:
        super().__init__(reason)
        self.reason, self.place, self.measured = reason, place, as_json(measured or {})


def as_json(measured: Mapping[str, Any]) -> str:
    """Facts as one line of JSON, floats to 6 significant digits; "" for none. NaN and infinity become null."""

    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: plain(inner) for name, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(inner) for inner in value]
        if isinstance(value, float):
            return float(f"{value:.6g}") if math.isfinite(value) else None
        return value

    return json.dumps(plain(measured), sort_keys=True, ensure_ascii=False, allow_nan=False) if measured else ""


@dataclass(frozen=True)
class Rejection:
    """A row of the quarantine table."""

    key: str
    config: str
    split: str
    stage: str
    place: str
    reason: str
    kind: str = "Reject"
    measured: str = ""
    """Facts of the candidate known by then, as JSON."""
    source_digest: str = ""
    """Of what the release holds of it; "" for what was left out while listing."""

    def row(self) -> dict[str, str]:
        """As plain text: file names on a disk need not be valid Unicode, a table's cells must."""
        return {name: text.encode("utf-8", "backslashreplace").decode() for name, text in asdict(self).items()}


class Clock:
    """Seconds spent in each named stage; remembers in which one an exception arose."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.failed = ""

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        except BaseException:
            self.failed = self.failed or stage
            raise
        finally:
            self.seconds[stage] += time.perf_counter() - start


class Attempts:
    """Runs work unit by unit; bad input becomes a Rejection, a failing disk or broken code stops the shard.

    Failures in a row are counted over all shards of a process.
    """

    _unforeseen = 0

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def __call__(
        self, work: Callable[[], Outcome], reject: Callable[[str, str, str, str, str], Rejection]
    ) -> Outcome | Rejection:
        """Return work(), or reject(stage, place, reason, kind, measured) for what it raised.

        Raises RuntimeError after FAILURES_IN_A_ROW exceptions other than Reject: then the code is wrong, not the data.
        """
        self.clock.failed = ""
        try:
            outcome = work()
        except Reject as verdict:
            Attempts._unforeseen = 0
            return reject(self.clock.failed, verdict.place, verdict.reason, "Reject", verdict.measured)
        except (MemoryError, ImportError, NameError, SyntaxError, OSError):
            raise
        except Exception as error:
            Attempts._unforeseen += 1
            if self._unforeseen >= FAILURES_IN_A_ROW:
                raise RuntimeError(f"{self._unforeseen} units in a row failed, the last with: {error!r}") from error
            return reject(self.clock.failed, "", str(error) or repr(error), type(error).__name__, "")
        Attempts._unforeseen = 0
        return outcome
