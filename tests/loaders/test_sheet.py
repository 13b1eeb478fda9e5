"""A sheet shows what a sample holds: every picture, every sound, the middle of a clip."""

import cv2
import numpy as np
import pytest
from facevox.loaders.sheet import draw_sheet

GREEN, BLUE = (10, 200, 30), (20, 40, 220)
ROW = {"key": "k", "config": "faces", "split": "train", "ipd_px": 41.5, "speech": [{"first": 0, "end": 8_000}]}


def picture(colour: tuple[int, int, int]) -> np.ndarray:
    return np.full((60, 50, 3), colour, np.uint8)


def share(path, colour: tuple[int, int, int]) -> float:
    drawn = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    return float((drawn == colour).all(-1).mean())


def test_pictures_and_the_middle_of_a_clip_are_drawn(tmp_path):
    clip = np.stack([picture(BLUE), picture(GREEN), picture(BLUE)])
    path = draw_sheet("k", ROW, {"face.jpg": picture(BLUE), "mouth.webp": clip}, tmp_path / "a.png")
    assert share(path, GREEN) > 0.05
    assert share(path, BLUE) == pytest.approx(share(path, GREEN), rel=0.02)


def test_sounds_and_arrays_are_drawn_and_the_same_sheet_has_the_same_bytes(tmp_path):
    tone = (np.sin(np.arange(16_000) * 0.2) * 9_000).astype(np.int16)
    members = {"voice.flac": tone, "sf2f.array": np.eye(40, dtype=np.float32), "face.jpg": picture(GREEN)}
    one = draw_sheet("k", ROW, members, tmp_path / "a.png").read_bytes()
    assert one == draw_sheet("k", ROW, members, tmp_path / "b.png").read_bytes()
    without = draw_sheet("k", ROW, {"face.jpg": picture(GREEN)}, tmp_path / "c.png")
    dark = [float((cv2.imread(str(path)).sum(-1, dtype=int) < 150).mean()) for path in (tmp_path / "a.png", without)]
    assert dark[0] > 0.2
    assert dark[1] < 0.05
