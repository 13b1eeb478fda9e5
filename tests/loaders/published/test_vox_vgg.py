"""Statistics of Vox-VGG and RC-GAN: published counts as the sheets have them, a folder's counted here by hand."""

import pytest
from facevox.loaders.errata.vox_vgg import ERRATA
from facevox.loaders.published import vox_vgg
from facevox.loaders.rows import Rows


def some_rows(split_rule="vfmr1") -> Rows:
    """Ann (vox1, test): 2 faces, 3 voices; Bob (vox2, train): a face and a voice; Di (vox1, test): a class."""
    who = [("faces", "ann"), ("faces", "ann"), ("faces", "bob"), *[("voices", "ann")] * 3, ("voices", "bob")]
    who += [("rcgan", "di")] * 2
    people = {
        "ann": ("test", "vox1", "f", "dev", "id10001", "Ann", "USA"),
        "bob": ("train", "vox2", "m", "dev", "id00012", "n000012", None),
        "di": ("test", "vox1", "f", "dev", "id10002", "Di", "UK"),
    }
    names = ("split", "subset", "gender", "release_split", "speaker_id", "vggface_id", "nationality")
    columns = {name: [people[person][at] for _, person in who] for at, name in enumerate(names)}
    columns |= {"identity": [f"vox_vgg/{person}" for _, person in who], "config": [config for config, _ in who]}
    columns |= {
        "split_rule": [split_rule] * 7 + ["rcgan"] * 2,
        "codec": [None] * 3 + ["wav"] * 3 + ["aac"] + [None] * 2,
    }
    columns |= {"name_in_vggface2": [True, True, False] + [None] * 6, "source": ["VGGFace"] * 9}
    columns |= {
        "class_index": [None] * 7 + [0, 0],
        "n_clips": [None] * 7 + [2, 2],
        "n_faces": [1, 1, 2] + [None] * 4 + [5, 5],
    }
    columns |= {"target_image": [None] * 7 + ["1.jpg"] * 2, "segments": [None] * 7 + [3, 4]}
    return Rows(columns, ("faces", "voices", "rcgan"))


def test_published_counts_add_up_as_the_sheet_says():
    counts = {row[0]: {} for row in vox_vgg.TABLE_1}
    for title, _, gender, *numbers in vox_vgg.TABLE_1:
        counts[title][gender] = numbers
    for title, found in counts.items():
        both = [male + female for male, female in zip(found["male"], found["female"], strict=True)]
        assert both == found["total"], title
    splits = {row[1]: row[2:] for row in vox_vgg.SPLIT_PEOPLE}
    assert sum(splits["vfmr2"]) == sum(splits["pins"]) == 1251
    assert sum(splits["dimnet"]) == vox_vgg.FILTERED[0]
    assert splits["kim"][0] + splits["kim"][2] == 1351
    assert splits["vfmr1"] == (5994, None, 1251)
    assert 3_808 * 3_807 // 2 == 7_248_528


def test_table_1_counts_people_voices_and_faces_by_gender():
    table = {row[:2]: row[2:] for row in vox_vgg.table_1(some_rows()).rows}
    assert table["Vox-VGG-1", "female"] == (561, 2, "-559", 50_221, 3, "-50,218", 195_131, 2, "-195,129")
    assert table["Vox-VGG-2", "total"][1::3] == (1, 1, 1)
    assert table["Chinese_VF", "total"][1::3] == (None, None, None)


def test_people_are_counted_beside_the_split_they_were_drawn_by():
    for rule in ("vfmr1", "sh", "kim"):
        table = {row[1]: row[5:] for row in vox_vgg.splits_table(some_rows(rule)).rows}
        assert table.pop(rule) == (1, 0, 1)
        assert set(table.values()) == {(None, None, None)}


def test_rcgan_is_counted_by_class():
    found = {row[0]: row[2] for row in vox_vgg.rcgan_table(some_rows()).rows}
    assert found == {
        "classes": 1,
        "fewest recordings of a class": 2,
        "recordings": 2,
        "faces to draw targets from": 5,
        "pairs of these faces": 10,
        "target faces": 1,
        "segments in the test": 7,
    }
    assert vox_vgg.rcgan_table(Rows({})).rows[1][2] is None


def test_the_errata_hold_the_folder_against_the_statements():
    here = [row[-1] for row in vox_vgg.errata(some_rows("kim")).rows]
    assert here[0] is None and here[1] == "train 1, validation 0, test 1 people"
    assert here[2] == "1 of 1 people of the test have the name of one in VGGFace2"
    assert here[3] == "2 nationalities" and here[4] == "0 of 3 people in two splits"
    assert here[5] == "0 of 1 people"
    assert here[12] == "recordings: 1 aac, 3 wav" and here[14] == "1 target faces for 2 recordings"
    assert [row[-1] for row in vox_vgg.errata(Rows({})).rows] == [None] * len(ERRATA)


@pytest.mark.parametrize("configs", [("faces",), ("voices",), ("rcgan",)])
def test_a_folder_of_one_config_is_counted_too(configs):
    rows = Rows(some_rows().where(config=configs[0]).columns, configs)
    assert len(list(vox_vgg.tables(rows))) >= 6 and list(vox_vgg.panels(rows))


def test_every_step_of_a_quality_is_a_step_of_its_config():
    for quality in vox_vgg.QUALITIES:
        assert quality.step in vox_vgg.STEPS[quality.config]
        assert list(quality.measure.edges) == sorted(set(quality.measure.edges))
