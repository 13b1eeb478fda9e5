"""Config `faces` of HQ-VoxCeleb: the two pictures of a face and all that was measured on the way to them."""

import pyarrow as pa

from ...loaders.sample import Config, Fact, Field
from ...models.core.emotion import EMOTIONS
from ..core.decisions import DECISIONS
from .voice_face_facts import PERSON, SPLIT_RULE_FACT, TERMS

POINT = pa.struct([("x", pa.float32()), ("y", pa.float32())])
EDGES = pa.struct([(edge, pa.float32()) for edge in ("left", "top", "right", "bottom")])
NOT_JUDGED = "not judged"

PICTURE = (
    Fact("image_name", pa.string(), "path of the picture in the release, without the archive's own name"),
    Fact("image_id", pa.int32(), "its number among the person's pictures: its name where all names are numbers"),
    Fact("width", pa.int32(), "of the picture in px; a web photo is turned upright by its EXIF note first"),
    Fact("height", pa.int32(), "of the picture in px, likewise"),
    Fact("white_share", pa.float32(), "share of masked.jpg's pixels at 250 or above in all colours; of a release only"),
    Fact("picked_by", pa.string(), "rank, decision (a person said keep), or release (its authors picked it)"),
    Fact("rank", pa.int16(), "place among the person's pictures that fit, from 1; null where they were not ranked"),
)
FACE = (
    Fact("detector", pa.string(), "what found the face"),
    Fact("n_faces", pa.int16(), "faces found in the picture"),
    Fact("face_box", EDGES, "the largest one in px of the picture; it may reach beyond, right and bottom are outside"),
    Fact("face_score", pa.float32(), "of the detector, in its own scale"),
    Fact("pupils", pa.list_(POINT), "two points in px of the picture, left of the picture first: middles of the eyes"),
    Fact("ipd_px", pa.float32(), "distance of the pupils in px"),
)
POSE = (
    Fact("asym5", pa.float32(), "nose tip beside the middle of the pupils, along their line, over their distance"),
    Fact("asym68", pa.float32(), "RMS distance of the 68 points from their own mirror image, over the pupil distance"),
    Fact("yaw_deg", pa.float32(), "solvePnP with a generic head, bias not subtracted; + to the picture's right"),
    Fact("pitch_deg", pa.float32(), "likewise, + looks up; depends on the face's shape, see pose_bias"),
    Fact("roll_deg", pa.float32(), "likewise, + leans clockwise in the picture; no reason to leave a face out"),
)
JUDGED = (
    Fact("emotion", pa.list_(pa.float32()), f"probabilities of {', '.join(EMOTIONS)}; null where not judged"),
    Fact("emotion_judge", pa.string(), f"the network asked, or '{NOT_JUDGED}'"),
    Fact("sharpness", pa.float32(), "variance of the Laplacian of the grey face, pupils at most 60 px apart"),
    Fact("distinct_colours", pa.int16(), "cells of 8x8x8 levels met in 1,000 pixels of the face: many in paintings"),
    Fact("flat_share", pa.float32(), "share of the face's pixels that equal their right neighbour: high in cartoons"),
    Fact("drawing", pa.string(), f"'drawing' after the two before, else '{NOT_JUDGED}'; never a reason to leave out"),
)
CUT_OUT = (
    Fact("align_matrix", pa.list_(pa.float64()), "2x3 row by row: picture to crop in px (integer pixel centres)"),
    Fact("side_px", pa.int32(), "width and height of the crop"),
    Fact("border_fraction", pa.float32(), "share of the crop that lies outside the picture and is white"),
    Fact("mask_fraction", pa.float32(), "share of the crop that the mask calls person"),
    Fact("segmenter", pa.string(), "what told the person from the background"),
)
FACES = Config(
    "faces",
    "One aligned face: pupils at the same fractions of the square, once with white for background.",
    (
        Field("masked.jpg", "image", "the face with its background replaced by white"),
        Field("origin.jpg", "image", "the same crop with its background", optional=True),
    ),
    (*PERSON, SPLIT_RULE_FACT, *PICTURE, *FACE, *POSE, *JUDGED, *CUT_OUT, *TERMS, DECISIONS),
)
