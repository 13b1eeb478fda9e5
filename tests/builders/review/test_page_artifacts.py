"""The artifacts view in a real browser: opened, decided by keyboard, undone, reloaded at the same place."""

import json
import shutil

import pytest
from facevox.builders.core.decisions import FILE, settle
from facevox.builders.core.decisions import read as read_decisions
from facevox.loaders.folder import Folder
from playwright.sync_api import expect


@pytest.fixture(scope="module")
def folder(built, tmp_path_factory):
    return Folder(shutil.copytree(built["tar"].path, tmp_path_factory.mktemp("reviewed") / "out"))


def state(page) -> dict:
    return page.evaluate(
        """() => ({
            frame: Number(document.querySelector('#view').dataset.frame),
            here: document.querySelector('.rows li.here .mono')?.textContent,
            picked: document.querySelector('.verdict.here')?.dataset.name,
        })"""
    )


def painted(page, number: int) -> float:
    """Standard deviation of a canvas' pixels: 0 when nothing was drawn."""
    return page.evaluate(
        """(number) => {
            const canvas = document.querySelectorAll('figure canvas')[number];
            const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
            let sum = 0, squares = 0, count = 0;
            for (let at = 0; at < data.length; at += 4) { sum += data[at]; squares += data[at] ** 2; count++; }
            return Math.sqrt(squares / count - (sum / count) ** 2);
        }""",
        number,
    )


def test_a_clip_is_judged_by_keyboard(serve, page, folder):
    served = serve(folder.path, "review", str(folder.path), "--who", "ann")
    page.goto(served.address)
    page.wait_for_selector("#view[data-frame]")
    assert "token" not in page.url
    page.select_option("select", "all")
    expect(page.locator(".rows li")).to_have_count(48)
    assert all(painted(page, number) > 5 for number in range(3))
    here, first = page.locator(".rows li.here .mono"), state(page)["here"]

    page.keyboard.press("ArrowDown")
    expect(here).not_to_have_text(first)
    for key, frame in (("Shift+ArrowLeft", 1), ("ArrowRight", 2)):
        page.keyboard.press(key)
        page.wait_for_selector(f"#view[data-frame='{frame}']")
    page.keyboard.press("a")
    second = state(page)
    page.keyboard.press("n")
    expect(here).not_to_have_text(second["here"])
    (decision,) = read_decisions(folder.path / FILE)
    assert (decision.key, decision.value, decision.verdict, decision.who) == (
        second["here"],
        second["picked"],
        "overturn",
        "ann",
    )
    assert len(decision.seen) == 64

    page.keyboard.press("u")
    expect(here).to_have_text(second["here"])
    assert settle(read_decisions(folder.path / FILE)) == ({}, ())

    for key in ("Shift+ArrowLeft", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    page.wait_for_selector("#view[data-frame='3']")
    before = state(page)
    page.reload()
    page.wait_for_selector("#view[data-frame='3']")
    assert state(page) == before
    # This address names no place: the server remembers it.
    page.goto(served.address)
    page.wait_for_selector("#view[data-frame='3']")
    assert state(page) == before

    page.keyboard.press("?")
    assert "next artifact" in page.inner_text("dialog")
    page.keyboard.press("Escape")
    assert json.loads(page.evaluate("fetch('/api/left').then((answer) => answer.text())"))["artifacts"][0] == 0

    # Two keys at once: the second one cannot be about what has not been shown yet.
    page.evaluate(
        "for (const key of 'yn') document.body.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}))"
    )
    expect(here).not_to_have_text(before["here"])
    assert [decision.verdict for decision in read_decisions(folder.path / FILE)] == ["overturn", "undo", "confirm"]
