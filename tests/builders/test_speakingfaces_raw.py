"""Utterances built from raw recordings: every frame and sample against the truth, every mishap a row with a reason."""

import json
import shutil
import struct
import wave
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from facevox.builders.core.decisions import Decision
from facevox.builders.core.run import BuildOptions, make_plan
from facevox.builders.core.stage import Clock
from facevox.builders.population.avi import AviWriter
from facevox.builders.population.clips import ForgeOptions
from facevox.builders.population.filming import wav
from facevox.builders.population.speakingfaces import forge
from facevox.builders.speakingfaces import SpeakingFacesOptions
from facevox.builders.stages.speakingfaces_recording import RecordingClip
from facevox.loaders.verify import check

SMALL = {"subjects": 1, "positions": 1, "utterances": 2, "frames": 5, "stills_frames": 2, "size": "small"}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> tuple[Path, dict]:
    """Zipped raw recordings of three people with every mishap, and what is known of them."""
    out = tmp_path_factory.mktemp("raw") / "R"
    options = ForgeOptions(subjects=3, positions=2, utterances=2, frames=6, stills_frames=3, size="small", raw=True)
    forge(out, options)
    truth = out.parent / "R.truth.json"
    known = json.loads(truth.read_text())["clips"]
    truth.unlink()
    return out, known


@pytest.fixture(scope="module")
def from_raw(recordings, build_folder, tmp_path_factory):
    return build_folder(recordings[0], tmp_path_factory.mktemp("raw") / "O", source="raw", shard_mb=40)


def recorded_sound(release: Path, name: str, mic: int) -> np.ndarray:
    subject, trial, _, _ = name.split("_")
    with zipfile.ZipFile(release / "video_audio_raw" / f"sub_{subject}.zip") as members:
        member = members.open(f"sub_{subject}/trial_{trial}/video_audio/{name}_{mic}.wav")
        with wave.open(member) as file:
            assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (44_100, 2, 1)
            return np.frombuffer(file.readframes(file.getnframes()), "<i2")


def crcs(frames) -> list[int]:
    return [zlib.crc32(np.ascontiguousarray(frame)) for frame in frames]


def test_every_frame_and_sample_equals_the_recording(recordings, from_raw):
    release, known = recordings
    trimmed = 0
    rows = from_raw.index.to_pylist()
    assert {row["config"] for row in rows} == {"utterances", "stills"}
    for row in rows:
        (sample,) = from_raw.fetch([row["key"]])
        true = known[row["key"]]
        count = row["frames"]
        for stream, field in (("1", "thermal.webp"), ("2", "visual.webp")):
            assert crcs(sample[field]) == true["pixels"][stream][:count], row["key"]
        if row["session"] == 1:
            assert count == len(true["pixels"]["1"])
            continue
        first, end = true["samples"]
        latest = (true["speech_end"] + 44_100 - first) // 1575
        if count == len(true["pixels"]["1"]):
            assert true["rescue"] or count <= latest
        else:
            assert abs(latest - count) <= 3
            end, trimmed = first + 1575 * count, trimmed + 1
            assert row["trimmed_by"] == "proposal"
        assert row["recorded"] == [{"first": true["frames"][0], "last": true["frames"][0] + count - 1}]
        for mic in (1, 2):
            assert np.array_equal(sample[f"mic{mic}.flac"], recorded_sound(release, true["recording"], mic)[first:end])
        assert row["frames_by_audio"] == count
    assert trimmed


def test_every_planted_fault_is_a_row_with_its_reason_and_nothing_vanishes(recordings, from_raw):
    _, known = recordings
    kept = set(from_raw.index["key"].to_pylist())
    rows = {row["key"]: row for row in from_raw.quarantine.to_pylist()}
    assert kept | rows.keys() == known.keys()
    assert not kept & rows.keys()
    assert {key for key, true in known.items() if true["reason"]} == rows.keys()
    for key, row in rows.items():
        assert known[key]["reason"] in row["reason"]
        assert row["kind"] == "Reject"
        assert row["place"]
    found = {true["reason"] for true in known.values()} - {""}
    assert len(found) == 5, found


def test_rescues_and_jumps_are_applied_and_recorded(recordings, from_raw):
    _, known = recordings
    rows = {row["key"]: row for row in from_raw.index.to_pylist() if row["session"] == 2}
    assert {row["rescue"] for row in rows.values()} == {"", "copy", "trim", "merge and trim"}
    assert any(row["beginning_removed"] for row in rows.values())
    for key, row in rows.items():
        true = known[key]
        assert row["beginning_removed"] == true["beginning_removed"]
        assert row["rescue"] == true["rescue"]
        assert (row["audio_lag"], row["sound_moved"], row["first_frame"]) == (0, 1574, 1)
        assert (row["trimmed_by"] == "rescue table") == (true["rescue"] == "merge and trim")
        if row["alignment_covers"]:
            assert row["alignment"][0]["first"] == 1
            assert row["alignment"][-1]["last"] == row["frames"]
        # No shifts are published for the spoken session of the test split.
        assert row["alignment_covers"] == (row["split"] != "test")
        assert row["transcript"] == true["said"]


def test_any_number_of_workers_gives_the_same_bytes(recordings, from_raw, build_folder, tree, tmp_path):
    twice = build_folder(recordings[0], tmp_path / "O", source="raw", shard_mb=40, workers=2)
    assert tree(twice.path) == tree(from_raw.path)
    assert not check(twice.path).problems


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("raw") / "R"
    forge(out, ForgeOptions(**SMALL, raw=True, mishaps=False))
    return out


@pytest.fixture(scope="module")
def small_built(small, build_folder, tmp_path_factory):
    return build_folder(small, tmp_path_factory.mktemp("raw") / "O", source="raw")


def test_keys_people_and_texts_are_those_of_the_published_archives(small_built, build_folder, tmp_path):
    forge(tmp_path / "R", ForgeOptions(**SMALL))
    published = build_folder(tmp_path / "R", tmp_path / "O")
    rows = {row["key"]: row for row in published.index.to_pylist()}
    raw = {row["key"]: row for row in small_built.index.to_pylist()}
    assert rows.keys() == raw.keys()
    same = "config split identity subject gender age ethnicity accessories release_split trial session position command"
    same += " command_text transcript thermal_code visual_code audio_code text_code blurred frozen first_frame"
    for key, row in rows.items():
        assert [row.get(name) for name in same.split()] == [raw[key].get(name) for name in same.split()]
        (mine,), (theirs,) = small_built.fetch([key]), published.fetch([key])
        for field in ("thermal.webp", "visual.webp"):
            assert crcs(mine[field])[: row["frames"]] == crcs(theirs[field])
        if row["session"] == 2:
            assert np.array_equal(mine["mic2.flac"][: row["samples"]], theirs["mic2.flac"])
            assert row["recorded"] is None
            assert row["audio_lag"] == pytest.approx(1 / 28)


@pytest.mark.parametrize("kind", ["tree", "deflated"])
def test_extracted_and_compressed_recordings_give_the_same_samples(kind, small, small_built, build_folder, tmp_path):
    if kind == "tree":
        forge(tmp_path / "R", ForgeOptions(**SMALL, raw=True, mishaps=False, extracted=True))
        assert not list(tmp_path.rglob("*.zip"))
    else:
        shutil.copytree(small, tmp_path / "R")
        for path in (tmp_path / "R").rglob("*.zip"):
            with (
                zipfile.ZipFile(path) as old,
                zipfile.ZipFile(f"{path}.new", "w", zipfile.ZIP_DEFLATED, True, 1) as new,
            ):
                for name in old.namelist():
                    new.writestr(name, old.read(name))
            Path(f"{path}.new").replace(path)
    other = build_folder(tmp_path / "R", tmp_path / "O", source="raw")
    assert_same_but_names(other, small_built)


def assert_same_but_names(one, other):
    rows = [{row["key"]: row for row in folder.index.to_pylist()} for folder in (one, other)]
    assert rows[0].keys() == rows[1].keys()
    for key, row in rows[0].items():
        assert {f["name"]: f["sha256"] for f in row["fields"] if f["name"] != "json"} == {
            f["name"]: f["sha256"] for f in rows[1][key]["fields"] if f["name"] != "json"
        }
        assert {n for n in row if row[n] != rows[1][key][n]} <= {"fields", "release_name", "shard", "row"}


def test_names_as_recorded_need_the_switch(small_built, build_folder, tmp_path):
    forge(tmp_path / "R", ForgeOptions(**SMALL, raw=True, mishaps=False, as_recorded=True))
    names = zipfile.ZipFile(next((tmp_path / "R" / "video_audio_raw").iterdir())).namelist()
    assert {name.split("_")[-1] for name in names} == {"0.avi", "1.avi", "1.wav", "2.wav"}
    with pytest.raises(FileNotFoundError, match="--as-recorded accepts such names"):
        build_folder(tmp_path / "R", tmp_path / "N", source="raw")
    other = build_folder(tmp_path / "R", tmp_path / "O", source="raw", as_recorded=True)
    assert_same_but_names(other, small_built)
    with pytest.raises(ValueError, match="needs source raw"):
        build_folder(tmp_path / "R", tmp_path / "M", as_recorded=True)


def listed(release: Path, **options) -> tuple[list, list]:
    own = SpeakingFacesOptions(**{"source": "raw", "detector": "none"} | options)
    _, raw, plan = make_plan(BuildOptions("speakingfaces", str(release), Path("unused"), release=own))
    raw.close()
    return [unit for shard in plan.shards for unit in shard.units], [r.row() for r in plan.rejections]


def test_release_names_are_strays_among_names_as_recorded(small):
    units, rows = listed(small, as_recorded=True)
    assert units == []
    assert sum("not a file of raw recordings named as recorded" in row["reason"] for row in rows) == 2 * (4 + 2)


def test_without_plans_or_recordings_the_errors_say_what_is_missing(small, build_folder, tmp_path):
    shutil.copytree(small, tmp_path / "R")
    plans = sorted((tmp_path / "R" / "metadata").glob("commands_sub*.csv"))
    plans[0].unlink()
    plans[1].write_bytes(plans[1].read_bytes().replace(b"start_fr_id", b"from"))
    units, rows = listed(tmp_path / "R")
    assert {row["place"]: row["reason"] for row in rows}.keys() == {plans[0].name, f"metadata/{plans[1].name}"}
    assert "no recording plan" in rows[0]["reason"]
    assert "no column for 'start_fr_id'" in rows[1]["reason"]
    assert {unit.config for unit in units} == {"stills"}
    shutil.rmtree(tmp_path / "R" / "video_audio_raw")
    shutil.rmtree(tmp_path / "R" / "video_only_raw")
    with pytest.raises(FileNotFoundError, match="built without --source raw"):
        build_folder(tmp_path / "R", tmp_path / "O", source="raw")
    (tmp_path / "R" / "metadata" / "subjects.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"subjects\.csv: not found\. --raw must be the folder"):
        build_folder(tmp_path / "R", tmp_path / "O", source="raw")


def test_planned_commands_without_a_published_row_are_left_out_as_the_authors_did(small, tmp_path):
    shutil.copytree(small, tmp_path / "R")
    table = sorted((tmp_path / "R" / "metadata" / "commands").iterdir())[0]
    header, first, *rest = table.read_text().splitlines()
    table.write_text("\n".join([header, *rest]) + "\n")
    _, rows = listed(tmp_path / "R")
    assert [row["reason"].split(":")[0] for row in rows] == [
        "planned and recorded, but without a row in the published command table"
    ]
    table.unlink()
    units, rows = listed(tmp_path / "R")
    assert rows == []
    alone = [unit for unit in units if unit.details.get("row", {}).keys() == {"command_text"}]
    assert first.split(",")[0] in {unit.details["row"]["command_text"] for unit in alone}
    assert len(alone) == 2


def test_a_decided_length_stands_above_the_proposed_one(small):
    options = SpeakingFacesOptions(source="raw", detector="none")
    builder, raw, plan = make_plan(BuildOptions("speakingfaces", str(small), Path("unused"), release=options))
    units = [unit for shard in plan.shards for unit in shard.units if unit.config == "utterances"]
    lengths = {}
    for decided in (None, 3 * 1575 + 40, 90 * 1575):
        for unit in units:
            said = Decision(unit.key, "trim", "change", decided, "", "ann", "2026-03-01T12:00:00Z") if decided else None
            asked = replace(unit, decisions=(said,) if said else ())
            (sample,) = builder.read(raw, asked, Clock())
            lengths[unit.key, decided] = (sample.facts["frames"], sample.facts["samples"], sample.facts["trimmed_by"])
    raw.close()
    for unit in units:
        assert lengths[unit.key, 3 * 1575 + 40] == (3, 3 * 1575 + 40, "decision")
        planned = unit.details["frames"]
        assert lengths[unit.key, 90 * 1575] == (planned, planned * 1575, "decision")
    assert {lengths[unit.key, None][2] for unit in units} == {"", "proposal"}


@pytest.fixture
def made_by_hand(tmp_path):
    """record(thermal, visual, fps) -> a release with one utterance of 3 frames, its videos of the sizes given."""
    random = np.random.default_rng(0)

    def record(thermal=(464, 348), visual=(768, 512), fps=28) -> tuple[Path, list[np.ndarray]]:
        home = tmp_path / "R"
        folder = home / "train_data" / "sub_1" / "trial_1" / "video_audio"
        folder.mkdir(parents=True)
        (home / "metadata").mkdir()
        (home / "metadata" / "subjects.csv").write_text(
            "Sub_ID,Split,Age,Gender,Ethnicity,Acc_Trial_1,Acc_Trial_2\r\n1,Train,20,Male,Asian,None,None"
        )
        (folder.parent / "commands_sub1_trial1.csv").write_text(
            ",commands,command_id,pos_id,start_fr_id,end_fr_id\n0,stop,7,4,2,4\n"
        )
        frames = []
        for stream, (width, height) in enumerate((thermal, visual), 1):
            picture = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
            with AviWriter(folder / f"1_1_2_4_{stream}.avi", width, height, fps) as video:
                for number in range(5):
                    video.add(picture + np.uint8(number))
            frames.append(picture)
        for mic in (1, 2):
            sound = random.integers(-99, 99, 5 * 1575).astype(np.int16)
            (folder / f"1_1_2_4_{mic}.wav").write_bytes(wav(sound))
        return home, frames

    return record


def test_the_published_region_is_cut_from_full_hd(made_by_hand, build_folder, tmp_path):
    release, (thermal, visual) = made_by_hand(visual=(1920, 1080))
    folder = build_folder(release, tmp_path / "O", source="raw", configs=("utterances",))
    (sample,) = folder.fetch(["001_1_2_4_0007"])
    assert len(sample["visual.webp"]) == 3
    for number in range(3):
        region = (visual + np.uint8(number + 1))[500:1012, 576:1344, ::-1]
        assert np.array_equal(sample["visual.webp"][number], region)
        assert np.array_equal(sample["thermal.webp"][number], (thermal + np.uint8(number + 1))[:, :, ::-1])


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ({"visual": (640, 480)}, "expected visual frames of 768x512, found 640x480"),
        ({"thermal": (768, 512)}, "expected thermal frames of 464x348, found 768x512"),
        ({"fps": 30}, "expected 28 frames per second, found 30/1"),
    ],
)
def test_videos_of_another_kind_are_told(odd, reason, made_by_hand, build_folder, tmp_path):
    release, _ = made_by_hand(**odd)
    folder = build_folder(release, tmp_path / "O", source="raw", configs=("utterances",))
    assert folder.index.num_rows == 0
    assert reason in [row["reason"] for row in folder.quarantine.to_pylist()]


def test_rates_in_units_of_100_ns_count_as_28_frames_per_second(made_by_hand, build_folder, tmp_path):
    release, _ = made_by_hand()
    for path in release.rglob("*.avi"):
        data = bytearray(path.read_bytes())
        at = data.index(b"strh") + 8 + 20
        data[at : at + 8] = struct.pack("<II", 357_143, 10_000_000)
        path.write_bytes(data)
    assert build_folder(release, tmp_path / "O", source="raw", configs=("utterances",)).index.num_rows == 1


def test_missing_broken_and_extra_archives_are_rows_of_their_kinds(recordings, tmp_path):
    release = tmp_path / "R"
    shutil.copytree(recordings[0] / "metadata", release / "metadata")
    folder = release / "video_audio_raw"
    folder.mkdir()
    names = sorted(path.name for path in (recordings[0] / "video_audio_raw").iterdir())
    (folder / names[0]).touch()
    (folder / names[1]).write_bytes(b"no zip")
    (folder / names[1].replace(".zip", " (1).zip")).touch()
    (release / "train_data" / names[1].removesuffix(".zip")).mkdir(parents=True)
    _, rows = listed(release)
    found = {(row["place"], row["kind"]) for row in rows if row["config"] == "utterances"}
    assert found >= {
        (f"video_audio_raw/{names[0]}", "empty archive"),
        (f"video_audio_raw/{names[1]}", "unreadable archive"),
        (f"video_audio_raw/{names[1].replace('.zip', ' (1).zip')}", "extra archive"),
        (f"train_data/{names[1].removesuffix('.zip')}", "extra archive"),
        (names[2].removesuffix(".zip"), "missing archive"),
    }


def test_rows_and_plans_that_nobody_asked_for_are_told(small, tmp_path):
    shutil.copytree(small, tmp_path / "R")
    metadata = tmp_path / "R" / "metadata"
    table = sorted((metadata / "commands").iterdir())[0]
    rows = table.read_text().splitlines()
    columns = rows[0].split(",")
    odd = rows[1].split(",")
    odd[columns.index("command_id")] = "9998"
    table.write_text("\n".join([*rows, ",".join(odd)]) + "\n")
    plan = sorted(metadata.glob("commands_sub*.csv"))[0]
    (tmp_path / "R" / "commands").mkdir()
    shutil.copy(plan, tmp_path / "R" / "commands" / plan.name)
    units, rejected = listed(tmp_path / "R")
    assert len(units) == len(listed(small)[0])
    assert {(row["place"], row["reason"].split(" at ")[0]) for row in rejected} == {
        (f"metadata/commands/{table.name} row {len(rows) + 1}", "row without a planned utterance"),
        (f"commands/{plan.name}", f"a second plan of trial 1, after metadata/{plan.name}; not read"),
    }


def test_a_rescue_moves_no_published_frame_number(small):
    options = SpeakingFacesOptions(source="raw", detector="none")
    _, raw, plan = make_plan(BuildOptions("speakingfaces", str(small), Path("unused"), release=options))
    unit = next(unit for shard in plan.shards for unit in shard.units if unit.config == "utterances")
    clips = {}
    for begin in (0, 1):
        details = {**unit.details, "begin": begin * 1575, "rescue": "trim", "spans": [(1, 2, 5, 6), (3, 900, 7, 8)]}
        clips[begin] = RecordingClip(raw, replace(unit, details=details), Clock())
        clips[begin].close()
    raw.close()
    for begin, clip in clips.items():
        assert clip.dropped == clip.facts["beginning_removed"] == 0
        assert clip.spans == [(1, 2, 5, 6), (3, clip.frames, 7, 8)]
        assert clip.facts["recorded"][0]["first"] == unit.details["pieces"][0][0] + begin


def test_a_removed_jump_moves_published_frame_numbers(recordings):
    release, known = recordings
    options = SpeakingFacesOptions(source="raw", detector="none")
    _, raw, plan = make_plan(BuildOptions("speakingfaces", str(release), Path("unused"), release=options))
    units = [unit for shard in plan.shards for unit in shard.units if unit.config == "utterances"]
    unit = next(unit for unit in units if known[unit.key].get("beginning_removed"))
    gone = known[unit.key]["beginning_removed"]
    details = {**unit.details, "spans": [(1, gone + 1, 5, 6), (gone + 2, 900, 7, 8)]}
    clip = RecordingClip(raw, replace(unit, details=details), Clock())
    clip.close()
    raw.close()
    assert clip.dropped == gone
    assert clip.spans == [(1, 1, 5, 6), (2, clip.frames, 7, 8)]


def test_no_second_is_counted_twice(small):
    options = SpeakingFacesOptions(source="raw", detector="none")
    _, raw, plan = make_plan(BuildOptions("speakingfaces", str(small), Path("unused"), release=options))
    unit = next(unit for shard in plan.shards for unit in shard.units if unit.config == "utterances")
    open_now: list[str] = []
    nested = []

    class Watched(Clock):
        @contextmanager
        def __call__(self, stage):
            nested.extend((outer, stage) for outer in open_now)
            open_now.append(stage)
            with super().__call__(stage):
                yield
            open_now.pop()

    clock = Watched()
    RecordingClip(raw, unit, clock).close()
    raw.close()
    assert nested == []
    assert {"read", "beginning", "trim"} <= clock.seconds.keys()


def test_stills_are_listed_by_their_frames_and_damage_in_a_header_is_a_row(small, tmp_path):
    shutil.copytree(small, tmp_path / "R")
    (path,) = (tmp_path / "R" / "video_only_raw").iterdir()
    with zipfile.ZipFile(path) as old:
        members = {name: bytearray(old.read(name)) for name in old.namelist()}
    for name, data in members.items():
        if name.endswith(".avi"):
            at = data.index(b"avih") + 8 + 16
            # Trial 1: broken off before the count was written. Trial 2: ends inside the header.
            data[at : at + 4] = bytes(4)
            members[name] = data[: at + 2] if "trial_2" in name else data
    with zipfile.ZipFile(path, "w") as new:
        for name, data in members.items():
            new.writestr(name, bytes(data))
    units, rows = listed(tmp_path / "R")
    whole, _ = listed(small)
    stills = {unit.key: unit.details["frames"] for unit in whole if unit.config == "stills"}
    kept = {unit.key: unit.details["frames"] for unit in units if unit.config == "stills"}
    assert kept == {key: count for key, count in stills.items() if key.split("_")[1] == "1"}
    assert {row["key"] for row in rows} == stills.keys() - kept.keys()
    assert all("ends inside its header" in row["reason"] for row in rows)


def test_forging_keeps_to_what_a_recording_holds(tmp_path):
    with pytest.raises(ValueError, match="frames in one recording, at most 900"):
        forge(tmp_path / "R", ForgeOptions(subjects=1, positions=1, utterances=20, frames=60, raw=True))
    with pytest.raises(ValueError, match="needs raw"):
        ForgeOptions(as_recorded=True)
