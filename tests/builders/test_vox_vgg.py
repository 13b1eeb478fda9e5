"""Vox-VGG from tables, pictures and recordings in the official layouts to configs faces, voices and rcgan."""

import io
import json
import shutil
import unicodedata
import zipfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile
from facevox.builders.core.run import BuildOptions, run
from facevox.builders.population.heads import head
from facevox.builders.population.people import draw
from facevox.builders.population.scene import at_position, visual_frame, wall
from facevox.builders.population.vox_vgg import ForgeOptions, forge, truth_path
from facevox.builders.vox_vgg import VoxVggOptions
from facevox.loaders.arrays import decode_array
from facevox.loaders.folder import Folder
from facevox.loaders.media import decode_picture
from facevox.loaders.statistics import statistics
from facevox.loaders.verify import check
from facevox.models.core.detectors import open_detector, open_landmarks

NAMES = ("Ann_Ames", "Bob_Boe", "Cid_Cole", "Zoë_Zane")
VOX1 = "VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet\n" + "".join(
    f"id1000{number}\t{name}\tf\tUSA\tdev\n" for number, name in enumerate(NAMES, 1)
)
VOX2 = (
    "VoxCeleb2 ID ,VGGFace2 ID ,Gender ,Set \n"
    "id00017 ,n000016 ,m ,dev \n"
    "id00018 ,n000017 ,f ,dev \n"
    "id00019 ,n000018 ,f ,test \n"
)
VIDEOS = ("aaaaaaaaaaa", "bbbbbbbbbbb", "ccccccccccc")


@dataclass(frozen=True)
class Release:
    path: Path
    shots: dict[str, list[np.ndarray]]
    """RGB pictures by name or VGGFace2 id."""


def jpeg(picture: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


def shots(subject: int, count: int) -> list[np.ndarray]:
    """Pictures (320, 448, 3) of one made-up person, the head a little further to the right in each."""
    who = head(draw(0, subject, "Female"), 1, 0.5)
    room = wall(0, subject, 1, 0.5)
    poses = [at_position(1, 384 + 12 * shot, 256) for shot in range(count)]
    return [np.ascontiguousarray(visual_frame(who, pose, room, 0.5)[..., ::-1]) for pose in poses]


def wav(samples: np.ndarray) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, samples, 16_000, format="WAV", subtype="PCM_16")
    return out.getvalue()


def put(place: Path, data: bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)


@pytest.fixture(scope="module")
def release(tmp_path_factory, voxceleb) -> Release:
    """Four people of vox1 (one zipped, one with a decomposed name), two of vox2 whose ids differ in digits."""
    out = tmp_path_factory.mktemp("vox_vgg") / "release"
    put(out / "vox1_meta.csv", VOX1.encode())
    put(out / "vox2_meta.csv", VOX2.encode())
    pictures = {who: shots(number, 4) for number, who in enumerate([*NAMES, "n000016", "n000017"], 1)}
    for number, name in enumerate(NAMES, 1):
        files = {f"{shot}.jpg": jpeg(picture) for shot, picture in enumerate(pictures[name], 8)}
        if name == "Bob_Boe":
            (out / "vggface1").mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(out / "vggface1" / f"{name}.zip", "w") as archive:
                for file, data in files.items():
                    archive.writestr(f"{name}/{file}", data)
        else:
            for file, data in files.items():
                put(out / "vggface1" / unicodedata.normalize("NFD", name) / file, data)
        for video in VIDEOS[: 1 + number // 2]:
            for clip in range(1, 1 + number):
                put(out / "wav" / f"id1000{number}" / video / f"{clip:05d}.wav", wav(voxceleb.said[: 32_000 + clip]))
    bad = out / "vggface1" / "Ann_Ames"
    put(bad / "90.jpg", jpeg(np.full((200, 200, 3), 128, np.uint8)))
    put(bad / "91.jpg", jpeg(pictures["Ann_Ames"][0])[:400])
    put(bad / "notes.txt", b"no picture")
    put(out / "vggface1" / "Nobody_Known" / "1.jpg", b"")
    for who in ("n000016", "n000017"):
        for shot, picture in enumerate(pictures[who], 1):
            put(out / "train" / who / f"{(shot + 1) // 2:04d}_{shot % 2:02d}.jpg", jpeg(picture))
    for speaker in ("id00017", "id00018", "id00019"):
        put(out / "dev" / "aac" / speaker / VIDEOS[0] / "00001.wav", wav(voxceleb.said[:32_000]))
    return Release(out, pictures)


def build(release: Release | Path, out: Path, *configs: str, workers: int = 1, shard_mb: int = 64, **options) -> Folder:
    raw = str(getattr(release, "path", release))
    run(
        BuildOptions(
            "vox_vgg",
            raw,
            out,
            configs,
            workers=workers,
            shard_mb=shard_mb,
            release=VoxVggOptions(**{"min_confidence": 0.5} | options),
        )
    )
    return Folder(out)


@pytest.fixture(scope="module")
def built(release, tmp_path_factory) -> Folder:
    return build(release, tmp_path_factory.mktemp("vox_vgg_built"), "faces", "voices")


def rows(folder: Folder, config: str) -> list[dict]:
    return [row for row in folder.table("index").to_pylist() if row["config"] == config]


def rejected(folder: Folder) -> list[dict]:
    return folder.table("quarantine").to_pylist()


def test_statistics_count_as_index_and_quarantine_do(built):
    found = statistics(built)
    tables = {table.title: table.rows for table in found.tables}
    for config in ("faces", "voices"):
        kept = rows(built, config)
        left = [row for row in rejected(built) if row["config"] == config and row["stage"] != "table"]
        about_samples = [row for row in left if row["key"] and row["measured"] != '{"faces": 0}']
        counted = sum(json.loads(row["measured"] or "{}").get(config, bool(row["key"])) for row in left)
        steps = tables[f"Left out step by step: {config}"]
        assert (steps[0][1], steps[-1][3]) == (len(kept) + counted, len(kept))
        assert {row[0] for row in steps} >= {row["stage"] for row in about_samples}
    of_all = {row[:2]: row[2:] for row in tables["Table 1"]}
    for subset, title in (("vox1", "Vox-VGG-1"), ("vox2", "Vox-VGG-2")):
        faces, voices = ([r for r in rows(built, config) if r["subset"] == subset] for config in ("faces", "voices"))
        people = {row["identity"] for row in [*faces, *voices]}
        assert of_all[title, "total"][1::3] == (len(people), len(voices), len(faces))
    assert all(table.markdown(3) in (built.path / "README.md").read_text() for table in found.tables)


def test_everything_read_is_kept_or_in_quarantine(built):
    faces = rows(built, "faces")
    assert len(faces) == 6 * 4 and len(rows(built, "voices")) == 1 + 4 + 6 + 12 + 2
    assert all((row["fields"][0]["width"], row["fields"][0]["height"]) == (112, 112) for row in faces)
    why = {row["place"]: (row["stage"], row["reason"]) for row in rejected(built)}
    assert why["vggface1/Ann_Ames/90.jpg"] == ("faces", "mtcnn finds no face of score 0.5 or more")
    assert why["vggface1/Ann_Ames/91.jpg"][0] == "decode"
    assert "1 files are no pictures to read, the first notes.txt" in why["vggface1/Ann_Ames"][1]
    assert "1 people who are not in the chosen sets" in why["Nobody_Known"][1]
    assert why["vox_vgg/vox2/id00019"] == (
        "split",
        "1 recordings of 1 people who take no part in split vfmr1",
    )
    assert len(why) == 5
    measured = next(json.loads(row["measured"]) for row in rejected(built) if row["place"].endswith("90.jpg"))
    assert measured == {"det_conf": None, "height": 200, "n_faces": 0, "width": 200}


def test_people_are_joined_through_the_tables_never_by_digits(built, release):
    """The picture of VoxCeleb's id00017 is that of VGGFace2's n000016, although there is an n000017."""
    sample = next(built.fetch(["vox2-id00017_0001_01"], config="faces"))
    assert (sample["json"]["vggface_id"], sample["json"]["image_name"]) == ("n000016", "0001_01.jpg")
    crop, side = sample["json"]["crop"], 112
    across = np.linspace(crop["left"], crop["right"], side + 1)[:-1] + (crop["right"] - crop["left"]) / side / 2 - 0.5
    down = np.linspace(crop["top"], crop["bottom"], side + 1)[:-1] + (crop["bottom"] - crop["top"]) / side / 2 - 0.5
    place = np.meshgrid(across.astype(np.float32), down.astype(np.float32))
    own, other = (
        np.abs(cv2.remap(release.shots[who][0], *place, cv2.INTER_LINEAR).astype(int) - sample["face.webp"]).mean()
        for who in ("n000016", "n000017")
    )
    assert own < 2 < 5 < other


def test_samples_of_one_person_are_one_run_of_bytes(built):
    """An identity batch is one short read per shard: nobody else's bytes lie in between."""
    by_person: dict[tuple, list[tuple[int, int]]] = {}
    whole: dict[str, list[tuple[int, int]]] = {}
    for row in rows(built, "faces"):
        span = (row["fields"][0]["offset"], row["fields"][0]["size"])
        by_person.setdefault((row["shard"], row["identity"]), []).append(span)
        whole.setdefault(row["shard"], []).append(span)
    assert len(by_person) == 6
    for (shard, _), spans in by_person.items():
        first, last = min(spans)[0], max(spans)[0]
        assert sorted(spans) == spans == [span for span in sorted(whole[shard]) if first <= span[0] <= last]


def test_two_workers_write_the_same_bytes(release, tmp_path, tree):
    """With a detector that needs no torch, which takes each worker seconds to load."""
    few = {"subjects": "id10001,id00017", "detector": "dlib-hog"}
    one, two = (
        build(release, tmp_path / str(workers), "faces", "voices", workers=workers, **few) for workers in (1, 2)
    )
    assert len(rows(one, "faces")) >= 4 and len(rows(one, "voices")) == 2
    assert tree(two.path) == tree(one.path)


def test_seen_heard_holds_out_whole_videos_and_photographs(release, tmp_path):
    folder = build(release, tmp_path / "sh", "faces", "voices", splits="sh")
    assert check(folder.path).problems == []
    splits = {row["identity"]: row["split"] for row in folder.table("identities").to_pylist()}
    homes = {who: {row["split"] for row in rows(folder, "faces") if row["identity"] == who} for who in splits}
    assert len(homes) == 6 and all(splits[who] is None for who, found in homes.items() if len(found) > 1)
    for config, group in (("faces", "image_name"), ("voices", "clip")):
        found = rows(folder, config)
        assert all(row["held_out"] == (row["split"] == "test") for row in found)
        parts = {
            split: {(row["identity"], row[group].split("_")[0]) for row in found if row["split"] == split}
            for split in ("train", "test")
        }
        assert parts["test"] and not parts["test"] & parts["train"]
        people = {split: {who for who, _ in parts[split]} for split in parts}
        assert people["test"] <= people["train"]
    assert [row["split"] for row in rows(folder, "voices") if row["speaker_id"] == "id10001"] == ["train"]


@pytest.fixture(scope="module")
def rcgan(release, tmp_path_factory) -> Folder:
    out = tmp_path_factory.mktemp("rcgan")
    return build(release, out, "rcgan", splits="svhf", num_classes=2, min_voice_samples=6, target_seed=5)


def test_rcgan_holds_features_and_the_one_target_of_each_class(rcgan):
    assert check(rcgan.path).problems == []
    found = rows(rcgan, "rcgan")
    about = {(row["class_index"], row["name"], row["n_clips"], row["split_rule"]) for row in found}
    assert about == {(0, "Zoë_Zane", 12, "rcgan"), (1, "Cid_Cole", 6, "rcgan")}
    assert len({(row["class_index"], row["target_image"]) for row in found}) == 2
    tested = [sum(row["split"] == "test" and row["class_index"] == index for row in found) for index in (0, 1)]
    assert tested == [2, 1] and len(found) == 18
    first, other = (next(rcgan.fetch([row["key"]])) for row in (found[0], found[-1]))
    for sample in (first, other):
        # 32,000 samples at 16 kHz are 44,100 at 22,050: segments begin at 0, 10,240 and 20,480.
        assert sample["piczak.array"].shape == (3, 2, 60, 41) and sample["json"]["segments"] == 3
        assert sample["face96.webp"].shape == (96, 96, 3) and sample["face64.webp"].shape == (64, 64, 3)
    assert np.abs(cv2.resize(first["face96.webp"], (64, 64)).astype(int) - first["face64.webp"]).mean() < 3


def test_too_few_rcgan_classes_are_a_row_in_quarantine(release, tmp_path):
    folder = build(release, tmp_path / "few", "rcgan", splits="svhf", num_classes=3, min_voice_samples=7)
    assert [row["reason"][:14] for row in rejected(folder)] == ["1 of 3 classes"]
    assert {row["class_index"] for row in rows(folder, "rcgan")} == {0}


def test_rcgan_faces_have_eyes_and_nose_in_openface_places(rcgan):
    """Found anew by dlib on the aligned picture, enlarged: the printed places at 96 px."""
    face = next(rcgan.fetch([rows(rcgan, "rcgan")[0]["key"]]))["face96.webp"]
    large = cv2.resize(cv2.copyMakeBorder(face, 48, 48, 48, 48, cv2.BORDER_REPLICATE), None, fx=3, fy=3)
    box = max(open_detector("dlib-hog")(large), key=lambda found: found.score).box
    points = open_landmarks()(large, box)[[36, 45, 33]] / 3 - 48
    assert np.abs(points - [(18.639, 16.250), (75.730, 15.184), (47.515, 49.386)]).max() < 4


def listed(rows: list[tuple]) -> bytes:
    lines = [f"{number:08d} http://x.example/{number}.jpg {box} 3 2.5 {kept}" for number, box, kept in rows]
    return ("\n".join([*lines, "a broken line"]) + "\n").encode()


def test_filtered_vggface_takes_boxes_and_curation_from_the_lists(release, tmp_path):
    """Of a person without a list the detector finds the faces; a list's name may have its accents apart."""
    raw = tmp_path / "raw"
    put(raw / "vox1_meta.csv", VOX1.encode())
    for name, count in (("Cid_Cole", 4), ("Zoë_Zane", 1), ("Ann_Ames", 1)):
        for shot, picture in enumerate(release.shots[name][:count], 1):
            put(raw / "VGGFace" / name / f"{shot:08d}.jpg", jpeg(picture))
    table = [(1, "150.00 60.00 230.00 140.00", 1), (2, "150 60 230 140", 0), (3, "500 60 900 140", 1)]
    put(raw / "VGGFace" / "files" / "Cid_Cole.txt", listed(table))
    put(raw / "VGGFace" / "files" / f"{unicodedata.normalize('NFD', 'Zoë_Zane')}.txt", listed(table[:1]))
    folder = build(raw, tmp_path / "out", "faces", splits="filtered_vggface")
    found = {row["name"]: row for row in rows(folder, "faces")}
    assert {name: (row["split"], row["detector"]) for name, row in found.items()} == {
        "Ann_Ames": ("validation", "mtcnn"),
        "Cid_Cole": ("test", "list"),
        "Zoë_Zane": ("train", "list"),
    }
    assert found["Cid_Cole"]["crop"] == {"left": 150, "top": 60, "right": 230, "bottom": 140}
    assert (found["Cid_Cole"]["det_conf"], found["Cid_Cole"]["list_curated"]) == (2.5, True)
    why = {row["place"].rsplit("/", 1)[-1]: row["reason"] for row in rejected(folder)}
    assert why["00000002.jpg"].startswith("curation 0") and why["00000004.jpg"].startswith("not in VGGFace's list")
    assert "does not fit a picture of 448 x 320" in why["00000003.jpg"]
    assert "1 lines are no row of a VGGFace list, the first in row 4" in why["Cid_Cole.txt"]


def test_the_published_box_tells_which_of_two_faces_is_meant(release, tmp_path):
    raw = tmp_path / "raw"
    put(raw / "vox2_meta.csv", VOX2.encode())
    left, right = release.shots["n000016"][0], release.shots["n000017"][0]
    put(raw / "vggface2_test.tar.gz", b"as downloaded")
    put(raw / "train" / "n000016" / "0001_01.jpg", jpeg(np.hstack([left, right])))
    put(raw / "train" / "n000016" / "0001_02.jpg", jpeg(np.hstack([left, right])))
    put(raw / "train" / "n000016" / "0002_01.jpg", jpeg(left))
    table = 'NAME_ID,X,Y,W,H\n"n000016/0001_01",140,40,120,150\n"n000016/0001_02",588,40,120,150\n'
    put(raw / "bb_landmark" / "loose_bb_train.csv", (table + '"n000016/0002_01",0,0,50,50\nn000016,1\n').encode())
    meta = (
        'Class_ID, Name, Sample_Num, Flag, Gender\nn000016, "Somebody", 3, 1, m\nn000999, "Zoe\u0308_Zane", 3, 1, f\n'
    )
    put(raw / "meta" / "identity_meta.csv", meta.encode())
    put(raw / "vox1_meta.csv", VOX1.encode())
    put(raw / "vggface1" / "Zoë_Zane" / "1.jpg", jpeg(left))
    put(raw / "vggface1" / "Cid_Cole" / "1.jpg", jpeg(left))
    folder = build(raw, tmp_path / "out", "faces")
    seen = {row["name"]: row["name_in_vggface2"] for row in rows(folder, "faces")}
    assert seen == {"Somebody": True, "Zoë_Zane": True, "Cid_Cole": False}
    found = {row["image_name"]: row for row in rows(folder, "faces") if row["subset"] == "vox2"}
    assert {name: row["n_faces"] for name, row in found.items()} == {"0001_01.jpg": 2, "0001_02.jpg": 2}
    assert found["0001_01.jpg"]["box"]["right"] < 448 < found["0001_02.jpg"]["box"]["left"]
    assert found["0001_02.jpg"]["release_box"] == {"left": 588, "top": 40, "right": 708, "bottom": 190}
    why = {row["place"].rsplit("/", 1)[-1]: row["reason"] for row in rejected(folder)}
    assert "none with its middle in the published box" in why["0002_01.jpg"]
    assert "1 lines are no box" in why["loose_bb_train.csv"] and "gunzip it" in why["vggface2_test.tar.gz"]


def test_one_archive_of_all_people_and_folders_at_the_root_are_read_alike(release, tmp_path):
    """Same samples, byte for byte, from vggface1.zip and from folders beside the tables."""
    packed, plain = tmp_path / "packed", tmp_path / "plain"
    for raw in (packed, plain):
        put(raw / "vox1_meta.csv", VOX1.encode())
    with zipfile.ZipFile(packed / "vggface1.zip", "w") as archive:
        for name in ("Ann_Ames", "Zoë_Zane"):
            data = jpeg(release.shots[name][0])
            archive.writestr(f"vgg/{name}/1.jpg", data)
            put(plain / name / "1.jpg", data)
    one, two = (
        build(raw, tmp_path / f"{raw.name}_out", "faces", splits="svhf", set="vox-vgg-1") for raw in (packed, plain)
    )
    assert [row["fields"] for row in rows(one, "faces")] == [row["fields"] for row in rows(two, "faces")]
    assert {row["split"] for row in rows(one, "faces")} == {"train", "validation"}


def test_whoever_lacks_a_face_or_a_voice_is_left_out_of_a_set_that_has_both(release, tmp_path, voxceleb):
    """vox1 has both, so Ann (no voice) and Bob (no face) go; of vox2 there are faces alone, so nobody goes."""
    raw = tmp_path / "raw"
    put(raw / "vox1_meta.csv", VOX1.encode())
    put(raw / "vox2_meta.csv", VOX2.encode())
    for place in ("vggface1/Ann_Ames/1.jpg", "vggface1/Cid_Cole/1.jpg", "train/n000016/0001_01.jpg"):
        put(raw / place, jpeg(release.shots["Cid_Cole"][0]))
    for speaker in ("id10002", "id10003"):
        put(raw / "wav" / speaker / VIDEOS[0] / "00001.wav", wav(voxceleb.said[:32_000]))
    paired = build(raw, tmp_path / "paired", "faces", "voices")
    names = {config: {row["speaker_id"] for row in rows(paired, config)} for config in ("faces", "voices")}
    assert names == {"faces": {"id10003", "id00017"}, "voices": {"id10003"}}
    why = {row["place"]: row["reason"] for row in rejected(paired) if row["stage"] == "pairing"}
    assert why["vox_vgg/vox1/id10001"].startswith("1 faces of a person without a voice")
    assert why["vox_vgg/vox1/id10002"].startswith("1 voices of a person without a face") and len(why) == 2
    everybody = build(raw, tmp_path / "all", "faces", "voices", paired=False)
    assert len(rows(everybody, "faces")) == 3 and len(rows(everybody, "voices")) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"splits": "svhf", "set": "vox-vgg-2"}, "split svhf is about vox-vgg-1"),
        ({"box_scale": 0.5}, "box_scale 0.5: expected 1 to 3"),
        ({"face_size": 4}, "face_size 4"),
        ({"features": "mfcc"}, "no 'mfcc'"),
        ({"detector": "mtcn"}, "no detector 'mtcn'"),
    ],
)
def test_unfit_options_are_told_before_anything_is_built(release, tmp_path, options, words):
    with pytest.raises(ValueError, match=words):
        build(release, tmp_path / "out", "faces", **options)
    assert not (tmp_path / "out").exists()


def test_lossy_and_larger_faces_are_as_asked_and_named_on_the_card(release, tmp_path):
    folder = build(release, tmp_path / "lossy", "faces", quality=90, face_size=64, box_scale=1.3, subjects="id10001")
    found = rows(folder, "faces")
    assert len(found) == 4 and {row["fields"][0]["width"] for row in found} == {64}
    crop, box = found[0]["crop"], found[0]["box"]
    longer = max(box["right"] - box["left"], box["bottom"] - box["top"])
    assert crop["right"] - crop["left"] == pytest.approx(1.3 * longer, rel=1e-5)
    card = (folder.path / "README.md").read_text()
    assert "LOSSY (WebP quality 90)" in card and "named people: biometric data" in card
    assert decode_picture(_bytes(folder, found[0])).shape == (64, 64, 3)


def _bytes(folder: Folder, row: dict) -> bytes:
    entry = row["fields"][0]
    data = (folder.path / row["shard"]).read_bytes()
    return data[entry["offset"] : entry["offset"] + entry["size"]]


def test_stored_features_are_those_of_the_recording(built, release, tmp_path):
    folder = build(release, tmp_path / "features", "voices", subjects="id10001", features="vfmr")
    row = rows(folder, "voices")[0]
    entry = next(entry for entry in row["fields"] if entry["name"] == "vfmr.array")
    data = (folder.path / row["shard"]).read_bytes()
    assert decode_array(data[entry["offset"] : entry["offset"] + entry["size"]]).shape == (257, row["samples"] // 160)


@pytest.mark.real
def test_real_portraits_of_voxceleb_people_become_faces_of_the_real_table(real, tmp_path):
    """The 14 faces of HQ-VoxCeleb under their own names, as VGGFace has them, with the whole official table."""
    raw = tmp_path / "raw"
    put(raw / "vox1_meta.csv", (real / "voxceleb_meta" / "vox1_meta.csv").read_bytes())
    shutil.copytree(real / "faces" / "hq_voxceleb", raw / "vggface1")
    voice = sorted((real / "voices" / "librispeech").rglob("*.flac"))[0]
    put(raw / "wav" / "id10045" / VIDEOS[0] / "00001.flac", voice.read_bytes())
    folder = build(raw, tmp_path / "out", "faces", "voices", splits="svhf", min_confidence=0.9, paired=False)
    found = rows(folder, "faces")
    assert len(found) == 14 and {row["split"] for row in found} == {"validation", "test"}
    assert {row["name"]: row["split"] for row in found}["Emraan_Hashmi"] == "test"
    assert all(row["det_conf"] > 0.96 and row["n_faces"] == 1 for row in found)
    # The authors' own alignment puts the pupils 0.243 of the side apart.
    assert all(row["ipd"] == pytest.approx(0.243 * row["width"], rel=0.05) for row in found)
    assert [row["reason"] for row in rejected(folder)] == [
        "1,246 people have neither a folder nor an archive of pictures, the first A.J._Buckley"
    ]
    heard = rows(folder, "voices")[0]
    assert heard["speech_seconds"] > 0.5 * heard["seconds"]


def test_a_forged_release_gives_the_faces_its_truth_tells(tmp_path):
    """Zipped trees of VGGFace and VGGFace2: whoever is pictured is found at the landmarks that were painted."""
    raw = tmp_path / "forged"
    forge(raw, ForgeOptions(people=2, images=4, utterances=0, archives=True, seed=4))
    truth = json.loads(truth_path(raw).read_text())
    truth_path(raw).unlink()
    folder = build(raw, tmp_path / "out", "faces", splits="vfmr1", min_confidence=0.9)
    found = {f"{row['vggface_id']}/{row['image_name']}": row for row in rows(folder, "faces")}
    people = {row["vggface_id"] for row in found.values()}
    pictured = {
        "/".join(unicodedata.normalize("NFC", place).split("/")[1:]): faces
        for place, faces in truth["pictures"].items()
    }
    told = {place: facts for place, facts in pictured.items() if place.split("/")[0] in people}
    lost = {row["place"].split(".zip/")[-1] for row in rejected(folder) if row["stage"] == "faces"}
    assert len(told) >= 12 and len(found) + len(lost) == len(told)
    assert all(facts["kind"] in ("none", "blurred", "profile") for place, facts in told.items() if place not in found)
    for place, row in found.items():
        points = np.array(told[place]["landmarks"])
        box = row["box"]
        assert ((points[17:] > (box["left"], box["top"])) & (points[17:] < (box["right"], box["bottom"]))).mean() > 0.9
        assert row["source"].startswith("forged by facevox")
