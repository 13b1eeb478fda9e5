"""facevox: build, verify and load face, voice and thermal-video datasets. Public names are imported on first use."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import (
        bench,
        build,
        calibrate,
        collect,
        dataset,
        forge,
        identity_batches,
        mix,
        open,  # noqa: A004 - facevox.open is the name users know from zipfile, PIL
        show,
        stats,
        stream,
        train,
        verify,
    )
    from .api_export import export
    from .api_generate import generate, generation_figure
    from .api_publish import convert, publish
    from .api_review import agreement, decide
    from .api_use import match, translate, translation_figure
    from .loaders.folder import Folder, FolderError
    from .loaders.huggingface import load_dataset
    from .loaders.padding import Padding
    from .loaders.range_cache import CacheOptions
    from .loaders.stream import Stream, StreamOptions
    from .loaders.webdataset_pipeline import webdataset

_HOME = {
    "agreement": "api_review",
    "bench": "api",
    "build": "api",
    "calibrate": "api",
    "collect": "api",
    "convert": "api_publish",
    "dataset": "api",
    "decide": "api_review",
    "export": "api_export",
    "forge": "api",
    "generate": "api_generate",
    "generation_figure": "api_generate",
    "identity_batches": "api",
    "match": "api_use",
    "mix": "api",
    "open": "api",
    "publish": "api_publish",
    "show": "api",
    "stats": "api",
    "stream": "api",
    "train": "api",
    "translate": "api_use",
    "translation_figure": "api_use",
    "verify": "api",
    "CacheOptions": "loaders.range_cache",
    "Folder": "loaders.folder",
    "FolderError": "loaders.folder",
    "load_dataset": "loaders.huggingface",
    "Padding": "loaders.padding",
    "Stream": "loaders.stream",
    "StreamOptions": "loaders.stream",
    "webdataset": "loaders.webdataset_pipeline",
}
__all__ = [
    "CacheOptions",
    "Folder",
    "FolderError",
    "Padding",
    "Stream",
    "StreamOptions",
    "agreement",
    "bench",
    "build",
    "calibrate",
    "collect",
    "convert",
    "dataset",
    "decide",
    "export",
    "forge",
    "generate",
    "generation_figure",
    "identity_batches",
    "load_dataset",
    "match",
    "mix",
    "open",
    "publish",
    "show",
    "stats",
    "stream",
    "train",
    "translate",
    "translation_figure",
    "verify",
    "webdataset",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("facevox")
    if name not in _HOME:
        raise AttributeError(f"module 'facevox' has no attribute {name!r}; there is: {', '.join(__all__)}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
