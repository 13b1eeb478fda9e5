"""What the page shows is what the folder holds: frames, warped frames, sounds in ranges, thumbnails in bounds."""

import io

import numpy as np
import pytest
from facevox.builders.review.media import Thumbnails
from PIL import Image


@pytest.fixture
def spoken(built):
    rows = built["tar"].index.to_pylist()
    return next(row for row in rows if row["config"] == "utterances" and row["alignment"])


def pixels(answer) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB"))


@pytest.mark.parametrize("kind", ["tar", "parquet", "arrow"])
def test_a_frame_is_the_stored_one(client, built, kind):
    folder = built[kind]
    row = next(row for row in folder.index.to_pylist() if row["config"] == "utterances")
    own = client(folder.path)
    for field in ("visual.webp", "thermal.webp"):
        stored = next(folder.fetch([row["key"]], [field], frames=[4], config="utterances"))[field][0]
        answer = own.get(f"/media/utterances/{row['key']}/{field}/5.webp")
        assert answer.headers["content-type"] == "image/webp"
        assert np.array_equal(pixels(answer), stored)


def test_the_overlay_is_the_frame_that_aligned_streaming_gives(client, built, spoken):
    from facevox.loaders.batches import aligned

    folder, key = built["tar"], spoken["key"]
    sample = next(folder.fetch([key], frames=[2], config="utterances"))
    size = sample["thermal.webp"].shape[2], sample["thermal.webp"].shape[1]
    (expected,) = aligned(sample["visual.webp"], [2], sample["json"], size, key)
    assert np.array_equal(pixels(client(folder.path).get(f"/media/utterances/{key}/aligned/3.png")), expected)
    assert expected.std() > 10


def test_sounds_come_in_ranges(client, built, spoken):
    own, place = client(built["tar"].path), f"/media/utterances/{spoken['key']}/mic1.flac"
    whole = own.get(place)
    assert (whole.status_code, whole.headers["content-type"]) == (200, "audio/flac")
    size = len(whole.content)
    spans = {"0-": (0, size), "0-99": (0, 100), "100-": (100, size), "-7": (size - 7, size), "5-999999999": (5, size)}
    for asked, (first, end) in spans.items():
        part = own.get(place, headers={"Range": f"bytes={asked}"})
        assert part.status_code == 206
        assert part.headers["content-range"] == f"bytes {first}-{end - 1}/{size}"
        assert part.content == whole.content[first:end]
    for asked in (f"{size}-", "9-3", "-0"):
        refused = own.get(place, headers={"Range": f"bytes={asked}"})
        assert (refused.status_code, refused.headers["content-range"]) == (416, f"bytes */{size}")
    for asked in ("lines=1-2", "bytes=0-1,4-5", "bytes=-"):
        ignored = own.get(place, headers={"Range": asked})
        assert (ignored.status_code, ignored.content) == (200, whole.content)


def test_thumbnails_are_small_made_once_outside_the_folder_and_bounded(client, built, spoken, tmp_path):
    folder = built["tar"].path
    before = set(folder.rglob("*"))
    own, place = client(folder), f"/thumb/utterances/{spoken['key']}/visual.webp/2.webp"
    assert max(pixels(own.get(place)).shape[:2]) == 192
    (made,) = (tmp_path / "cache").rglob("thumbs/*/*.webp")
    made.write_bytes(b"the second time it is only read")
    assert own.get(place).content == b"the second time it is only read"
    assert set(folder.rglob("*")) == before

    few = Thumbnails(tmp_path / "few", limit=20_000)
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    for number in range(12):
        few.bytes(str(number), lambda: noise)
    assert 0 < sum(path.stat().st_size for path in (tmp_path / "few").rglob("*.webp")) <= 20_000
