"""Who is refused: other hosts, other sites, no token, made-up names, too much."""

import http.client
import json
import os
import shutil
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from facevox.builders.core.decisions import FILE
from facevox.builders.review.server import ReviewOptions, application
from facevox.cli import main
from starlette.testclient import TestClient

PORT = 8765


@pytest.fixture
def folder(built, tmp_path):
    """A folder to decide in: the shared one is never written to."""
    shutil.copytree(built["tar"].path, tmp_path / "O", copy_function=os.link)
    return tmp_path / "O"


@pytest.fixture
def first(built):
    return built["tar"].index.slice(0, 1).to_pylist()[0]


def test_the_token_becomes_a_cookie_that_scripts_and_other_sites_do_not_get(client, folder):
    stranger = client(folder)
    stranger.cookies.clear()
    assert stranger.get("/").status_code == 403
    assert stranger.get("/app.js").status_code == 403
    assert stranger.get("/?token=wrong", follow_redirects=False).status_code == 403
    opened = stranger.get("/?token=token-of-the-tests", follow_redirects=False)
    assert (opened.status_code, opened.headers["location"]) == (303, "/")
    assert {"HttpOnly", "SameSite=Strict"} <= set(opened.headers["set-cookie"].split("; "))
    assert stranger.get("/").status_code == 200
    assert stranger.get("/", headers={"Cookie": "facevox_8765=tøken".encode()}).status_code == 403


def test_what_the_browser_is_started_with_opens_the_page_once(folder, tmp_path):
    chosen = ReviewOptions(folder, who="ann", port=PORT, cache=tmp_path / "cache")
    app = application(chosen, "the-token", "the-ticket")
    first, second = (TestClient(app, base_url=f"http://127.0.0.1:{PORT}") for _ in range(2))
    assert first.get("/?token=the-ticket").status_code == 200
    assert second.get("/?token=the-ticket").status_code == 403
    assert second.get("/?token=").status_code == 403
    assert first.get("/?token=the-ticket").status_code == 200
    assert second.get("/?token=the-token").status_code == 200


def test_pictures_kept_in_the_cache_are_for_one_account(client, folder, tmp_path):
    client(folder)
    (kept,) = (tmp_path / "cache").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o700


def test_every_answer_keeps_the_browser_at_home(client, folder):
    for place in ("/", "/api/desk", "/nothing"):
        headers = client(folder).get(place).headers
        assert headers["content-security-policy"].startswith("default-src 'self';")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "127.0.0.1:8766", "127.0.0.1", ""])
def test_another_host_name_is_refused(client, folder, host):
    assert client(folder).get("/api/desk", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize(
    "changed",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"X-Facevox": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
    ],
)
def test_a_post_of_another_site_is_refused(client, folder, first, changed):
    body = json.dumps({"key": first["key"], "about": "mark", "verdict": "note", "reason": "hello"})
    headers = {"Content-Type": "application/json", **changed}
    assert client(folder).post("/api/decide", content=body, headers=headers).status_code in (403, 415)
    assert not (folder / FILE).exists()


def test_a_page_of_another_site_cannot_embed_media(client, folder, first):
    place = f"/thumb/{first['config']}/{first['key']}/visual.webp"
    assert client(folder).get(place).status_code == 200
    assert client(folder).get(place, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_bodies_are_bounded(client, folder):
    own = client(folder)
    assert own.post("/api/place", json={"view": "artifacts", "place": "x" * (64 << 10)}).status_code == 413
    assert own.post("/api/place", json={"view": "artifacts", "place": "x" * 501}).status_code == 400
    assert (
        own.post("/api/place", content=b"[" * 60_000, headers={"Content-Type": "application/json"}).status_code == 400
    )
    assert own.post("/api/decide", json=[]).status_code == 400
    assert own.put("/api/place", json={}).status_code == 405

    def pieces():
        yield b'{"view": "artifacts"}'

    answer = own.post("/api/place", content=pieces(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 411


@pytest.mark.parametrize(
    "place",
    [
        "/media/utterances/{key}/..%2f..%2f..%2fetc%2fpasswd",
        "/media/utterances/..%2f..%2ftables/index.parquet",
        "/media/..%2f..%2fdata/{key}/visual.webp",
        "/media/utterances/{key}/%2fetc%2fpasswd",
        "/media/utterances/{key}/visual.webp%00.png",
        "/media/utterances/{key}/../../../../etc/passwd",
        "/media/utterances/{key}/nothing.webp",
        "/media/utterances/no_such_key/visual.webp",
        "/media/utterances/{key}/visual.webp/0.webp",
        "/media/utterances/{key}/visual.webp/9999.webp",
        "/media/utterances/{key}/mic1.flac/1.webp",
        "/thumb/utterances/{key}/mic1.flac",
        "/thumb/utterances/{key}/..%2f..%2freview.jsonl",
        "/..%2fserver.py",
        "/page/..%2f..%2fserver.py",
        "/app.js/..%2f..%2fserver.py",
        "/.build/plan.json",
        "/review.jsonl",
    ],
)
def test_no_path_of_the_client_is_followed(client, folder, built, place):
    spoken = next(row for row in built["tar"].index.to_pylist() if row["config"] == "utterances")
    answer = client(folder).get(place.format(key=spoken["key"]))
    assert answer.status_code == 404
    assert b"root:" not in answer.content


@pytest.mark.parametrize(
    "body",
    [
        {"key": "../../x", "about": "mark", "verdict": "note"},
        {"key": "no_such_key", "about": "mark", "verdict": "note"},
        {"key": 7, "about": "mark", "verdict": "note"},
        {"about": "artifact", "verdict": "confirm", "value": "dusty"},
        {"about": "artifact", "verdict": "destroy", "value": "frozen"},
        {"about": "mark", "verdict": "note", "reason": ["no text"]},
        {"about": "trim", "verdict": "change", "value": -1},
        {},
    ],
)
def test_a_decision_outside_the_schema_is_refused_and_leaves_no_trace(client, folder, first, body):
    answer = client(folder).post("/api/decide", json={"key": first["key"], **body})
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert not (folder / FILE).exists()


def test_the_server_listens_on_this_machine_alone_and_prints_a_new_token_every_time(serve, folder):
    first, second = (serve(folder, "review", str(folder), "--who", "ann") for _ in range(2))
    tokens = {urlsplit(served.address).query for served in (first, second)}
    assert len(tokens) == 2
    assert all(len(token) >= len("token=") + 43 for token in tokens)
    where = urlsplit(first.address)
    assert where.hostname == "127.0.0.1"
    connection = http.client.HTTPConnection("127.0.0.1", where.port, timeout=10)
    connection.request("GET", "/../../../../etc/passwd")
    assert connection.getresponse().status == 403
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    listening = [line[1] for line in lines if line[3] == "0A"]
    assert {place.split(":")[0] for place in listening if int(place.split(":")[1], 16) == where.port} == {"0100007F"}


def test_a_port_that_does_not_exist_is_one_line(folder, capsys):
    assert main(["review", str(folder), "--no-browser", "--port", "70000"]) == 2
    assert capsys.readouterr().err == "facevox: port 70000: expected 1 to 65535, or 0 for a free one\n"


def test_a_disk_that_takes_nothing_is_said_aloud(client, folder, first, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    own = client(folder, cache=tmp_path / "file")
    assert own.get(f"/thumb/{first['config']}/{first['key']}/visual.webp").status_code == 200
    answer = own.post("/api/place", json={"view": "artifacts", "place": "here"})
    assert (answer.status_code, answer.json()["error"][:8]) == (500, "not done")


def test_decisions_of_many_at_once_are_all_on_record(client, folder, first):
    own = client(folder)
    bodies = [{"key": first["key"], "about": "mark", "verdict": "note", "reason": str(n)} for n in range(8)]
    threads = [threading.Thread(target=lambda body=body: own.post("/api/decide", json=body)) for body in bodies]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        lines = (folder / FILE).read_text().splitlines()
        assert sorted(json.loads(line)["reason"] for line in lines) == [str(n) for n in range(8)]
    finally:
        (folder / FILE).unlink(missing_ok=True)
