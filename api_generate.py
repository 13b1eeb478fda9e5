"""Faces drawn from voices, as functions: what `facevox generate` does, with the same options."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .models.core.generating import FaceGenerator

GENERATORS = ("sf2f", "voice2face", "rcgan")


def generate(
    model: str, voice: str | Path, *, checkpoint: str | Path, out: str | Path = "", device: str = "auto"
) -> Path:
    """Draw a face from a voice (wav, FLAC or m4a, any rate) as a PNG; returns its path, by default NAME-face.png here.

    facevox.generate("sf2f", "voice.wav", checkpoint="W/sf2f-fuser-64/seed0/best.pt")
    The face is nobody's likeness. Raises ValueError for an unreadable voice, one without speech or a checkpoint that
    draws no faces from voices, FileNotFoundError for missing files.
    """
    from .models.core.generating import generated
    from .models.core.grid import save_picture

    network = _generator(model, checkpoint, device)
    sound, speech = _heard(Path(voice))
    place = Path(out) if out else Path(f"{Path(voice).stem}-face.png")
    save_picture(place, generated(network, sound, speech))
    return place


def generation_figure(
    model: str,
    data: str | Path,
    *,
    checkpoint: str | Path,
    out: str | Path,
    beside: Sequence[str | Path] = (),
    split: str = "test",
    device: str = "auto",
) -> Path:
    """SF2F's figure 5 of a built folder: for up to 8 people the true face, then what each checkpoint draws.

    `beside` are checkpoints of other runs or models. Raises ValueError and FileNotFoundError as `generate` does,
    FolderError for a folder without voices and faces of the same people.
    """
    from .loaders.folder import Folder
    from .models.core.generating import figure
    from .models.core.grid import save_picture

    networks = [_generator(model, checkpoint, device), *(_generator("", other, device) for other in beside)]
    save_picture(Path(out), figure(networks, Folder(data), split))
    return Path(out)


def _generator(model: str, checkpoint: str | Path, device: str) -> "FaceGenerator":
    from .api_use import trained
    from .models.core.device import choose
    from .models.core.generating import FaceGenerator

    network = trained(model, checkpoint).to(choose(device, "fp32").device)
    if not isinstance(network, FaceGenerator):
        raise ValueError(f"{network.name} draws no faces from voices; {', '.join(GENERATORS)} do")
    return network


def _heard(path: Path) -> tuple[Any, list[tuple[int, int]]]:
    """The recording at 16 kHz and its speech, found as a build finds it. Raises ValueError for what a build rejects."""
    from .builders.core.stage import Reject
    from .builders.stages.voxceleb_audio import MAX_BYTES, read_voice

    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path}: {path.stat().st_size:,} bytes; at most {MAX_BYTES:,} are read. Cut a shorter piece")
    try:
        voice = read_voice(path.read_bytes(), str(path))
    except Reject as error:
        raise ValueError(f"{path}: {error.reason}; give a recording in which somebody speaks") from None
    return voice.sound, list(voice.speech.segments)
