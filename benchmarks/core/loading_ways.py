"""Ways to read the same clips for training: facevox's stream, what others make of its shards, and loose files."""

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import cv2
import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from ...loaders.batches import StreamOptions
from ...loaders.folder import Folder
from ...loaders.stream import Stream

STREAMS = ("visual.webp", "thermal.webp")
SOUND = "mic1.flac"
FRAMES = 3
SIZE = (116, 87)
"""Width and height of what a batch holds: the input of the gender classifier."""
SECONDS = 0.4
PREFETCH = 2


@dataclass(frozen=True)
class Asked:
    """One measurement: which way, over what, with how many processes."""

    way: str
    folder: str
    config: str
    split: str
    loose: str
    batch_size: int
    workers: int
    limit: int
    seed: int


def small(sample: Mapping[str, Any]) -> dict[str, Any]:
    """A decoded sample -> `key`, three small frames of either camera (3, 87, 116, 3) uint8, sound (n,) float32.

    The same code for all ways, so that they differ in reading and decoding alone.
    """
    taken: dict[str, Any] = {"key": sample["__key__"]}
    for name in STREAMS:
        frames = [cv2.resize(frame, SIZE, interpolation=cv2.INTER_LANCZOS4) for frame in sample[name]]
        taken[name] = np.stack(frames)
    taken[SOUND] = middle(sample[SOUND], sample["rate"])
    return taken


def middle(wave: NDArray[np.int16], rate: int) -> NDArray[np.float32]:
    """0.4 s from the middle of a sound (samples,), in -1..1."""
    count = round(SECONDS * rate)
    first = max(0, (len(wave) - count) // 2)
    part: NDArray[np.float32] = wave[first : first + count].astype(np.float32) / np.float32(32768)
    return part


def together(samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Small samples as one batch of tensors."""
    batch: dict[str, Any] = {name: torch.from_numpy(np.stack([s[name] for s in samples])) for name in STREAMS}
    return batch | {"key": [s["key"] for s in samples], SOUND: [torch.from_numpy(s[SOUND]) for s in samples]}


class Inputs:
    """What a stream's workers make of their samples."""

    def __call__(self, samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        _one_thread()
        return together([small({**sample, "rate": sample["json"]["sample_rate"]}) for sample in samples])


def stream(asked: Asked) -> Iterable[Any]:
    """facevox: three frames of each clip and the middle of the sound, by their byte ranges."""
    options = StreamOptions(
        fields=(*STREAMS, SOUND),
        frames=FRAMES,
        shuffle=True,
        seed=asked.seed,
        batch_size=asked.batch_size,
        workers=asked.workers,
        limit=asked.limit,
        sound_seconds=SECONDS,
    )
    return Stream(asked.folder, asked.config, asked.split, options, Inputs())


def loose(asked: Asked) -> Iterable[Any]:
    """PNG and WAV files read by OpenCV and soundfile, shuffled by a DataLoader."""
    order = torch.Generator()
    order.manual_seed(asked.seed)
    return DataLoader(
        LooseFiles(Path(asked.loose)),
        batch_size=asked.batch_size,
        shuffle=True,
        generator=order,
        collate_fn=together,
        **_processes(asked),
    )


def whole_tars(asked: Asked) -> Iterable[Any]:
    """webdataset over the folder's own tar shards, from end to end, with its shuffle buffer."""
    import webdataset

    from ...loaders.webdataset_pipeline import webdataset as pipeline

    samples = pipeline(
        asked.folder,
        asked.config,
        asked.split,
        fields=(*STREAMS, SOUND),
        frames=FRAMES,
        workersplitter=webdataset.split_by_worker,
        empty_check=False,
    )
    samples = samples.map(_of_webdataset).shuffle(asked.batch_size).batched(asked.batch_size, collation_fn=together)
    return DataLoader(samples, batch_size=None, **_processes(asked))


def hugging_face(asked: Asked) -> Iterable[Any]:
    """`datasets` streaming the folder, with its shuffle buffer."""
    from ...loaders.huggingface import load_dataset

    samples: Any = load_dataset(
        asked.folder, asked.config, asked.split, streaming=True, fields=(*STREAMS, SOUND), frames=FRAMES
    )
    samples = samples.map(_of_datasets, remove_columns=list(samples.column_names or ()))
    samples = samples.shuffle(asked.seed, buffer_size=asked.batch_size)
    return DataLoader(samples, batch_size=asked.batch_size, collate_fn=together, **_processes(asked))


WAYS: dict[str, Callable[[Asked], Iterable[Any]]] = {
    "facevox.stream": stream,
    "loose PNG and WAV files": loose,
    "webdataset": whole_tars,
    "datasets, streaming": hugging_face,
}


def _of_webdataset(sample: Mapping[str, Any]) -> dict[str, Any]:
    return small({**sample, "rate": sample["json"]["sample_rate"]})


def _of_datasets(sample: Mapping[str, Any]) -> dict[str, Any]:
    decoded = {name: np.asarray(sample[name]) for name in (*STREAMS, SOUND)}
    return small({**decoded, "__key__": sample["__key__"], "rate": sample["json"]["sample_rate"]})


class LooseFiles(Dataset[dict[str, Any]]):
    """A folder for each sample: `visual.webp-0.png` to `-2.png`, the same of `thermal.webp`, `sound.wav`."""

    def __init__(self, home: Path) -> None:
        self.folders = sorted(home.iterdir())

    def __len__(self) -> int:
        return len(self.folders)

    def __getitem__(self, number: int) -> dict[str, Any]:
        home = self.folders[number]
        sample: dict[str, Any] = {"__key__": home.name}
        for name in STREAMS:
            read = [cv2.imread(str(home / f"{name}-{at}.png")) for at in range(FRAMES)]
            sample[name] = [frame[..., ::-1] for frame in read if frame is not None]
        wave, rate = soundfile.read(home / "sound.wav", dtype="int16")
        return small({**sample, SOUND: wave, "rate": rate})


def write_loose(folder: Folder, config: str, split: str, home: Path, limit: int) -> None:
    """The frames and sounds that a batch needs as PNG and WAV files, for `LooseFiles`."""
    rows = [row for row in folder.index.to_pylist() if (row["config"], row["split"]) == (config, split)]
    keys = [row["key"] for row in rows][: limit or None]
    for sample in folder.fetch(keys, (*STREAMS, SOUND), FRAMES, config):
        own = home / sample["__key__"]
        own.mkdir(parents=True)
        for name in STREAMS:
            for at, frame in enumerate(sample[name]):
                cv2.imwrite(str(own / f"{name}-{at}.png"), frame[..., ::-1])
        soundfile.write(own / "sound.wav", sample[SOUND], sample["json"]["sample_rate"], subtype="PCM_16")


def _processes(asked: Asked) -> dict[str, Any]:
    if not asked.workers:
        return {"num_workers": 0}
    own = {"num_workers": asked.workers, "prefetch_factor": PREFETCH, "persistent_workers": True}
    return own | {"worker_init_fn": _one_thread}


def _one_thread(_: int = 0) -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def measured(asked: Asked) -> dict[str, Any]:
    """Two epochs of one way in this process: the first with its start, the second at pace, contents as a checksum."""
    _one_thread()
    used = _cpu()
    found = _epochs(asked)
    # The workers have ended by now, and what they used counts.
    return found | {"cpu": (_cpu() - used) / max(2 * found["samples"], 1)}


def _epochs(asked: Asked) -> dict[str, Any]:
    begun, first, check = time.perf_counter(), 0.0, 0
    source = WAYS[asked.way](asked)
    for epoch in range(2):
        at_pace, taken = time.perf_counter(), 0
        for batch in source:
            first = first or time.perf_counter() - begun
            taken += len(batch["key"])
            check ^= _checksum(batch) if epoch == 0 else 0
    return {"samples": taken, "seconds": time.perf_counter() - at_pace, "first": first, "check": check}


def _checksum(batch: Mapping[str, Any]) -> int:
    """The same for the same samples in any order."""
    found = 0
    for at, key in enumerate(batch["key"]):
        parts = [key.encode(), *(batch[name][at].numpy().tobytes() for name in (*STREAMS, SOUND))]
        found ^= crc32(b"".join(parts))
    return found


def _cpu() -> float:
    own, ended = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime


if __name__ == "__main__":
    print("\n" + json.dumps(measured(Asked(**json.loads(sys.argv[1])))), flush=True)
    # Some libraries leave threads behind that would keep the process.
    os._exit(0)
