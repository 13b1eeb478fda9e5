"""Pictures beside recordings, twice, under odd names or behind links: read, or a row; never gone, never a crash."""

import json
import zipfile
from pathlib import Path

import pytest
from facevox.builders.core.builder import Unit
from facevox.builders.core.raw import open_raw
from facevox.builders.core.stage import Rejection
from facevox.builders.stages import vggface_listing
from facevox.builders.stages.vox_vgg_options import VoxVggOptions
from facevox.builders.stages.vox_vgg_units import VoxVggRelease

VOX1 = "VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet\n" + "".join(
    f"id1000{number}\t{name}\tf\tUSA\tdev\n" for number, name in enumerate(("Ann_Ames", "Bob_Boe"), 1)
)
VOX2 = "VoxCeleb2 ID ,VGGFace2 ID ,Gender ,Set \nid00017 ,n000016 ,m ,dev \n"
CLIP = "id10001/aaaaaaaaaaa/00001.wav"


def put(place: Path, data: bytes = b"x") -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)


@pytest.fixture
def release(tmp_path) -> Path:
    put(tmp_path / "raw" / "vox1_meta.csv", VOX1.encode())
    put(tmp_path / "raw" / "vox2_meta.csv", VOX2.encode())
    return tmp_path / "raw"


def listed(raw: Path, config: str, **options) -> tuple[list[Unit], dict[str, str]]:
    """Units, and reasons by place."""
    found = VoxVggRelease(open_raw(str(raw)), VoxVggOptions(**options), config)
    items = list(found.face_units() if config == "faces" else found.voice_units())
    rows = [item for item in items if isinstance(item, Rejection)]
    return [item for item in items if isinstance(item, Unit)], {row.place: row.reason for row in rows}


def pictures(units: list[Unit]) -> list[str]:
    return sorted(row[1] for unit in units for row in json.loads(unit.details["pictures"]))


def test_recordings_lie_where_pictures_do(release):
    put(release / "train" / "n000016" / "0001_01.jpg")
    put(release / "train" / "wav" / CLIP)
    put(release / "vggface1" / "Ann_Ames" / "1.jpg")
    put(release / "vggface1" / "dev" / CLIP.replace("00001", "00002"))
    with zipfile.ZipFile(release / "test.zip", "w") as archive:
        archive.writestr(f"wav/{CLIP.replace('00001', '00003')}", b"x")
        archive.writestr("test/n000016/0002_01.jpg", b"x")
    units, _ = listed(release, "voices")
    assert [unit.key[-5:] for unit in units] == ["00001", "00002", "00003"]
    units, rows = listed(release, "faces")
    assert pictures(units) == ["Ann_Ames/1.jpg", "n000016/0001_01.jpg"]
    assert "a second place of n000016's pictures" in rows["test.zip/n000016"]
    assert not any("not in the chosen sets" in reason for reason in rows.values())


def test_peoples_own_places_are_not_looked_through_for_recordings(release):
    put(release / "train" / "n000016" / "0001_01.jpg")
    put(release / "train" / "n000999" / "0001_01.jpg")
    put(release / "Ann_Ames" / "1.jpg")
    found = VoxVggRelease(open_raw(str(release)), VoxVggOptions(), "voices")
    left = [entry.name for entry in found.raw.entries(found.faces.own_places())]
    assert left == ["vox1_meta.csv", "vox2_meta.csv"]


def test_second_places_and_keys_of_one_person_are_rows(release):
    put(release / "vggface1" / "Ann_Ames" / "1.jpg")
    put(release / "vggface1" / "Ann_Ames" / "00000001.jpg")
    put(release / "VGGFace" / "Ann_Ames" / "2.jpg")
    put(release / "vggface1" / "Bob_Boe" / "1.jpg")
    with zipfile.ZipFile(release / "vggface1" / "Bob_Boe.zip", "w") as archive:
        archive.writestr("Bob_Boe/7.jpg", b"x")
    units, rows = listed(release, "faces")
    assert pictures(units) == ["Ann_Ames/00000001.jpg", "Bob_Boe/7.jpg"]
    assert "after vggface1/Ann_Ames" in rows["VGGFace/Ann_Ames"]
    assert "after vggface1/Bob_Boe.zip" in rows["vggface1/Bob_Boe"]
    assert rows["vggface1/Ann_Ames/1.jpg"].startswith("the key 00000001 is that of 00000001.jpg too")


@pytest.mark.parametrize("name", ["a\\b", "x:y", "line\nbreak"])
def test_odd_names_are_rows(release, name):
    put(release / name / CLIP)
    put(release / "train" / name / "1.jpg")
    put(release / "vggface1" / "Ann_Ames" / "1.jpg")
    units, rows = listed(release, "faces")
    assert pictures(units) == ["Ann_Ames/1.jpg"]
    assert rows[name].startswith("refused: ") and rows[f"train/{name}"].startswith("refused: ")
    units, rows = listed(release, "voices")
    assert not units and rows[f"{name}/{CLIP}"].startswith("refused: ")


def test_tables_that_cannot_be_read_are_rows(release, tmp_path, monkeypatch):
    monkeypatch.setattr(vggface_listing, "MAX_LIST_BYTES", 100)
    put(tmp_path / "outside.txt", b"1 u 1 1 9 9 1 1 1\n")
    for name in ("Ann_Ames", "Bob_Boe"):
        put(release / "vggface1" / name / "1.jpg")
    put(release / "vggface1" / "files" / "Ann_Ames.txt", b"x" * 101)
    (release / "vggface1" / "files" / "Bob_Boe.txt").symlink_to(tmp_path / "outside.txt")
    put(release / "identity_meta.csv", b"One,Two\n1,2\n")
    units, rows = listed(release, "faces", splits="filtered_vggface")
    assert len(units) == 2 and all(unit.details["facts"]["name_in_vggface2"] is None for unit in units)
    assert "expected at most 100" in rows["vggface1/files/Ann_Ames.txt"]
    assert "a link that leads out" in rows["vggface1/files/Bob_Boe.txt"]
    assert "Class_ID" in rows["identity_meta.csv"]


def test_links_that_lead_out_of_the_release_are_rows_and_not_followed(release, tmp_path):
    put(tmp_path / "outside" / "Bob_Boe" / "1.jpg")
    put(tmp_path / "outside" / "Ann_Ames" / "1.jpg")
    put(tmp_path / "outside" / CLIP)
    put(release / "train" / "n000016" / "0001_01.jpg")
    (release / "more").symlink_to(tmp_path / "outside")
    (release / "VGGFace").symlink_to(tmp_path / "outside")
    (release / "vggface1").mkdir()
    (release / "vggface1" / "Ann_Ames").symlink_to(tmp_path / "outside" / "Ann_Ames")
    units, rows = listed(release, "voices")
    assert not units and "leads out of the release" in rows["more"]
    units, rows = listed(release, "faces")
    assert pictures(units) == ["n000016/0001_01.jpg"]
    assert "leads out of the release" in rows["vggface1/Ann_Ames"] and "leads out" in rows["VGGFace"]
    raw = open_raw(str(release))
    with pytest.raises(ValueError, match="leads out of the release"):
        raw.read(f"more/{CLIP}", 100)
    with pytest.raises(ValueError, match="leads out of the release"):
        raw.inside("VGGFace")


def test_boxes_are_finite(tmp_path):
    from facevox.builders.stages.vggface_boxes import read_list

    problems: list[tuple[str, str]] = []
    lines = ["1 u 1 1 9 9 1 inf 1", "2 u 1 1 9 9 nan 1 1", "3 u 1 1 1e999 9 1 1 1", "4 u 1 1 9 9 1 1 1"]
    assert list(read_list("\n".join(lines).encode(), "Ann.txt", problems)) == ["00000004"]
    assert problems[0][1].startswith("3 lines are no row")
    with (tmp_path / "loose.csv").open("w+b") as file:
        file.write(b"n000016/0001_01,1,1," + b"9" * 4_000 + b",9\nn000016/0002_01,1,1,9,9\n")
        file.seek(0)
        found = vggface_listing.read_loose_boxes(file, "loose.csv", {"n000016"}, problems)
    assert list(vggface_listing.loose_boxes(found["n000016"])) == ["0002_01"] and len(problems) == 2
