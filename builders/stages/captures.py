"""Captures of the calibration sheet: pairs of pictures by name, one homography each, and a gate with a reason."""

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from ...loaders.media import decode_png
from .align import Image, Matrix, carried, root_mean_square
from .artifacts import Blur
from .markers import NUMBERS, THERMAL_WIDTH, Markers, Points, centre, sheet_place, thermal_markers, visual_markers

THERMAL, VISUAL = (464, 348), (768, 512)
"""Width and height of the release's pictures; a capture may have both at another common scale."""
LEAST_MATCHED = 8
"""Of twelve; with fewer the matrix is an extrapolation over a third of the sheet or more."""
SHEET_LIMIT = 1.5
"""Rms in pixels (full size) of marker centres about the sheet's grid. The public captures have 0.33 to 0.54; a picture
doubled by motion whose markers are forced out of it has 1.8."""
CORNER_LIMIT = 1.0
"""Rms in thermal pixels (full size) of the corners about their homography. The public captures have 0.28 to 0.65."""
BLURRED_BELOW = 50.0
"""Variance of the Laplacian of the grey visual picture; the public captures have 128 or more, the doubled one 16."""
MAX_BYTES = 64 << 20
_NAMES = (re.compile(r"(?P<name>\d+)_(?P<kind>[01])\.png"), re.compile(r"(?P<name>.+)_(?P<kind>thermal|visual)\.png"))


@dataclass(frozen=True)
class Pair:
    """Two pictures of one moment by their file names; either may be missing."""

    name: str
    thermal: str = ""
    visual: str = ""


def pairs(folder: Path) -> tuple[list[Pair], list[str]]:
    """Captures in a folder, in the order of their numbers, then names; and PNG files that are named otherwise.

    Raises FileNotFoundError without a folder or without a single picture in it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder. Expected one with 1_0.png (thermal), 1_1.png (visual), ...")
    found: dict[str, dict[str, str]] = {}
    odd = []
    for file in sorted(path.name for path in folder.iterdir() if path.suffix.lower() == ".png"):
        match = next((match for pattern in _NAMES if (match := pattern.fullmatch(file))), None)
        kind = {"0": "thermal", "1": "visual"}.get(match["kind"], match["kind"]) if match else ""
        if match and kind not in found.setdefault(match["name"], {}):
            found[match["name"]][kind] = file
        else:
            odd.append(file)
    if not found:
        raise FileNotFoundError(
            f"{folder}: no captures. Expected pairs named 1_0.png (thermal), 1_1.png (visual), or "
            f"NAME_thermal.png, NAME_visual.png; found {', '.join(odd[:3]) or 'no PNG file'}"
        )
    names = sorted(found, key=lambda name: (not name.isdecimal(), int(name) if name.isdecimal() else 0, name))
    return [Pair(name, **found[name]) for name in names], odd


@dataclass
class View:
    """One picture of a capture: its digest, its pixels (H, W, 3) uint8 RGB and the markers in them."""

    file: str
    sha256: str = ""
    picture: Image | None = None
    markers: Markers = field(default_factory=dict)
    trouble: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height; 0, 0 of an unreadable picture."""
        return (0, 0) if self.picture is None else (self.picture.shape[1], self.picture.shape[0])


@dataclass
class Capture:
    """Both views, the homography between them, and the verdict: `reason` is empty for a capture that is used."""

    name: str
    thermal: View
    visual: View
    reason: str = ""
    matrix: Matrix | None = None
    corner_rms: float | None = None
    centre_rms: float | None = None

    @property
    def matched(self) -> list[int]:
        """Markers found in both views."""
        return sorted(set(self.thermal.markers) & set(self.visual.markers))

    @property
    def scale(self) -> float:
        """Size of the thermal picture relative to the release's."""
        return self.thermal.size[0] / THERMAL_WIDTH

    def corners(self) -> tuple[Points, Points]:
        """Corners of the matched markers, visual and thermal, (4 n, 2) each."""
        both = [np.concatenate([view.markers[n] for n in self.matched]) for view in (self.visual, self.thermal)]
        return both[0], both[1]


def examine(folder: Path, found: list[Pair]) -> list[Capture]:
    """Read, detect, fit and judge every capture. Pictures of a size that few others have are rejected."""
    captures = [_read(folder, pair) for pair in found]
    sizes = Counter(capture.thermal.size for capture in captures if not capture.reason)
    usual = max(sizes, key=lambda size: (sizes[size], size), default=THERMAL)
    for capture in captures:
        if not capture.reason and capture.thermal.size != usual:
            capture.reason = f"thermal picture of {_by(capture.thermal.size)}, most others have {_by(usual)}"
        if not capture.reason:
            judge(capture)
    return captures


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _read(folder: Path, pair: Pair) -> Capture:
    views = {kind: _view(folder, pair.name, kind, getattr(pair, kind)) for kind in ("thermal", "visual")}
    capture = Capture(pair.name, views["thermal"], views["visual"])
    capture.reason = "; ".join(view.trouble for view in views.values() if view.trouble)
    if not capture.reason and not _sizes_fit(capture):
        found = f"{_by(capture.thermal.size)} and {_by(capture.visual.size)}"
        capture.reason = (
            f"expected {_by(THERMAL)} thermal and {_by(VISUAL)} visual, or both at one scale; found {found}"
        )
    return capture


def _view(folder: Path, name: str, kind: str, file: str) -> View:
    if not file:
        code = {"thermal": "0", "visual": "1"}[kind]
        return View("", trouble=f"{kind} picture {name}_{code}.png or {name}_{kind}.png is missing")
    path = folder / file
    if not path.is_file() or path.stat().st_size > MAX_BYTES:
        return View(file, trouble=f"{file}: expected a PNG file of at most {MAX_BYTES >> 20} MB")
    data = path.read_bytes()
    view = View(file, hashlib.sha256(data).hexdigest())
    try:
        view.picture = decode_png(data)
    except ValueError as error:
        view.trouble = f"{file}: {error}"
        return view
    view.markers = (thermal_markers if kind == "thermal" else visual_markers)(view.picture)
    return view


def _sizes_fit(capture: Capture) -> bool:
    return all(
        view.size == (round(size[0] * capture.scale), round(size[1] * capture.scale))
        for view, size in ((capture.thermal, THERMAL), (capture.visual, VISUAL))
    )


def fitted(source: Points, target: Points) -> Matrix | None:
    """The least-squares homography with h33 = 1, or None where the points do not determine one."""
    found = cv2.findHomography(source, target, 0)[0]
    if found is None or not np.isfinite(found).all() or abs(found[2, 2]) < 1e-9:
        return None
    return np.asarray(found / found[2, 2], np.float64)


def judge(capture: Capture) -> None:
    """Fit the homography to the markers found in both views; set the reason where the capture is not fit for use."""
    _fit(capture)
    capture.reason = _verdict(capture)


def _fit(capture: Capture) -> None:
    if len(capture.matched) < 5:
        return
    visual, thermal = capture.corners()
    capture.matrix = fitted(visual, thermal)
    if capture.matrix is not None:
        capture.corner_rms = root_mean_square(carried(capture.matrix, visual) - thermal)
    capture.centre_rms = _misfit(
        *(np.array([centre(v.markers[n]) for n in capture.matched]) for v in (capture.visual, capture.thermal))
    )


def _misfit(source: Points, target: Points) -> float:
    """Rms distance of target points from their best homography; infinite where there is none."""
    matrix = fitted(source, target)
    return float("inf") if matrix is None else root_mean_square(carried(matrix, source) - target)


def _verdict(capture: Capture) -> str:
    """Why a capture is not used, or nothing."""
    views = {"thermal": capture.thermal, "visual": capture.visual}
    for kind, view in views.items():
        if len(view.markers) < LEAST_MATCHED:
            return _too_few(kind, view)
    if len(capture.matched) < LEAST_MATCHED:
        return f"{len(capture.matched)} markers in both pictures, at least {LEAST_MATCHED} of {len(NUMBERS)} needed"
    for kind, view in views.items():
        scale = view.size[0] / (THERMAL if kind == "thermal" else VISUAL)[0]
        middles = np.array([centre(corners) for corners in view.markers.values()])
        misfit = _misfit(np.array([sheet_place(number) for number in view.markers]), middles)
        if misfit > SHEET_LIMIT * scale:
            limit = f"{SHEET_LIMIT * scale:.2f} allowed: bent, blurred or another sheet"
            return f"{kind} picture: markers lie {misfit:.2f} px off the sheet's rows and columns, {limit}"
    if capture.matrix is None or capture.corner_rms is None:
        return "the corners do not determine a homography"
    if capture.corner_rms > CORNER_LIMIT * capture.scale:
        limit = f"{CORNER_LIMIT * capture.scale:.2f} allowed: heat has spread too far, or the sheet moved in between"
        return f"corners lie {capture.corner_rms:.2f} thermal px off one homography, {limit}"
    return ""


def _too_few(kind: str, view: View) -> str:
    found = f"{kind} picture: {len(view.markers)} of {len(NUMBERS)} markers found, at least {LEAST_MATCHED} needed"
    if kind == "thermal" or view.picture is None:
        return f"{found}; heat the sheet evenly and hold it still"
    blur = Blur()
    blur.add(view.picture)
    variance = blur.variances[0]
    if variance < BLURRED_BELOW:
        return f"{found}; blurred or doubled by motion (variance of the Laplacian {variance:.0f}, sharp: over 100)"
    return f"{found}; doubled by motion, in glare, or partly outside the picture"
