"""The grammar of the published shift tables."""

import pytest
from facevox.builders.stages.shifts import ShiftRule, read_line, read_session_one, read_session_two, rule_for, spans

LINE = "python align_crop_image.py -p data\\ -i 6 2 3 -y 1 2 39 -x 0 0 -1 -s 1 -l 1 2 3"


def test_a_plain_line():
    assert read_line(LINE) == (3, ShiftRule(39, -1, 3, "hog"), "")


@pytest.mark.parametrize(
    ("suffix", "commands", "frames"),
    [
        (" (for everything else)", None, None),
        (" (for command_id=='7')", {7}, None),
        (" (for command_id=='7' and frame_id=='2')", {7}, (2, 2)),
        (" (for command_id=='7' and frame__id=='2')", {7}, (2, 2)),
        (" (for command_id=='7' and frame_id=='2)", {7}, (2, 2)),
        (" (for command_id=='7' and command_id=='9')", {7, 9}, None),
        (" (for command_id=='7' or command_id=='9')", {7, 9}, None),
        (" (for command_id=='316' and int(frame_id)<76)", {316}, (1, 75)),
        (" (for command_id=='686' and 4<int(frame_id)<30)", {686}, (5, 29)),
    ],
)
def test_conditions(suffix, commands, frames):
    rule = read_line(LINE + suffix)[1]
    assert rule.commands == (frozenset(commands) if commands else None)
    assert rule.frames == frames


def test_oddities_of_the_real_tables():
    fixed = read_line(LINE + " -f none -r 1 2 30 40 112_2_2_8_1_2_3.png")[1]
    assert (fixed.detector, fixed.box) == ("none", (1, 2, 30, 40))
    twice = read_line(LINE.replace("-i 6 2 3", "-i 6 2 -i 6 2 3"))
    assert twice[0] == 3
    assert read_line(LINE + "  -f dnn   ")[1].detector == "dnn"
    assert read_line(LINE + " (use -f none -r 1 2 3 4 here)")[2] == "use -f none -r 1 2 3 4 here"


@pytest.mark.parametrize(
    "line",
    [
        "python other.py -i 1 1 1",
        LINE.replace("-y 1 2 39", "-y 1 2"),
        LINE.replace("-y 1 2 39", "-y 1 2 x"),
        LINE.replace("-i 6 2 3", "-i 6 2 12"),
        LINE + " -f none",
        LINE + " (for nothing at all)",
    ],
)
def test_lines_that_do_not_parse_say_so(line):
    with pytest.raises(ValueError):
        read_line(line)


def test_unreadable_lines_are_listed_and_the_rest_is_kept():
    table = f'sub_id,trial_id,commands,comments\n6,2,"{LINE}\nrubbish",seen\n,,,a note alone\nx,1,,\n'.encode()
    found = read_session_two(table)
    assert list(found.rules) == [(6, 2, 3)]
    assert found.comments == {(6, 2): "seen"}
    assert found.notes == ["a note alone"]
    assert [row for row, _ in found.problems] == [2, 4]


def test_first_fitting_condition_wins_else_the_default():
    default, seven, early = (
        ShiftRule(1, 0, 0, "hog"),
        ShiftRule(2, 0, 0, "hog", None, frozenset({7})),
        ShiftRule(3, 0, 0, "hog", None, frozenset({7}), (2, 3)),
    )
    rules = [early, seven, default]
    assert [rule_for(rules, 7, frame) for frame in (1, 2, 4)] == [seven, early, seven]
    assert rule_for(rules, 8, 1) is default
    assert rule_for([seven], 8, 1) is None
    assert spans(rules, 7, 5) == [(1, 1, seven), (2, 3, early), (4, 5, seven)]
    assert spans([], 7, 5) == [(1, 5, None)]


def test_session_one_rows_of_the_wrong_length_are_listed():
    table = b"sub_id,trial_id,dy,dx\r\n1,1,1 2 3 4 5 6 7 8 9,9 8 7 6 5 4 3 2 1\r\n1,2,1 2,3\r\n"
    shifts, problems = read_session_one(table)
    assert shifts[1, 1, 1] == (9, 1)
    assert len(shifts) == 9
    assert problems[0][0] == 3
    with pytest.raises(ValueError, match="expected sub_id,trial_id,dy,dx"):
        read_session_one(b"a,b\n1,2\n")


@pytest.fixture(scope="module")
def published(real):
    """Every rule of the real tables: session 1 shifts, session 2 rules, comments, notes."""
    home = real / "speakingfaces" / "metadata"
    silent, rules, comments, notes = {}, {}, {}, []
    for split in ("train", "valid", "test"):
        found, problems = read_session_one((home / "session_1" / f"alignment_info_{split}.csv").read_bytes())
        assert not problems
        silent |= found
    for split in ("train", "valid"):
        table = read_session_two((home / "session_2" / f"{split}.csv").read_bytes())
        assert not table.problems
        rules |= table.rules
        comments |= table.comments
        notes += table.notes
    return silent, rules, comments, notes


@pytest.mark.real
def test_all_284_rows_of_session_one(published):
    silent = published[0]
    assert len(silent) == 284 * 9
    dy, dx = [v[1] for v in silent.values()], [v[0] for v in silent.values()]
    assert (min(dy), max(dy), round(sum(dy) / len(dy), 2)) == (2, 110, 46.28)
    assert (min(dx), max(dx), round(sum(dx) / len(dx), 2)) == (-25, 20, 1.25)
    assert [silent[1, 1, p] for p in range(1, 10)] == list(
        zip((1, 3, 1, 3, 1, 2, 2, -1, -2), (20, 20, 12, 27, 25, 27, 25, 25, 19), strict=True)
    )
    means = [round(sum(v[1] for k, v in silent.items() if k[2] == p) / 284, 1) for p in range(1, 10)]
    assert means == [43.5, 41.1, 45.8, 47.3, 43.7, 49.0, 49.7, 45.9, 50.6]


@pytest.mark.real
def test_all_240_rows_of_session_two(published):
    _, rules, comments, notes = published
    lines = [rule for found in rules.values() for rule in found]
    assert (len(comments), len(rules), len(lines)) == (240, 2158, 2203)
    assert {d: sum(r.detector == d for r in lines) for d in ("hog", "dnn", "none")} == {
        "hog": 1438,
        "dnn": 460,
        "none": 305,
    }
    assert sum(rule.conditional for rule in lines) == 48
    assert {k for k, found in rules.items() if all(r.conditional for r in found)} == {
        (20, 2, 1),
        (55, 1, 1),
        (56, 2, 1),
    }
    assert {(s, t, p) for s, t in comments for p in range(1, 10)} - rules.keys() == {(27, 1, 9), (73, 2, 9)}
    plain = [rule for rule in lines if not rule.conditional]
    dy, dx = [rule.dy for rule in plain], [rule.dx for rule in plain]
    assert (min(dy), max(dy), round(sum(dy) / len(dy), 2)) == (2, 124, 47.77)
    assert (min(dx), max(dx), round(sum(dx) / len(dx), 2)) == (-22, 12, -1.0)
    assert sum(bool(text.strip()) for text in comments.values()) == 107
    assert any("position 9" in note for note in notes)


@pytest.mark.real
def test_worked_examples_of_session_two(published):
    rules = published[1]

    def at(subject, trial, position, command, frame):
        return rule_for(rules[subject, trial, position], command, frame)

    assert at(1, 1, 9, 1, 1) == ShiftRule(25, 0, 1, "hog")
    assert at(2, 1, 7, 1, 1) == ShiftRule(47, -2, 1, "none", (95, 167, 255, 267))
    jump = at(6, 2, 8, 1113, 2)
    assert (jump.dx, jump.box) == (-154, (85, 222, 210, 287))
    assert at(30, 1, 8, 1149, 2).dx == 478
    assert at(62, 1, 9, 316, 75).box == (95, 167, 269, 254)
    assert at(62, 1, 9, 316, 76).box == at(62, 1, 9, 1, 1).box == (95, 147, 269, 254)
    assert at(65, 1, 7, 686, 5).box == at(65, 1, 7, 686, 29).box == (108, 232, 268, 306)
    assert at(65, 1, 7, 686, 30).box != (108, 232, 268, 306)
    by_command = {45: 40, 74: 40, 713: 40, 692: 35, 1114: 30, 607: 28}
    assert {command: at(56, 2, 1, command, 1).dy for command in by_command} == by_command
    assert at(56, 2, 1, 999, 1) is None
