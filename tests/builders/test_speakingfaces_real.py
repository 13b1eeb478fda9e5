"""Real captures, real face panels, real voices and the real published tables, laid out as a release and built."""

import csv
import io
import shutil
import zipfile
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile
import yaml
from facevox.builders.stages.align import THERMAL_POINTS, VISUAL_POINTS
from facevox.loaders.palette import palette
from facevox.loaders.verify import check
from PIL import Image
from scipy.signal import resample_poly

pytestmark = pytest.mark.real
FORMATS = pytest.mark.parametrize("format_", ["tar", "parquet", "arrow"])
CAPTURES = (1, 2, 3, 5, 7, 8, 10)
PANELS = (
    *(f"np_pos{n}" for n in (1, 3, 4, 5, 7, 9)),
    *(f"t2v_id{n}" for n in (3, 5, 6, 7, 8)),
    *(f"tl_{n}" for n in range(1, 6)),
)

UTTERANCES = {
    "006_2_2_8_1113": ("captures", "1688/1688-142285-0002", [(39, -1), (39, -154), *[(39, -1)] * 5]),
    "062_1_2_9_0316": ("panels", "367/367-130732-0000", None),
    "056_2_2_1_0999": ("captures", "3331/3331-159605-0001", [(44, 3)] * 7),
    "121_1_2_4_0017": ("captures", "2033/2033-164914-0004", [(61, 7)] * 7),
}
"""Clips of the fixture: pictures, voice, and (dy, dx) per frame behind stream 3 (None: no stream 3 in that clip)."""
STILLS = {"001_1_1_3_0001": (12, 1)}


def matrix(dx: int, dy: int) -> np.ndarray:
    """The authors' call, four points and RANSAC: not the package's formula."""
    moved = np.float64([(x + dx, y + dy) for x, y in VISUAL_POINTS])
    return cv2.findHomography(moved, np.float64(THERMAL_POINTS), cv2.RANSAC, 2.0)[0]


def pictures(real: Path, kind: str) -> list[tuple[bytes, bytes]]:
    """(thermal, visual) PNG bytes: captures byte for byte, panels pasted on full-size canvases."""
    home = real / "speakingfaces"
    if kind == "captures":
        return [tuple((home / "calibration" / f"{n}_{s}.png").read_bytes() for s in (0, 1)) for n in CAPTURES]
    pairs = []
    for name in PANELS:
        canvases = []
        for stream, (width, height) in (("thermal", (464, 348)), ("visual", (768, 512))):
            panel = cv2.imread(str(home / "panels" / f"{name}_{stream}.png"))
            # On the thermal canvas the panel lies on a colour of the palette: only its own resampled pixels stray.
            canvas = np.full((height, width, 3), palette()[20][::-1] if stream == "thermal" else 120, np.uint8)
            top, left = (height - panel.shape[0]) // 2, (width - panel.shape[1]) // 2
            canvas[top : top + panel.shape[0], left : left + panel.shape[1]] = panel
            canvases.append(cv2.imencode(".png", canvas)[1].tobytes())
        pairs.append(tuple(canvases))
    return pairs


def aligned(visual: bytes, dx: int, dy: int) -> bytes:
    frame = cv2.imdecode(np.frombuffer(visual, np.uint8), cv2.IMREAD_COLOR)
    warped = cv2.warpPerspective(frame, matrix(dx, dy), (464, 348), flags=cv2.INTER_LINEAR)
    # Best compression: the size bars below must not profit from badly packed pictures of our own.
    return cv2.imencode(".png", warped, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes()


def wav(voice: Path, gain: float) -> bytes:
    """A 16 kHz voice at 44.1 kHz."""
    samples, rate = soundfile.read(voice)
    out = io.BytesIO()
    soundfile.write(out, resample_poly(samples, 441, rate // 100) * gain, 44_100, format="WAV", subtype="PCM_16")
    return out.getvalue()


def add_clip(
    archive: zipfile.ZipFile, root: str, stem: str, folders: tuple[str, ...], frames: list[tuple[bytes, ...]]
) -> None:
    for number, streams in enumerate(frames, 1):
        for stream, (folder, data) in enumerate(zip(folders, streams, strict=False), 1):
            archive.writestr(f"{root}/{folder}/{stem}_{number}_{stream}.png", data)


@pytest.fixture(scope="module")
def release(real, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("real") / "release"
    shutil.copytree(real / "speakingfaces" / "metadata", out / "metadata")
    out.joinpath("metadata").chmod(0o755)
    for folder in ("metadata/commands", "image_audio", "image_only"):
        (out / folder).mkdir(exist_ok=True, parents=True)
    for key, (kind, voice, shifts) in UTTERANCES.items():
        subject, trial, _, position, command = map(int, key.split("_"))
        frames = pictures(real, kind)
        if shifts:
            frames = [(t, v, aligned(v, dx, dy)) for (t, v), (dy, dx) in zip(frames, shifts, strict=True)]
        root, stem = f"sub_{subject}_ia/trial_{trial}", f"{subject}_{trial}_2_{position}_{command}"
        with zipfile.ZipFile(out / "image_audio" / f"sub_{subject}_ia.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            add_clip(archive, root, stem, ("thr_image_cmd", "rgb_image_cmd", "rgb_image_cmd_aligned"), frames)
            for mic, gain in ((1, 0.9), (2, 0.7)):
                sound = wav(real / "voices" / "librispeech" / f"{voice}.flac", gain)
                archive.writestr(f"{root}/mic{mic}_audio_cmd_trim/{stem}_{mic}.wav", sound)
        table = f"Command,Cmd ID,Pos ID,Transcript,Thermal,Visual,Audio,Text\nsay,{command},{position},said,0,0,0,0\n"
        (out / "metadata" / "commands" / f"sub_{subject}_trial_{trial}.csv").write_text(table)
    for key, (dy, dx) in STILLS.items():
        subject, trial, _, position, _ = map(int, key.split("_"))
        frames = [(t, v, aligned(v, dx, dy)) for t, v in pictures(real, "captures")]
        with zipfile.ZipFile(out / "image_only" / f"sub_{subject}_io.zip", "w") as archive:
            root, stem = f"sub_{subject}_io/trial_{trial}", f"{subject}_{trial}_1_{position}"
            add_clip(archive, root, stem, ("thr_image", "rgb_image", "rgb_image_aligned"), frames)
    return out


@pytest.fixture(scope="module")
def folder_in(release, tmp_path_factory, build_folder):
    """folder_in(format): the release built in a format, once."""

    def build(format_: str):
        out = tmp_path_factory.mktemp("built") / "out"
        return build_folder(release, out, format=format_, subjects="1,6,56,62,121")

    return cache(build)


@pytest.fixture
def folder(folder_in):
    return folder_in("tar")


@FORMATS
def test_shards_card_and_quarantine(folder_in, format_):
    folder = folder_in(format_)
    assert folder.index["key"].to_pylist() == [
        "001_1_1_3_0001",
        "121_1_2_4_0017",
        "006_2_2_8_1113",
        "056_2_2_1_0999",
        "062_1_2_9_0316",
    ]
    assert not check(folder.path).problems
    rows = folder.quarantine.to_pylist()
    missing = ["image_audio/sub_1_ia.zip", *(f"image_only/sub_{n}_io.zip" for n in (6, 56, 62, 121))]
    assert sorted(row["place"] for row in rows) == sorted(missing)
    assert all("not in the release folder" in row["reason"] for row in rows)
    card = (folder.path / "README.md").read_text()
    head = yaml.safe_load(card.split("---")[1])
    assert head["license"] == "cc-by-4.0"
    assert [c["config_name"] for c in head["configs"]] == ["utterances", "stills"]
    for words in (
        "signed an informed consent form",
        "10.48333/smgd-yj77",
        "## Bias",
        "Out of scope",
        "2,268,000",
        "@article",
    ):
        assert words in card
    assert "forged" not in card


def test_facts_come_from_the_real_tables(folder):
    rows = {row["key"]: row for row in folder.index.to_pylist()}
    for key, gender, age, accessories, split in (
        ("001_1_1_3_0001", "Male", 32, "Glasses", "train"),
        ("006_2_2_8_1113", "Male", 25, "Glasses", "train"),
        ("056_2_2_1_0999", "Female", 22, "Glasses", "train"),
        ("121_1_2_4_0017", "Female", 47, "None", "test"),
    ):
        row = rows[key]
        assert (row["gender"], row["age"], row["accessories"], row["split"]) == (gender, age, accessories, split)
    assert rows["121_1_2_4_0017"]["consent"].startswith("signed informed consent")
    assert rows["121_1_2_4_0017"]["transcript"] == "said"


@FORMATS
def test_pixels_and_samples_are_those_of_the_files(real, folder_in, format_):
    folder = folder_in(format_)
    for row in folder.index.to_pylist():
        (sample,) = folder.fetch([row["key"]])
        kind = UTTERANCES[row["key"]][0] if row["session"] == 2 else "captures"
        for number, streams in enumerate(pictures(real, kind)):
            for name, data in zip(("thermal.webp", "visual.webp"), streams, strict=True):
                assert np.array_equal(sample[name][number], np.asarray(Image.open(io.BytesIO(data))))
        if row["session"] == 2:
            for mic, gain in ((1, 0.9), (2, 0.7)):
                voice = wav(real / "voices" / "librispeech" / f"{UTTERANCES[row['key']][1]}.flac", gain)
                assert np.array_equal(sample[f"mic{mic}.flac"], soundfile.read(io.BytesIO(voice), dtype="int16")[0])


def test_published_rules_and_estimates_on_real_pixels(folder):
    rows = {row["key"]: row for row in folder.index.to_pylist()}

    def found(key):
        return [(s["first"], s["last"], s["dx"], s["dy"], s["source"]) for s in rows[key]["alignment"]]

    assert found("006_2_2_8_1113") == [
        (1, 1, -1, 39, "published"),
        (2, 2, -154, 39, "published"),
        (3, 7, -1, 39, "published"),
    ]
    assert found("056_2_2_1_0999") == [(1, 7, 3, 44, "estimated")]
    assert found("121_1_2_4_0017") == [(1, 7, 7, 61, "estimated")]
    assert found("001_1_1_3_0001") == [(1, 7, 1, 12, "published")]
    assert all(source == "published" for *_, source in found("062_1_2_9_0316"))
    for row in rows.values():
        if row["key"] != "062_1_2_9_0316":
            assert row["aligned_residual"] <= 0.5
            assert not row["aligned_stored"]
    assert (rows["062_1_2_9_0316"]["aligned_checked"], rows["062_1_2_9_0316"]["aligned_residual"]) == (0, None)
    h = np.array(rows["121_1_2_4_0017"]["alignment"][0]["h"]).reshape(3, 3)
    assert np.allclose(h, matrix(7, 61) / matrix(7, 61)[2, 2], atol=1e-7)


def test_captures_keep_to_the_palette_and_resampled_panels_do_not(real, folder):
    colours = {tuple(colour) for colour in palette().tolist()}
    for row in folder.index.to_pylist():
        kind = UTTERANCES[row["key"]][0] if row["session"] == 2 else "captures"
        outside = 0
        if kind == "panels":
            for thermal, _ in pictures(real, kind):
                pixels, counts = np.unique(
                    np.asarray(Image.open(io.BytesIO(thermal))).reshape(-1, 3), axis=0, return_counts=True
                )
                outside += sum(
                    int(n) for pixel, n in zip(pixels.tolist(), counts, strict=True) if tuple(pixel) not in colours
                )
            assert outside > 10_000
        assert row["palette_outside"] == outside
        assert row["palette_exact"] == (outside == 0)


def test_blur_evidence_equals_the_measured_ground_truth(real, folder):
    with (real / "ground_truth" / "images.csv").open() as table:
        known = {row["path"]: float(row["laplacian_var_gray"]) for row in csv.DictReader(table)}
    for row in folder.index.to_pylist():
        if row["session"] == 1 or UTTERANCES[row["key"]][0] == "captures":
            expected = [known[f"speakingfaces/calibration/{n}_1.png"] for n in CAPTURES]
            assert row["blur"] == pytest.approx(expected, rel=2e-3)
            assert not row["blurred"]


@pytest.mark.parametrize(("effort", "bar"), [(0, 0.45), (4, 0.40)])
def test_clips_take_half_of_the_release(release, tmp_path, build_folder, effort, bar):
    """Bytes of clips over bytes of the release's PNGs of all three streams."""
    folder = build_folder(release, tmp_path / "out", subjects="1", configs=("stills",), effort=effort)
    with zipfile.ZipFile(release / "image_only" / "sub_1_io.zip") as archive:
        source = sum(info.file_size for info in archive.infolist())
    written = sum(entry["size"] for row in folder.index.to_pylist() for entry in row["fields"])
    print(f"effort {effort}: {written / source:.3f} of the release's PNG bytes")
    assert written / source <= bar
