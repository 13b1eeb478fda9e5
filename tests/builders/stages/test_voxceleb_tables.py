"""VoxCeleb's meta tables: joined by id, never by digits; published counts exactly."""

import unicodedata
from collections import Counter

import pytest
from facevox.builders.core.raw import open_raw
from facevox.builders.stages.voxceleb_tables import (
    Identities,
    composed,
    join,
    read_identities,
    read_vggface2_names,
    read_vox1,
    read_vox1_names,
    read_vox2,
)

VOX1 = (
    "VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet\n"
    "id10001\tA.J._Buckley\tm\tIreland\tdev\n"
    "id10002\tZoe\u0308_Kravitz\tf\tUSA\tdev\n"
    "id10270\tEartha_Kitt\tf\tUSA\ttest\n"
)
VOX2 = (
    "Class_ID,Name,Sample_Num,Flag,Gender_x,VoxCeleb2ID,VGGFace2ID,Gender_y,Set\n"
    "n000012,Aaron_Ashmore,382,1,m,id00012,n000012,m,dev\n"
    "n003346,Eartha_Kitt,455,0,f,id03347,n003346,f,test\n"
    "n000016,\u017dydr\u016bnas_Savickas,449,1,m,id00017,n000016,m,dev\n"
)


def test_people_are_joined_through_the_id_columns():
    vox1, vox2 = read_vox1(VOX1.encode()), read_vox2(VOX2.encode())
    assert [(one.name, one.gender, one.nationality, one.set) for one in vox1.people] == [
        ("A.J._Buckley", "m", "Ireland", "dev"),
        ("Zo\u00eb_Kravitz", "f", "USA", "dev"),
        ("Eartha_Kitt", "f", "USA", "test"),
    ]
    strong = vox2.by_speaker["id00017"]
    assert (strong.vggface, strong.faces, strong.in_vggface2_train, strong.nationality) == ("n000016", 449, True, "")
    assert vox2.by_vggface["n003346"].speaker == "id03347"
    assert vox2.by_vggface["n003346"].in_vggface2_train is False
    assert not vox1.problems
    assert not vox2.problems


def test_names_are_found_however_their_accents_are_encoded():
    both = join(read_vox1(VOX1.encode()), read_vox2(VOX2.encode()))
    for form in ("NFC", "NFD"):
        assert both.find("vox1", unicodedata.normalize(form, "Zo\u00eb_Kravitz")).speaker == "id10002"
        assert both.find("vox2", unicodedata.normalize(form, "\u017dydr\u016bnas_Savickas")).speaker == "id00017"
    assert both.find("vox2", "A.J._Buckley") is None
    assert composed("e\u0301") == "\u00e9"


def test_of_a_name_in_both_tables_the_vox2_copy_is_left_out_and_reported():
    both = join(read_vox1(VOX1.encode()), read_vox2(VOX2.encode()))
    assert [one.key for one in both.people if one.name == "Eartha_Kitt"] == [("vox1", "Eartha_Kitt")]
    assert "id03347" not in both.by_speaker
    (problem,) = both.problems
    assert (problem.key, problem.place) == ("vox2/Eartha_Kitt", "vox2 table row 3")
    assert "id03347" in problem.reason
    assert "id10270" in problem.reason


def test_the_split_counts_rows_from_zero_and_bad_rows_too():
    rows = [f"id1{n:04d}\tName_{n:02d}\tm\tUSA\tdev" for n in range(20)]
    header = VOX1.split("\n", 1)[0]
    whole = read_vox1("\n".join([header, *rows]).encode())
    by_split = {
        split: [one.index for one in whole.people if one.split == split] for split in ("train", "validation", "test")
    }
    assert by_split == {"train": [*range(8), *range(10, 18)], "validation": [9, 19], "test": [8, 18]}
    rows[3] = "id10003\tName_03\tx\tUSA\tdev"
    rows[5] = "10005\tName_05\tm\tUSA\tdev"
    rows[6] = "id10006\tName_02\tm\tUSA\tdev"
    rows[7] = "id10001\tName_07\tm\tUSA\tdev"
    rows[10] = "id10010\t../up\tm\tUSA\tdev"
    rows[11] = "id10011\tName_11\tm\tUSA\tvalid"
    damaged = read_vox1("\n".join([header, *rows]).encode())
    assert [(one.name, one.split) for one in damaged.people] == [
        (one.name, one.split) for one in whole.people if one.index not in (3, 5, 6, 7, 10, 11)
    ]
    assert len(damaged.people) + len(damaged.problems) == 20
    assert [(one.key, one.place) for one in damaged.problems[:2]] == [
        ("id10003", "vox1_meta.csv row 5"),
        ("10005", "vox1_meta.csv row 7"),
    ]
    reasons = " | ".join(one.reason for one in damaged.problems)
    for words in (
        "gender 'x', expected m or f",
        r"VoxCeleb id '10005', expected the form id1\d{4}",
        "the name or id of row 4 again",
        "the name or id of row 3 again",
        "name '../up', expected UTF-8 text that can name a folder",
        "set 'valid', expected dev or test",
    ):
        assert words in reasons


def test_rows_that_contradict_themselves_are_left_out():
    header = VOX2.split("\n", 1)[0]
    table = (
        f"{header}\nn000012,A,1,1,m,id00012,n000013,m,dev\n"
        "n000014,B,1,1,f,id00014,n000014,m,dev\nn000015,C,one,1,f,id00015,n000015,f,dev\n"
    )
    read = read_vox2(table.encode())
    assert not read.people
    assert [one.reason.split(": ", 1)[1].split(" ")[0] for one in read.problems] == ["Class_ID", "two", "invalid"]


def test_the_official_table_of_voxceleb2_with_its_stray_blanks():
    official = b"VoxCeleb2 ID ,VGGFace2 ID ,Gender ,Set \n id00012 ,n000012\t,m ,dev \nid03347 ,n003346 ,f ,test \n"
    plain = read_vox2(official, "vox2_meta.csv")
    assert [(one.key, one.vggface, one.gender, one.set) for one in plain.people] == [
        (("vox2", "id00012"), "n000012", "m", "dev"),
        (("vox2", "id03347"), "n003346", "f", "test"),
    ]
    names = read_vggface2_names(b'Class_ID, Name, Sample_Num, Flag, Gender\nn000012, "Aaron_Ashmore", 382, 1, m\n')
    named = read_vox2(official, "vox2_meta.csv", names)
    assert [one.name for one in named.people] == ["Aaron_Ashmore", ""]


def test_an_unknown_header_names_what_is_there_and_what_is_known():
    with pytest.raises(
        ValueError, match=r"vox1_meta.csv: no column for 'VGGFace1 ID'; the header is \['speaker', 'who'\].*name"
    ):
        read_vox1(b"speaker\twho\nid10001\tA\n")


def test_what_a_release_holds_is_found(tmp_path):
    (tmp_path / "meta_info").mkdir()
    (tmp_path / "vox2").mkdir()
    with pytest.raises(FileNotFoundError, match=r"none of vox1_meta.csv, .*Put the meta tables"):
        read_identities(open_raw(str(tmp_path)))
    (tmp_path / "meta_info/vox1_names.txt").write_text("A.J._Buckley\nZoe\u0308_Kravitz\n\n")
    names = read_identities(open_raw(str(tmp_path)))
    assert [(one.name, one.speaker, one.gender, one.index) for one in names.people] == [
        ("A.J._Buckley", "", "", 0),
        ("Zo\u00eb_Kravitz", "", "", 1),
    ]
    (tmp_path / "vox1_meta.csv").write_text(VOX1)
    (tmp_path / "vox2/full_vox2_meta.csv").write_text(VOX2)
    whole = read_identities(open_raw(str(tmp_path)))
    assert len(whole.people) == 5
    assert whole.by_speaker["id10001"].gender == "m"
    assert [one.subset for one in whole.people] == ["vox1"] * 3 + ["vox2"] * 2


@pytest.fixture(scope="module")
def published(real) -> tuple[Identities, Identities]:
    folder = real / "voxceleb_meta"
    return read_vox1((folder / "vox1_meta.csv").read_bytes()), read_vox2((folder / "full_vox2_meta.csv").read_bytes())


@pytest.mark.real
def test_published_counts(published):
    vox1, vox2 = published
    assert not vox1.problems
    assert not vox2.problems
    assert Counter(one.split for one in vox1.people) == {"train": 1001, "validation": 125, "test": 125}
    assert Counter(one.split for one in vox2.people) == {"train": 4892, "validation": 611, "test": 611}
    assert Counter(one.gender for one in vox1.people) == {"m": 690, "f": 561}
    assert Counter(one.gender for one in vox2.people) == {"m": 3763, "f": 2351}
    assert Counter(one.set for one in vox1.people) == {"dev": 1211, "test": 40}
    assert Counter(one.set for one in vox2.people) == {"dev": 5994, "test": 120}
    assert Counter(one.nationality for one in vox1.people).most_common(3) == [("USA", 799), ("UK", 215), ("Canada", 54)]
    assert len({one.nationality for one in vox1.people}) == 36
    assert {one.name[0] for one in vox1.people if one.set == "test"} == {"E"}
    assert Counter(one.in_vggface2_train for one in vox2.people) == {True: 5853, False: 261}
    assert sum(one.faces for one in vox2.people) == 2_304_631


@pytest.mark.real
def test_digits_of_the_ids_differ_in_4883_of_6114_rows(published):
    people = published[1].people
    assert len(people) == 6114
    assert sum(one.speaker.removeprefix("id") != one.vggface.removeprefix("n0") for one in people) == 4883
    assert all(published[1].by_speaker[one.speaker].vggface == one.vggface for one in people)


@pytest.mark.real
def test_one_name_is_shared_and_dropped_from_vox2(published, real):
    both = join(*published)
    assert len(both.people) == 1251 + 6113
    (problem,) = both.problems
    assert problem.key == "vox2/Harry_Connick_Jr."
    assert problem.place == "vox2 table row 2201"
    assert "id03347, validation" in problem.reason
    assert "id10362, train" in problem.reason
    assert len({one.key for one in both.people}) == len(both.by_speaker) == 7364
    assert all(one.name == unicodedata.normalize("NFC", one.name) for one in both.people)
    assert read_identities(open_raw(str(real))).people == both.people


@pytest.mark.real
def test_the_list_of_names_is_the_official_table(published, real):
    listed = read_vox1_names((real / "voxceleb_meta/vox1_names.txt").read_bytes())
    assert [(one.name, one.split) for one in listed.people] == [(one.name, one.split) for one in published[0].people]
