"""A build with a calibration: its matrix in every segment, its content in the plan, its limits in the card."""

import json

import numpy as np
import pytest
from facevox.builders.population.calibration import ForgeOptions, forge
from facevox.builders.speakingfaces import SpeakingFaces, SpeakingFacesOptions
from facevox.builders.stages.align import calibrated_offset, shifted
from facevox.builders.stages.calibration import FILE, load
from facevox.builders.stages.calibration_folder import calibrate
from facevox.loaders.folder import FolderError
from facevox.loaders.stream import Stream, StreamOptions
from facevox.loaders.verify import check

ONE = {"limit": 1}
"""One sample per config and split: shifts of session 2 of the test split are estimated, all others published."""


@pytest.fixture(scope="module")
def calibration(tmp_path_factory):
    """calibration.json of two forged captures."""
    home = tmp_path_factory.mktemp("calibration")
    forge(home / "captures", ForgeOptions(captures=2, spoiled=0))
    calibrate(home / "captures", home / "out")
    return home / "out" / FILE


@pytest.fixture(scope="module")
def folder(release, calibration, tmp_path_factory, build_folder):
    return build_folder(release, tmp_path_factory.mktemp("built") / "out", calibration=str(calibration), **ONE)


def test_every_matrix_is_the_calibrated_one_at_a_whole_shift(folder, built, calibration):
    base = load(calibration).at(0.5)
    offset = calibrated_offset(tuple(base.ravel().tolist()), 0.5)
    published = {row["key"]: row for row in built["tar"].index.to_pylist()}
    rows = folder.index.to_pylist()
    assert {row["shift_source"] for row in rows} == {"published", "estimated"}
    for row in rows:
        before = published[row["key"]]
        assert len(row["alignment"]) == len(before["alignment"])
        for segment, old in zip(row["alignment"], before["alignment"], strict=True):
            assert segment["source"] == "calibration"
            assert (segment["dx"], segment["dy"]) == (old["dx"] + offset[0], old["dy"] + offset[1])
            assert np.allclose(np.reshape(segment["h"], (3, 3)), shifted(base, segment["dx"], segment["dy"]))
        for name in ("shift_source", "aligned_residual", "aligned_checked", "aligned_stored", "alignment_covers"):
            assert row[name] == before[name]


def test_the_folder_is_sound_and_its_card_says_so(folder):
    assert not check(folder.path).problems
    card = (folder.path / "README.md").read_text()
    assert "Alignment matrices are calibrated" in card
    assert "still compares the release's aligned frames with the published matrix" in card


def test_a_stream_aligns_with_the_calibrated_matrix(folder):
    import cv2

    row = next(row for row in folder.index.to_pylist() if row["config"] == "stills")
    options = StreamOptions(fields=("visual.webp", "thermal.webp"), align=True, batch_size=1)
    (found,) = [
        s
        for batch in Stream(folder.path, "stills", row["split"], options, list)
        for s in batch
        if s["__key__"] == row["key"]
    ]
    (plain,) = folder.fetch([row["key"]])
    expected = cv2.warpPerspective(plain["visual.webp"][0], np.reshape(row["alignment"][0]["h"], (3, 3)), (232, 174))
    assert np.array_equal(found["visual.webp"][0], expected)


def test_content_counts_and_not_the_path(folder, release, calibration, tmp_path, build_folder):
    same = tmp_path / "elsewhere.json"
    same.write_bytes(calibration.read_bytes())
    before = (folder.path / "checksums.sha256").read_bytes()
    build_folder(release, folder.path, calibration=str(same), **ONE)
    assert (folder.path / "checksums.sha256").read_bytes() == before
    whole = json.loads(calibration.read_text())
    whole["matrix"][2] += 1.0
    same.write_text(json.dumps(whole))
    for options in ({"calibration": str(same)}, {}):
        with pytest.raises(FolderError, match="calibration was"):
            build_folder(release, folder.path, **options, **ONE)


def test_a_calibration_that_is_none_stops_the_build_before_it_writes(release, tmp_path, build_folder):
    (tmp_path / "odd.json").write_text("{}")
    for name, kind in (("odd.json", ValueError), ("missing.json", FileNotFoundError)):
        with pytest.raises(kind, match="calibrat"):
            build_folder(release, tmp_path / "out", calibration=str(tmp_path / name), **ONE)
    assert not (tmp_path / "out").exists()


def test_the_releases_own_frames_are_not_stored_in_the_calibrated_ones_place(
    release, calibration, tmp_path, build_folder
):
    with pytest.raises(ValueError, match="choose one"):
        build_folder(release, tmp_path / "out", calibration=str(calibration), materialize_aligned=True, **ONE)


def test_of_an_onnx_detector_content_counts_and_not_the_path(tmp_path):
    known = {}
    for place, content in (("one", b"a network"), ("two", b"a network"), ("three", b"another one")):
        (tmp_path / place).mkdir()
        (tmp_path / place / "faces.onnx").write_bytes(content)
        by_path = SpeakingFacesOptions(detector=str(tmp_path / place / "faces.onnx"))
        by_folder = SpeakingFacesOptions(detector="onnx:faces.onnx", models=str(tmp_path / place))
        known[place] = by_path.as_dict()
        assert known[place] == by_path.settled().as_dict() == by_folder.as_dict()
        assert str(tmp_path) not in str(known[place])
    assert known["one"] == known["two"] != known["three"]
    under_way = by_path.settled()
    (tmp_path / "three" / "faces.onnx").write_bytes(b"replaced meanwhile")
    assert under_way.as_dict() == known["three"]
    with pytest.raises(ValueError, match="changed since the build began"):
        under_way.check()
    assert "models" not in SpeakingFacesOptions(models=str(tmp_path)).as_dict()


def test_a_build_under_way_does_not_read_the_file_again(calibration, tmp_path):
    """Workers get the content with their options; the file may change or lie on another machine."""
    file = tmp_path / "calibration.json"
    file.write_bytes(calibration.read_bytes())
    options = SpeakingFacesOptions(calibration=str(file))
    settled = options.settled()
    assert settled.as_dict() == options.as_dict()
    assert settled.calibrated() == options.calibrated() == load(calibration)
    file.unlink()
    assert SpeakingFaces(settled).calibration == load(calibration)
    assert SpeakingFacesOptions().settled().as_dict()["calibration"] == ""
