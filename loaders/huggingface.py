"""A built folder as a Hugging Face dataset, with decoding attached."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .folder import Folder, FolderError, Frames, wanted_frames
from .media import clip_layout, decode_audio, decode_clip, decode_picture

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset


def load_dataset(
    path: str | Path, config: str, split: str, *, streaming: bool = False, frames: Frames = "all", decode: bool = True
) -> "Dataset | IterableDataset":
    """`datasets.load_dataset` on a built folder; with `decode` its clips and sounds come as arrays, not bytes.

    Clips are (frames, H, W, 3) uint8 RGB of the chosen `frames`, sounds (samples,) int16. Map mode copies all media
    into the local cache first; stream large configs. Raises FolderError for an unknown config or split.
    """
    from datasets import load_dataset as plain

    folder = Folder(path)
    if split not in folder.splits(config):
        raise FolderError(
            f"{path}: config {config!r} has no split {split!r}; there is: {', '.join(folder.splits(config))}"
        )
    samples: Any = plain(str(path), config, split=split, streaming=streaming)
    if not decode:
        return samples
    if streaming:
        return samples.map(lambda sample: {name: decode_field(name, value, frames) for name, value in sample.items()})
    return samples.with_transform(lambda batch: {n: [decode_field(n, v, frames) for v in batch[n]] for n in batch})


def decode_field(name: str, value: Any, frames: Frames = "all") -> Any:
    """Bytes of one field to an array by its file ending; anything that is not bytes is returned as it is."""
    if not isinstance(value, bytes):
        return value
    if name.endswith((".flac", ".wav")):
        return decode_audio(value)[0]
    if value[8:16] == b"WEBPVP8X":
        import numpy as np

        return np.stack(list(decode_clip(value, wanted_frames(frames, len(clip_layout(value).offsets)))))
    return decode_picture(value)
