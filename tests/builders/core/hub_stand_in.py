"""A server that answers what huggingface_hub asks of a hub, in memory: `python hub_stand_in.py PORT [SECONDS_A_FILE]`.

`GET /_seen` tells what was asked so far. One token may write (hf_writer), one only read (hf_reader).
"""

import base64
import hashlib
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

REPOS: dict[str, dict] = {}
OBJECTS: dict[str, bytes] = {}
SEEN: list[list[str]] = []
LOCK = threading.Lock()
TOKENS = {"Bearer hf_writer": "write", "Bearer hf_reader": "read"}
SLOW = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0


def blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def mode(path: str) -> str:
    return "lfs" if path.startswith("data/") or path.endswith(".parquet") else "regular"


def listed(path: str, entry: tuple[str, bytes | str]) -> dict:
    kind, held = entry
    if kind == "regular":
        return {"type": "file", "oid": blob(held), "size": len(held), "path": path}
    lfs = {"oid": held, "size": len(OBJECTS[held]), "pointerSize": 130}
    return {"type": "file", "oid": blob(held.encode()), "size": lfs["size"], "path": path, "lfs": lfs}


class Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def say(self, status: int, value=None, data: bytes | None = None, **headers):
        body = json.dumps(value).encode() if data is None else data
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_any(self):
        parts = urlsplit(self.path)
        path, body = unquote(parts.path), self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        if path == "/_seen":
            return self.say(200, {"seen": SEEN, "repos": {name: repo["settings"] for name, repo in REPOS.items()}})
        with LOCK:
            SEEN.append([self.command, path])
        if path.startswith("/_lfs/"):
            time.sleep(SLOW)
            oid = path.removeprefix("/_lfs/")
            if self.command == "PUT":
                assert hashlib.sha256(body).hexdigest() == oid
                OBJECTS[oid] = body
            return self.say(200, {})
        right = TOKENS.get(self.headers.get("Authorization", ""))
        if right is None:
            return self.say(
                401, {"error": "Invalid credentials"}, X_Error_Message="Invalid credentials in Authorization"
            )
        return self.api(path, body, right)

    do_GET = do_HEAD = do_POST = do_PUT = handle_any  # noqa: N815

    def api(self, path: str, body: bytes, right: str):
        words = path.strip("/").split("/")
        if path == "/api/whoami-v2":
            return self.say(200, {"type": "user", "name": "user", "auth": {"type": "access_token"}})
        if path == "/api/validate-yaml":
            return self.say(200, {"errors": [], "warnings": []})
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked.get('organization') or 'user'}/{asked['name']}"
            if right != "write":
                return self.say(403, {"error": "You don't have the rights"})
            kind = "datasets/" if asked.get("type") == "dataset" else ""
            url = f"http://{self.headers['Host']}/{kind}{name}"
            if name in REPOS:
                return self.say(409, {"error": "You already created this repo", "url": url})
            REPOS[name] = {"files": {}, "commits": ["0" * 40], "settings": {"made": asked.get("visibility")}}
            REPOS[name]["kind"] = kind
            return self.say(200, {"url": url, "id": "1", "name": name})
        # Models have no word before their names.
        words = words if words[0] in ("api", "datasets") else ["models", *words]
        if words[2].endswith(".git"):
            return self.lfs(json.loads(body))
        name = "/".join(words[2:4]) if words[0] == "api" else "/".join(words[1:3])
        if name not in REPOS:
            return self.say(404, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
        if self.command in ("POST", "PUT") and right != "write" and "paths-info" not in path:
            return self.say(403, {"error": "You don't have the rights"})
        rest = words[4:] if words[0] == "api" else words[3:]
        return self.repo(REPOS[name], name, rest, body)

    def repo(self, repo: dict, name: str, words: list[str], body: bytes):
        files, what = repo["files"], words[0] if words else "info"
        if what == "settings":
            repo["settings"].setdefault("history", []).append([json.loads(body), len(files)])
            repo["settings"].update(json.loads(body))
            return self.say(200, {})
        if what in ("info", "revision"):
            siblings = [{"rfilename": path} for path in sorted(files)]
            settings = {
                "private": repo["settings"].get("visibility") != "public",
                "gated": repo["settings"].get("gated"),
            }
            about = {"id": name, "sha": repo["commits"][-1], "siblings": siblings, "tags": [], "disabled": False}
            return self.say(200, about | settings | {"downloads": 0, "likes": 0})
        if what == "tree":
            return self.say(200, [listed(path, files[path]) for path in sorted(files)])
        if what == "preupload":
            asked = json.loads(body)["files"]
            modes = [{"path": f["path"], "uploadMode": mode(f["path"]), "shouldIgnore": False} for f in asked]
            return self.say(200, {"files": modes})
        if what == "paths-info":
            paths = json.loads(body)["paths"]
            return self.say(200, [listed(path, files[path]) for path in paths if path in files])
        if what == "commit":
            return self.commit(repo, name, body)
        if what == "resolve":
            return self.resolve(repo, "/".join(words[2:]))
        return self.say(404, {"error": what})

    def lfs(self, asked: dict):
        found = []
        for one in asked["objects"]:
            href = f"http://{self.headers['Host']}/_lfs/{one['oid']}"
            actions = {} if one["oid"] in OBJECTS else {"actions": {"upload": {"href": href}}}
            found.append({"oid": one["oid"], "size": one["size"], **actions})
        return self.say(200, {"transfer": "basic", "objects": found})

    def commit(self, repo: dict, name: str, body: bytes):
        for line in body.splitlines():
            said = json.loads(line)
            value = said["value"]
            if said["key"] == "file":
                repo["files"][value["path"]] = ("regular", base64.b64decode(value["content"]))
            elif said["key"] == "lfsFile":
                assert value["oid"] in OBJECTS
                repo["files"][value["path"]] = ("lfs", value["oid"])
            elif said["key"] == "deletedFile":
                del repo["files"][value["path"]]
        repo["commits"].append(hashlib.sha1(body).hexdigest())
        SEEN.append(["commit", " ".join(sorted(repo["files"]))])
        url = f"http://{self.headers['Host']}/{repo['kind']}{name}/commit/{repo['commits'][-1]}"
        return self.say(200, {"success": True, "commitOid": repo["commits"][-1], "commitUrl": url})

    def resolve(self, repo: dict, path: str):
        if path not in repo["files"]:
            return self.say(404, {"error": "Entry not found"}, X_Error_Code="EntryNotFound")
        kind, held = repo["files"][path]
        data = held if kind == "regular" else OBJECTS[held]
        tag = blob(held) if kind == "regular" else held
        headers = {"ETag": f'"{tag}"', "X_Repo_Commit": repo["commits"][-1], "Accept_Ranges": "bytes"}
        if asked := self.headers.get("Range"):
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, end = int(first), min(int(last or len(data) - 1), len(data) - 1)
            headers["Content_Range"] = f"bytes {start}-{end}/{len(data)}"
            return self.say(206, data=data[start : end + 1], **headers)
        return self.say(200, data=data, **headers)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Hub).serve_forever()
