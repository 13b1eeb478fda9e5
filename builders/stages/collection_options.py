"""How a folder of marked videos becomes a collection of faces and voices: the parameters of Chinese_VF's tool."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...models.core.pretrained import sha256
from ...models.core.speaker_space import SHIPPED
from .detector_choice import DetectorChoice


def _option(default: Any, text: str, **more: Any) -> Any:
    return field(default=default, metadata={"help": text, **more})


@dataclass(frozen=True)
class CollectOptions(DetectorChoice):
    """Everything that `collect` is told. Raises ValueError for values outside their range.

    Constants without a source in the paper are those of the spec sheet of Chinese_VF, section 2.
    """

    videos: Path
    out: Path
    marks: Path | None = None
    """None: marks.jsonl in the folder of videos."""
    workers: int = 1
    detector: str = _option("mtcnn", "face detector: mtcnn, yunet, dlib-hog, dlib-cnn or onnx:FILE")
    face_embedder: str = _option("dlib", "face embedder: dlib, sface, facenet or onnx:FILE")
    voice_embedder: str = _option("mfcc", "speaker embedder: mfcc, onnx:FILE or torch:FILE")
    models: str = _option("", "folder that is searched first for the networks' files")
    frames_per_second: float = _option(1.0, "frames looked at in a second of video")
    working_side: int = _option(
        360, "shorter side in pixels of the picture in which faces are searched; MTCNN finds them there from 20 px"
    )
    box_scale: float = _option(1.3, "side of a cut face over the longer side of its box")
    min_confidence: float = _option(0.9, "least score of a face by its detector")
    s_min: float = _option(3.0, "shortest voice window, seconds")
    s_step: float = _option(0.5, "step by which windows move and grow, seconds")
    s_max: float = _option(10.0, "longest voice window, seconds")
    tau_face: float | None = None
    tau_voice: float | None = None
    """Cosines above which faces and voice windows are kept; None: those of the marks, else calibrated."""
    others_pass: float = _option(0.01, "share of other speakers' ground truths that may pass a calibrated threshold")
    strict_paper: bool = _option(False, "Algorithm 1 as printed: windows grow without limit, whatever their score")
    duplicate: float = _option(
        0.95, "correlation of two faces of one video above which the later one is left out; 1 keeps all"
    )
    several_faces: float = _option(0.5, "share of the frames with a face that may show more than one")
    folds: int = _option(5, "folds of speakers, stratified by gender")
    seed: int = _option(0, "seed of the folds")

    def __post_init__(self) -> None:
        for name, least, most in (
            ("frames_per_second", 0.01, 60.0),
            ("working_side", 60, 4096),
            ("box_scale", 1.0, 4.0),
            ("min_confidence", -100.0, 100.0),
            ("s_min", 0.5, 60.0),
            ("s_step", 0.05, 60.0),
            ("s_max", self.s_min, 600.0),
            ("tau_face", -1.0, 1.0),
            ("tau_voice", -1.0, 1.0),
            ("others_pass", 0.0, 1.0),
            ("duplicate", -1.0, 1.0),
            ("several_faces", 0.0, 1.0),
            ("folds", 1, 1000),
            ("workers", 1, 1024),
        ):
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise ValueError(f"{name.replace('_', '-')} {value}, expected {least} to {most}")

    @property
    def marks_file(self) -> Path:
        return self.marks or self.videos / "marks.jsonl"

    def parameters(self) -> dict[str, Any]:
        """What decides the bytes of a collection besides its videos and marks: parameters, and networks by content."""
        values = asdict(self)
        for name in ("videos", "out", "marks", "workers"):
            del values[name]
        values = self._by_content({**values, "detector_sha256": ""})
        for name in ("face_embedder", "voice_embedder"):
            values[name] = by_content(values[name], self.models_folder)
        return values

    def scan_parameters(self) -> dict[str, Any]:
        """Those on which the scan of one video rests: none of the marks', none of the thresholds."""
        after = {"tau_face", "tau_voice", "others_pass", "strict_paper", "duplicate", "several_faces", "folds", "seed"}
        return {name: value for name, value in self.parameters().items() if name not in after}


def by_content(name: str, models: Path | None) -> str:
    """An embedder as it decides the bytes: of a file, what it holds and not where it lies.

    Registered networks go by their names: they are held against their own digests when they are opened. What comes
    with facevox (mfcc) may be fitted anew by a later one, and goes with the digest of its space.
    """
    if name == "mfcc":
        return f"{name} {sha256(SHIPPED)}"
    kind, _, file = name.rpartition(":")
    if not kind:
        return name
    places = [Path(file)] if models is None else [models / file, Path(file)]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise FileNotFoundError(f"{file}: no such file here{'' if models is None else f' or in {models}'}")
    return f"{kind}:{path.name} {sha256(path)}"
