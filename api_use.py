"""What trained models are for, as functions: what `facevox match` and `translate` do, with the same options."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .loaders.names import check_options

if TYPE_CHECKING:
    import torch

    from .models.core.matching import Match
    from .models.core.model import Model
    from .models.core.translating import Translator

PICTURES = (".png", ".jpg", ".jpeg", ".webp")
MAX_BYTES = 64 << 20
"""Largest file that is read."""
MAX_SECONDS = 180
"""Longest voice to match: VoxCeleb's longest recordings have 145 s, and the memory of a network grows with them."""
MAX_VALUES = 1 << 26
"""Of a sound over all channels before it is cut down: 180 s of 7 channels at 48 kHz."""


@dataclass(frozen=True)
class MatchOptions:
    """How faces are found in the pictures; as the model's training data were."""

    detector: str = "mtcnn"
    """Finds the face, the largest of a picture; "none" takes pictures as they are, such as crops of a built folder."""
    box_scale: float = 1.0
    """Side of the square crop over the longer side of the face's box."""
    models: str = ""
    """Folder with detectors' files, looked through before the packages."""
    device: str = "auto"


@dataclass(frozen=True)
class Matches:
    """Pictures from the best fitting to the worst, and those that could not be judged, with the reason."""

    ranked: "tuple[Match, ...]"
    left_out: dict[str, str]


def match(model: str, voice: str | Path, faces: str | Path, *, checkpoint: str | Path, **options: Any) -> Matches:
    """Rank the pictures of a folder by how well their faces fit a voice (WAV or FLAC of 16 bits, any rate).

    `options` are those of MatchOptions. The score is a cosine for vfmr, without the sphere a negative distance; it says
    which of these faces fits better, and is no evidence of who somebody is. Raises ValueError for another model's
    checkpoint, one that does not match, an unreadable voice, one of more than 180 s or a folder without a face;
    FileNotFoundError for missing files. Files of more than 64 MiB are not read.
    """
    from .models.core.device import choose
    from .models.core.matching import Matcher, ranked

    check_options("match", options, list(MatchOptions.__dataclass_fields__))
    how = MatchOptions(**options)
    network = trained(model, checkpoint)
    if not isinstance(network, Matcher):
        raise ValueError(f"{model} does not match voices with faces; vfmr does")
    place, sound, left_out = choose(how.device, "fp32"), read_voice(Path(voice)), dict[str, str]()
    network.to(place.device)
    found = _faces(Path(faces), network.side, how, left_out)
    moved = ((name, face.to(place.device)) for name, face in found)
    order = tuple(ranked(network, sound.to(place.device), moved))
    if not order:
        name, reason = next(iter(left_out.items()), ("", "no .png, .jpg or .webp file in it"))
        raise ValueError(f"{Path(faces) / name}: {reason}; no picture could be ranked")
    return Matches(order, left_out)


def translate(
    model: str, thermal: str | Path, *, checkpoint: str | Path, out: str | Path = ""
) -> tuple[tuple[Path, ...], dict[str, str]]:
    """Make visual pictures of a thermal face crop, or of all in a folder: what was written, and what was left out.

    Crops are cut as in config `pairs`, of any size; the pictures have the side that the model was trained for. `out`
    is a file, by default NAME-visual.png here, or for a folder a folder. Of a folder NAME.jpg becomes NAME.png; where
    two have one NAME, all become NAME.jpg.png. Pictures that cannot be read are left out with the reason. Raises
    ValueError for an unreadable picture or one of more than 64 MiB, a folder without one, a checkpoint that translates
    nothing, or an `out` that is the source; FileNotFoundError for missing files.
    """
    from .loaders.media import decode_picture
    from .models.core.grid import save_picture
    from .models.core.translating import translated

    network, source = _translator(model, checkpoint), Path(thermal)
    if not source.is_dir():
        place = _apart(Path(out) if out else Path(f"{source.stem}-visual.png"), source)
        save_picture(place, translated(network, _named(source, decode_picture)))
        return (place,), {}
    home = _apart(Path(out) if out else Path(f"{source.resolve().name}-visual"), source)
    written, left_out, paths = [], dict[str, str](), _pictures(source)
    shared = len({path.stem for path in paths}) < len(paths)
    for path in paths:
        try:
            picture = decode_picture(_read(path))
        except ValueError as error:
            left_out[path.name] = str(error)
            continue
        written.append(home / f"{path.name if shared else path.stem}.png")
        save_picture(written[-1], translated(network, picture))
    if not written:
        name, reason = next(iter(left_out.items()), ("", "no .png, .jpg or .webp file in it"))
        raise ValueError(f"{source / name}: {reason}; nothing could be translated")
    return tuple(written), left_out


def translation_figure(
    model: str,
    data: str | Path,
    *,
    checkpoint: str | Path,
    out: str | Path,
    beside: Sequence[str | Path] = (),
    split: str = "test",
) -> Path:
    """SpeakingFaces' figure 9 of a built folder: for up to 8 people the thermal face, each checkpoint's, the real one.

    `beside` are checkpoints of other runs or models. Raises ValueError and FileNotFoundError as `translate` does,
    FolderError for a folder without such faces.
    """
    from .loaders.folder import Folder
    from .models.core.grid import save_picture
    from .models.core.translating import figure

    networks = [_translator(model, checkpoint), *(_translator("", other) for other in beside)]
    save_picture(Path(out), figure(networks, Folder(data), split))
    return Path(out)


def _translator(model: str, checkpoint: str | Path) -> "Translator":
    from .models.core.translating import Translator

    network = trained(model, checkpoint)
    if not isinstance(network, Translator):
        raise ValueError(f"{network.name} does not translate pictures; cyclegan and cut do")
    return network


def _apart(place: Path, source: Path) -> Path:
    """The place, when what is written there overwrites nothing of the source; ValueError otherwise."""
    if place.exists() and source.exists() and place.samefile(source):
        raise ValueError(f"{place}: is what would be translated; give another --out, nothing was written")
    return place


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES and path.is_file())


def _read(path: Path) -> bytes:
    """A file's bytes. Raises ValueError, before any is read, when there are more than 64 MiB."""
    if (size := path.stat().st_size) > MAX_BYTES:
        raise ValueError(f"{size:,} bytes, expected at most {MAX_BYTES:,}")
    return path.read_bytes()


def _named(path: Path, decode: Any) -> Any:
    try:
        return decode(_read(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def trained(model: str, checkpoint: str | Path) -> "Model":
    """The trained model of a checkpoint, on the CPU, ready for use; of any model where none is named.

    Raises ValueError when the checkpoint is damaged or of another model, FileNotFoundError when there is none.
    """
    from .models.core.checkpoint import restore
    from .models.core.model import find

    if model:
        find(model)
    path = Path(checkpoint)
    if not path.is_file():
        stopped = path.with_name("last.pt")
        made = f"`facevox train {model or 'MODEL'}` makes one, best.pt is what to give"
        there = f"{stopped} is there, of a training without a validation so far" if stopped.is_file() else made
        raise FileNotFoundError(f"{path}: no checkpoint; {there}")
    found, state = restore(path)
    if model and state["model"] != model:
        raise ValueError(f"{path}: a checkpoint of {state['model']}, expected one of {model}")
    return found.eval()


def read_voice(path: Path) -> "torch.Tensor":
    """A WAV or FLAC file of 16 bits -> (samples,) int16 at 16 kHz, channels averaged.

    Raises ValueError on damage and for more than 64 MiB or 180 s.
    """
    import numpy as np
    import torch

    from .loaders.media import decode_audio
    from .loaders.resample import resample
    from .models.core.voice_face_inputs import RATE

    try:
        samples, rate = decode_audio(_read(path), MAX_VALUES)
        if not len(samples):
            raise ValueError("no sound in it")
        if len(samples) > MAX_SECONDS * rate:
            raise ValueError(
                f"{len(samples) / rate:,.0f} s of sound, expected at most {MAX_SECONDS}; cut a piece of it"
            )
        alone = samples if samples.ndim == 1 else np.rint(samples.mean(1)).astype(np.int16)
        return torch.from_numpy(resample(alone, rate, RATE))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _faces(
    folder: Path, side: int, how: MatchOptions, left_out: dict[str, str]
) -> "Iterator[tuple[str, torch.Tensor]]":
    """Faces of the folder's pictures by name; what cannot be used goes to `left_out` with its reason."""
    import torch

    from .builders.core.stage import Reject
    from .loaders.media import decode_picture
    from .models.core.detectors import open_detector
    from .models.core.voice_face_inputs import face_tensor

    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder of pictures")
    detector = None if how.detector == "none" else open_detector(how.detector, Path(how.models) if how.models else None)
    for path in _pictures(folder):
        try:
            picture = decode_picture(_read(path))
            face = picture if detector is None else _crop(picture, detector, how.box_scale, side)
            yield path.name, face_tensor(torch.tensor(face), side, path.name)
        except (ValueError, Reject) as error:
            left_out[path.name] = str(error)


def _crop(picture: Any, detector: Any, scale: float, side: int) -> Any:
    """The largest face as the vox_vgg build cuts it, (side, side, 3) uint8. Raises ValueError without one."""
    from .builders.stages.vggface_faces import cut, search, square

    faces = search(picture, detector)
    if not faces:
        raise ValueError(f"{detector.name} finds no face")
    boxes = [face.box for face in faces]
    largest = max(boxes, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]))
    return cut(picture, square(largest, scale, picture.shape[:2]), side)
