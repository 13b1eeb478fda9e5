"""Which faces share a descriptor, and which are left out as nearly the same."""

import numpy as np
from facevox.builders.stages.face_tracks import LONGEST, Duplicates, Tracks, likeness, overlap

BOX = (100.0, 100.0, 200.0, 220.0)


def face(seed, noise=0.0):
    own = np.random.default_rng(seed).integers(0, 256, (24, 24, 3)).astype(float)
    return np.clip(own + np.random.default_rng(99).normal(0, noise, own.shape), 0, 255).astype(np.uint8)


def moved(by):
    return tuple(edge + by for edge in BOX)


def test_a_face_in_place_keeps_its_track_and_another_one_there_starts_a_new_one():
    tracks = Tracks()
    assert tracks.add([(BOX, face(1))]) == [0]
    assert tracks.add([(moved(10), face(1, 5))]) == [0]
    assert tracks.add([(moved(10), face(2))]) == [1], "a cut to somebody else at the same place"
    assert tracks.add([(moved(10), face(1))]) == [2], "and back"
    assert tracks.add([(moved(90), face(1))]) == [3], "the same look elsewhere"
    assert tracks.add([]) == []
    assert tracks.add([(moved(90), face(1))]) == [4], "a frame without a face between"


def test_the_same_face_in_other_light_starts_a_new_track():
    tracks = Tracks()
    tracks.add([(BOX, face(1) // 2)])
    assert tracks.add([(BOX, face(1) // 2 + 60)]) == [1]


def test_two_faces_of_a_frame_never_share_a_track():
    tracks = Tracks()
    assert tracks.add([(BOX, face(1)), (moved(5), face(1))]) == [0, 1]
    assert sorted(tracks.add([(moved(5), face(1)), (BOX, face(1))])) == [0, 1]
    assert tracks.count == 2


def test_a_track_ends_after_its_longest():
    tracks = Tracks()
    numbers = [tracks.add([(BOX, face(1))])[0] for _ in range(2 * LONGEST + 1)]
    assert [numbers.count(track) for track in range(3)] == [LONGEST, LONGEST, 1]


def test_near_duplicates_of_any_kept_face_are_told():
    seen = Duplicates(0.95)
    assert [seen.add(face(one)) for one in (1, 2, 1, 3, 2)] == [False, False, True, False, True]
    assert seen.add(face(1, 5)) and not seen.add(face(1, 80))
    everything = Duplicates(1.0)
    assert not any(everything.add(face(1)) for _ in range(3))


def test_likeness_is_the_correlation_coefficient():
    looks = np.stack([face(1), face(2), np.full((24, 24, 3), 7, np.uint8)])
    expected = [np.corrcoef(one.ravel(), face(1, 20).ravel())[0, 1] for one in looks[:2]]
    assert np.allclose(likeness(looks, face(1, 20)), [*expected, 0.0])
    assert overlap(BOX, BOX) == 1 and overlap(BOX, moved(500)) == 0
