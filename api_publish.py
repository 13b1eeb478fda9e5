"""A built folder on its way to others, as functions: what `facevox convert` and `facevox publish` do."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .loaders.folder import Folder
from .loaders.places import local

if TYPE_CHECKING:
    from .builders.core.publish import PublishReport


def convert(
    path: Folder | str | Path,
    out: str | Path,
    *,
    format: str,  # noqa: A002 - the word of the command line and of the field
    workers: int = 1,
    progress: bool = False,
) -> Folder:
    """Write a built folder (also a path or a remote place) in another format, or resume that; returns the new folder.

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

        source = path.place if isinstance(path, Folder) else path
        run(ConvertOptions(source, local(out, "convert makes"), format, workers), tell)
    return Folder(out)


def publish(path: str | Path, repo: str, *, progress: bool = False, **options: Any) -> "PublishReport":
    """Send a folder to a dataset repository of the Hugging Face Hub, or what is missing of it there.

    facevox.publish("O", "user/name")
    The folder is verified and its card checked first. The repository is private and gated (gated="manual" or "auto");
    public=True and gated="" open it. `options` are those of `PublishOptions`. The token is that of `hf auth login` or
    HF_TOKEN. Raises FolderError for a folder that is not fit, PermissionError without a token or right,
    ConnectionError when the hub cannot be reached: the same call resumes.
    """
    from dataclasses import fields

    from tqdm import tqdm

    from .builders.core.publish import PublishOptions, prepared
    from .builders.core.publish import publish as run
    from .loaders.names import check_options

    check_options("publish", options, [field.name for field in fields(PublishOptions)])
    bar_options: dict[str, Any] = {
        "unit": "B",
        "unit_scale": True,
        "leave": False,
        "disable": None if progress else True,
    }
    with tqdm(desc="verifying", **bar_options) as bar:
        parcel = prepared(PublishOptions(local(path, "publish sends"), repo, **options), bar.update)
    with tqdm(desc="publishing", total=parcel.size, **bar_options) as bar:
        return run(parcel, bar.update)
