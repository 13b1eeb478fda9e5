"""The thresholds of the face pipeline: one web photo measured step by step until it fits or is turned down."""

import io
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image as Picture

from ...loaders.media import MAX_PIXELS, decode_picture
from ...models.core.emotion import EMOTIONS, NEUTRAL
from ..core.raw import Folder
from ..core.stage import Clock, Reject
from .candidate_alignment import Alignment, align
from .candidate_faces import RIVAL_SHARE, CandidateFace, Points, largest_face, level_pupils
from .candidate_options import CandidateJudges, CandidateOptions
from .candidate_pose import asymmetry5, asymmetry68, head_pose
from .candidate_quality import looks_drawn, sharpness, style
from .faces import Image
from .hq_faces import NOT_JUDGED
from .release_files import read_file

MAX_BYTES = 64 << 20
"""Of one photo."""
MAX_PHOTO_PIXELS = 1 << 26
"""Of one photo, 192 MiB as RGB: the paper's largest has 6245 x 8093 px."""
ORIENTATION = 274
"""The EXIF tag of the same name."""
MOST_OUTSIDE = 3
"""Landmarks that may lie beyond the photo's edge: guesses at a chin or an ear just cut."""
FIVE = (30, 48, 54)
"""Nose tip and mouth corners among the 68: with the pupils the five points of a detector."""


@dataclass(frozen=True)
class Candidate:
    """One photo of a person, by its place in the release."""

    key: str
    image_id: int
    at: list[str]
    wanted: bool
    """A person said keep: no threshold turns it down, only what cannot be read or has no face."""

    @property
    def place(self) -> str:
        return "/".join(filter(None, self.at))


@dataclass(frozen=True)
class Fit:
    """A photo that passed every threshold, ready to be cut out."""

    candidate: Candidate
    face: CandidateFace
    alignment: Alignment
    facts: dict[str, Any]

    @property
    def order(self) -> tuple[Any, ...]:
        """Wanted ones first, then by symmetry, resolution and neutral expression."""
        emotion = self.facts["emotion"]
        neutral = emotion[NEUTRAL] if emotion else 0.0
        return not self.candidate.wanted, self.facts["asym68"], -self.facts["ipd_px"], -neutral, self.candidate.key


def read_photo(raw: Folder, candidate: Candidate) -> Image:
    """RGB (H, W, 3) uint8, upright. Raises Reject for a file that is damaged, too large or no picture."""
    data = read_file(raw, candidate.at, MAX_BYTES)
    try:
        return upright(decode_picture(data, MAX_PHOTO_PIXELS), orientation(data))
    except ValueError as error:
        raise Reject(str(error), candidate.place) from None


def orientation(data: bytes) -> int:
    """How the camera says it was held (EXIF, 1 to 8); 1, upright, where it says nothing that can be read."""
    try:
        with Picture.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as picture:
            said = picture.getexif().get(ORIENTATION, 1)
    except (OSError, SyntaxError, ValueError, struct.error):
        return 1
    return said if said in range(1, 9) else 1


def upright(photo: Image, held: int) -> Image:
    """The photo as it is to be looked at, for an EXIF orientation of 1 to 8."""
    turned = photo.transpose(1, 0, 2) if held > 4 else photo
    if held in (3, 4, 7, 8):
        turned = turned[::-1]
    if held in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    return np.ascontiguousarray(turned)


def located(pupils: Points) -> dict[str, Any]:
    """The facts `pupils` and `ipd_px` of two pupils (2, 2) in px."""
    distance = float(np.linalg.norm(pupils[1] - pupils[0]))
    return {"pupils": [{"x": float(x), "y": float(y)} for x, y in pupils], "ipd_px": distance}


@dataclass
class Examination:
    """One photo on its way through the steps; `facts` grows with what was measured."""

    candidate: Candidate
    how: CandidateOptions
    judges: CandidateJudges
    clock: Clock
    facts: dict[str, Any]

    def turn_down(self, reason: str) -> None:
        """Raise Reject with what was measured, unless a person wants the photo all the same."""
        if not self.candidate.wanted:
            raise Reject(reason, self.candidate.place, self.facts)

    def run(self, photo: Image) -> Fit:
        """Raises Reject inside the clock's stage of the step that turns the photo down."""
        self.facts |= {"height": photo.shape[0], "width": photo.shape[1]}
        with self.clock("faces"):
            face = self._face(photo)
        with self.clock("resolution"):
            if face.ipd < self.how.min_ipd:
                self.turn_down(f"pupils {face.ipd:.1f} px apart, expected {self.how.min_ipd:g} or more")
        with self.clock("quality"):
            self._quality(photo, face)
        with self.clock("edge"):
            if (beyond := face.outside(photo.shape[1], photo.shape[0])) > MOST_OUTSIDE:
                self.turn_down(f"the picture's edge cuts the face: {beyond} of 68 landmarks lie beyond it")
        with self.clock("pose"):
            self._pose(face)
        with self.clock("emotion"):
            self._emotion(photo, face)
        with self.clock("alignment"):
            return self._aligned(photo, face)

    def _face(self, photo: Image) -> CandidateFace:
        judges = self.judges
        self.facts["detector"] = judges.detector.name
        face = largest_face(photo, judges.detector, judges.landmarks)
        if face is None:
            self.facts["n_faces"] = 0
            raise Reject(f"{judges.detector.name} found no face", self.candidate.place, self.facts)
        self.facts |= {
            "n_faces": face.count,
            "face_box": dict(zip(("left", "top", "right", "bottom"), face.box, strict=True)),
            "face_score": face.score,
            **located(face.pupils),
        }
        if face.rival >= RIVAL_SHARE:
            self.turn_down(
                f"{face.count} faces, the second {face.rival:.2f} times as wide as the largest, "
                f"expected below {RIVAL_SHARE:g}"
            )
        return face

    def _quality(self, photo: Image, face: CandidateFace) -> None:
        sharp = sharpness(photo, face)
        colours, flat = style(photo, face)
        drawn = "drawing" if looks_drawn(colours, flat) else NOT_JUDGED
        self.facts |= {"sharpness": sharp, "distinct_colours": colours, "flat_share": flat, "drawing": drawn}
        if sharp < self.how.min_sharpness:
            self.turn_down(f"blurred: sharpness {sharp:.1f}, expected {self.how.min_sharpness:g} or more")

    def _pose(self, face: CandidateFace) -> None:
        five, many, pose = asymmetry5(face.points), asymmetry68(face.points), head_pose(face.points)
        self.facts |= {"asym5": abs(five), "asym68": many}
        self.facts |= {"yaw_deg": pose.yaw, "pitch_deg": pose.pitch, "roll_deg": pose.roll}
        if abs(five) > self.how.max_asym5:
            self.turn_down(f"turned: five-point asymmetry {abs(five):.3f}, expected at most {self.how.max_asym5:g}")
        if many > self.how.max_asym68:
            self.turn_down(f"turned: mirror asymmetry {many:.3f}, expected at most {self.how.max_asym68:g}")
        bias = self.how.declared_bias()
        if bias is None:
            return
        limits = (self.how.max_yaw, self.how.max_pitch)
        for name, angle, own, limit in zip(("yaw", "pitch"), pose[:2], bias, limits, strict=True):
            if abs(angle - own) > limit:
                self.turn_down(
                    f"turned: {name} {angle - own:+.1f} degrees after bias {own:g}, expected within {limit:g}"
                )

    def _emotion(self, photo: Image, face: CandidateFace) -> None:
        judge = self.judges.emotion
        if judge is None:
            self.facts |= {"emotion": None, "emotion_judge": NOT_JUDGED}
            return
        five = np.vstack([face.pupils, face.points[list(FIVE)]]).astype(np.float32)
        found = judge(photo, face.box, five)
        self.facts |= {"emotion": [float(share) for share in found], "emotion_judge": judge.name}
        if (most := int(found.argmax())) != NEUTRAL:
            self.turn_down(
                f"{judge.name} calls it {EMOTIONS[most]} ({found[most]:.2f}), expected neutral ({found[NEUTRAL]:.2f})"
            )

    def _aligned(self, photo: Image, face: CandidateFace) -> Fit:
        pupils = level_pupils(photo, face, self.judges.landmarks)
        alignment = align(pupils)
        self.facts |= located(pupils)
        border = alignment.border(photo.shape[1], photo.shape[0])
        self.facts |= {
            "align_matrix": [float(value) for value in alignment.matrix.ravel()],
            "side_px": alignment.side,
            "border_fraction": border,
        }
        if alignment.side**2 > MAX_PIXELS:
            # Whoever wants it: no reader of a built folder opens a larger picture.
            reason = f"crop of {alignment.side:,} x {alignment.side:,} px, expected at most {MAX_PIXELS:,} px"
            raise Reject(reason, self.candidate.place, self.facts)
        if border > self.how.max_border:
            self.turn_down(
                f"{border:.2f} of the crop lies beyond the picture, expected at most {self.how.max_border:g}"
            )
        return Fit(self.candidate, face, alignment, self.facts)
