"""The commands as functions: what `facevox build`, `forge`, `verify` and `show` do, with the same options."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from .loaders.folder import Folder, opened
from .loaders.names import check_options, nearest
from .loaders.verify import Verdict

if TYPE_CHECKING:
    from .benchmarks.core.table import Table
    from .builders.stages.calibration_folder import CalibrationReport
    from .builders.stages.collection import Report as CollectionReport
    from .loaders.batches import StreamOptions
    from .loaders.identity_stream import IdentityStream
    from .loaders.mixture import Mixture
    from .loaders.range_cache import CacheOptions
    from .loaders.samples import Samples
    from .loaders.statistics import Statistics
    from .loaders.stream import BatchStream
    from .models.core.train import Report


@overload
def build(dataset: str, raw: str | Path, out: str | Path, *, rank: None = None, **options: Any) -> Folder: ...


@overload
def build(dataset: str, raw: str | Path, out: str | Path, *, rank: int, **options: Any) -> Folder | None: ...


def build(
    dataset: str,
    raw: str | Path,
    out: str | Path,
    *,
    configs: Sequence[str] = (),
    format: str = "tar",  # noqa: A002 - the word of the command line and of the field
    workers: int = 1,
    shard_mb: int = 1024,
    extend: bool = False,
    recheck: bool = False,
    engine: str = "",
    address: str = "",
    rank: int | None = None,
    world: int | None = None,
    progress: bool = False,
    **release: Any,
) -> Folder | None:
    """Build a dataset folder from a raw release, or resume an interrupted build; returns the finished folder.

    `rank` (from 0) of `world` builds its share beside the other ranks, each started by itself on storage that all see;
    the last one to end finishes the folder, the others return None.

    `release` takes the dataset's own options (`facevox build DATASET --help`), as in subjects="1-5", effort=4.
    `engine` is dask or ray, on `workers` processes here or on the running cluster at `address`; see docs/planning.md.
    With workers > 1 call it under `if __name__ == "__main__":`, since workers import the calling script.
    Raises ValueError for an unknown name or option, FileNotFoundError without a release, FolderError for a folder of
    another plan or a node that would write other bytes, OSError when the disk is full, RuntimeError for lost workers.
    """
    from .builders.core.run import BuildOptions, run

    if (rank is None) != (world is None) or world == 0:
        raise ValueError(f"rank {rank} and world {world} go together, a world of 1 or more, as in rank=0, world=16")
    options = BuildOptions(
        dataset,
        str(raw),
        out,
        tuple(configs),
        format,
        shard_mb,
        workers,
        extend,
        recheck,
        engine,
        address,
        rank or 0,
        world or 0,
        release_options(dataset, release),
    )
    report = run(options, progress_bar if progress else None)
    return None if report.unfinished else Folder(out)


def release_options(dataset: str, values: dict[str, Any]) -> Any:
    """The dataset's own options object. Raises ValueError for an option it does not have, naming the nearest."""
    from .builders.core.builder import find

    kind = find(dataset).options_type
    check_options(dataset, values, [f.name for f in fields(kind)])
    return kind(**values)


def progress_bar(total: int, done: int) -> Callable[[int], None]:
    """A bar over source bytes that starts where an earlier run stopped."""
    from tqdm import tqdm

    bar = tqdm(total=total, initial=done, unit="B", unit_scale=True, desc="building", mininterval=0.5)

    def tell(size: int) -> None:
        bar.update(size)
        if bar.n >= total:
            bar.close()

    return tell


def forge(dataset: str, out: str | Path, *, workers: int = 1, progress: bool = False, **options: Any) -> dict[str, Any]:
    """Forge a small release with known truth in the exact layout of the real one; returns what was made.

    Options are those of `facevox forge DATASET --help`, as in subjects=6, frames=12, size="small".
    Raises ValueError for an unknown dataset or option, FileExistsError when `out` is not empty.
    """
    from tqdm import tqdm

    if find_spec("skimage") is None:
        raise ModuleNotFoundError("forging needs scikit-image: pip install 'facevox[forge]'", name="skimage")
    module = forge_module(dataset)
    check_options(f"forging {dataset}", options, [f.name for f in fields(module.ForgeOptions)])
    chosen = module.ForgeOptions(**options)
    with tqdm(unit=" pieces", desc="forging", disable=None if progress else True) as bar:

        def tell(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        made: dict[str, Any] = module.forge(Path(out), chosen, tell, workers)
    return made


def collect(
    videos: str | Path, out: str | Path, *, marks: str | Path | None = None, progress: bool = False, **options: Any
) -> "CollectionReport":
    """Collect faces and voices of marked people from a folder of videos, or resume; returns what was kept and why.

    `marks` is the file of marks, by default marks.jsonl in `videos`; `options` are those of `facevox collect --help`,
    as in workers=2, tau_face=0.92. With workers > 1 call it under `if __name__ == "__main__":`.
    Raises ValueError for an unknown option, a broken marks file, or a place that holds something else.
    """
    from tqdm import tqdm

    from .builders.stages.collection import collect as run
    from .builders.stages.collection_options import CollectOptions

    check_options("collect", options, [f.name for f in fields(CollectOptions)])
    chosen = CollectOptions(Path(videos), Path(out), None if marks is None else Path(marks), **options)
    with tqdm(unit=" videos", desc="collecting", disable=None if progress else True) as bar:
        under_way = ""

        def tell(step: str, done: int, total: int) -> None:
            nonlocal under_way
            if step != under_way:
                under_way = step
                bar.set_description(step)
                bar.reset(total)
            bar.update(done - bar.n)

        return run(chosen, tell)


def forge_module(dataset: str) -> Any:
    """The module that forges a dataset, or captures of a marker sheet (calibration). Raises ValueError without one."""
    from .builders.core.builder import datasets

    if dataset not in (*datasets(), "calibration"):
        raise ValueError(
            f"nothing to forge called {dataset!r}; {nearest(dataset, [*datasets(), 'calibration', 'faults'])}"
        )
    return import_module(f".builders.population.{dataset}", __package__)


def open(  # noqa: A001 - facevox.open, as in zipfile.ZipFile.open
    path: str | Path, *, storage_options: Mapping[str, Any] | None = None, cache: "CacheOptions | None" = None
) -> Folder:
    """Open a built folder at a path, or at a place as s3://bucket/O; see `Folder`, which the others take as well.

    Raises FolderError when there is none or its build has not finished.
    """
    return Folder(path, storage_options, cache)


def stream(
    path: Folder | str | Path,
    config: str,
    split: str,
    *,
    inputs: Callable[[list[dict[str, Any]]], Any] | None = None,
    **options: Any,
) -> Any:
    """Batches of a built folder for training; see `Stream`. `options` are those of `StreamOptions`.

    facevox.stream(O, "utterances", "train", fields=("visual.webp", "mic1.flac"), frames=3, shuffle=True, workers=2)
    Raises ValueError for an unknown option, FolderError for a missing config, split or field.
    """
    from .loaders.stream import Stream

    return Stream(path, config, split, _stream_options(options), inputs)


def _stream_options(options: dict[str, Any]) -> "StreamOptions":
    from .loaders.batches import StreamOptions

    check_options("a stream", options, [f.name for f in fields(StreamOptions)])
    named = {name: _names(options[name]) for name in ("fields", "facts") if options.get(name) is not None}
    return StreamOptions(**options | named)


def _names(chosen: str | Sequence[str]) -> tuple[str, ...]:
    return (chosen,) if isinstance(chosen, str) else tuple(chosen)


def dataset(path: Folder | str | Path, config: str, split: str, **options: Any) -> "Samples":
    """One split as a map-style dataset for a DataLoader; see `Samples`. `options` are those of `StreamOptions`.

    facevox.dataset(O, "utterances", "train", fields=("mic1.flac",), where="trial == 1")[0]["mic1.flac"]
    Raises ValueError for an unknown option, FolderError for a missing config, split or field.
    """
    from .loaders.samples import Samples

    return Samples(path, config, split, _stream_options(options))


def identity_batches(
    path: Folder | str | Path, split: str, *, inputs: Callable[[dict[str, Any]], Any] | None = None, **options: Any
) -> "IdentityStream":
    """Batches of P people with so many samples of each config; see `IdentityStream` and `IdentityOptions`.

    facevox.identity_batches(O, "train", identities=4, samples={"voices": 4, "faces": 8}, balance="gender")
    Raises ValueError for an unknown option or too few people, FolderError for a missing config, split or field.
    """
    from .loaders.identity_stream import IdentityOptions, IdentityStream

    check_options("identity batches", options, [f.name for f in fields(IdentityOptions)])
    if "fields" in options:
        options = options | {"fields": {config: _names(chosen) for config, chosen in options["fields"].items()}}
    if options.get("facts") is not None:
        options = options | {"facts": _names(options["facts"])}
    return IdentityStream(path, split, IdentityOptions(**options), inputs)


def mix(
    streams: "Sequence[BatchStream]", weights: Sequence[float], *, seed: int = 0, stopping: str = "first_exhausted"
) -> "Mixture":
    """Batches of several streams, each from one of them, chosen by weight; see `Mixture`.

    facevox.mix([facevox.stream(A, "voices", "train"), facevox.stream(B, "voices", "train")], (3, 1))
    """
    from .loaders.mixture import Mixture

    return Mixture(streams, weights, seed, stopping)


def train(model: str, data: str | Path, out: str | Path, *, progress: bool = False, **options: Any) -> "Report":
    """Train a model on a built folder, or resume an interrupted run; checkpoints lie below `out`.

    `options` are those of the loop (epochs=, seed=) and the model's own (mode=) by name, as in `facevox train --help`.
    Raises ValueError for an unknown model or option, a checkpoint of another model or folder, a loss that is NaN.
    """
    from .models.core.model import model_options
    from .models.core.train import TrainOptions, fit

    loop = {f.name for f in fields(TrainOptions)} - {"model", "data", "out", "settings"}
    own = model_options(model, {name: value for name, value in options.items() if name not in loop})
    chosen = {name: value for name, value in options.items() if name in loop}
    return fit(TrainOptions(model, data, out, settings=own, **chosen), progress)


def bench(name: str, data: str | Path = "", runs: str | Path = "", **options: Any) -> "Table":
    """One published table beside values measured on a built folder with the checkpoints below `runs`.

    Raises ValueError for an unknown table or option.
    """
    from .benchmarks.core.bench import BenchOptions, run

    return run(name, BenchOptions(data, runs, **options))


def calibrate(folder: str | Path, out: str | Path | None = None) -> "CalibrationReport":
    """One visual-to-thermal matrix from a folder of marker captures; `calibration.json` and overlays go to `out`.

    `out` is FOLDER-calibrated here when not given. The report's `calibration` is None when no capture is usable.
    Raises FileNotFoundError without a capture, ValueError when `out` is the folder of the captures itself.
    """
    from .builders.stages.calibration_folder import calibrate as calibrated

    folder = Path(folder)
    return calibrated(folder, Path(out) if out else Path(f"{folder.resolve().name}-calibrated"))


def verify(path: Folder | str | Path, progress: Callable[[int], object] | None = None, **options: Any) -> Verdict:
    """Check every byte, count and promise of a folder; `problems` of the result is empty when it is sound.

    `options` are those of `VerifyOptions`, as in workers=8 or sample=0.01 (tables and cards whole, of the shards a
    random sample of members). Raises ValueError for an unknown option.
    """
    from .loaders.verify import VerifyOptions, check

    check_options("verify", options, [f.name for f in fields(VerifyOptions)])
    return check(path, progress, VerifyOptions(**options))


def show(path: Folder | str | Path, key: str, out: str | Path | None = None, frame: int | None = None) -> Path:
    """Draw one sample as a PNG (default: KEY.png here) and return its path. Raises FolderError for an unknown key."""
    from .loaders.picture import draw

    return draw(opened(path), key, Path(out) if out else Path(f"{key}.png"), frame)


def stats(path: Folder | str | Path, out: str | Path | None = None, *, format: str = "text") -> "Statistics":  # noqa: A002 - the word of the command line
    """Count a built folder beside the published tables; the result has .text(), .markdown(), .json() and .panels.

    With `out`, a folder outside the dataset folder, the tables are also written there as statistics.txt, .md or .json
    (by `format`: text, markdown, json) and the histograms as statistics.png. Reads tables/ only, never a shard.
    Raises ValueError for a dataset without published statistics, an unknown format or an `out` inside the folder.
    """
    from .loaders.statistics import FORMATS, statistics, write

    if format not in FORMATS:
        raise ValueError(f"format={format!r}: expected one of {', '.join(FORMATS)}")
    folder = opened(path)
    found = statistics(folder)
    if out is not None:
        write(found, folder, Path(out), format)
    return found
