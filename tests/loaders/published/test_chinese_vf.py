"""Statistics of Chinese_VF: published counts as the sheet has them, a folder's counted here by hand."""

import pytest
from facevox.loaders.errata.chinese_vf import ERRATA
from facevox.loaders.published import chinese_vf
from facevox.loaders.rows import Rows


def some_rows(rule="vfmr4 fold 1") -> Rows:
    """Ann (f, fold 0, train): 3 faces of 2 videos, a voice; Bo (m, fold 1, test): a face and 2 voices of one video."""
    of = [("faces", "ann", "v1"), ("faces", "ann", "v1"), ("faces", "ann", "v2"), ("faces", "bo", "v1")]
    of += [("voices", "ann", "v1"), ("voices", "bo", "v1"), ("voices", "bo", "v1")]
    about = {"ann": ("f", 0, "train"), "bo": ("m", 1, "test")}
    faces = [config == "faces" for config, *_ in of]
    columns = {"config": [config for config, *_ in of], "video_id": [video for *_, video in of]}
    columns |= {"identity": [f"chinese_vf/main/{who}" for _, who, _ in of], "split_rule": [rule] * len(of)}
    columns |= {name: [about[who][at] for _, who, _ in of] for at, name in enumerate(("gender", "fold", "split"))}
    columns |= {
        "start_ms": [None if face else 0 for face in faces],
        "tau_face": [0.9 if face else None for face in faces],
    }
    columns |= {"end_ms": [None] * 4 + [3000, 9500, 3500], "source": ["videos"] * 7}
    columns |= {
        "score": [0.91, 0.95, 0.92, 0.99, 0.7, 0.6, 0.8],
        "detector": ["mtcnn" if face else None for face in faces],
    }
    return Rows(columns, ("faces", "voices"))


def test_published_counts_add_up_as_the_sheet_says():
    counts = dict(chinese_vf.COUNTS)
    assert [sum(pair) for pair in zip(counts["male"], counts["female"], strict=True)] == list(counts["total"])
    people, utterances, images = counts["total"]
    assert (round(utterances / people), round(images / people)) == chinese_vf.PER_IDENTITY
    splits = {row[1]: row[2:] for row in chinese_vf.SPLIT_PEOPLE}
    assert splits["vfmr3"][1] == people == sum(splits["vfmr4"])


def test_people_voices_and_faces_are_counted_by_gender_and_fold():
    rows = some_rows()
    table = {row[0]: row[1:] for row in chinese_vf.table_1(rows).rows}
    assert table["female"] == (258, 1, "-257", 118_225, 1, "-118,224", 476_973, 3, "-476,970")
    assert table["total"][1::3] == (2, 3, 4)
    assert chinese_vf.per_identity(rows).rows == (
        ("utterances", 593, 1.5),
        ("images", 2301, 2.0),
        ("videos", None, 1.5),
    )
    assert chinese_vf.folds_table(rows).rows == ((0, 1, 0, 1, 1, 3), (1, 1, 1, 0, 2, 1))


def test_people_stand_beside_the_split_they_were_drawn_by():
    for rule, name in (("vfmr4 fold 1", "vfmr4"), ("vfmr3", "vfmr3"), ("sh", "sh")):
        table = {row[1]: row[4:] for row in chinese_vf.splits_table(some_rows(rule)).rows}
        assert table.pop(name) == (1, 1)
        assert set(table.values()) == {(None, None)}


def test_the_errata_hold_the_folder_against_the_statements():
    here = [row[-1] for row in chinese_vf.errata(some_rows()).rows]
    assert here[2:5] == ["mtcnn", "tau_face 0.9", "3 windows of 3 to 9.5 s"] and here[7] == "4 faces of 3 videos"
    assert [row[-1] for row in chinese_vf.errata(Rows({})).rows] == [None] * len(ERRATA)


@pytest.mark.parametrize("configs", [("faces",), ("voices",), ("faces", "voices")])
def test_a_folder_of_one_config_is_counted_too(configs):
    rows = some_rows() if len(configs) > 1 else Rows(some_rows().where(config=configs[0]).columns, configs)
    assert len(list(chinese_vf.tables(rows))) == 6 and list(chinese_vf.panels(rows))


def test_every_step_of_a_reason_or_quality_is_a_step_of_a_config():
    known = {step for steps in chinese_vf.STEPS.values() for step in steps}
    assert set(chinese_vf.REASONS.values()) <= known
    for quality in chinese_vf.QUALITIES:
        assert quality.step in chinese_vf.STEPS[quality.config]
        assert list(quality.measure.edges) == sorted(set(quality.measure.edges))
