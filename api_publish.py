"""A built folder on its way to others, as functions: what `facevox convert` and `facevox publish` do."""

from pathlib import Path

from .loaders.folder import Folder


def convert(
    path: str | Path,
    out: str | Path,
    *,
    format: str,  # noqa: A002 - the word of the command line and of the field
    workers: int = 1,
    progress: bool = False,
) -> Folder:
    """Write a built folder (a path or a remote place) in another format, or resume that; returns the new folder.

    facevox.convert("O", "P", format="parquet")
    No raw release is needed. Raises ValueError for an unknown format, FolderError for a damaged folder or a place that
    holds something else, OSError when the disk is full.
    """
    from tqdm import tqdm

    from .builders.core.convert import ConvertOptions
    from .builders.core.convert import convert as run

    with tqdm(unit=" shards", desc="converting", leave=False, disable=None if progress else True) as bar:

        def tell(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        run(ConvertOptions(str(path), Path(out), format, workers), tell)
    return Folder(out)
