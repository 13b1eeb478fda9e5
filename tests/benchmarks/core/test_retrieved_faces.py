"""Retrieved faces: the right ones in the right places, framed where they are the same person's, shown in the report."""

from base64 import b64decode

import cv2
import numpy as np
import pytest
from facevox.benchmarks.core import retrieved_faces
from facevox.benchmarks.core.embeddings import Embeddings, Vectors
from facevox.benchmarks.core.faces_told import Told
from facevox.benchmarks.core.report import Report, Result
from facevox.benchmarks.core.report_html import page
from facevox.benchmarks.core.retrieval import galleries, round_seeds
from facevox.benchmarks.core.retrieved_faces import DIVIDER, FRAME, RING, SIDE, Retrieved, by_clips, by_voices, picture
from facevox.benchmarks.core.table import Table
from facevox.models.core.grid import GAP

ROOM = 3 * RING
TILE = SIDE + 2 * ROOM + GAP


class PlainFaces:
    """A folder whose faces have one colour each; `f3` is twice as high as wide."""

    def __init__(self, count):
        random = np.random.default_rng(0)
        self.colours = {f"f{at}": random.integers(0, 200, 3).astype(np.uint8) for at in range(count)}

    def row(self, key, config):
        assert config == "faces" and key in self.colours
        return {"fields": [{"name": "face.jpg"}]}

    def fetch(self, keys, fields, config):
        for key in keys:
            shape = (80, 40, 3) if key == "f3" else (50, 50, 3)
            yield {fields[0]: np.broadcast_to(self.colours[key], shape)}


def opened(one):
    return cv2.imdecode(np.frombuffer(one.data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(int)


def corner(row, column):
    """Where a tile's frame begins: (top, left)."""
    return row * TILE, column * TILE + (DIVIDER + GAP if column else 0)


def at_angles(degrees):
    return np.stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], 1)


def planted(angles=(0, 100, 190, 300), faces=(3, 2, 2, 2)):
    """People around a circle, one voice each at their angle; their faces 4 degrees apart from there on."""
    who = np.repeat([f"p{at}" for at in range(len(angles))], faces)
    turned = np.concatenate([start + 4.0 * np.arange(count) for start, count in zip(angles, faces, strict=True)])
    names = np.array([f"p{at}" for at in range(len(angles))])
    voices = Vectors(at_angles(angles), np.array([f"v{at}" for at in range(len(angles))]), names)
    return Embeddings(voices, Vectors(at_angles(turned), np.array([f"f{at}" for at in range(len(who))]), who), "d")


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_the_nearest_of_a_planted_gallery_come_in_order(metric):
    found = by_voices(planted(), metric=metric)
    assert found[0] == Retrieved("f0", ("f0", "f1", "f2", "f8", "f7"), (True, True, True, False, False), 9)
    assert found[1].nearest == ("f3", "f4", "f5", "f2", "f6")
    assert found[1].right == (True, True, False, False, False)
    assert [one.own for one in found] == ["f0", "f3", "f5", "f7"]


def test_voices_are_asked_in_the_gallery_that_map_asks_them_in():
    random = np.random.default_rng(1)
    names = np.array([f"p{at:03d}" for at in range(150)])
    voices = Vectors(random.standard_normal((150, 8)), np.char.add("v", names), names)
    who = np.repeat(names, 7)
    faces = Vectors(random.standard_normal((1050, 8)), np.array([f"f{at}" for at in range(1050)]), who)
    both = Embeddings(voices, faces, "d")
    own = list(galleries(both, seed=round_seeds(3, 10)[0]))
    for number, found in enumerate(by_voices(both, seed=3)):
        there = next(one.faces for one in own if number in one.voices)
        unit = faces.values[there] / np.linalg.norm(faces.values[there], axis=1, keepdims=True)
        order = np.argsort(-(unit @ voices.values[number]))[:5]
        assert found.nearest == tuple(faces.keys[there][order])
        assert found.right == tuple((who[there] == names[number])[order])
        assert found.among == 500


def test_clips_are_the_first_of_different_videos_and_their_own_faces_stand_first():
    keys = np.array(["f4", "f3", "f2", "f1", "f0"])
    videos = np.array(["b", "a", "b", "c", "c"])
    faces = at_angles([0, 10, 20, 30, 40])
    found = by_clips(Told(keys, videos, faces[::-1], 7 * faces))
    assert [one.own for one in found] == ["f0", "f2", "f3"]
    assert found[0].nearest == ("f4", "f3", "f2", "f1", "f0")
    assert found[0].right == (False, False, False, True, True)
    many = Told(*(np.array([f"{kind}{at:02d}" for at in range(9)]) for kind in "kv"), *[at_angles(range(9))] * 2)
    assert [one.own for one in by_clips(many)] == [f"k{at:02d}" for at in range(6)]


def test_faces_stand_in_their_places_and_the_same_persons_alone_are_framed():
    folder, found = PlainFaces(9), by_voices(planted())
    (one,) = picture(folder, found, "faces", "face.jpg", "the same person")
    drawn = opened(one)
    assert drawn.shape == (4 * TILE - GAP, 6 * TILE + DIVIDER, 3)
    for row, each in enumerate(found):
        for column, (key, framed) in enumerate(zip((each.own, *each.nearest), (False, *each.right), strict=True)):
            top, left = corner(row, column)
            middle = (top + ROOM + SIDE // 2, left + ROOM + SIDE // 2)
            assert drawn[middle] == pytest.approx(folder.colours[key], abs=12), (row, column)
            lines = drawn[middle[0], left : left + ROOM].reshape(3, RING, 3).mean(1)
            white = np.abs(lines - 255).max(1) < 60
            assert white.tolist() == [not framed, True, not framed], (row, column)
            if framed:
                assert lines[0] == pytest.approx(FRAME, abs=70)
    assert "row 1: 1 and 2 and 3; row 2: 1 and 2; " in one.described
    assert "the 5 of up to 9 that are nearest" in one.title
    assert picture(folder, found, "faces", "face.jpg", "the same person")[0].data == one.data


def test_a_high_face_keeps_its_shape():
    only = [Retrieved("f3", ("f0", "f3"), (False, True), 2)]
    (one,) = picture(PlainFaces(4), only, "faces", "face.jpg", "the same person")
    drawn = opened(one)[ROOM + SIDE // 2, ROOM : ROOM + SIDE]
    assert np.flatnonzero((drawn < 230).any(1)) == pytest.approx(np.arange(24, 72), abs=1)


def test_nothing_is_shown_where_faces_lack_the_field_or_nothing_was_found():
    assert picture(PlainFaces(9), by_voices(planted()), "faces", "origin.jpg", "the same person") == ()
    assert picture(PlainFaces(9), [], "faces", "face.jpg", "the same person") == ()


def test_the_report_shows_it(monkeypatch):
    monkeypatch.setattr(retrieved_faces, "VOICES", 2)
    shown = picture(PlainFaces(9), by_voices(planted()), "faces", "face.jpg", "the same person")
    table = Table("T", ("ID",), (), pictures=shown)
    words = page(Report((Result("a", "A", table=table),), (), "facevox bench all"))
    (held,) = (part.split('"')[0] for part in words.split("data:image/webp;base64,")[1:])
    assert b64decode(held) == shown[0].data
    assert "2 rows of faces, one for each voice" in words
