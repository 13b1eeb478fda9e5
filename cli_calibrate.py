"""The command `facevox calibrate`."""

import argparse
from pathlib import Path

DESCRIPTION = """Find the twelve markers of the calibration sheet in pairs of thermal and visual pictures, fit one
visual-to-thermal matrix per pair, turn down bad pairs with a reason, and pool the good ones.

FOLDER holds PNG pairs of one moment each:
  1_0.png  1_1.png                          thermal (464x348) and visual (768x512), as published; any number
  desk_thermal.png  desk_visual.png         the same with a name in words; both at half size is fine too

OUT receives
  calibration.json                          the matrix and the evidence: files and digests, markers, residuals,
                                            verdict and reason of every capture
  overlay_1.png, ...                        both pictures of a capture over each other, with its residuals

The table gives markers found in each picture and in both; rms in thermal pixels of corners and of marker centres
about the capture's own matrix; the integer shift of the pooled matrix that fits it best and what is left then."""

EPILOG = """examples:
  facevox forge calibration --out C          made-up captures with a known matrix, one of them spoiled
  facevox calibrate C --out K
  facevox build speakingfaces --raw R --out O --calibration K/calibration.json

Exit code 1 when no capture is usable. docs/calibration.md tells how to capture."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    raw = argparse.RawDescriptionHelpFormatter
    text = "one visual-to-thermal matrix from pictures of the marker sheet"
    parser = commands.add_parser("calibrate", help=text, description=DESCRIPTION, epilog=EPILOG, formatter_class=raw)
    parser.add_argument("folder", help="the folder of captures", metavar="FOLDER")
    parser.add_argument("--out", help="where calibration.json and pictures go (default: FOLDER's name + -calibrated)")
    parser.set_defaults(run=_calibrate)


def _calibrate(options: argparse.Namespace) -> int:
    from .api import calibrate

    report = calibrate(options.folder, Path(options.out) if options.out else None)
    print(*report.lines(), sep="\n")
    return 0 if report.calibration else 1
