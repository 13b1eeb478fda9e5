"""Statistics of HQ-VoxCeleb: published counts as the sheet has them, a folder's counted here by hand."""

import pytest
from facevox.loaders.errata.hq_voxceleb import ERRATA
from facevox.loaders.published import hq_voxceleb
from facevox.loaders.published._voxceleb import TOTALS, voxceleb_totals
from facevox.loaders.rows import Rows


def some_rows() -> Rows:
    """Ann (vox1) has 2 faces and 3 voices, Bob (vox2) a face and a voice, Cy (vox1) one face only."""
    people = {
        "ann": ("train", "vox1", "f", "dev", "id10001", "Ann"),
        "bob": ("test", "vox2", "m", "test", "id00012", "n000013"),
        "cy": ("validation", "vox1", "m", "dev", "id10002", "Cy"),
    }
    who = [("faces", "ann"), ("faces", "ann"), ("faces", "bob"), ("faces", "cy")]
    who += [("voices", "ann")] * 3 + [("voices", "bob")]
    names = ("split", "subset", "gender", "release_split", "speaker_id", "vggface_id")
    columns = {name: [people[person][at] for _, person in who] for at, name in enumerate(names)}
    columns |= {"identity": [f"hq_voxceleb/{person}" for _, person in who], "config": [config for config, _ in who]}
    columns |= {"name": [{"ann": "Ann", "bob": "Ann", "cy": "Cy"}[person] for _, person in who]}
    columns |= {"side_px": [100, 200] + [None] * 6, "width": [900, 900, 281, 300] + [None] * 4}
    columns |= {"height": [900, 900, 280, 300] + [None] * 4, "picked_by": ["rank"] * 2 + ["release"] * 2 + [None] * 4}
    return Rows(columns | {"source": ["HQ-VoxCeleb"] * 8}, ("faces", "voices"))


def built(table) -> dict[str, tuple]:
    """{line: what was built by train, validation, test, total}"""
    names = [row[0] for row in table.rows[::3]]
    return {name: row[2:] for name, row in zip(names, table.rows[1::3], strict=True)}


def test_published_counts_add_up_as_the_sheet_says():
    for line in hq_voxceleb.TABLE_1[:3]:
        assert sum(line.published[:3]) == line.published[3], line.name
    assert [line.published[3] for line in hq_voxceleb.TABLE_1[:3]] == [3638, 8028, 609700]
    of_hq = next(row for row in hq_voxceleb.TABLE_6 if row[0] == "HQ-VoxCeleb")
    assert of_hq[1:4] == (3638, 8028, 609700)
    assert [sum(counts) for counts in hq_voxceleb.SPLIT_PEOPLE.values()] == [1251, 6114]
    assert [sum(counts.values()) for counts in hq_voxceleb.GENDERS.values()] == [1251, 6114]
    speakers = {name: sum(row[3] for row in TOTALS if row[0] == name) for name in ("VoxCeleb1", "VoxCeleb2")}
    assert speakers == {"VoxCeleb1": 1251, "VoxCeleb2": 6112}
    assert sum(row[4] for row in TOTALS[:2]) == 153_516
    dev = TOTALS[0][3] + TOTALS[1][3] + TOTALS[2][3]
    assert dev == next(row[1] for row in hq_voxceleb.TABLE_6 if row[0].startswith("VoxCeleb"))
    assert 153_516 + TOTALS[2][4] == 1_245_525 != 1_237_274


def test_table_1_counts_people_with_a_face_and_a_voice():
    lines = built(hq_voxceleb.table_1(some_rows()))
    assert lines["identities"] == (1, 0, 1, 2)
    assert lines["images"] == (2, 1, 1, 4)
    assert lines["speech"] == (3, 0, 1, 4)
    assert lines["average width, px"] == (150, 300, 281, 220.25)
    assert lines["average height, px"] == (150, 300, 280, 220)


def test_people_and_recordings_are_counted_by_subset_and_set():
    totals = {row[:2]: (row[3], row[5]) for row in voxceleb_totals(some_rows()).rows}
    assert totals["VoxCeleb1", "dev"] == (2, 3) and totals["VoxCeleb2", "test"] == (1, 1)
    assert totals["VoxCeleb1", "test"] == totals["VoxCeleb2", "dev"] == (0, 0)
    people = hq_voxceleb.people_table(some_rows()).rows
    assert people[1][3:] == (1, 1, 0, 2) and people[7][3:] == (0, 0, 1, 1)
    one = {row[0]: row[1:] for row in hq_voxceleb.per_identity(some_rows()).rows}
    assert one["images, mean"] == (2.21, pytest.approx(4 / 3)) and one["identities with 1 images"][1] == 2


def test_the_errata_hold_the_folder_against_the_statements():
    here = [row[-1] for row in hq_voxceleb.errata(some_rows()).rows]
    assert here[0] == "1.33 images per identity; 3 of 3 identities have fewer than 3"
    assert here[1] == "1 names in both subsets: Ann"
    assert here[4] == "crops of 100 x 100 to 300 x 300 px"
    assert here[5] == "1 of 4 crops are not square"
    assert here[6] == "1 of 1 people"
    assert here[7] == "2 people here have both"
    assert [row[-1] for row in hq_voxceleb.errata(Rows({})).rows] == [None] * len(ERRATA)


def test_every_step_of_a_quality_is_a_step_of_its_config():
    for quality in hq_voxceleb.QUALITIES:
        assert quality.step in hq_voxceleb.STEPS[quality.config]
        assert list(quality.measure.edges) == sorted(set(quality.measure.edges))
        if quality.measure.mark:
            assert any(quality.measure.mark == pytest.approx(edge) for edge in quality.measure.edges)


def test_a_folder_of_faces_alone_says_what_is_not_built():
    faces = Rows(some_rows().where(config="faces").columns, ("faces",))
    lines = built(hq_voxceleb.table_1(faces))
    assert lines["identities"][3] == 3 and lines["speech"] == ("not built",) * 4
    assert "Not built here: voices." in hq_voxceleb.table_1(faces).notes
