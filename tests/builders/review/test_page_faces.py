"""Faces picked and left out by keyboard in a real browser; the next build follows."""

import facevox
from facevox.builders.core.decisions import FILE, read
from facevox.loaders.folder import Folder
from playwright.sync_api import expect


def words(folder):
    return [(word.key, word.about, word.verdict, word.reason) for word in read(folder / FILE)]


def here(page):
    return page.locator(".face.here").get_attribute("title")


def opened(page, served, place=""):
    page.goto(f"{served.address.partition('#')[0]}#{place}")
    return page


def test_faces_are_picked_and_left_out_by_keyboard_and_the_next_build_follows(page, serve, picked, photos, pick_faces):
    served = serve(picked, "review", str(picked), "--raw", str(photos), "--who", "ann")
    opened(page, served, "faces/")
    expect(page.locator(".face img").first).to_be_visible()
    kept, aside = page.locator(".face.kept"), page.locator(".face.aside")
    out = here(page)
    assert out == kept.first.get_attribute("title") and aside.count()
    page.keyboard.press("n")
    expect(page.locator(".reasons")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".reasons")).to_be_hidden()
    assert not (picked / FILE).exists()
    page.keyboard.press("n")
    page.keyboard.press("7")
    expect(page.locator(".face.here .told")).to_have_text("✕ left out: double of another picture")

    wanted = page.locator(".face.aside", has_text="asym").first
    number = int(wanted.get_attribute("data-at"))
    for _ in range(number):
        page.keyboard.press("ArrowRight")
    turned = here(page)
    assert turned == wanted.get_attribute("title")
    page.keyboard.press("y")
    expect(page.locator(".face.here .told")).to_have_text("✓ picked")
    expect(page.locator(".head .picked")).to_contain_text("picked 1 of 1")
    page.keyboard.press("u")
    expect(page.locator(".head .picked")).to_contain_text("picked 0 of 1")
    page.keyboard.press("y")
    expect(page.locator(".head .picked")).to_contain_text("picked 1 of 1")
    expect(page.locator("#left")).to_have_text("1 left of 2")
    last = ("face", "keep", "")
    undone = ("face", "undo", "")
    assert words(picked) == [
        (out, "face", "leave out", "double of another picture"),
        (turned, *last),
        (turned, *undone),
        (turned, *last),
    ]

    page.wait_for_timeout(400)
    page.reload()
    expect(page.locator(".face.here .told")).to_have_text("✓ picked")
    assert here(page) == turned
    opened(page, served)
    expect(page.locator(".face.here .told")).to_have_text("✓ picked")
    assert here(page) == turned

    pick_faces(picked)
    folder = Folder(picked)
    found = {row["key"]: row for row in folder.index.to_pylist()}
    assert (found[turned]["picked_by"], found[turned]["rank"]) == ("decision", 1)
    (gone,) = (row for row in folder.quarantine.to_pylist() if row["key"] == out)
    assert (gone["stage"], gone["reason"]) == ("review", "ann: double of another picture")
    assert gone["place"].startswith("vox1/")
    assert facevox.verify(picked).problems == []
    page.reload()
    expect(page.locator(".face.kept.keep")).to_have_count(1)
    expect(page.locator(f".face.aside[title={out}] .badge")).to_have_text("review")


def test_people_are_found_and_stepped_through_by_keyboard(page, serve, picked, photos):
    served = serve(picked, "review", str(picked), "--raw", str(photos), "--who", "ann")
    opened(page, served, "faces/")
    listed = page.locator(".people li")
    expect(listed).to_have_count(2)
    first, second = page.locator(".people .name").all_text_contents()
    expect(page.locator(".head h1")).to_have_text(first)
    page.keyboard.press("PageDown")
    expect(page.locator(".head h1")).to_have_text(second)
    page.keyboard.press("PageDown")
    expect(page.locator("#said")).to_have_text("this is the last")
    page.keyboard.press("PageUp")
    expect(page.locator(".head h1")).to_have_text(first)
    start = here(page)
    page.keyboard.press("ArrowDown")
    assert here(page) != start
    page.keyboard.press("ArrowUp")
    assert here(page) == start
    page.keyboard.press("b")
    assert "origin.jpg" in page.locator(".face.here img").get_attribute("src")
    page.keyboard.press(" ")
    expect(page.locator(".zoom p")).to_have_text(start)
    page.keyboard.press("ArrowRight")
    expect(page.locator(".zoom p")).to_have_text(here(page))
    page.keyboard.press(" ")
    expect(page.locator(".zoom")).to_be_hidden()
    page.keyboard.press("/")
    page.keyboard.type(second)
    expect(listed).to_have_count(1)
    expect(page.locator(".head h1")).to_have_text(second)
    assert all(
        page.evaluate(
            "[...document.querySelectorAll('.face img')].map((one) => one.loading === 'lazy' && one.width > 0)"
        )
    )
