"""A file server on loopback that misbehaves by a seeded rule: run as `python range_server.py ROOT OPTIONS_AS_JSON`.

Options: latency (seconds a request), rate (bytes a second over all connections, 0 for no limit), and the parts of the
requests for shards that meet each fault of FAULTS; `seed` of these; `tables` whether they meet requests for tables too;
`onward`: where every request is sent on to;
`silent`: requests for shards are never answered; `trickle`: bytes of shards come one by one, so many seconds apart.
Prints its address, serves until its standard input ends.
GET /_stats is the counts since the last call: requests, those with credentials, bytes, faults by name, and the most
requests at once.
"""

import json
import random
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FAULTS = ("error500", "busy429", "reset", "truncated", "whole", "other_range", "short_range", "flipped")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        server = self.server
        if self.path == "/_stats":
            with server.lock:
                body = json.dumps(server.counts).encode()
                server.counts = {"requests": 0, "authorized": 0, "bytes": 0, "at_once": 0}
            self.reply(200, body)
            return
        with server.lock:
            server.under_way += 1
            server.counts["requests"] += 1
            server.counts["authorized"] += "X-Key" in self.headers
            server.counts["at_once"] = max(server.counts["at_once"], server.under_way)
            fault = self.fault()
        try:
            time.sleep(server.options.get("latency", 0))
            self.serve(fault)
        finally:
            with server.lock:
                server.under_way -= 1

    def fault(self):
        server, at = self.server, self.server.dice.random()
        if "/data/" not in self.path and not server.options.get("tables"):
            return ""
        for name in FAULTS:
            at -= server.options.get(name, 0)
            if at < 0:
                server.counts[name] = server.counts.get(name, 0) + 1
                return name
        return "silent" if server.options.get("silent") else ""

    def reply(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in {"Content-Length": len(body), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def serve(self, fault):
        server = self.server
        file = (server.root / self.path.split("?")[0].lstrip("/")).resolve()
        if onward := server.options.get("onward"):
            self.reply(302, Location=onward + self.path)
            return
        if fault == "silent":
            time.sleep(3600)
        if fault in ("error500", "busy429"):
            self.reply(500 if fault == "error500" else 429)
        elif fault == "reset":
            self.close_connection = True
            self.connection.close()
        elif not file.is_relative_to(server.root) or not file.is_file():
            self.reply(404)
        elif server.options.get("token") and f"sig={server.options['token']}" not in self.path:
            self.reply(403)
        else:
            self.send_file(file.read_bytes(), file.stat().st_mtime_ns, fault)

    def send_file(self, whole, time_ns, fault):
        tag = f'"{len(whole):x}-{time_ns:x}"'
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if asked and int(asked[1]) >= len(whole):
            self.reply(416, Content_Range=f"bytes */{len(whole)}")
            return
        first, end = (int(asked[1]), min(int(asked[2]) + 1, len(whole))) if asked else (0, len(whole))
        if fault == "other_range":
            first, end = (first - 1, end - 1) if first else (first, max(first + 1, end - 1))
        if fault == "short_range":
            end -= (end - first) // 2
        body = bytearray(whole[first:end])
        if fault == "flipped" and body:
            body[len(body) // 2] ^= 0xFF
        if fault == "whole" or not asked:
            self.send_response(200)
            body = bytearray(whole) if fault == "whole" else body
        else:
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{end - 1}/{len(whole)}")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", tag)
        self.end_headers()
        sent = body[: len(body) // 2] if fault == "truncated" else body
        if self.command == "HEAD":
            return
        self.throttle(len(sent))
        if "/data/" in self.path and (apart := self.server.options.get("trickle")):
            for byte in sent:
                self.wfile.write(bytes([byte]))
                time.sleep(apart)
        else:
            self.wfile.write(sent)
        with self.server.lock:
            self.server.counts["bytes"] += len(sent)
        if fault == "truncated":
            self.close_connection = True

    def throttle(self, size):
        server = self.server
        if rate := server.options.get("rate", 0):
            with server.lock:
                server.free = max(server.free, time.monotonic()) + size / rate
                until = server.free
            time.sleep(max(0, until - time.monotonic()))

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, address):
        pass


def main(root, options):
    server = Server(("127.0.0.1", 0), Handler)
    server.root, server.options, server.lock = Path(root).resolve(), options, threading.Lock()
    server.counts, server.under_way, server.free = {"requests": 0, "authorized": 0, "bytes": 0, "at_once": 0}, 0, 0.0
    server.dice = random.Random(options.get("seed", 0))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
