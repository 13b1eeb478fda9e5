"""The page in a real browser: a server in a process of its own, one headless Chromium, a page that forgives nothing."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from facevox.builders.review.server import ReviewOptions, application
from starlette.testclient import TestClient

TOKEN = "token-of-the-tests"
PATIENCE = 60_000
"""Milliseconds that a page may take: the other tests keep all cores busy."""
PORT = 8765
START = """
import sys
from facevox.cli import main
sys.exit(main(sys.argv[1:]))
"""


@dataclass(frozen=True)
class Served:
    """A running `facevox review`: the address it printed, and the folder it shows."""

    address: str
    folder: Path


@pytest.fixture(scope="session")
def serve(tmp_path_factory) -> Iterator[Callable[..., Served]]:
    """serve(*arguments) starts a command that serves the page, with a cache of its own; all are stopped at the end."""
    running = []

    def start(folder: Path, *arguments: str, cache: Path | None = None) -> Served:
        home = cache or tmp_path_factory.mktemp("cache")
        # Or the list of fonts would be made anew in every cache, which takes seconds.
        fonts = {"MPLCONFIGDIR": str(Path.home() / ".cache" / "matplotlib")}
        environment = {**os.environ, "XDG_CACHE_HOME": str(home), **fonts}
        command = [sys.executable, "-c", START, *arguments, "--no-browser"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        running.append(process)
        for line in process.stdout:
            if line.startswith("http://"):
                return Served(line.strip(), folder)
        raise AssertionError(f"no address printed; exit code {process.wait()}")

    yield start
    for process in running:
        process.send_signal(signal.SIGINT)
    for process in running:
        assert process.wait(20) == 0


@pytest.fixture(scope="module")
def browser():
    """One headless Chromium. Without one the test is skipped, under CI it fails.

    Closed with its module: a process forked later would hold its pipes, and its driver wait for them for ever.
    """
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        assert not os.environ.get("CI"), "no Chromium: apt-get install chromium"
        pytest.skip("no Chromium to test the page in")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, tmp_path):
    """A tab of a laptop's size that fails on any console error and any request that leaves the machine.

    Asks for the test's folder so that it is closed before that folder goes: what it still asked for would be missing.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    tab, wrong = context.new_page(), []
    tab.set_default_timeout(PATIENCE)
    tab.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("response", lambda answer: answer.status < 400 or wrong.append(f"{answer.status} for {answer.url}"))

    def look(request):
        if urlsplit(request.url).scheme != "blob" and urlsplit(request.url).hostname != "127.0.0.1":
            wrong.append(f"request to {request.url}")

    tab.on("request", look)
    yield tab
    context.close()
    assert not wrong


@pytest.fixture
def client(tmp_path):
    """client(folder, **options): the application without a server; requests carry what a browser of its own sends."""

    def make(folder: Path | None, **options) -> TestClient:
        chosen = ReviewOptions(folder, **{"who": "ann", "port": PORT, "cache": tmp_path / "cache", **options})
        own = TestClient(application(chosen, TOKEN), base_url=f"http://127.0.0.1:{PORT}", raise_server_exceptions=False)
        own.headers.update({"Origin": f"http://127.0.0.1:{PORT}", "X-Facevox": "1"})
        own.cookies.set(f"facevox_{PORT}", TOKEN)
        return own

    return make


@pytest.fixture(scope="session")
def photos(made_once) -> Path:
    """Web photos of two forged people, six each, good and bad."""
    pytest.importorskip("dlib")
    from facevox.builders.population.hq_voxceleb import ForgeOptions, forge

    options = ForgeOptions(people=1, images=6, utterances=0)
    return made_once("photos", lambda home: forge(home / "raw", options)) / "raw"


@pytest.fixture(scope="session")
def pick_faces(photos) -> Callable[[Path], Path]:
    """pick_faces(out): build the photos' faces into a folder, or follow what people decided there since."""
    from facevox.builders.core.run import BuildOptions, run
    from facevox.builders.stages.hq_options import HqVoxCelebOptions

    def build(out: Path) -> Path:
        how = HqVoxCelebOptions(source="candidates", min_images=1, max_images=2)
        run(BuildOptions("hq_voxceleb", str(photos), out, ("faces",), release=how))
        return out

    return build


@pytest.fixture(scope="session")
def _picked(pick_faces, made_once) -> Path:
    return made_once("picked", lambda home: pick_faces(home / "O")) / "O"


@pytest.fixture
def picked(_picked, tmp_path) -> Path:
    """A copy of the built faces, one or two a person, of its own for each test."""
    return Path(shutil.copytree(_picked, tmp_path / "O"))
