"""A file server that can be told to misbehave, and a cache of a test's own."""

import json
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest


class Server:
    """A range_server.py in a process of its own."""

    def __init__(self, root: Path, options: dict) -> None:
        script = Path(__file__).with_name("range_server.py")
        arguments = [sys.executable, str(script), str(root), json.dumps(options)]
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()

    def stats(self) -> dict:
        with urllib.request.urlopen(f"{self.url}/_stats") as answer:
            return json.load(answer)


@pytest.fixture(scope="session")
def serving():
    """serving(folder, **options): a context with a server of the folder, see range_server.py."""

    @contextmanager
    def serve(root: Path, **options):
        server = Server(root, options)
        try:
            yield server
        finally:
            server.process.kill()
            server.process.communicate()

    return serve


@pytest.fixture
def cache_folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("FACEVOX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
