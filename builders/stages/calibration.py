"""From captures of the marker sheet to one matrix for a pair of cameras, and the file that keeps it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...loaders.durable import write_json
from .align import Matrix, best_shift, calibrated_offset, carried, homography, root_mean_square
from .captures import Capture
from .markers import NUMBERS, THERMAL_WIDTH, VISUAL_WIDTH, Points

FILE = "calibration.json"
SCHEMA = 1
MAX_BYTES = 16 << 20
MOST = 1e6
"""No number of a sound file is as large: pictures are under 65,536 pixels wide."""


@dataclass(frozen=True)
class CaptureRecord:
    """What the file says about one capture. Pixels are thermal ones of `Calibration.thermal_size`."""

    name: str
    thermal: str
    """File name of the thermal picture; empty when it is missing. `visual` likewise."""
    visual: str
    thermal_sha256: str
    visual_sha256: str
    thermal_markers: tuple[int, ...]
    visual_markers: tuple[int, ...]
    corner_rms: float | None
    """Rms of the matched corners about their own least-squares homography."""
    centre_rms: float | None
    """The same of the marker centres, which the swelling of hot squares does not move."""
    used: bool
    reason: str
    """Why it is not used; empty when it is."""
    matrix: tuple[float, ...] | None
    """Visual to thermal, row-major, h33 = 1."""
    shift: tuple[int, int] | None
    """Integer (dx, dy) in visual pixels under which the pooled matrix fits this capture best."""
    shift_rms: float | None

    @property
    def matched(self) -> int:
        """Number of markers found in both pictures."""
        return len(set(self.thermal_markers) & set(self.visual_markers))


@dataclass(frozen=True)
class Pooled:
    """Rms over the corners of all used captures, in thermal pixels, of one matrix for all of them."""

    fixed_rms: float
    """As it is."""
    shift_rms: float
    """With the best integer shift per capture."""
    left_out_rms: float | None
    """The same, each capture judged by the matrix of the others; None with a single capture."""
    published_fixed_rms: float
    """The published four-point matrix in the same two tests."""
    published_shift_rms: float


@dataclass(frozen=True)
class Calibration:
    """One matrix for a pair of cameras, and the evidence behind it."""

    thermal_size: tuple[int, int]
    visual_size: tuple[int, int]
    """Width and height of the captures."""
    matrix: tuple[float, ...]
    """Visual to thermal, row-major, h33 = 1, OpenCV integer pixel centres: mean of the used captures' matrices."""
    pooled: Pooled
    captures: tuple[CaptureRecord, ...]

    def at(self, scale: float) -> Matrix:
        """The matrix (3, 3) for frames of `scale` (1: 464x348 thermal, 768x512 visual)."""
        ratio = scale * THERMAL_WIDTH / self.thermal_size[0]
        middle = (ratio - 1) / 2
        resize = np.array([[ratio, 0.0, middle], [0.0, ratio, middle], [0.0, 0.0, 1.0]])
        matrix = resize @ np.array(self.matrix).reshape(3, 3) @ np.linalg.inv(resize)
        return np.asarray(matrix / matrix[2, 2], np.float64)

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all. The same captures give the same bytes."""
        write_json(path, {"schema": SCHEMA, **asdict(self)})


def pool(captures: Sequence[Capture]) -> Calibration | None:
    """The mean of the used captures' matrices and what it leaves over; None when no capture is used."""
    used = [capture for capture in captures if not capture.reason and capture.matrix is not None]
    if not used:
        return None
    matrices = [capture.matrix for capture in used if capture.matrix is not None]
    corners = [capture.corners() for capture in used]
    base = np.asarray(np.mean(matrices, 0), np.float64)
    fixed, shifted_rms, shifts = _test(base, corners)
    left_out = None
    if len(used) > 1:
        others = [np.asarray(np.mean(matrices[:i] + matrices[i + 1 :], 0), np.float64) for i in range(len(used))]
        left_out = _joined([_test(other, [pair])[1] for other, pair in zip(others, corners, strict=True)], corners)
    published = _test(homography(0, 0, used[0].scale), corners)
    found = dict(zip((capture.name for capture in used), shifts, strict=True))
    return Calibration(
        used[0].thermal.size,
        used[0].visual.size,
        tuple(base.ravel().tolist()),
        Pooled(fixed, shifted_rms, left_out, *published[:2]),
        tuple(record(capture, found.get(capture.name)) for capture in captures),
    )


def calibration_note(calibration: Calibration) -> str:
    """What the card of a folder built with a calibration must say."""
    dx, dy, apart = calibrated_offset(tuple(calibration.at(1.0).ravel().tolist()), 1.0)
    used = sum(capture.used for capture in calibration.captures)
    return (
        f"Alignment matrices are calibrated (`alignment.source` is `calibration`): one matrix from {used} captures, "
        f"{calibration.pooled.shift_rms:.2f} thermal px rms on them (published: "
        f"{calibration.pooled.published_shift_rms:.2f}). In full-size frames its `dx`, `dy` are the release's plus "
        f"({dx}, {dy}); over the faces both differ by {apart:.1f} px rms. `aligned_residual` still compares the "
        "release's aligned frames with the published matrix, which made them."
    )


def _test(base: Matrix, corners: Sequence[tuple[Points, Points]]) -> tuple[float, float, list[tuple[int, int, float]]]:
    """Rms of one matrix over captures, as it is and with the best integer shift of each; and those shifts."""
    fixed = _joined([root_mean_square(carried(base, visual) - thermal) for visual, thermal in corners], corners)
    shifts = [best_shift(base, visual, thermal) for visual, thermal in corners]
    return fixed, _joined([shift[2] for shift in shifts], corners), shifts


def _joined(each: Sequence[float], corners: Sequence[tuple[Points, Points]]) -> float:
    """One rms over all corners from the rms of every capture."""
    counts = [len(visual) for visual, _ in corners]
    return float(np.sqrt(np.average(np.square(each), weights=counts)))


def record(capture: Capture, shift: tuple[int, int, float] | None) -> CaptureRecord:
    """A capture in the words of the file; `shift` is (dx, dy, rms) under the pooled matrix."""
    return CaptureRecord(
        capture.name,
        capture.thermal.file,
        capture.visual.file,
        capture.thermal.sha256,
        capture.visual.sha256,
        tuple(capture.thermal.markers),
        tuple(capture.visual.markers),
        _finite(capture.corner_rms),
        _finite(capture.centre_rms),
        not capture.reason,
        capture.reason,
        None if capture.matrix is None else tuple(capture.matrix.ravel().tolist()),
        shift[:2] if shift else None,
        shift[2] if shift else None,
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None


# --- reading the file: anything odd is refused, since every aligned pixel of a build depends on it ---


def _is_number(value: Any) -> bool:
    # Compared before numpy sees it: JSON integers may have thousands of digits.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < MOST


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_matrix(value: Any) -> bool:
    if not (isinstance(value, list) and len(value) == 9 and all(map(_is_number, value)) and value[8] == 1):
        return False
    return 1e-6 < float(np.linalg.det(np.array(value, np.float64).reshape(3, 3))) < np.inf


def _is_size(value: Any) -> bool:
    return (
        isinstance(value, list) and len(value) == 2 and all(_is_integer(edge) and 0 < edge < 1 << 16 for edge in value)
    )


def _is_shift(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(_is_integer(edge) and abs(edge) < MOST for edge in value)


def _is_markers(value: Any) -> bool:
    return isinstance(value, list) and len(set(map(str, value))) == len(value) and all(n in NUMBERS for n in value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _or_none(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or fits(value)


Shape = dict[str, tuple[Callable[[Any], bool], str]]
_NUMBER, _MAYBE = (_is_number, "a number"), (_or_none(_is_number), "a number or null")
_TEXT = (_is_text, "a text")
_POOLED: Shape = dict.fromkeys(Pooled.__dataclass_fields__, _NUMBER) | {"left_out_rms": _MAYBE}
_FILE: Shape = {
    "schema": (lambda value: _is_integer(value) and value == SCHEMA, f"schema {SCHEMA}"),
    "thermal_size": (_is_size, "width and height"),
    "visual_size": (_is_size, "width and height"),
    "matrix": (_is_matrix, "nine numbers of an invertible matrix with h33 = 1"),
    "pooled": (lambda value: isinstance(value, dict), "an object"),
    "captures": (lambda value: isinstance(value, list), "a list"),
}
_CAPTURE: Shape = dict.fromkeys(("name", "thermal", "visual", "thermal_sha256", "visual_sha256", "reason"), _TEXT) | {
    "thermal_markers": (_is_markers, "marker numbers"),
    "visual_markers": (_is_markers, "marker numbers"),
    "corner_rms": _MAYBE,
    "centre_rms": _MAYBE,
    "used": (lambda value: isinstance(value, bool), "true or false"),
    "matrix": (_or_none(_is_matrix), "a matrix or null"),
    "shift": (_or_none(_is_shift), "two integers or null"),
    "shift_rms": _MAYBE,
}


def _checked(value: Any, shape: Shape, place: str) -> dict[str, Any]:
    """An object of exactly these members, lists as tuples. Raises ValueError naming the first member that is odd."""
    if not isinstance(value, dict):
        raise ValueError(f"{place}: expected an object, found {type(value).__name__}")
    if odd := sorted(value.keys() ^ shape.keys()):
        lacks = "lacks" if odd[0] in shape else "has an unknown"
        raise ValueError(f"{place}: {lacks} {odd[0]!r}; not a {FILE} of schema {SCHEMA}")
    for name, (fits, what) in shape.items():
        if not fits(value[name]):
            raise ValueError(f"{place}: expected {what} as {name!r}, found {str(value[name])[:60]!r}")
    return {name: tuple(member) if isinstance(member, list) else member for name, member in value.items()}


def load(path: str | Path) -> Calibration:
    """Read a calibration file. Raises FileNotFoundError, or ValueError (one line) for anything but a sound one."""
    return parse(read(path), str(path))


def read(path: str | Path) -> str:
    """The text of a calibration file, unchecked. Raises FileNotFoundError, or ValueError for one that is no text."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such calibration. `facevox calibrate FOLDER` makes one")
    with path.open("rb") as file:
        text = file.read(MAX_BYTES + 1)
    try:
        if len(text) > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES >> 20} MB")
        return text.decode()
    except ValueError as error:
        raise _no_calibration(str(path), error) from None


def _no_calibration(place: str, error: Exception) -> ValueError:
    again = "Make it anew with `facevox calibrate`"
    return ValueError(f"{place}: not a calibration: {' '.join(str(error).split())}. {again}")


def parse(text: str, place: str) -> Calibration:
    """A calibration from the text of its file; `place` names it. Raises ValueError (one line)."""
    try:
        whole = _checked(json.loads(text), _FILE, FILE)
        pooled = Pooled(**_checked(whole["pooled"], _POOLED, "pooled"))
        captures = [_checked(c, _CAPTURE, f"capture {n}") for n, c in enumerate(whole["captures"], 1)]
        size, other = whole["thermal_size"], whole["visual_size"]
        if abs(size[0] * VISUAL_WIDTH - other[0] * THERMAL_WIDTH) > VISUAL_WIDTH:
            raise ValueError(f"sizes {size} and {other} are not those of one scale")
    except (ValueError, RecursionError) as error:
        raise _no_calibration(place, error) from None
    return Calibration(size, other, whole["matrix"], pooled, tuple(CaptureRecord(**capture) for capture in captures))
