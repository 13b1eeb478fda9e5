"""Config `faces`: one square face per picture of VGGFace or VGGFace2, for people whose voices VoxCeleb has."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from ...loaders.media import decode_picture, encode_still
from ...loaders.sample import SPLIT_GROUP, Config, Fact, Field, Sample
from ...models.core.detectors import Box, Detector, Face
from ..core.builder import Unit
from ..core.raw import Folder
from ..core.source_files import SourceFiles
from ..core.stage import Attempts, Clock, Reject, Rejection
from .release_files import read_file
from .vggface_boxes import PublishedBox
from .voice_face_facts import PERSON, SPLIT_GROUP_FACT, SPLIT_RULE_FACT, TERMS, split_group
from .vox_vgg_options import VoxVggOptions
from .vox_vgg_splits import SEEN_HEARD

Picture = NDArray[np.uint8]
MAX_PICTURE_BYTES = 32 << 20
SEARCHED_SIDE = 1_024
"""Larger pictures are searched for faces at this longer side, and cut out of the picture itself."""
SMALLEST_BOX = 8
"""Pixels of a published box's shorter side, under which there is nothing to enlarge."""

EDGES = ("left", "top", "right", "bottom")
BOX = pa.struct([(edge, pa.float32()) for edge in EDGES])
POINT = pa.struct([("x", pa.float32()), ("y", pa.float32())])
HELD_OUT = Fact(
    "held_out", pa.bool_(), "in the tenth of this person's videos (pictures) drawn for a seen-heard test; see --splits"
)
IN_VGGFACE2 = Fact(
    "name_in_vggface2",
    pa.bool_(),
    "whether VGGFace2, on which face networks are commonly trained, has somebody of this name; null without its table",
)
FACES = Config(
    "faces",
    "One face per picture, a square about the detector's box; the pictures of one person lie together.",
    (Field("face.webp", "image", "the crop, --face-size pixels square, bilinear; lossless unless --quality is given"),),
    (
        *PERSON,
        SPLIT_RULE_FACT,
        SPLIT_GROUP_FACT,
        HELD_OUT,
        Fact("image_name", pa.string(), "the picture's file name in the release"),
        IN_VGGFACE2,
        Fact("width", pa.int32(), "of the picture, in pixels"),
        Fact("height", pa.int32(), "of the picture, in pixels"),
        Fact("box", BOX, "the face in the picture's pixels as found, right and bottom outside; may reach beyond it"),
        Fact("crop", BOX, "what face.webp shows: a square of box_scale times the box's longer side, cut at the edges"),
        Fact("box_scale", pa.float32(), "side of that square over the longer side of the box"),
        Fact("detector", pa.string(), "what found the box; `list` is the box that VGGFace's list gives"),
        Fact("det_conf", pa.float32(), "score of the face, in the detector's own scale"),
        Fact("n_faces", pa.int32(), "faces of at least --min-confidence in the picture; null for boxes of a list"),
        Fact("points", pa.list_(POINT), "eye, eye, nose, mouth corner, mouth corner, from image left; [] if unknown"),
        Fact("ipd", pa.float32(), "pixels between the eye points in the picture; null without points"),
        Fact("release_box", BOX, "box published for this picture (loose_bb or list); it tells which of several faces"),
        Fact("list_pose", pa.float32(), "pose in VGGFace's list: the model of its detector that fired"),
        Fact("list_curated", pa.bool_(), "whether VGGFace's list counts the picture among those filtered by people"),
        *TERMS,
    ),
)


PictureRow = tuple[str, str, bool, list[Any] | None]
"""Sample key, name inside the person's folder or archive, whether held out, PublishedBox.as_row() or None."""


def packed(pictures: Sequence[PictureRow]) -> str:
    """Pictures of a unit as text: 1.9 million rows of lists would fill 2 GB while a build is planned."""
    return json.dumps(pictures, ensure_ascii=False, separators=(",", ":"))


def face_files(unit: Unit, key: str) -> SourceFiles | None:
    """The picture of a key with the box published for it; of a whole person's unit, all pictures."""
    pictures = [row for row in json.loads(unit.details["pictures"]) if key in (row[0], unit.key)]
    files = tuple((unit.details["place"], name) for _, name, _, _ in pictures)
    return SourceFiles(files, [box for _, _, _, box in pictures]) if pictures else None


def read_faces(raw: Folder, unit: Unit, how: VoxVggOptions, clock: Clock) -> Iterator[Sample | Rejection]:
    """Faces of one person in key order; a row for every picture without one."""
    attempt, detector = Attempts(clock), how.open_detector()
    for key, name, held, row in json.loads(unit.details["pictures"]):
        yield attempt(
            lambda of=(key, name, held, row): _read(raw, unit, of, (how, detector), clock),  # type: ignore[misc]
            _reject(unit, key, picture_place(unit.details["place"], name)),
        )


def _reject(unit: Unit, key: str, picture: str) -> Callable[[str, str, str, str, str], Rejection]:
    def rejection(stage: str, place: str, reason: str, kind: str, measured: str) -> Rejection:
        return Rejection(key, unit.config, unit.split, stage or "read", picture, reason, kind, measured)

    return rejection


def _read(
    raw: Folder,
    unit: Unit,
    picture: PictureRow,
    by: tuple[VoxVggOptions, Detector],
    clock: Clock,
) -> Sample:
    (key, name, held, row), (how, detector) = picture, by
    published = PublishedBox(*row) if row else None
    listed = how.splits == "filtered_vggface" and bool(unit.details["listed"])
    with clock("list"):
        if listed:
            _check_listed(published)
    with clock("read"):
        data = read_file(raw, [unit.details["place"], name], MAX_PICTURE_BYTES)
    with clock("decode"):
        pixels = decoded(data)
    with clock("faces"):
        found = _of_list(published, pixels) if listed and published else find_face(pixels, detector, published, how)
    with clock("crop"):
        crop = square(found["box"], how.box_scale, pixels.shape[:2])
        face = cut(pixels, crop, how.face_size)
    with clock("encode"):
        media = {"face.webp": encode_still(face, how.quality)}
    facts = unit.details["facts"] | found | _of_picture(name, pixels, published)
    facts |= {"box": as_edges(found["box"]), "crop": as_edges(crop), "box_scale": how.box_scale, HELD_OUT.name: held}
    if how.splits == SEEN_HEARD:
        facts[SPLIT_GROUP] = split_group(key)
    return Sample(key, unit.identity, unit.split, media, facts)


def picture_place(place: str, name: str) -> str:
    """Where a picture lies, for people to read: a folder's files are listed with its own name first."""
    above, _, own = place.rpartition("/")
    return f"{above}/{name}".lstrip("/") if name.startswith(f"{own}/") else f"{place}/{name}"


def decoded(data: bytes) -> Picture:
    """A picture file -> (H, W, 3) uint8 RGB. Raises Reject for damage, another kind or too many pixels."""
    try:
        return decode_picture(data)
    except ValueError as error:
        raise Reject(str(error)) from None


def find_face(
    picture: Picture, detector: Detector, published: PublishedBox | None, how: VoxVggOptions
) -> dict[str, Any]:
    """The face that counts, as facts with its `box`: the one in the published box if there is one, else the largest.

    Raises Reject where no face is sure enough, or none has its middle in the published box.
    """
    faces = search(picture, detector)
    sure = [face for face in faces if face.score >= how.min_confidence]
    height, width = picture.shape[:2]
    measured = {"width": width, "height": height, "n_faces": len(sure), "det_conf": faces[0].score if faces else None}
    if not sure:
        best = f"; the best of {len(faces)} scores {faces[0].score:.3f}" if faces else ""
        raise Reject(f"{detector.name} finds no face of score {how.min_confidence:g} or more{best}", "", measured)
    own = [face for face in sure if published is None or _middle_in(face.box, published)]
    if not own:
        raise Reject(f"{len(sure)} faces, none with its middle in the published box", "", measured)
    face = max(own, key=lambda face: (_area(face.box), face.score))
    points = [] if face.points is None else [{"x": float(x), "y": float(y)} for x, y in face.points]
    ipd = float(np.hypot(*(face.points[1] - face.points[0]))) if face.points is not None else None
    found = {"box": face.box, "det_conf": face.score, "n_faces": len(sure), "points": points, "ipd": ipd}
    return found | {"detector": detector.name}


def search(picture: Picture, detector: Detector) -> list[Face]:
    """Faces in the picture's pixels, best first; pictures over SEARCHED_SIDE are searched at that size."""
    factor = max(picture.shape[:2]) / SEARCHED_SIDE
    if factor <= 1:
        return detector(picture)
    height, width = (max(1, round(side / factor)) for side in picture.shape[:2])
    across, down = picture.shape[1] / width, picture.shape[0] / height
    small = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    return [
        Face(
            (f.box[0] * across, f.box[1] * down, f.box[2] * across, f.box[3] * down),
            f.score,
            None if f.points is None else (f.points * (across, down)).astype(np.float32),
        )
        for f in detector(small)
    ]


def square(box: Box, scale: float, size: tuple[int, ...]) -> Box:
    """The square of `scale` times the box's longer side about its middle, cut at the edges of a (height, width).

    Raises Reject when less than half of it is left.
    """
    left, top, right, bottom = box
    side = scale * max(right - left, bottom - top)
    x, y = (left + right) / 2, (top + bottom) / 2
    height, width = size
    crop = (max(0.0, x - side / 2), max(0.0, y - side / 2), min(width, x + side / 2), min(height, y + side / 2))
    shown = max(0.0, crop[2] - crop[0]) * max(0.0, crop[3] - crop[1])
    if not math.isfinite(shown) or shown < side * side / 2:
        measured = {"width": width, "height": height, "box": list(box), "shown": shown}
        raise Reject(f"less than half of the face's square lies in the picture of {width} x {height}", "", measured)
    return crop


def cut(picture: Picture, crop: Box, side: int) -> Picture:
    """The crop of a picture (H, W, 3) at `side` pixels square: bilinear, averaged over the pixels that it shrinks."""
    # Pillow takes crops between pixels and widens its filter when it shrinks; OpenCV's would skip pixels.
    shown = Image.fromarray(picture).resize((side, side), Image.Resampling.BILINEAR, box=crop)
    return np.asarray(shown, np.uint8)


def as_edges(box: Box) -> dict[str, float]:
    return dict(zip(EDGES, (float(edge) for edge in box), strict=True))


def _check_listed(published: PublishedBox | None) -> None:
    if published is None:
        raise Reject("not in VGGFace's list of this person")
    if not published.curated:
        raise Reject("curation 0 in VGGFace's list: not among the faces that people filtered")


def _of_list(published: PublishedBox, picture: Picture) -> dict[str, Any]:
    box = (published.left, published.top, published.right, published.bottom)
    height, width = picture.shape[:2]
    if min(box[2] - box[0], box[3] - box[1]) < SMALLEST_BOX or not (box[0] < width and box[1] < height):
        raise Reject(f"the list's box {box} does not fit a picture of {width} x {height} pixels")
    return {"box": box, "det_conf": published.score, "detector": "list", "points": []}


def _of_picture(name: str, picture: Picture, published: PublishedBox | None) -> Mapping[str, Any]:
    facts: dict[str, Any] = {"image_name": name.rsplit("/", 1)[-1]}
    facts |= {"width": picture.shape[1], "height": picture.shape[0]}
    if published:
        box = (published.left, published.top, published.right, published.bottom)
        facts |= {"release_box": as_edges(box), "list_pose": published.pose, "list_curated": published.curated}
    return facts


def _middle_in(box: Box, published: PublishedBox) -> bool:
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return published.left <= x <= published.right and published.top <= y <= published.bottom


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
