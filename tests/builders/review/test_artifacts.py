"""What the artifacts view lists, counts and says; undo; what others said; what was said of a sample that changed."""

import itertools
import os
import shutil
import time

import pytest
from facevox.builders.core.decisions import ARTIFACTS, FILE, Decision, append, now, settle
from facevox.builders.core.decisions import read as read_decisions
from facevox.builders.review import desk


@pytest.fixture
def folder(built, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(built["tar"].path, out)
    return out


def everything(own, **asked) -> dict:
    return own.get("/api/artifacts/items", params={"show": "all", **asked}).json()


def test_pages_filters_and_finds(client, folder, built):
    own, index = client(folder), built["tar"].index
    whole = everything(own, limit=200)
    rows = index.to_pylist()
    keys = [row["key"] for row in rows if any(row[name] is not None for name in ARTIFACTS)]
    assert [item["key"] for item in whole["items"]] == keys
    flagged = {row["key"] for row in rows if any(row[name] for name in ARTIFACTS)}
    assert {item["key"] for item in everything(own, show="flagged")["items"]} == flagged
    assert {item["key"] for item in everything(own, show="frozen")["items"]} == {
        row["key"] for row in rows if row["frozen"]
    }
    third = everything(own, limit=5, first=10)
    assert (third["total"], third["first"], third["items"]) == (len(keys), 10, whole["items"][10:15])
    at = everything(own, limit=5, at=keys[12], **{"in": whole["items"][12]["config"]})
    assert (at["at"], at["first"]) == (12, 10)
    assert {item["key"] for item in everything(own, find=keys[3])["items"]} == {keys[3]}
    assert own.get("/api/artifacts/items", params={"show": "dusty"}).status_code == 400
    assert own.get("/api/artifacts/items", params={"first": "-1"}).status_code == 400
    assert own.get("/api/artifacts/item", params={"config": "utterances", "key": "no_such"}).status_code == 404


def test_undo_gives_back_the_word_that_was_replaced_then_takes_back_all(client, folder):
    own = client(folder)
    key = everything(own)["items"][0]["key"]

    def say(verdict):
        body = {"key": key, "about": "artifact", "verdict": verdict, "value": "frozen"}
        assert own.post("/api/decide", json=body).status_code == 200

    def said():
        return [decision.verdict for decision in settle(read_decisions(folder / FILE))[0].get(key, ())]

    say("confirm")
    say("overturn")
    assert own.post("/api/undo", json={}).json()["verdict"] == "confirm"
    assert said() == ["confirm"]
    assert own.post("/api/undo", json={}).json()["verdict"] == "undo"
    assert said() == []
    assert own.post("/api/undo", json={}).json() is None
    # After a restart the last word in force is taken back.
    say("confirm")
    assert client(folder).post("/api/undo", json={}).json()["verdict"] == "undo"
    assert said() == []


def test_undo_goes_back_step_by_step_and_never_past_the_word_just_given_back(client, folder, monkeypatch):
    seconds = itertools.count(10)
    monkeypatch.setattr(desk, "now", lambda: f"2026-03-01T12:00:{next(seconds)}Z")
    own = client(folder)
    one, other = (item["key"] for item in everything(own)["items"][:2])

    def say(key, verdict):
        body = {"key": key, "about": "artifact", "verdict": verdict, "value": "frozen"}
        assert own.post("/api/decide", json=body).status_code == 200

    def undone() -> dict:
        assert own.post("/api/undo", json={}).status_code == 200
        words = settle(read_decisions(folder / FILE))[0]
        return {key: said[0].verdict for key, said in words.items()}

    for key, verdict in ((other, "confirm"), (one, "confirm"), (one, "overturn"), (one, "undo"), (one, "confirm")):
        say(key, verdict)
    assert [undone() for _ in range(5)] == [
        {other: "confirm"},
        {other: "confirm", one: "overturn"},
        {other: "confirm", one: "confirm"},
        {other: "confirm"},
        {},
    ]


def test_a_word_about_a_sample_that_is_gone_is_taken_back(client, folder):
    append(folder / FILE, Decision("gone_since", "artifact", "confirm", "frozen", "", "ann", now(), "0" * 64))
    assert client(folder).post("/api/undo", json={}).json()["verdict"] == "undo"
    assert settle(read_decisions(folder / FILE)) == ({}, ())


def test_what_was_shown_before_a_build_is_not_judged_after_it(client, folder):
    own = client(folder)
    key, version = everything(own)["items"][0]["key"], own.get("/api/desk").json()["version"]
    body = {"key": key, "about": "artifact", "verdict": "confirm", "value": "frozen", "version": version}
    assert own.post("/api/decide", json=body).status_code == 200
    later = time.time() + 5
    for table in ("index", "quarantine"):
        os.utime(folder / "tables" / f"{table}.parquet", (later, later))
        later += 5
        refused = own.post("/api/decide", json=body | {"version": version})
        assert (refused.status_code, "built again" in refused.json()["error"]) == (400, True)
        version = own.get("/api/desk").json()["version"]
    assert own.post("/api/decide", json=body | {"version": version}).status_code == 200
    assert len(read_decisions(folder / FILE)) == 2


def test_counts_what_is_left_and_shows_what_others_said(client, folder):
    own = client(folder)
    flagged = everything(own, show="flagged")
    if not flagged["items"]:
        pytest.fail("the forged release has no flagged sample")
    item = flagged["items"][0]
    assert own.get("/api/left").json()["artifacts"] == [0, flagged["total"]]
    for flag in item["flags"]:
        own.post("/api/decide", json={"key": item["key"], "about": "artifact", "verdict": "overturn", "value": flag})
    assert own.get("/api/left").json()["artifacts"] == [1, flagged["total"]]
    assert item["key"] not in {row["key"] for row in everything(own, show="flagged", undecided=1)["items"]}

    flag = item["flags"][0]
    append(folder / FILE, Decision(item["key"], "artifact", "confirm", flag, "", "ben", now()))
    shown = own.get("/api/artifacts/item", params={"config": item["config"], "key": item["key"]}).json()
    one = next(one for one in shown["artifacts"] if one["name"] == flag)
    assert (one["built"], one["own"], one["others"], one["outdated"]) == (True, "overturn", {"ben": "confirm"}, False)

    append(folder / FILE, Decision(item["key"], "artifact", "confirm", flag, "", "ann", now(), "0" * 64))
    shown = own.get("/api/artifacts/item", params={"config": item["config"], "key": item["key"]}).json()
    assert next(one for one in shown["artifacts"] if one["name"] == flag)["outdated"]
    # A build would not follow it, hence it is asked again.
    assert own.get("/api/left").json()["artifacts"] == [0, flagged["total"]]
    assert item["key"] in {row["key"] for row in everything(own, show="flagged", undecided=1)["items"]}


def test_the_waveform_has_the_sound_s_extremes(client, built):
    own, folder = client(built["tar"].path), built["tar"]
    row = next(row for row in folder.index.to_pylist() if row["config"] == "utterances")
    place = {"config": "utterances", "key": row["key"], "field": "mic1.flac"}
    wave = own.get("/api/artifacts/wave", params=place).json()
    sound = next(folder.fetch([row["key"]], ["mic1.flac"], config="utterances"))["mic1.flac"] / 32768
    assert len(wave["peaks"]) <= 1200
    assert min(low for low, _ in wave["peaks"]) == pytest.approx(sound.min(), abs=1e-4)
    assert max(high for _, high in wave["peaks"]) == pytest.approx(sound.max(), abs=1e-4)
    assert wave["seconds"] == pytest.approx(len(sound) / 44_100)
    assert own.get("/api/artifacts/wave", params={**place, "field": "visual.webp"}).status_code == 404


def test_a_place_is_kept_for_each_person(client, folder, tmp_path):
    client(folder).post("/api/place", json={"view": "artifacts", "place": "utterances/001/7"})
    assert client(folder).get("/api/desk").json()["places"] == {"": "artifacts", "artifacts": "utterances/001/7"}
    assert client(folder, who="ben").get("/api/desk").json()["places"] == {}
    assert client(folder).post("/api/place", json={"view": "nothing", "place": ""}).status_code == 400
