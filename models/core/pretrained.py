"""Networks trained by others: where each lies, what it must hash to, what it takes, and its licence."""

import hashlib
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

DLIB_FILES = "face_recognition_models"
EXTRA = "pip install 'facevox[build]'"


@dataclass(frozen=True)
class Network:
    """One file of weights: `file` is its name in --models, `inside` its path in `package` (an import name).

    A file is never opened before its bytes hash to `sha256`.
    """

    name: str
    file: str
    sha256: str
    kind: str
    licence: str
    package: str = ""
    inside: str = ""


def _dlib(name: str, file: str, sha256: str, licence: str) -> Network:
    return Network(name, file, sha256, "dlib", licence, DLIB_FILES, f"models/{file}")


CC0 = "CC0 1.0 (face_recognition_models README)"

MTCNN_DIGESTS = {
    "pnet": "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
    "rnet": "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
    "onet": "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
}

NETWORKS = {
    network.name: network
    for network in (
        *(
            Network(
                f"mtcnn-{net}",
                f"{net}.lz4",
                sha256,
                "arrays",
                "MIT (mtcnn 1.0.0)",
                "mtcnn",
                f"assets/weights/{net}.lz4",
            )
            for net, sha256 in MTCNN_DIGESTS.items()
        ),
        _dlib(
            "dlib-cnn",
            "mmod_human_face_detector.dat",
            "4cb19393e2fbaf2b1609a9319ad5386618c886a6234ec1b971f3e87c85d87fe6",
            CC0,
        ),
        _dlib(
            "dlib-landmarks68",
            "shape_predictor_68_face_landmarks.dat",
            "fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",
            f"{CC0}; trained on iBUG 300-W, whose licence excludes commercial use",
        ),
        _dlib(
            "dlib-landmarks5",
            "shape_predictor_5_face_landmarks.dat",
            "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
            CC0,
        ),
        _dlib(
            "dlib-descriptor",
            "dlib_face_recognition_resnet_model_v1.dat",
            "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
            CC0,
        ),
    )
}


def network(name: str) -> Network:
    """The registered network of that name. Raises ValueError naming the nearest."""
    if name not in NETWORKS:
        near = get_close_matches(name, NETWORKS, 1)
        raise ValueError(
            f"network {name!r}: not known{f'; did you mean {near[0]}?' if near else ''}. Known: {', '.join(NETWORKS)}"
        )
    return NETWORKS[name]


def locate(name: str, models: Path | None = None) -> Path:
    """The file of a registered network: from the folder `models` by file name, else from its package.

    Raises ValueError for an unknown name or a file of another digest, FileNotFoundError when it is nowhere.
    """
    entry = network(name)
    for path in _places(entry, models):
        if path.is_file():
            check(path, entry.sha256)
            return path
    raise FileNotFoundError(f"{name}: no {entry.file}. {EXTRA}, or give the folder that holds it with --models")


def read_checked(name: str, models: Path | None = None) -> tuple[Path, bytes]:
    """The path and the bytes of a registered network whose file is small; the bytes returned are those checked."""
    path = locate(name, models)
    stored = path.read_bytes()
    _same(path, hashlib.sha256(stored).hexdigest(), network(name).sha256)
    return path, stored


def _places(entry: Network, models: Path | None) -> list[Path]:
    spec = find_spec(entry.package) if entry.package else None
    # The package of dlib's files cannot be imported (it asks for pkg_resources), only found.
    roots = list(spec.submodule_search_locations or ()) if spec else []
    own = [] if models is None else [models / entry.file]
    return own + [Path(root) / entry.inside for root in roots]


def check(path: Path, sha256: str) -> None:
    """Raise ValueError unless the file has that digest."""
    stat = path.stat()
    _same(path, _digest(path, stat.st_size, stat.st_mtime_ns), sha256)


def _same(path: Path, found: str, sha256: str) -> None:
    if found != sha256:
        raise ValueError(
            f"{path}: sha256 {found[:16]}..., expected {sha256[:16]}...; damaged or another file, replace it"
        )


@lru_cache(maxsize=64)
def _digest(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
