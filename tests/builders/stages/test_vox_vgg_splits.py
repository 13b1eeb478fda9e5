"""Published splits: their counts on the real tables, nobody in two, the same draw every time, clips by video."""

from collections import Counter
from dataclasses import replace

import pytest
from facevox.builders.core.raw import open_raw
from facevox.builders.stages.vox_vgg_splits import SPLITS, held_out, members
from facevox.builders.stages.voxceleb_tables import Identity, read_identities

PUBLISHED = {
    "vfmr1": {"train": 5_994, "test": 1_251},
    "uu": {"train": 5_994, "test": 1_251},
    "vfmr2": {"train": 1_000, "validation": 58, "test": 193},
    "svhf": {"train": 942, "validation": 116, "test": 193},
    "dimnet": {"train": 942, "validation": 116, "test": 193},
    "filtered_vggface": {"train": 942, "validation": 116, "test": 193},
    "pins": {"train": 901, "validation": 100, "test": 250},
    "kim": {"train": 1_001, "test": 250},
    "horiguchi": {"train": 862, "test": 216},
    "sh": {"train": 7_245},
}


def made_up(count: int) -> list[Identity]:
    names = [f"{chr(65 + number % 26)}_{number}" for number in range(count)]
    return [Identity("vox1", name, f"id1{at:04d}", name, "f", "USA", "dev", at) for at, name in enumerate(names)]


@pytest.mark.real
@pytest.mark.parametrize("name", SPLITS)
def test_splits_of_the_real_tables_have_the_published_sizes(name, real):
    people = members(read_identities(open_raw(str(real / "voxceleb_meta"))).people, SPLITS[name].sets)
    assigned = SPLITS[name].assign(people, 0)
    assert Counter(assigned.values()) == PUBLISHED[name]
    by_name = [(person.name, assigned[person.key]) for person in people if person.key in assigned]
    assert len(dict(by_name)) == len(by_name), "a name stands in two sets"


@pytest.mark.real
def test_the_real_sets_have_the_published_people(real):
    identities = read_identities(open_raw(str(real / "voxceleb_meta")))
    genders = {
        name: Counter(person.gender for person in members(identities.people, [name]))
        for name in ("vox-vgg-1", "vox-vgg-2")
    }
    assert genders == {"vox-vgg-1": {"m": 690, "f": 561}, "vox-vgg-2": {"m": 3_682, "f": 2_312}}
    second = members(identities.people, ["vox-vgg-2"])
    assert all(person.set == "dev" for person in second)
    assert sum(person.speaker[2:] != person.vggface[-5:] for person in second) > 4_700
    assert "Harry_Connick_Jr." not in {person.name for person in second}


@pytest.mark.parametrize("name", SPLITS)
def test_a_split_depends_on_names_and_seed_alone(name):
    people = made_up(200)
    first = SPLITS[name].assign(people, 0)
    assert SPLITS[name].assign(list(reversed(people)), 0) == first
    moved = [replace(person, speaker=f"id1{9_999 - at:04d}", gender="m") for at, person in enumerate(people)]
    assert SPLITS[name].assign(moved, 0) == first
    drawn = name in ("pins", "kim", "horiguchi")
    assert (SPLITS[name].assign(people, 1) != first) == drawn


def test_fewer_people_keep_the_published_shares():
    counted = Counter(SPLITS["pins"].assign(made_up(125), 0).values())
    assert counted == {"train": 90, "validation": 10, "test": 25}


def test_a_tenth_of_the_clips_is_held_out_by_whole_videos():
    clips = {f"video{number:02d}": 1 + number % 7 for number in range(40)}
    held = held_out(clips, "vox1-id10001", 0)
    taken, total = sum(clips[video] for video in held), sum(clips.values())
    assert total / 10 <= taken < total / 10 + 7
    assert held == held_out(dict(reversed(clips.items())), "vox1-id10001", 0)
    assert held != held_out(clips, "vox1-id10002", 0) and held != held_out(clips, "vox1-id10001", 1)


@pytest.mark.parametrize(("clips", "count"), [({}, 0), ({"one": 9}, 0), ({"one": 1, "two": 1}, 1)])
def test_one_video_always_stays_for_training(clips, count):
    assert len(held_out(clips, "somebody", 0)) == count
