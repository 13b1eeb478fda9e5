"""The report: self-contained, escaped, nothing left out; figures as SVG; what tables say of themselves."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from facevox.benchmarks.core.catalogue import benches, entries, entry
from facevox.benchmarks.core.controls import Control
from facevox.benchmarks.core.drawing import figure, histogram, ticks
from facevox.benchmarks.core.folder_card import FolderCard, read_card
from facevox.benchmarks.core.metrics import Interval
from facevox.benchmarks.core.report import Report, Result
from facevox.benchmarks.core.report_html import page
from facevox.benchmarks.core.slices import Part, Slices
from facevox.benchmarks.core.table import Curve, Figure, Histogram, Measured, Picture, Row, Table

EVIL = "<script>alert('x')</script>\"&"
PNG = b"\x89PNG\r\n\x1a\n" + b"rest"
FOUND = Measured(1234.5678, 40, 8, Interval(85.04, 97.5), None, 1, "0123456789ab")
CURVES = Figure(
    "Frames", "frames", "%", (Curve("ours", (1, 3, 5), (90, 91, 91.5), low=(80, 81, 82), high=(99, 99, 99)),
                              Curve("paper", (1, 3, 5), (90.5, 92, 92), published=True)))  # fmt: skip
TABLE = Table(
    f"Table {EVIL}",
    ("ID", "split"),
    (
        Row((EVIL, "test"), 2268000, FOUND, digits=2, flag=f"the sum is 2,300,400 {EVIL}"),
        Row(("2", "test"), 80.0, None, f"facevox train {EVIL}"),
    ),
    (f"a note {EVIL}",),
    {"folder": "f00"},
    figures=(CURVES,),
    histograms=(Histogram(EVIL, "%", (0, 50, 100), (3, 1)),),
    pictures=(Picture(EVIL, f"faces {EVIL}", PNG),),
    controls=(Control("oracle", EVIL, "50 %, expected 100", False), Control("chance", "1", "50 %", True)),
    slices=(Slices((EVIL,), "gender", (Part(EVIL, 50, 4, 2, Interval(1, 99)),), EVIL, "b", Interval(0, 9), 5.0),),
)
CARD = FolderCard("O", "speakingfaces", "f00d", 8, ((EVIL, "CC", "yes", 8),), EVIL, (("Bias", f"{EVIL} **bold** `c`"),))
REPORT = Report(
    (
        Result("one", "One", "O", TABLE, seconds=1.25),
        Result("two", "Two", reason=EVIL, command="facevox bench two"),
        Result("three", "Three", reason=f"ValueError: {EVIL}", failed=True),
    ),
    (CARD,),
    f"facevox bench all {EVIL}",
    {"facevox": "0.1"},
)
VOID = {"meta", "img", "rect", "circle", "line", "polygon", "polyline"}


class Tree(HTMLParser):
    """Checks that every element is closed in order; gathers tags, attributes and text."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.open, self.seen, self.words = [], [], []
        self.feed(words)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_the_page_is_whole_escaped_and_asks_nobody_for_anything():
    words = page(REPORT)
    tree = Tree(words)
    tags = {tag for tag, _ in tree.seen}
    assert not tags & {"script", "link", "iframe", "object", "form"}
    for tag, attributes in tree.seen:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href"):
            assert re.match(r"#|data:image/", attributes.get(name, "#")), (tag, attributes)
    assert "<script>" not in words
    assert not re.search(r"url\(|@import|https?://", words)
    policy = next(a["content"] for t, a in tree.seen if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    ids = [attributes["id"] for _, attributes in tree.seen if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {a["href"][1:] for t, a in tree.seen if t == "a"} <= set(ids)
    assert all(a.get("alt") for t, a in tree.seen if t == "img")
    assert all(a.get("aria-label") for t, a in tree.seen if t == "svg" and a.get("role") == "img")
    assert "prefers-color-scheme: dark" in words


def test_the_page_shows_published_measured_difference_interval_digest_and_flags():
    said = " ".join(Tree(page(REPORT)).words)
    for part in (
        "2,268,000.00*",
        "1,234.57",
        "-2,266,765.43",
        "85.04..97.50",
        "0123456789ab",
        "not measured",
        f"* the sum is 2,300,400 {EVIL}",
        f"WARNING: control, oracle, {EVIL}",
        "FAILED",
        "f00d",
        f"facevox train {EVIL}",
    ):
        assert part in said, part


def test_markdown_and_json_hold_the_same():
    words = REPORT.markdown()
    assert "2,268,000.00*" in words
    assert "WARNING" in words
    assert "To measure: `facevox bench two`" in words
    content = json.loads(REPORT.json())
    assert [table["status"] for table in content["tables"]] == [
        "1 of 2 rows measured, 1 CONTROLS FAILED",
        "not measured",
        "FAILED",
    ]
    assert content["tables"][0]["table"]["figures"][0]["curves"][1]["published"] is True
    assert not REPORT.passed
    assert replace(REPORT, results=REPORT.results[:2]).passed
    assert REPORT.commands == [f"facevox train {EVIL}", "facevox bench two"]


def test_a_picture_that_is_none_is_refused():
    bad = replace(TABLE, pictures=(Picture("a", "b", b"<svg onload=x>"),))
    with pytest.raises(ValueError, match="expected a PNG, JPEG or WebP"):
        page(replace(REPORT, results=(Result("a", "A", table=bad),)))


def test_figures_are_well_formed_and_within_their_frame():
    for words in (figure(CURVES), histogram(TABLE.histograms[0])):
        root = ElementTree.fromstring(words)
        for part in root.iter():
            for name in ("x", "cx", "x1", "x2"):
                assert 0 <= float(part.get(name, 0)) <= 560
    assert "91.5 at 5" in figure(CURVES)
    assert ticks(0, 1) == [0, 0.25, 0.5, 0.75, 1]
    assert ticks(3, 3)[0] < 3 < ticks(3, 3)[-1]
    with pytest.raises(ValueError, match="finite"):
        ticks(0, float("nan"))


def test_a_folder_s_card_is_quoted_not_made_up(built, tmp_path):
    card = read_card(built["tar"])
    assert [name for name, _ in card.sections] == [
        "Licence and consent",
        "Intended use",
        "Bias",
        "Faults of the release",
    ]
    assert card.sections[0][1].startswith("Data: CC BY 4.0")
    assert card.warning.startswith("Nobody in this folder exists")
    assert card.terms[0][1] == "none needed: forged by facevox"
    assert (card.dataset, card.digest) == ("speakingfaces", built["tar"].digest)
    text = (built["tar"].path / "README.md").read_text()
    assert all(words in text for _, words in card.sections)


def test_every_table_says_what_it_is_about():
    assert [one.name for one in entries()] == benches()
    for one in entries():
        assert one.title != one.name
        assert "\n" not in one.line
    table4 = entry("speakingfaces_table4")
    assert table4.unfit("hq_voxceleb", ("utterances",)) == "it is about speakingfaces, the folder holds hq_voxceleb"
    assert table4.unfit("speakingfaces", ("pairs",)) == "it reads config utterances, the folder has pairs"
    assert not table4.unfit("speakingfaces", ("pairs", "utterances"))
