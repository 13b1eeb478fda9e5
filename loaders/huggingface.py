"""A built folder as a Hugging Face dataset, with decoding attached."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arrays import decode_array
from .folder import Folder, FolderError, Frames, opened, wanted_frames
from .media import clip_layout, decode_audio, decode_clip, decode_picture
from .sample import ARRAY

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset


def load_dataset(
    path: Folder | str | Path,
    config: str,
    split: str,
    *,
    streaming: bool = False,
    fields: Sequence[str] | None = None,
    frames: Frames = "all",
    decode: bool = True,
) -> "Dataset | IterableDataset":
    """`datasets.load_dataset` on a built folder; with `decode` its clips and sounds come as arrays, not bytes.

    Pictures are (H, W, 3) uint8 RGB, clips (frames, H, W, 3) of the chosen `frames`, sounds (samples,) int16. Map mode
    copies all media into the local cache first; stream large configs. `fields` names the media to keep, beside key and
    facts (default: all). A remote folder works as far as `datasets` can read its format there.
    Raises FolderError for an unknown config, split or field, or a stream of tar shards from elsewhere than https.
    """
    folder = opened(path)
    if split not in folder.splits(config):
        raise FolderError(
            f"{folder}: config {config!r} has no split {split!r}; there is: {', '.join(folder.splits(config))}"
        )
    samples: Any = _plain(folder, config, split, streaming)
    if fields is not None:
        samples = samples.select_columns(_columns(samples.column_names, fields, f"{folder}: config {config!r}"))
    if not decode:
        return samples
    if streaming:
        return samples.map(lambda sample: {name: decode_field(name, value, frames) for name, value in sample.items()})
    return samples.with_transform(lambda batch: {n: [decode_field(n, v, frames) for v in batch[n]] for n in batch})


def _plain(folder: Folder, config: str, split: str, streaming: bool) -> Any:
    """What `datasets` makes of a split: by the folder's card, or of a remote folder by its shards' addresses."""
    from datasets import load_dataset as plain

    place = folder.place
    if isinstance(place, Path):
        return plain(str(place), config, split=split, streaming=streaming)
    names = folder.shard_names(config, split)
    kind = names[0].rpartition(".")[2]
    if streaming and kind == "tar" and place.protocol not in ("http", "https"):
        raise FolderError(
            f"{folder}: `datasets` cannot stream tar shards from {place.protocol}://. Use facevox.stream, "
            "streaming=False, or a folder of Parquet shards (`facevox convert`)"
        )
    from datasets.info import DatasetInfosDict

    features = DatasetInfosDict.from_directory(str(folder.path))[config].features
    return plain(
        {"tar": "webdataset"}.get(kind, kind),
        data_files={split: [place.file(name) for name in names]},
        split=split,
        streaming=streaming,
        features=features,
        storage_options={**place.options, **({"headers": place.headers} if place.headers else {})} or None,
    )


def _columns(names: Sequence[str], fields: Sequence[str], where: str) -> list[str]:
    """Key, facts and the wanted media, whose names are file endings with a dot."""
    wanted = {fields} if isinstance(fields, str) else set(fields)
    media = [name for name in names if "." in name]
    if unknown := sorted(wanted - set(media)):
        raise FolderError(f"{where} has no field {unknown[0]!r}; there is: {', '.join(media)}")
    return [name for name in names if name in wanted or "." not in name]


def decode_field(name: str, value: Any, frames: Frames = "all") -> Any:
    """Bytes of one field to an array by its file ending; anything that is not bytes is returned as it is."""
    if hasattr(value, "getbands"):
        # `datasets` has opened it with Pillow.
        import numpy as np

        return np.asarray(value.convert("RGB"))
    if not isinstance(value, bytes):
        return value
    if name.endswith((".flac", ".wav")):
        return decode_audio(value)[0]
    if name.endswith(ARRAY):
        return decode_array(value)
    if value[8:16] == b"WEBPVP8X":
        import numpy as np

        return np.stack(list(decode_clip(value, wanted_frames(frames, len(clip_layout(value).offsets)))))
    return decode_picture(value)
