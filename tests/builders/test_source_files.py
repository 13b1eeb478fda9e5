"""What a sample is made of, in every dataset: one digest a key in all configs, and changed with its own files alone."""

import json
from pathlib import Path

import pytest
from facevox.builders.core.builder import Builder, Unit, find
from facevox.builders.core.raw import open_raw
from facevox.builders.core.source_files import Checksums
from facevox.builders.population.clips import ForgeOptions
from facevox.builders.population.speakingfaces import forge
from facevox.builders.speakingfaces import SpeakingFaces, SpeakingFacesOptions

VOX1 = "VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet\nid10001\tAnn_Ames\tf\tUSA\tdev\n"
VOICE = "id10001/aaaaaaaaaaa/0000"
AVSPEECH = {
    "avspeech_train.csv": b"aaaaaaaaaaa,0,3,0.5,0.5\nbbbbbbbbbbb,1,4,0.5,0.5\nbbbbbbbbbbb,5,8,0.5,0.5\n",
    "clips/aaaaaaaaaaa_00000000_00003000.mp4": b"a",
    "videos/bbbbbbbbbbb.mp4": b"b",
}
VOX_VGG = {"vox1_meta.csv": VOX1.encode()}
VOX_VGG |= {f"vggface1/Ann_Ames/{number}.jpg": b"%d" % number for number in range(1, 4)}
VOX_VGG |= {f"wav/{VOICE}{number}.wav": b"%d" % number for number in range(1, 4)}
HQ = {"vox1_meta.csv": VOX1.encode(), f"wav/{VOICE}1.wav": b"1"}
FACES = {
    f"vox1/{kind}_faces/Ann_Ames/{number}.jpg": b"%d" % number for kind in ("masked", "origin") for number in (1, 2)
}
MEL = {"vox1/mel_spectrograms/Ann_Ames/id10001_aaaaaaaaaaa_00002.pickle": b"m"}
PHOTOS = {f"vox1/Ann_Ames/{number}.jpg": b"%d" % number for number in (4, 7)}
CHINESE = {
    "meta/speakers.csv": b"speaker_id,gender,n_videos,n_segments,n_faces,fold\ncvf0001,f,1,1,2,0\n",
    "meta/videos.csv": b"video_id,speaker_id,source,duration_s,fps,gt_start_s,gt_end_s\n"
    b"v0001,cvf0001,talk,30,25,0,12\n",
    "config.json": b"{}",
    "candidates/face.csv": b"speaker_id,video_id,frame_ms,k,x,y,w,h,det_conf,score,kept,reason\n"
    b"cvf0001,v0001,0,0,1,2,3,4,0.9,0.9,1,\ncvf0001,v0001,1000,0,1,2,3,4,0.9,0.9,1,\n",
    "candidates/voice.csv": b"speaker_id,video_id,start_ms,end_ms,score,kept,reason\ncvf0001,v0001,0,3000,0.9,1,\n",
    "face/cvf0001/v0001/00000000_0.jpg": b"0",
    "face/cvf0001/v0001/00001000_0.jpg": b"1",
    "voice/cvf0001/v0001/00000000_00003000.wav": b"2",
}


def keys(unit: Unit) -> list[str]:
    """The unit's own, and those of its samples that the listing knows."""
    pictures = unit.details.get("pictures", ())
    if isinstance(pictures, str):
        return [unit.key, *(row[0] for row in json.loads(pictures))]
    if "clips" in unit.details:
        clips = [clip["key"] for clip in unit.details["clips"]]
        return [unit.key, *clips, *(f"{key}_0002" for key in clips)]
    if "rows" in unit.details and unit.samples > 1:
        return [unit.key, *(f"{unit.key}_{row.partition(',')[0]}" for row in unit.details["rows"].split("\n"))]
    return [unit.key, *(f"{unit.key}_{number:04d}" for number, *_ in pictures)]


def digests(builder: Builder, release: Path) -> dict[str, str]:
    """Of every key of every config; a key of several configs has one."""
    raw = open_raw(str(release))
    sums, found = Checksums(raw), {}
    for config in builder.configs:
        for unit in builder.units(raw, config.name):
            for key in keys(unit) if isinstance(unit, Unit) else ():
                digest = sums.digest(builder.source_files(unit, key))
                assert len(digest) == 64, (config.name, key)
                assert found.setdefault(key, digest) == digest, (config.name, key)
    return found


@pytest.mark.parametrize(
    ("dataset", "options", "files", "changed", "whose"),
    [
        ("avspeech", {}, AVSPEECH, "clips/aaaaaaaaaaa_00000000_00003000.mp4", ["00000000_00003000"]),
        ("avspeech", {}, AVSPEECH, "videos/bbbbbbbbbbb.mp4", ["00001000_00004000", "00005000_00008000"]),
        ("vox_vgg", {"detector": "dlib-hog"}, VOX_VGG, "vggface1/Ann_Ames/2.jpg", ["id10001", "_00000002"]),
        ("vox_vgg", {"detector": "dlib-hog"}, VOX_VGG, f"wav/{VOICE}2.wav", ["_00002"]),
        ("chinese_vf", {}, CHINESE, "face/cvf0001/v0001/00001000_0.jpg", ["v0001", "_00001000_000"]),
        ("chinese_vf", {}, CHINESE, "voice/cvf0001/v0001/00000000_00003000.wav", ["_00003000"]),
        ("hq_voxceleb", {"detector": "none"}, HQ | FACES, "vox1/origin_faces/Ann_Ames/2.jpg", ["_0002"]),
        ("hq_voxceleb", {"detector": "none"}, HQ | FACES | MEL, next(iter(MEL)), ["_00002"]),
        ("hq_voxceleb", {"source": "candidates"}, HQ | PHOTOS, "vox1/Ann_Ames/7.jpg", ["id10001", "_0007"]),
    ],
)
def test_a_digest_changes_with_the_files_of_its_sample_alone(tmp_path, dataset, options, files, changed, whose):
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    kind = find(dataset)
    builder = kind(kind.options_type(**options))
    before = digests(builder, tmp_path)
    (tmp_path / changed).write_bytes(b"z")
    after = digests(builder, tmp_path)
    assert before.keys() == after.keys() and len(before) > 1
    other = sorted(key for key in before if before[key] != after[key])
    assert len(other) == len(whose)
    assert all(key.endswith(ending) for key, ending in zip(other, whose, strict=True))


def test_utterances_crops_and_pairs_are_of_the_same_files(tmp_path):
    forge(tmp_path / "r", ForgeOptions(subjects=3, positions=1, utterances=1, frames=4, stills_frames=2, size="small"))
    found = digests(SpeakingFaces(SpeakingFacesOptions(detector="dlib-hog")), tmp_path / "r")
    assert len(set(found.values())) == len(found)
    assert {key.count("_") for key in found} == {3, 4, 5}
