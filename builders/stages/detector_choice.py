"""The options `detector` and `models` of a dataset, and the content of the file that they may name."""

from pathlib import Path
from typing import Any

from ...models.core.detectors import Detector, detector_file, open_detector
from ...models.core.pretrained import sha256


class DetectorChoice:
    """What every options class with these three fields does with them."""

    detector: str
    models: str
    detector_sha256: str

    @property
    def models_folder(self) -> Path | None:
        return Path(self.models) if self.models else None

    def open_detector(self) -> Detector:
        """Raises what `open_detector` of models/core raises."""
        return open_detector(self.detector, self.models_folder)

    def _file_sha256(self) -> str:
        """Of an ONNX detector's file; "" for registered networks, which are held against their own digests."""
        file = detector_file(self.detector, self.models_folder)
        return sha256(file) if file else ""

    def _by_content(self, values: dict[str, Any]) -> dict[str, Any]:
        """Options as they decide the bytes: of an ONNX detector its content, not its place."""
        del values["models"]
        if digest := values.pop("detector_sha256") or self._file_sha256():
            values["detector"] = f"onnx:{Path(self.detector.removeprefix('onnx:')).name} {digest}"
        return values

    def _check_unchanged(self) -> None:
        """Raises ValueError when the detector's file is not the one that the build began with."""
        if self.detector_sha256 not in ("", self._file_sha256()):
            raise ValueError(f"detector {self.detector}: the file changed since the build began. Build again")
