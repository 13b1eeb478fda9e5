"""A forged SpeakingFaces release through the builder: pixels, samples, alignment, artifacts, faults."""

import io
import json
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import soundfile
from facevox.builders.population import faults
from facevox.builders.population.clips import ForgeOptions
from facevox.builders.population.speakingfaces import forge
from facevox.builders.speakingfaces import SpeakingFacesOptions
from facevox.builders.stages.speakingfaces_listing import parse_subjects
from facevox.loaders.verify import check
from PIL import Image


def original(release, row, stream: int, frame: int) -> np.ndarray:
    """A frame of the release decoded by Pillow, found through the fact release_name."""
    archive, stem = row["release_name"].split(":")
    folder = {1: "thr_image", 2: "rgb_image", 3: "rgb_image_aligned"}[stream]
    if row["session"] == 2:
        folder = folder.replace("image", "image_cmd")
    name = f"{archive.split('/')[1]}/trial_{row['trial']}/{folder}/{stem}_{frame}_{stream}.png"
    with zipfile.ZipFile(release / f"{archive}.zip") as members:
        return np.asarray(Image.open(io.BytesIO(members.read(name))))


@pytest.mark.parametrize("name", ["tar", "parquet", "arrow"])
def test_every_frame_and_sample_of_every_format_equals_the_release(release, built, name):
    folder = built[name]
    frames = 0
    for row in folder.index.to_pylist():
        (sample,) = folder.fetch([row["key"]])
        for stream, field in ((1, "thermal.webp"), (2, "visual.webp")):
            assert len(sample[field]) == row["frames"]
            for number, pixels in enumerate(sample[field]):
                assert np.array_equal(pixels, original(release, row, stream, row["first_frame"] + number))
                frames += 1
        for mic in (1, 2) if row["session"] == 2 else ():
            archive, stem = row["release_name"].split(":")
            with zipfile.ZipFile(release / f"{archive}.zip") as members:
                data = members.read(
                    f"{archive.split('/')[1]}/trial_{row['trial']}/mic{mic}_audio_cmd_trim/{stem}_{mic}.wav"
                )
            assert np.array_equal(sample[f"mic{mic}.flac"], soundfile.read(io.BytesIO(data), dtype="int16")[0])
    assert frames == 2 * sum(folder.index["frames"].to_pylist())


def test_matrices_reproduce_the_aligned_stream(release, built):
    import cv2

    folder = built["tar"]
    for row in folder.index.to_pylist():
        (sample,) = folder.fetch([row["key"]], ["visual.webp"])
        assert [s["first"] for s in row["alignment"]] == [1, *(s["last"] + 1 for s in row["alignment"][:-1])]
        assert row["alignment"][-1]["last"] == row["frames"]
        for segment in row["alignment"]:
            number = segment["first"]
            matrix = np.array(segment["h"]).reshape(3, 3)
            aligned = original(release, row, 3, row["first_frame"] + number - 1)
            warped = cv2.warpPerspective(
                sample["visual.webp"][number - 1], matrix, aligned.shape[1::-1], flags=cv2.INTER_LINEAR
            )
            assert np.abs(warped.astype(int) - aligned).mean() <= 0.5
        assert row["aligned_residual"] <= 0.5


def test_alignment_equals_the_truth(built, truth):
    known = json.loads(truth.read_text())["clips"]
    rows = built["tar"].index.to_pylist()
    estimated = 0
    for row in rows:
        clip = known[row["key"] if row["session"] == 2 else row["key"].rsplit("_", 1)[0]]
        found = [(s["first"], s["last"], s["dx"], s["dy"]) for s in row["alignment"]]
        assert found == [(s["first"], s["last"], s["dx"], s["dy"]) for s in clip["segments"]], row["key"]
        sources = {s["source"] for s in row["alignment"]}
        assert sources == {"estimated" if row["split"] == "test" and row["session"] == 2 else "published"}
        estimated += sources == {"estimated"}
    assert estimated == 8


@pytest.mark.slow
def test_estimated_shifts_are_exact_on_the_test_split_at_full_size(tmp_path, build_folder):
    # The test split's person, and for the published shifts one of the training split.
    options = ForgeOptions(subjects=2, positions=5, utterances=2, frames=5, stills_frames=0, seed=4)
    forge(tmp_path / "release", options, workers=2)
    known = json.loads((tmp_path / "release.truth.json").read_text())["clips"]
    (tmp_path / "release.truth.json").unlink()
    folder = build_folder(tmp_path / "release", tmp_path / "out", workers=2, configs=("utterances",))
    tests = [row for row in folder.index.to_pylist() if row["split"] == "test"]
    right = sum(
        [(s["first"], s["last"], s["dx"], s["dy"]) for s in row["alignment"]]
        == [(s["first"], s["last"], s["dx"], s["dy"]) for s in known[row["key"]]["segments"]]
        for row in tests
    )
    assert right == len(tests) == 20
    assert max(row["aligned_residual"] for row in folder.index.to_pylist()) <= 0.5


def test_planted_freezes_and_blur_are_found_and_nothing_else(built, truth):
    known = json.loads(truth.read_text())["clips"]
    rows = [row for row in built["tar"].index.to_pylist() if row["session"] == 2]
    planted = {row["key"]: known[row["key"]]["artifacts"] for row in rows}
    assert any("freeze" in found for found in planted.values())
    assert any({"blur", "both"} & found.keys() for found in planted.values())
    for row in rows:
        there = planted[row["key"]]
        runs = [[run["first"], run["last"]] for run in row["freeze_runs"]]
        assert runs == ([there["freeze"]] if "freeze" in there else []), row["key"]
        blurred = [number for number, value in enumerate(row["blur"], 1) if value < 10]
        first, last = there.get("blur") or there.get("both") or (1, 0)
        assert blurred == list(range(first, last + 1)), row["key"]
        assert row["palette_exact"]


def test_facts_of_an_utterance(release, built):
    row = next(r for r in built["tar"].index.to_pylist() if r["session"] == 2)
    assert row["identity"] == f"speakingfaces/main/{row['subject']:03d}"
    assert row["key"] == f"{row['subject']:03d}_{row['trial']}_2_{row['position']}_{row['command']:04d}"
    assert row["frames_by_audio"] == row["samples"] * 28 // 44100 == row["frames"]
    assert row["audio_lag"] == pytest.approx(1 / 28)
    assert row["accessories"] in ("None", "Glasses", "Veil", "Glasses;Hat")
    assert (row["chin_cut"], row["flickers"]) == (None, None) and row["noisy"] == (row["snr_db"] < 20)
    assert row["source"].startswith("forged")
    table = (release / "metadata" / "commands" / f"sub_{row['subject']}_trial_{row['trial']}.csv").read_text()
    assert f"{row['command_text']},{row['command']},{row['position']},{row['transcript']}," in table
    people = {r["identity"]: r for r in built["tar"].table("identities").to_pylist()}
    assert len(people) == 6
    assert all(p["samples_utterances"] == 4 and p["samples_stills"] == 4 for p in people.values())
    assert {(p["split"], p["gender"]) for p in people.values()} == {
        (s, g) for s in ("train", "validation", "test") for g in ("Female", "Male")
    }


def test_subjects_and_limit(release, built, tmp_path, build_folder):
    people = sorted(set(built["tar"].index["subject"].to_pylist()))
    some = build_folder(
        release, tmp_path / "some", subjects=f"{people[0]},{people[3]}-{people[3]}", configs=("utterances",)
    )
    assert set(some.index["subject"].to_pylist()) == {people[0], people[3]}
    few = build_folder(release, tmp_path / "few", limit=1)
    assert few.index.num_rows == 6
    assert parse_subjects("1-3, 7") == {1, 2, 3, 7}
    with pytest.raises(ValueError, match="as in 1-5,17"):
        parse_subjects("1..5")


def test_stills_come_in_pieces_of_a_hundred_frames(tmp_path, build_folder):
    options = ForgeOptions(subjects=1, positions=1, utterances=1, frames=4, stills_frames=104, size="small", seed=2)
    forge(tmp_path / "release", options, workers=2)
    folder = build_folder(tmp_path / "release", tmp_path / "out", configs=("stills",))
    pieces = [(r["key"][-4:], r["first_frame"], r["frames"]) for r in folder.index.to_pylist()]
    assert pieces == [("0001", 1, 100), ("0101", 101, 4)] * 2
    assert all(r["alignment"][0]["source"] == "published" for r in folder.index.to_pylist())


@pytest.mark.parametrize(
    "options", [{"materialize_aligned": True}, {"quality": 70}, {"effort": 4, "check_aligned": "all"}]
)
def test_other_encodings(release, built, tmp_path, build_folder, options):
    person = built["tar"].index["subject"][0].as_py()
    folder = build_folder(release, tmp_path / "out", subjects=str(person), configs=("utterances",), **options)
    row = folder.index.to_pylist()[0]
    (sample,) = folder.fetch([row["key"]])
    pixels = original(release, row, 2, 1)
    if "quality" in options:
        assert 0 < np.abs(sample["visual.webp"][0].astype(int) - pixels).mean() < 8
    else:
        assert np.array_equal(sample["visual.webp"][0], pixels)
    assert row["aligned_stored"] == ("materialize_aligned" in options)
    if row["aligned_stored"]:
        assert all(
            np.array_equal(frame, original(release, row, 3, n)) for n, frame in enumerate(sample["aligned.webp"], 1)
        )
    if "check_aligned" in options:
        assert row["aligned_checked"] == row["frames"]
    assert not check(folder.path).problems


def test_an_aligned_stream_that_matrices_cannot_reproduce_is_stored(release, built, tmp_path, build_folder):
    person = built["tar"].index["subject"][0].as_py()
    shutil.copytree(release, tmp_path / "release")
    for path in (tmp_path / "release" / "metadata" / "session_1").glob("*.csv"):
        path.write_text(path.read_text().replace(" ", " 1", 1))
    archive = tmp_path / "release" / "image_only" / f"sub_{person}_io.zip"

    def darker(name: str, data: bytes) -> bytes:
        if not name.endswith("_3.png"):
            return data
        out = io.BytesIO()
        Image.fromarray(np.asarray(Image.open(io.BytesIO(data))) // 2).save(out, "PNG")
        return out.getvalue()

    faults.rewrite(archive, darker)
    folder = build_folder(tmp_path / "release", tmp_path / "out", subjects=str(person), configs=("stills",))
    for row in folder.index.to_pylist():
        assert row["aligned_stored"]
        assert row["aligned_residual"] > 2
        (sample,) = folder.fetch([row["key"]], ["aligned.webp"])
        with zipfile.ZipFile(archive) as members:
            name = next(n for n in members.namelist() if n.endswith(f"{row['release_name'].split(':')[1]}_1_3.png"))
            assert np.array_equal(sample["aligned.webp"][0], np.asarray(Image.open(io.BytesIO(members.read(name)))))


def edited(release, tmp_path, changes: dict[str, str]):
    """A copy of a release with metadata files replaced; "" removes one."""
    shutil.copytree(release, tmp_path / "release")
    for name, text in changes.items():
        path = tmp_path / "release" / "metadata" / name
        path.write_text(text) if text else path.unlink()
    return tmp_path / "release"


def test_unusable_tables_lose_their_own_utterances_and_say_why(plain, tmp_path, build_folder):
    release, sound = plain
    tables = sorted(path.name for path in (release / "metadata" / "commands").iterdir())
    header, row, *rest = (release / "metadata" / "commands" / tables[1]).read_text().splitlines()
    cells = row.split(",")
    changes = {
        f"commands/{tables[0]}": "number,said\n1,x\n",
        f"commands/{tables[1]}": "\n".join([header, ",".join([*cells[:5], "300", *cells[6:]]), *rest]),
        f"commands/{tables[2]}": header + "\n",
        f"commands/{tables[3]}": "",
    }
    folder = build_folder(edited(release, tmp_path, changes), tmp_path / "out", configs=("utterances",))
    reasons = {row["place"]: row["reason"] for row in folder.quarantine.to_pylist()}
    place = f"metadata/commands/{tables[0]}"
    assert "the header is ['number', 'said']" in reasons[place]
    assert "300, expected 0 to 3" in reasons[f"metadata/commands/{tables[1]} row 2"]
    lost = set(sound.index["key"].to_pylist()) - set(folder.index["key"].to_pylist())
    assert len([key for key in lost if key.split("_")[2] == "2"]) == 2 + 1 + 2
    untold = [r for r in folder.index.to_pylist() if r["transcript"] is None]
    assert len(untold) == 2
    assert not check(tmp_path / "out").problems


@pytest.mark.parametrize("age", ["99999", "-1", "old"])
def test_an_impossible_person_is_a_row(plain, tmp_path, build_folder, age):
    release, sound = plain
    lines = (release / "metadata" / "subjects.csv").read_text().splitlines()
    cells = lines[1].split(",")
    table = "\r\n".join([lines[0], ",".join([*cells[:2], age, *cells[3:]]), *lines[2:]])
    folder = build_folder(edited(release, tmp_path, {"subjects.csv": table}), tmp_path / "out")
    assert int(cells[0]) not in folder.index["subject"].to_pylist()
    assert folder.index.num_rows == sound.index.num_rows - 8
    assert any("subjects.csv row 2" in row["place"] for row in folder.quarantine.to_pylist())


def test_a_wrong_note_about_forging_is_named(plain, tmp_path, build_folder):
    with pytest.raises(ValueError, match=r"forged.json: expected a size of full or small"):
        build_folder(edited(plain[0], tmp_path, {"forged.json": "[]"}), tmp_path / "out")


def test_frames_are_numbered_from_one_to_9999(plain, tmp_path, build_folder):
    release, sound = plain
    shutil.copytree(release, tmp_path / "release")
    archive = next((tmp_path / "release" / "image_only").glob("*.zip"))
    name = next(n for n in zipfile.ZipFile(archive).namelist() if n.endswith("_1_1.png"))
    data = zipfile.ZipFile(archive).read(name)
    for number in ("0", "20000000", "9" * 5001):
        faults._append(archive, name.replace("_1_1.png", f"_{number}_1.png"), data) if len(number) < 20 else None
    folder = build_folder(tmp_path / "release", tmp_path / "out", configs=("stills",))
    reasons = sorted(row["reason"] for row in folder.quarantine.to_pylist())
    assert reasons == ["not a file of this release's layout", "subjects and frames are numbered from 1"]
    assert folder.index.num_rows == sum(key.split("_")[2] == "1" for key in sound.index["key"].to_pylist())


def test_aligned_streams_use_the_stored_clip_where_matrices_fail(release, built, tmp_path, build_folder):
    from facevox.loaders.stream import Stream, StreamOptions

    person = built["tar"].index["subject"][0].as_py()
    folder = build_folder(
        release, tmp_path / "out", subjects=str(person), configs=("stills",), materialize_aligned=True
    )
    split = folder.splits("stills")[0]
    for batch in Stream(folder, "stills", split, StreamOptions(fields=("visual.webp",), align=True, batch_size=1)):
        (sample,) = folder.fetch(batch["__key__"], ["aligned.webp"])
        assert np.array_equal(batch["visual.webp"][0], sample["aligned.webp"])


def test_the_card_says_what_is_lossy_left_out_and_forged(release, built, tmp_path, build_folder):
    person = built["tar"].index["subject"][0].as_py()
    folder = build_folder(release, tmp_path / "out", subjects=str(person), limit=1, quality=60)
    card = (folder.path / "README.md").read_text()
    assert "Clips are LOSSY (WebP quality 60)" in card
    assert "| `limit` | `1` |" in card
    assert f"| `subjects` | `{person}` |" in card
    assert "Nobody in this folder exists" in card
    assert "license_name: forged-by-facevox" in card
    assert "LOSSY" not in (built["tar"].path / "README.md").read_text()


def test_bad_options_are_named():
    with pytest.raises(ValueError, match="expected ends or all"):
        from facevox.builders.speakingfaces import SpeakingFaces

        SpeakingFaces(SpeakingFacesOptions(check_aligned="some"))
    with pytest.raises(ValueError, match="effort of 0 to 6"):
        SpeakingFaces(SpeakingFacesOptions(effort=9))


# --- faults: the build goes on, and every loss is a row ---

EXPECTED = {
    "empty_zip": ("list", "empty file"),
    "truncated_zip": ("list", "not a readable zip"),
    "lying_offset": ("read", "cannot be read"),
    "lying_name": ("list", "missing"),
    "lying_size": ("read", "directory says|cannot be read"),
    "short_png": ("decode", "cut short"),
    "wrong_size_png": ("decode", "expected"),
    "text_as_png": ("decode", "not a PNG"),
    "giant_png": ("decode", "30000 x 30000"),
    "missing_wav": ("list", "missing"),
    "empty_wav": ("audio", "samples|0 bytes"),
    "unequal_microphones": ("audio", "different lengths"),
    "missing_frames": ("list", "frames missing"),
    "rows_without_files": ("list", "row without files"),
    "files_without_rows": ("list", "files without a row"),
    "duplicate_members": ("list", "occurs twice"),
    "climbing_names": ("list", "refused"),
    "archive_bomb": ("list", "not a file of this release|at most"),
}


def test_every_fault_has_an_expectation():
    assert EXPECTED.keys() == faults.FAULTS.keys()


@pytest.fixture(scope="module")
def plain(tmp_path_factory, build_folder):
    """Three people, clean, and how many samples a build of them has."""
    home = tmp_path_factory.mktemp("plain")
    options = ForgeOptions(
        subjects=3, positions=2, utterances=1, frames=6, stills_frames=2, size="small", artifacts=False
    )
    forge(home / "release", options)
    return home / "release", build_folder(home / "release", home / "out")


@pytest.mark.parametrize("name", list(faults.FAULTS))
def test_a_fault_loses_its_sample_alone_and_leaves_a_row(plain, tmp_path, build_folder, name):
    import re

    release, sound = plain
    faults.damage(release, tmp_path / "release", 1, (name,))
    folder = build_folder(tmp_path / "release", tmp_path / "out")
    rows = folder.quarantine.to_pylist()
    stage, words = EXPECTED[name]
    assert rows, "nothing was quarantined"
    assert all(row["stage"] and row["place"] and row["reason"] for row in rows)
    assert any(stage in row["stage"] and re.search(words, row["reason"]) for row in rows), rows
    assert not check(tmp_path / "out").problems
    lost = set(sound.index["key"].to_pylist()) - set(folder.index["key"].to_pylist())
    if name in ("empty_zip", "truncated_zip"):
        assert 1 < len(lost) <= 4
    elif name in ("climbing_names", "rows_without_files"):
        assert not lost
    else:
        assert len(lost) == 1
        assert lost == {row["key"] for row in rows if row["key"]}


def test_missing_empty_and_extra_archives_are_in_manifest_and_card(plain, tmp_path, build_folder):
    release, _ = plain
    shutil.copytree(release, tmp_path / "release")
    stems = sorted((tmp_path / "release" / "image_audio").glob("*.zip"))
    stems[0].unlink()
    stems[1].write_bytes(b"")
    (tmp_path / "release" / "image_audio" / "sub_9_ia (1).zip").write_bytes(b"PK")
    folder = build_folder(tmp_path / "release", tmp_path / "out", configs=("utterances",))
    manifest = folder.table("manifest").to_pylist()
    listed = {row["name"]: row["kind"] for row in manifest if row["kind"] != "shard"}
    assert listed == {
        f"image_audio/{stems[0].name}": "missing archive",
        f"image_audio/{stems[1].name}": "empty archive",
        "image_audio/sub_9_ia (1).zip": "extra archive",
    }
    card = (tmp_path / "out" / "README.md").read_text()
    for name, kind in listed.items():
        assert f"| utterances | {kind} | 1 | {name} |" in card
    assert not check(tmp_path / "out").problems


@pytest.mark.slow
def test_all_faults_together_with_bounded_memory(plain, tmp_path):
    release, _ = plain
    faults.damage(release, tmp_path / "release", 3)
    script = """
import sys
from facevox.cli import main
from facevox.loaders.memory import peak_memory
for raw, out in zip(sys.argv[1::2], sys.argv[2::2]):
    assert main(["build", "speakingfaces", "--raw", raw, "--out", out]) == 0
    print("peak", peak_memory() >> 20)
"""
    line = [release, tmp_path / "sound", tmp_path / "release", tmp_path / "out"]
    done = subprocess.run([sys.executable, "-c", script, *map(str, line)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    sound, damaged = (int(said.split()[1]) for said in done.stdout.splitlines() if said.startswith("peak"))
    # Pictures that claim to be huge, files without an end: none of them takes more than a sound release does.
    assert damaged - sound < 40 and damaged < 400
    assert not check(tmp_path / "out").problems
