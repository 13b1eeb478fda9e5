"""HQ-VoxCeleb's published mel dictionaries: one spectrogram per recording, as SF2F's code pickled it."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.stage import Reject
from .pickled_arrays import read_pickled
from .voxceleb_audio import MAX_SECONDS

BANDS, MEAN, STD = 40, 10.9915, 3.1661
"""Of `models/core/sound.py`: SF2F's released normalisation, told again since torch takes seconds to load."""
MAX_MEL_BYTES = (100 * MAX_SECONDS + 1) * BANDS * 8 + 4096
"""float64, 100 frames a second, and what a pickle adds."""
FIELDS = {"spkid": "speaker", "clipid": "clip", "wavid": "number"}
_MEMBER = re.compile(
    r"(?:.*/)?(vox[12])/mel_spectrograms/([^/]+)/(id[01]\d{4})_([\w-]{11})_(\d{5})\.(?:pickle|pkl)", re.ASCII
)


@dataclass(frozen=True)
class MelPlace:
    """One file by its place: `vox1/mel_spectrograms/A.J._Buckley/id10001_J9lHsKG98U8_00026.pickle`."""

    subset: str
    folder: str
    """The person's name as the folder spells it."""
    speaker: str
    clip: str
    """YouTube id."""
    number: str


def mel_place(member: str) -> MelPlace | None:
    """What a file's name in a release says, whatever folders lie above; None where it is no mel dictionary."""
    found = _MEMBER.fullmatch(member)
    return MelPlace(*found.groups()) if found else None


def read_mel(data: bytes, about: MelPlace, place: str) -> NDArray[np.float32]:
    """(40, frames) float32 as `models/core/sound.py` computes it: the published logarithms, (x - 10.9915) / 3.1661.

    Raises Reject when the file is anything but such a dictionary of this very recording.
    """
    try:
        found = read_pickled(data, place)
    except ValueError as error:
        raise Reject(str(error).removeprefix(f"{place}: "), place) from None
    for key, name in FIELDS.items():
        stated, wanted = found.get(key), getattr(about, name)
        if not isinstance(stated, str) or stated != wanted:
            shown = repr(stated[:40]) if isinstance(stated, str) else "no text"
            raise Reject(f"{key} is {shown}, the file's name says {wanted!r}", place)
    mel = found.get("LogMel_Features")
    if not isinstance(mel, np.ndarray) or mel.ndim != 2 or mel.shape[0] != BANDS or not mel.shape[1]:
        shape = mel.shape if isinstance(mel, np.ndarray) else type(mel).__name__
        raise Reject(f"LogMel_Features of {shape}, expected ({BANDS}, frames)", place)
    with np.errstate(over="ignore", invalid="ignore"):
        normal = np.ascontiguousarray((mel - MEAN) / STD, np.float32)
    # What is finite in float64 need not be in float32.
    if not np.isfinite(normal).all():
        raise Reject("LogMel_Features with values that are not finite as float32", place)
    return normal
