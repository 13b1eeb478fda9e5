"""A forged AVSpeech is a pure function of its options; voices can be given to others; every trap is there."""

from itertools import pairwise

import numpy as np
import pytest
from facevox.builders.population.avspeech import ForgeOptions, forge, plan, spoken
from facevox.builders.population.avspeech_videos import ODD
from facevox.builders.stages.avspeech_listing import split_of
from facevox.builders.stages.voice_face_facts import FORGED_MARK

SMALL = ForgeOptions(videos=1, clips=1, seconds=1.0, fps=6, odd=False)


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_options_give_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        forge(tmp_path / name, SMALL)
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert (tmp_path / "one.truth.json").read_bytes() == (tmp_path / "two.truth.json").read_bytes()
    assert (tmp_path / "one" / FORGED_MARK).is_file()
    forge(tmp_path / "other", ForgeOptions(videos=1, clips=1, seconds=1.0, fps=6, odd=False, seed=1))
    assert files(tmp_path / "one").keys() != files(tmp_path / "other").keys()
    with pytest.raises(FileExistsError, match="new or empty"):
        forge(tmp_path / "one", SMALL)


def test_the_null_control_changes_voices_and_not_faces():
    linked, unlinked = (plan(ForgeOptions(videos=4, odd=False, link=link)) for link in (True, False))
    for one, other in zip(linked, unlinked, strict=True):
        assert one.people[0].face == other.people[0].face
        assert one.people[0].voice != other.people[0].voice
        assert (one.youtube_id, one.segments) == (other.youtube_id, other.segments)
    options = ForgeOptions(videos=4, odd=False)
    assert not np.array_equal(spoken(linked[0], options), spoken(unlinked[0], options))


def test_every_trap_and_every_split_is_in_a_release():
    videos = plan(ForgeOptions())
    assert {video.odd for video in videos} == {"", *ODD}
    ids = {video.odd: video.youtube_id for video in videos}
    assert ids["id of digits"].isdigit() and ids["id of digits"].startswith("0")
    assert ids["id begins with a dash"].startswith("-")
    assert {video.table for video in videos} == {"train", "test"}
    for video in videos:
        spans = [(segment.start_ms, segment.end_ms) for segment in video.segments]
        assert all(end < start for (_, end), (start, _) in pairwise(spans))


def test_both_genders_are_in_every_split():
    videos = plan(ForgeOptions(videos=8, odd=False))
    found = {(split_of(video.youtube_id, None), video.people[0].gender) for video in videos}
    assert found == {(split, gender) for split in ("train", "validation", "test") for gender in ("Female", "Male")}
