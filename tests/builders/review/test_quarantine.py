"""The view quarantine without a browser: rows and states, and the release's files behind them."""

import io
import json
import os
import time
import zipfile
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from facevox.builders.core.raw import open_raw
from facevox.builders.review.originals import listed
from facevox.loaders.folder import Folder
from facevox.loaders.media import decode_picture


def rows(client, **parameters):
    answer = client.get("/api/quarantine/rows", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_groups_rows_and_states_agree_with_the_table(client, picked):
    own, table = client(picked), Folder(picked).quarantine.to_pylist()
    groups = own.get("/api/quarantine/groups").json()
    counted = Counter((row["config"], row["stage"]) for row in table)
    assert {(group["config"], group["stage"]): group["rows"] for group in groups["groups"]} == counted
    assert groups["facts"]["asym5"].startswith("nose tip")
    found = rows(own, state="open", config="faces")["rows"]
    assert [row["key"] for row in found] == [row["key"] for row in table if "/" not in row["key"] and row["key"]]
    assert found[0]["measured"] == json.loads(next(row for row in table if row["key"] == found[0]["key"])["measured"])

    first, second, third = (row["key"] for row in found[:3])
    for key, verdict in ((first, "accept"), (second, "retry")):
        said = {"key": key, "about": "quarantine", "verdict": verdict}
        assert own.post("/api/decide", json=said).status_code == 200
    own.post("/api/decide", json={"key": third, "about": "face", "verdict": "keep"})
    assert own.get("/api/left").json()["quarantine"] == [3, len(found)]
    assert [row["key"] for row in rows(own, state="accepted")["rows"]] == [first]
    assert [row["key"] for row in rows(own, state="retry")["rows"]] == [second, third]
    assert rows(own, state="open")["total"] == len(found) - 3
    client(picked, who="ben").post("/api/decide", json={"key": first, "about": "quarantine", "verdict": "retry"})
    assert [row["key"] for row in rows(own, state="in conflict")["rows"]] == [first]
    # A build since has tried it again, and left it out once more.
    later = time.time() + 5
    os.utime(picked / "tables" / "index.parquet", (later, later))
    (again,) = (row for row in rows(own, state="open")["rows"] if row["key"] == second)
    assert again["tried"] and again["state"] == "open"


def test_pages_reasons_and_search_narrow_many_rows(client, picked):
    folder = Folder(picked)
    row = next(row for row in folder.quarantine.to_pylist() if row["stage"] == "pose")
    many = [
        row | {"key": f"vox1-id{n // 50:05d}_{n % 50:04d}", "reason": f"turned: {n} degrees"} for n in range(20_000)
    ]
    pq.write_table(pa.Table.from_pylist(many, folder.quarantine.schema), picked / "tables" / "quarantine.parquet")
    own = client(picked)
    page = rows(own, stage="pose", state="open", **{"from": 19_990, "count": 50})
    assert (page["total"], len(page["rows"]), page["rows"][-1]["key"]) == (20_000, 10, many[-1]["key"])
    assert page["patterns"] == [{"pattern": "turned: … degrees", "rows": 20_000}]
    assert rows(own, pattern="turned: … degrees")["total"] == 20_000
    assert rows(own, pattern="turned: 1 degrees")["total"] == 0
    assert [row["key"] for row in rows(own, find="ID00399_0049")["rows"]] == ["vox1-id00399_0049"]
    around = rows(own, at="vox1-id00010_0007", count=20)
    assert around["from"] == 500 and around["rows"][7]["key"] == "vox1-id00010_0007"
    assert len(rows(own, count=10_000)["rows"]) == 200
    assert own.get("/api/quarantine/rows", params={"from": "-1"}).status_code == 400


def test_pictures_of_what_was_left_out_come_from_the_release_alone(client, picked, photos, tmp_path):
    own = client(picked, raw=str(photos))
    row = next(row for row in rows(own, stage="pose")["rows"])
    about = own.get(f"/api/quarantine/original/{row['row']}").json()
    truth = decode_picture((photos / row["place"]).read_bytes())
    assert about["size"] == [truth.shape[1], truth.shape[0]] and about["box"]["left"] > 0 and not about["problem"]
    small = own.get(f"/api/quarantine/picture/{row['row']}.webp", params={"of": "face"})
    assert max(decode_picture(small.content).shape) <= 192
    large = decode_picture(own.get(f"/api/quarantine/picture/{row['row']}.webp", params={"edge": 640}).content)
    assert max(large.shape) == min(640, max(truth.shape))
    assert not list(picked.rglob("*.webp")) and list((tmp_path / "cache").rglob("*.webp"))
    total = len(Folder(picked).quarantine)
    for address in (
        f"picture/{total}.webp",
        "picture/-1.webp",
        f"original/{total}",
        "media/999999",
        f"media/{row['row']}",
    ):
        assert own.get(f"/api/quarantine/{address}").status_code == 404
    capped = own.get(f"/api/quarantine/picture/{row['row']}.webp", params={"edge": 5000})
    assert max(decode_picture(capped.content).shape) <= 640
    assert client(picked).get(f"/api/quarantine/picture/{row['row']}.webp").status_code == 404


def test_places_that_the_release_does_not_list_are_not_followed(client, picked, photos, tmp_path):
    (tmp_path / "secret.jpg").write_bytes((photos / "vox1").rglob("*.jpg").__next__().read_bytes())
    raw = tmp_path / "release"
    raw.mkdir()
    (raw / "out.jpg").symlink_to(tmp_path / "secret.jpg")
    with zipfile.ZipFile(raw / "photos.zip", "w") as archive:
        archive.writestr("vox1/a.jpg", (tmp_path / "secret.jpg").read_bytes())
    release = open_raw(str(raw))
    for place in ("../secret.jpg", str(tmp_path / "secret.jpg"), "a/../../secret.jpg", "a//b.jpg", "", "/", "none.jpg"):
        with pytest.raises(FileNotFoundError):
            listed(release, place)
    for place in ("photos/vox1/a.jpg", "photos.zip/vox1/a.jpg"):
        container, name = listed(release, place)
        assert container.read(name, 1 << 20) == (tmp_path / "secret.jpg").read_bytes()

    folder = Folder(picked)
    row = next(row for row in folder.quarantine.to_pylist() if row["stage"] == "pose")
    places = ("../secret.jpg", "out.jpg", "photos/vox1/b.jpg", "photos/vox1/a.jpg")
    bad = [row | {"key": f"vox1-id10001_{at:04d}", "place": place} for at, place in enumerate(places)]
    pq.write_table(pa.Table.from_pylist(bad, folder.quarantine.schema), picked / "tables" / "quarantine.parquet")
    own = client(picked, raw=str(raw))
    problems = [own.get(f"/api/quarantine/original/{at}").json()["problem"] for at in range(len(places))]
    assert (
        "no place" in problems[0]
        and "leads out" in problems[1]
        and "not in the archive" in problems[2]
        and not problems[3]
    )
    cross = own.get("/api/quarantine/picture/1.webp")
    assert decode_picture(cross.content).shape == (192, 192, 3)
    assert cross.headers["cache-control"] == "no-store"


def test_sounds_are_played_from_the_release_in_ranges(client, picked, tmp_path, voxceleb):
    raw = tmp_path / "release"
    place, data = next(iter(voxceleb.recordings.items()))
    for path in (raw / place, raw / "packed" / "x.wav"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    with zipfile.ZipFile(raw / "voices.zip", "w") as archive:
        archive.writestr(place, data)
    folder = Folder(picked)
    row = folder.quarantine.slice(0, 1).to_pylist()[0]
    some = [row | {"key": "a_1", "place": place}, row | {"key": "a_2", "place": f"voices/{place}"}]
    pq.write_table(pa.Table.from_pylist(some, folder.quarantine.schema), picked / "tables" / "quarantine.parquet")
    own = client(picked, raw=str(raw))
    for number in range(2):
        assert own.get(f"/api/quarantine/original/{number}").json() == {
            "kind": "sound", "size": None, "box": None, "problem": ""
        }  # fmt: skip
        part = own.get(f"/api/quarantine/media/{number}", headers={"Range": "bytes=4-99"})
        assert (part.status_code, part.content) == (206, io.BytesIO(data).getvalue()[4:100])
        assert part.headers["content-type"] == "audio/wav"
