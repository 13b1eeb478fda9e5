"""No network is opened that is not the one stated; what a network takes is checked before it runs."""

import os
import subprocess
import sys
import threading
from dataclasses import replace
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from facevox.doctor import report
from facevox.models.core import pretrained
from facevox.models.core.networks import NETWORKS, Convention, Hub, Network, network
from facevox.models.core.pretrained import fill, find, locate, open_onnx

PACKAGED = [name for name, entry in NETWORKS.items() if entry.package]


@pytest.fixture
def register(monkeypatch):
    """register(bytes, **fields): one more entry, named tiny, whose digest is that of the bytes unless given."""

    def add(stored: bytes, **fields) -> Network:
        entry = Network("tiny", "tiny.bin", sha256(stored).hexdigest(), "onnx", "MIT", Convention())
        monkeypatch.setitem(NETWORKS, "tiny", replace(entry, **fields))
        return NETWORKS["tiny"]

    return add


@pytest.mark.parametrize("name", PACKAGED)
def test_packaged_networks_are_here_with_the_registered_digest(name):
    if find_spec(network(name).package) is None:
        pytest.skip(f"no {network(name).package}")
    assert sha256(locate(name).read_bytes()).hexdigest() == network(name).sha256


def test_every_entry_says_what_it_is():
    for name, entry in NETWORKS.items():
        assert (entry.name, bool(entry.licence)) == (name, True)
        assert entry.kind in ("dlib", "onnx", "torch", "arrays")
        assert entry.package or entry.hub or entry.source
        # What comes by itself has a digest; what the user brings may have one of their stating.
        assert len(entry.sha256) == 64 or (entry.source and not entry.sha256)
        assert entry.hub is None or len(entry.hub.revision) == 40


def test_a_folder_of_the_users_comes_first(tmp_path, register):
    register(b"weights")
    with pytest.raises(FileNotFoundError, match=r"tiny: no tiny.bin here; give the folder that holds it with --models"):
        locate("tiny", tmp_path)
    path = tmp_path / "tiny.bin"
    path.write_bytes(b"weights")
    assert locate("tiny", tmp_path) == path
    path.write_bytes(b"weighty")
    with pytest.raises(
        ValueError, match=r"tiny.bin: sha256 .*\.\.\., expected .*; damaged or another file, replace it"
    ):
        locate("tiny", tmp_path)
    shadow = tmp_path / network("dlib-cnn").file
    shadow.write_bytes(b"not dlib's")
    with pytest.raises(ValueError, match="mmod_human_face_detector.dat: sha256"):
        locate("dlib-cnn", tmp_path)


def test_without_a_published_digest_the_user_states_one(tmp_path, register):
    register(b"weights", sha256="")
    path, beside = tmp_path / "tiny.bin", tmp_path / "tiny.bin.sha256"
    path.write_bytes(b"weights")
    with pytest.raises(
        ValueError, match="no digest of tiny is published; write the one you trust into tiny.bin.sha256"
    ):
        locate("tiny", tmp_path)
    beside.write_text(sha256(b"weights").hexdigest().upper() + " *tiny.bin\n")
    assert locate("tiny", tmp_path) == path
    beside.write_text("0" * 64)
    with pytest.raises(ValueError, match="expected 0000000000000000"):
        locate("tiny", tmp_path)
    beside.write_text("none")
    with pytest.raises(ValueError, match="expected 64 hexadecimal digits"):
        locate("tiny", tmp_path)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match=r"no network 'dlib-landmark68'; did you mean 'dlib-landmarks68'\?"):
        locate("dlib-landmark68")


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(pretrained, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match=r"dlib-cnn: no mmod.* here; pip install 'facevox\[build\]'"):
        locate("dlib-cnn")


def test_pictures_become_the_networks_numbers():
    picture = np.array([[[10, 20, 30]]], np.uint8)
    assert Convention().normal(picture).tolist() == [[[10, 20, 30]]]
    assert Convention(colours="bgr", mean=(30, 10, 10), scale=0.5).normal(picture).tolist() == [[[0, 5, 0]]]
    ends = Convention(mean=127.5, scale=1 / 127.5).normal(np.array([[[0, 255, 255]]], np.uint8))
    assert ends.dtype == np.float32
    np.testing.assert_allclose(ends, [[[-1, 1, 1]]], atol=1e-6)
    with pytest.raises(ValueError, match="colours 'rbg'"):
        Convention(colours="rbg")


@pytest.mark.parametrize(
    ("shape", "dtype"), [((5, 6, 3), np.uint8), ((4, 6, 3), np.float32), ((4, 6), np.uint8), ((4, 6, 4), np.uint8)]
)
def test_other_pictures_are_refused(shape, dtype):
    with pytest.raises(ValueError, match=r"picture of shape .*: expected RGB of shape \(..., 4, 6, 3\), uint8"):
        Convention((4, 6)).normal(np.zeros(shape, dtype))


def test_an_onnx_network_gets_its_colours_and_range(tmp_path, register, colour_means):
    register(colour_means, takes=Convention((4, 6), "bgr", (3.0, 2.0, 1.0), 0.5))
    (tmp_path / "tiny.bin").write_bytes(colour_means)
    pictures = np.random.default_rng(0).integers(0, 256, (2, 4, 6, 3), dtype=np.uint8)
    run = open_onnx("tiny", tmp_path)
    for some in (pictures, pictures[:1], pictures):
        (means,) = run(some).values()
        np.testing.assert_allclose(means, (some.mean((1, 2))[:, ::-1] - [3, 2, 1]) * 0.5, rtol=1e-5)
    assert run.outputs == ["means"]
    with pytest.raises(ValueError, match="expected RGB of shape"):
        run(pictures[:, :3])
    with pytest.raises(ValueError, match=r"expected \(N, H, W, 3\)"):
        run(pictures[0])


def test_what_is_not_onnx_is_refused(tmp_path, register):
    register(b"no network")
    (tmp_path / "tiny.bin").write_bytes(b"no network")
    with pytest.raises(ValueError, match="tiny.bin: not an ONNX network that OpenCV"):
        open_onnx("tiny", tmp_path)


def saved(path, state) -> bytes:
    torch.save(state, path)
    return path.read_bytes()


def saved_before_torch_1_6(path, state) -> bytes:
    torch.save(state, path, _use_new_zipfile_serialization=False)
    return path.read_bytes()


def test_weights_of_old_torch_are_read_and_run_nothing(tmp_path, register):
    source, target = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    stored = saved_before_torch_1_6(tmp_path / "tiny.bin", source.state_dict())
    register(stored)
    fill(target, "tiny", tmp_path)
    assert torch.equal(target.weight, source.weight)
    register(saved_before_torch_1_6(tmp_path / "tiny.bin", {"weight": Planted(tmp_path / "ran")}))
    with pytest.raises(ValueError, match="tiny.bin: names .*system; only tensors and plain values are read"):
        fill(target, "tiny", tmp_path)
    assert not (tmp_path / "ran").exists()
    for cut in (20, 30, 60, 200, len(stored) - 5):
        (tmp_path / "tiny.bin").write_bytes(stored[:cut])
        register(stored[:cut])
        # Cut within a name, it may name what nobody knows.
        with pytest.raises(ValueError, match="tiny.bin: (not readable torch weights; replace it|names torch)"):
            fill(target, "tiny", tmp_path)


def test_torch_weights_fill_a_module(tmp_path, register):
    source, target = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    for state in (source.state_dict(), {"state_dict": source.state_dict()}):
        register(saved(tmp_path / "tiny.bin", state))
        torch.nn.init.zeros_(target.weight)
        fill(target, "tiny", tmp_path)
        assert torch.equal(target.weight, source.weight)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"weight": torch.zeros(2, 3)}, r"bias: expected shape \(2,\), found nothing"),
        (
            {"weight": torch.zeros(2, 4), "bias": torch.zeros(2)},
            r"weight: expected shape \(2, 3\), found shape \(2, 4\)",
        ),
        ({"weight": torch.zeros(2, 3), "bias": torch.zeros(2), "a": 1, "b": 2}, "a and 1 more are not of this network"),
        ([torch.zeros(2)], "expected tensors by name, found list"),
    ],
)
def test_other_torch_weights_are_refused(tmp_path, register, state, said):
    register(saved(tmp_path / "tiny.bin", state))
    with pytest.raises(ValueError, match=f"tiny.bin: {said}"):
        fill(torch.nn.Linear(3, 2), "tiny", tmp_path)


class Planted:
    """Runs a command when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


def test_a_file_that_would_run_a_command_is_refused(tmp_path, register):
    register(saved(tmp_path / "tiny.bin", {"weight": Planted(tmp_path / "ran")}))
    with pytest.raises(ValueError, match="tiny.bin: names .*system; only tensors and plain values are read"):
        fill(torch.nn.Linear(3, 2), "tiny", tmp_path)
    assert not (tmp_path / "ran").exists()
    register(b"half a file")
    (tmp_path / "tiny.bin").write_bytes(b"half a file")
    with pytest.raises(ValueError, match="tiny.bin: not readable torch weights; replace it"):
        fill(torch.nn.Linear(3, 2), "tiny", tmp_path)


FROM_HUB = """
import sys
from pathlib import Path
from facevox.models.core import networks
from facevox.models.core.networks import Convention, Hub, Network
from facevox.models.core.pretrained import find, locate
hub = Hub("someone/tiny", "net/tiny.bin", "a" * 40)
networks.NETWORKS["tiny"] = Network("tiny", "tiny.bin", sys.argv[1], "onnx", "MIT", Convention(), hub=hub)
print(find(networks.NETWORKS["tiny"]))
try:
    print(locate("tiny").read_bytes(), locate("tiny") == find(networks.NETWORKS["tiny"]))
except (ValueError, FileNotFoundError) as error:
    print(type(error).__name__, error)
"""


@pytest.fixture
def stand_in():
    """A server on this machine with the two calls of the hub that one file needs, and the calls it got."""
    stored, calls = b"weights from the hub", []

    class Answer(BaseHTTPRequestHandler):
        def do_HEAD(self):
            calls.append(f"{self.command} {self.path}")
            known = self.path == f"/someone/tiny/resolve/{'a' * 40}/net/tiny.bin"
            self.send_response(200 if known else 404)
            self.send_header("X-Repo-Commit", "a" * 40)
            self.send_header("ETag", '"1234"')
            self.send_header("Content-Length", str(len(stored) if known else 0))
            self.end_headers()

        def do_GET(self):
            self.do_HEAD()
            self.wfile.write(stored)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", stored, calls
    server.shutdown()
    server.server_close()


def ask_hub(home, digest: str, **environment) -> list[str]:
    own = {"HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", FROM_HUB, digest],
        env={**os.environ, **own, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout.splitlines()


def test_a_network_comes_from_the_hub_once_at_its_revision(tmp_path, stand_in):
    endpoint, stored, calls = stand_in
    digest = sha256(stored).hexdigest()
    assert ask_hub(tmp_path, digest, HF_ENDPOINT=endpoint) == ["None", f"{stored} True"]
    # huggingface_hub asks its endpoint for other things too; the file itself must come once.
    assert [call for call in calls if call.startswith("GET /someone")] == [
        f"GET /someone/tiny/resolve/{'a' * 40}/net/tiny.bin"
    ]
    there, again = ask_hub(tmp_path, "0" * 64, HF_HUB_OFFLINE="1")
    assert there.endswith("net/tiny.bin")
    assert again.startswith(f"ValueError {there}: sha256 {digest[:16]}..., expected 0000000000000000...")
    nowhere = ask_hub(tmp_path / "empty", digest, HF_HUB_OFFLINE="1")[1]
    assert nowhere.startswith("FileNotFoundError tiny: no tiny.bin here, and not to be had from huggingface.co/someone")
    assert nowhere.endswith("give the folder that holds it with --models")


def test_doctor_lists_every_network(tmp_path, monkeypatch, register):
    register(b"weights", hub=Hub("someone/tiny", "tiny.bin", "a" * 40))
    lines, missing = report()
    assert missing == 0
    text = "\n".join(lines)
    for name in PACKAGED:
        assert f"ok       {name} ({network(name).file}; {network(name).licence}), digest ok" in text
    assert "absent   tiny (tiny.bin; MIT): comes from huggingface.co/someone/tiny when first used" in text
    monkeypatch.setattr("facevox.doctor.find", lambda entry: find(entry, tmp_path))
    (tmp_path / "tiny.bin").write_bytes(b"other")
    assert f"DAMAGED  tiny (tiny.bin; MIT): {tmp_path / 'tiny.bin'}: sha256" in "\n".join(report()[0])
