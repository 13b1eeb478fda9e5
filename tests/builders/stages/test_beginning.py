"""Jumps in the first frames: found to the frame where planted, nothing found where people merely move."""

import numpy as np
import pytest
from facevox.builders.population.heads import head
from facevox.builders.population.people import draw
from facevox.builders.population.scene import Shot, Stage, at_position
from facevox.builders.stages.beginning import last_jump


def frames(seed: int, jumps: dict[int, int], scale: float, sway: float = 3.0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    stage = Stage(head(draw(seed, 1 + seed), 1, scale), seed, 1, 1, 1 + seed % 9, scale)
    found = []
    for number in range(1, 12):
        pose = at_position(1 + seed % 9, 378.0 + sway * np.sin(number / 2), 260.0)
        shot = Shot(pose, 0, 0, round(jumps.get(number, 0) * scale))
        found.append(stage.visual(shot, random)[:, :, ::-1].copy())
    return found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("scale", [0.5, 1.0])
@pytest.mark.parametrize("jumps", [{2: -160}, {2: 320}, {2: 480}, {1: -160, 2: -160}, {3: 90}, {1: 60, 4: -317}])
def test_the_last_jump_is_found(seed, scale, jumps):
    assert last_jump(frames(seed, jumps, scale), scale) == max(jumps)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("sway", [0.0, 3.0, 25.0])
def test_nothing_is_found_where_nothing_jumps(seed, sway):
    assert last_jump(frames(seed, {}, 0.5, sway), 0.5) == 0


def test_jumps_without_wrapping_around_are_found_too():
    plain = frames(1, {}, 0.5)
    plain[1] = np.concatenate([np.zeros_like(plain[1][:, :80]), plain[1][:, :-80]], 1)
    assert last_jump(plain, 0.5) == 2


def test_downward_jumps_count_and_small_ones_do_not():
    plain = frames(2, {}, 0.5)
    plain[2] = np.roll(plain[2], 40, 0)
    assert last_jump(plain, 0.5) == 3
    assert last_jump(frames(2, {2: 40}, 0.5), 0.5) == 0


def test_too_few_or_blank_frames_hold_no_jump():
    assert last_jump([], 1.0) == 0
    assert last_jump(frames(1, {2: -160}, 0.5)[:2], 0.5) == 0
    assert last_jump([np.zeros((256, 384, 3), np.uint8)] * 11, 0.5) == 0


@pytest.mark.parametrize(("count", "shifted"), [(11, [11]), (6, [6]), (11, [10, 11]), (11, [7])])
def test_good_frames_stay_when_the_last_ones_are_shifted(count, shifted):
    plain = [frames(3, {}, 0.5)[0]] * count
    for number in shifted:
        plain[number - 1] = np.roll(plain[0], 80, 1)
    assert last_jump(plain, 0.5) == (7 if shifted == [7] else 0)
    plain[1] = np.roll(plain[0], 80, 1)
    assert last_jump(plain, 0.5) == (7 if shifted == [7] else 2)
