"""Quarantine and statistics in a real browser: a row accepted and one tried again by keyboard, and every table."""

import pyarrow as pa
import pyarrow.parquet as pq
from facevox.builders.core.decisions import FILE, read
from facevox.loaders.folder import Folder
from playwright.sync_api import expect


def test_rows_are_accepted_or_tried_again_by_keyboard_and_the_place_is_kept(page, serve, picked, photos):
    served = serve(picked, "review", str(picked), "--raw", str(photos), "--who", "ann")
    page.goto(f"{served.address.partition('#')[0]}#quarantine/")
    rows, open_rows = (
        page.locator(".rows li"),
        [r for r in Folder(picked).quarantine.to_pylist() if "_" in r["key"] and "/" not in r["key"]],
    )
    expect(rows).to_have_count(len(open_rows))
    expect(page.locator("#left")).to_have_text(f"{len(open_rows)} left of {len(open_rows)}")
    page.keyboard.press("ArrowDown")
    second = page.locator(".rows .here .name").text_content()
    assert second == open_rows[1]["key"]
    expect(page.locator(".detail .why")).to_have_text(open_rows[1]["reason"])
    expect(page.locator(".original img")).to_be_visible()
    page.keyboard.press("y")
    expect(rows.nth(1).locator(".tag")).to_have_text("✓ stays out")
    expect(page.locator(".rows .here .name")).to_have_text(open_rows[2]["key"])
    page.keyboard.press("n")
    expect(rows.nth(2).locator(".tag")).to_have_text("↻ next build tries again")
    expect(page.locator("#left")).to_have_text(f"{len(open_rows) - 2} left of {len(open_rows)}")
    page.keyboard.press("u")
    expect(rows.nth(2).locator(".tag")).to_have_text("○ open")
    assert [(w.key, w.about, w.verdict) for w in read(picked / FILE)] == [
        (second, "quarantine", "accept"),
        (open_rows[2]["key"], "quarantine", "retry"),
        (open_rows[2]["key"], "quarantine", "undo"),
    ]

    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    stage = page.locator(".groups .here .name").text_content()
    expect(page.locator(".detail th", has_text="stage").locator("+ td")).to_have_text(stage)
    with page.expect_response(lambda answer: "state=all" in answer.url) as all_rows:
        page.locator("select.state").select_option("all")
    all_rows.value.finished()
    expect(rows).to_have_count(sum(row["stage"] == stage for row in Folder(picked).quarantine.to_pylist()))
    if rows.count() > 1:
        page.keyboard.press("ArrowDown")
    looked_at = page.locator(".rows .here .name").text_content()
    page.wait_for_timeout(400)
    page.reload()
    expect(page.locator(".rows .here .name")).to_have_text(looked_at)
    expect(page.locator(".groups .here .name")).to_have_text(stage)
    assert page.locator("select.state").input_value() == "all"


def test_an_answer_that_comes_late_does_not_take_the_place_of_what_was_asked_for_since(page, serve, picked):
    served = serve(picked, "review", str(picked), "--who", "ann")
    page.goto(f"{served.address.partition('#')[0]}#quarantine/")
    expect(page.locator(".rows .here")).to_be_visible()
    held = []
    page.route(lambda url: "/rows?" in url and "config=" in url and "stage=" not in url, lambda one: held.append(one))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    stage = page.locator(".groups .here .name").text_content()
    told = page.locator(".detail th", has_text="stage").locator("+ td")
    expect(told).to_have_text(stage)
    (late,) = held
    with page.expect_response(late.request.url) as answer:
        late.continue_()
    answer.value.finished()
    page.wait_for_timeout(200)
    expect(told).to_have_text(stage)


def test_the_next_page_leaves_no_open_row_behind(page, serve, picked):
    folder = Folder(picked)
    row = next(row for row in folder.quarantine.to_pylist() if row["stage"] == "pose")
    many = [row | {"key": f"vox1-id00001_{n:04d}"} for n in range(120)]
    pq.write_table(pa.Table.from_pylist(many, folder.quarantine.schema), picked / "tables" / "quarantine.parquet")
    served = serve(picked, "review", str(picked), "--who", "ann")
    page.goto(f"{served.address.partition('#')[0]}#quarantine/")
    here = page.locator(".rows .here .name")
    for n in range(3):
        expect(here).to_have_text(many[n]["key"])
        page.keyboard.press("y")
        expect(page.locator("#left")).to_have_text(f"{119 - n} left of 120")
        expect(page.locator(".rows li").nth(n).locator(".tag")).to_have_text("✓ stays out")
    page.keyboard.press("PageDown")
    expect(here).to_have_text(many[50]["key"])
    page.keyboard.press("PageUp")
    expect(here).to_have_text(many[49]["key"])


def test_a_view_that_is_left_while_it_opens_stays_away(page, serve, picked):
    served = serve(picked, "review", str(picked), "--who", "ann")
    page.goto(f"{served.address.partition('#')[0]}#faces/")
    expect(page.locator(".people li")).to_have_count(2)
    with page.expect_request("**/api/statistics/tables") as asked:
        page.keyboard.press("3")
    page.keyboard.press("1")
    asked.value.response().finished()
    expect(page.locator(".people li")).to_have_count(2)
    expect(page.locator("#view .tables")).to_have_count(0)


def test_every_table_and_the_histograms_are_readable_on_a_laptop(page, serve, picked, tmp_path):
    served = serve(picked, "review", str(picked), "--who", "ann", cache=tmp_path)
    page.goto(f"{served.address.partition('#')[0]}#statistics/")
    expect(page.locator(".tables h1")).to_have_text("Statistics of HQ-VoxCeleb, published and built")
    links = page.locator("nav.card a")
    assert links.count() == page.locator(".tables > section").count() >= 8
    page.keyboard.press("ArrowRight")
    expect(links.nth(1)).to_have_class("here")
    page.wait_for_timeout(500)
    page.reload()
    expect(page.locator(".tables h1")).to_be_visible()
    expect(links.nth(1)).to_have_class("here")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    image = page.locator(".tables img")
    expect(image).to_have_js_property("complete", True, timeout=60_000)
    assert image.evaluate("(one) => one.naturalWidth") == 1000
    links.last.click()
    expect(image).to_be_in_viewport()
    (kept,) = tmp_path.rglob("statistics-*.png")
    drawn = kept.stat().st_mtime_ns
    page.reload()
    expect(image).to_have_js_property("naturalWidth", 1000)
    assert kept.stat().st_mtime_ns == drawn and not list(picked.rglob("*.png"))
