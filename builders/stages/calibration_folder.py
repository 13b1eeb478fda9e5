"""A folder of captures to `calibration.json`, one overlay picture per capture, and a table in words."""

from dataclasses import dataclass
from pathlib import Path

import cv2

from ...loaders.durable import write_bytes
from .calibration import FILE, Calibration, CaptureRecord, pool, record
from .calibration_picture import draw
from .captures import examine, pairs

_PUBLIC = ("published matrix, public captures", 6.84, 3.95)
"""The published four-point matrix on the nine usable public captures with these refined corners."""


@dataclass(frozen=True)
class CalibrationReport:
    """What came of a folder: the calibration (None when no capture is usable), every capture, and where files lie."""

    calibration: Calibration | None
    captures: tuple[CaptureRecord, ...]
    unnamed: tuple[str, ...]
    """PNG files whose names say neither thermal nor visual."""
    out: Path

    def lines(self) -> list[str]:
        """The table of captures, the pooled figures, and what was written."""
        width = max(7, *(len(capture.name) for capture in self.captures))
        words = [
            f"{'capture':{width}}  thermal  visual  matched  corner rms  centre rms   shift dx,dy  shifted rms  verdict"
        ]
        words += [_row(capture, width) for capture in self.captures]
        words += [
            f"{name}: not read; expected N_0.png or N_1.png, NAME_thermal.png or NAME_visual.png"
            for name in self.unnamed
        ]
        used = sum(capture.used for capture in self.captures)
        words += ["", f"{used} of {len(self.captures)} captures used; overlay pictures in {self.out}"]
        if self.calibration is None:
            earlier = "; the earlier one there is left as it is" if (self.out / FILE).exists() else ""
            return [*words, f"no capture is usable: {FILE} was not written{earlier}"]
        return [
            *words,
            *_pooled(self.calibration),
            "",
            f"{self.out / FILE}: pass it to facevox build with --calibration",
        ]


def _row(capture: CaptureRecord, width: int) -> str:
    counts = f"{len(capture.thermal_markers):7}  {len(capture.visual_markers):6}  {capture.matched:7}"
    corner, centre, shifted = (
        "-" if rms is None else f"{rms:.3f}" for rms in (capture.corner_rms, capture.centre_rms, capture.shift_rms)
    )
    shift = "-" if capture.shift is None else f"{capture.shift[0]},{capture.shift[1]}"
    verdict = "used" if capture.used else f"rejected: {capture.reason}"
    return f"{capture.name:{width}}  {counts}  {corner:>10}  {centre:>10}  {shift:>12}  {shifted:>11}  {verdict}"


def _pooled(calibration: Calibration) -> list[str]:
    found = calibration.pooled
    rows: list[tuple[str, float | None, float]] = [
        ("one matrix for all (their mean)", found.fixed_rms, found.shift_rms)
    ]
    if found.left_out_rms is not None:
        rows.append(("each capture by the others' mean", None, found.left_out_rms))
    rows += [("published matrix, these captures", found.published_fixed_rms, found.published_shift_rms), _PUBLIC]
    head = f"{'thermal px, rms over all corners':33}  as it is  best integer shift per capture"
    return [
        head,
        *(f"{name:33}  {'' if fixed is None else f'{fixed:.2f}':>8}  {shifted:.2f}" for name, fixed, shifted in rows),
    ]


def calibrate(folder: Path, out: Path) -> CalibrationReport:
    """Examine every capture of a folder and write `calibration.json` and `overlay_NAME.png` files into `out`.

    Without a usable capture an earlier `calibration.json` there stays as it is.

    Raises FileNotFoundError without a capture, ValueError when `out` is the folder of the captures itself.
    """
    found, unnamed = pairs(folder)
    if out.absolute().resolve() == folder.absolute().resolve():
        raise ValueError(f"{out}: holds the captures themselves. Choose another folder with --out")
    captures = examine(folder, found)
    calibration = pool(captures)
    for capture in captures:
        done, data = cv2.imencode(".png", cv2.cvtColor(draw(capture), cv2.COLOR_RGB2BGR))
        if not done:
            raise OSError(f"{out}: the overlay of capture {capture.name} does not encode as PNG")
        write_bytes(out / f"overlay_{capture.name}.png", data.tobytes())
    if calibration is None:
        records = tuple(record(capture, None) for capture in captures)
    else:
        calibration.save(out / FILE)
        records = calibration.captures
    return CalibrationReport(calibration, records, tuple(unnamed), out)
