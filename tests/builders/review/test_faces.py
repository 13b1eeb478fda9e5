"""The view faces without a browser: who is listed, what is shown of a face, and how much is left."""

import json

from facevox.builders.core.decisions import FILE, read
from facevox.loaders.folder import Folder


def ask(client, **parameters):
    answer = client.get("/api/faces/person", params={"config": "faces", **parameters})
    assert answer.status_code == 200
    return answer.json()


def say(client, key, verdict, reason=""):
    word = {"key": key, "about": "face", "verdict": verdict, "reason": reason}
    assert client.post("/api/decide", json=word).status_code == 200


def test_every_candidate_is_shown_once_with_its_scores_and_thresholds(client, picked, photos):
    own, folder = client(picked, raw=str(photos)), Folder(picked)
    (config,) = own.get("/api/faces/configs").json()
    assert (config["fields"], config["wanted"]) == (["masked.jpg", "origin.jpg"], [1, 2])
    scores = {score["fact"]: score for score in config["scores"]}
    assert (scores["ipd_px"]["threshold"], scores["ipd_px"]["bound"]) == (30.0, "least")
    assert (scores["asym5"]["threshold"], scores["asym5"]["bound"]) == (0.045, "most")

    people = own.get("/api/faces/people", params={"config": "faces"}).json()
    assert people["total"] == 2 and people["of"] == sum(one["kept"] > 0 for one in people["people"])
    shown = [face for one in people["people"] for face in ask(own, key=one["first"])["faces"]]
    kept = {row["key"]: row for row in folder.index.to_pylist()}
    aside = {row["key"]: row for row in folder.quarantine.to_pylist() if row["stage"] != "table"}
    assert {face["key"]: face["kept"] for face in shown} == dict.fromkeys(kept, True) | dict.fromkeys(aside, False)
    assert len(shown) == 12
    for face in shown:
        if face["kept"]:
            assert face["facts"]["ipd_px"] == kept[face["key"]]["ipd_px"]
        else:
            assert face["reason"] == aside[face["key"]]["reason"]
            assert face["facts"] == json.loads(aside[face["key"]]["measured"])
    ranks = [face["rank"] for face in ask(own, key=next(iter(kept)))["faces"] if face["kept"]]
    assert ranks == sorted(ranks)


def test_people_are_narrowed_and_stepped_through_in_order(client, picked):
    own = client(picked)
    first, second = own.get("/api/faces/people", params={"config": "faces"}).json()["people"]
    assert first["first"] < second["first"]
    assert ask(own)["person"] == ask(own, before=second["first"])["person"] == first["person"]
    assert ask(own, after=first["first"])["person"] == second["person"]
    assert (
        ask(own, after=second["first"]) is ask(own, before=first["first"]) is ask(own, key="vox1-id99999_0001") is None
    )
    found = own.get("/api/faces/people", params={"config": "faces", "find": second["name"].upper()}).json()
    assert [one["name"] for one in found["people"]] == [second["name"]]
    page = own.get("/api/faces/people", params={"config": "faces", "count": 1, "at": second["first"]}).json()
    assert (page["from"], [one["person"] for one in page["people"]]) == (1, [second["person"]])
    refused = own.get("/api/faces/people", params={"config": "faces", "show": "nice ones"})
    assert refused.status_code == 400 and "expected one of all, left" in refused.json()["error"]
    assert own.get("/api/faces/people", params={"config": "voices"}).status_code == 400


def test_words_are_counted_and_people_who_disagree_are_told(client, picked):
    ann, ben = client(picked), client(picked, who="ben")
    one = next(one for one in ann.get("/api/faces/people", params={"config": "faces"}).json()["people"] if one["kept"])
    (key, *_), other = ([face["key"] for face in ask(ann, key=one["first"])["faces"] if face["kept"]], None)
    before = ann.get("/api/left").json()["faces"]
    other = next(face["key"] for face in ask(ann, key=key)["faces"] if not face["kept"])
    say(ann, other, "keep")
    assert (ask(ann, key=key)["picked"], ask(ann, key=key)["done"]) == (1, True)
    assert ann.get("/api/left").json()["faces"] == [before[0] + 1, before[1]]
    left = ann.get("/api/faces/people", params={"config": "faces", "show": "left"}).json()["people"]
    assert one["person"] not in {other["person"] for other in left}

    say(ben, other, "leave out", "a double")
    face = next(face for face in ask(ann, key=key)["faces"] if face["key"] == other)
    assert face["says"] == "in conflict" and {word["who"]: word["mine"] for word in face["words"]} == {
        "ann": True,
        "ben": False,
    }
    assert not ask(ann, key=key)["done"]
    some = ann.get("/api/faces/people", params={"config": "faces", "show": "in conflict"}).json()["people"]
    assert [other["person"] for other in some] == [one["person"]]
    assert [word.verdict for word in read(picked / FILE)] == ["keep", "leave out"]


def test_while_a_build_writes_the_tables_anew_what_was_open_is_shown(client, picked, photos):
    own = client(picked, raw=str(photos))
    places = (
        "/api/desk",
        "/api/left",
        "/api/faces/configs",
        "/api/faces/people?config=faces",
        "/api/quarantine/groups",
    )
    before = {place: own.get(place) for place in places}
    (picked / "tables").rename(picked / "away")
    during = {place: own.get(place) for place in places}
    assert {answer.status_code for answer in (*before.values(), *during.values())} == {200}
    assert {place: answer.json() for place, answer in during.items()} == {p: a.json() for p, a in before.items()}
    (picked / "away").rename(picked / "tables")
    assert own.get("/api/left").json() == before["/api/left"].json()
