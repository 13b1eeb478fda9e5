"""Publishing through huggingface_hub to a server that speaks the hub's API, in a process of its own."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import pytest
import torch
from facevox.builders.core.publish import PublishOptions, prepared
from facevox.builders.core.publish_check import Sent
from facevox.loaders.folder import FolderError
from facevox.models.core.checkpoint import save
from facevox.models.voice_classifier import VoiceClassifier, VoiceClassifierOptions

STAND_IN = Path(__file__).with_name("hub_stand_in.py")


class Server:
    """A running stand-in, and the environment in which a client meets it."""

    def __init__(self, home: Path, seconds_a_file: float) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen([sys.executable, STAND_IN, str(self.port), str(seconds_a_file)])
        own = {"HF_ENDPOINT": self.url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0"}
        self.environment = {**os.environ, **own, "HF_TOKEN": "hf_writer", "FACEVOX_CACHE": str(home / "cache")}
        for _ in range(200):
            try:
                self.seen()
                return
            except OSError:
                time.sleep(0.1)
        raise TimeoutError("the stand-in did not start")

    def seen(self) -> dict:
        with urlopen(f"{self.url}/_seen", timeout=30) as answer:
            return json.load(answer)

    def sent(self) -> list[str]:
        return [path for method, path in self.seen()["seen"] if method == "PUT" and path.startswith("/_lfs/")]

    def command(self, *words: object, **environment: str) -> subprocess.CompletedProcess:
        given = [sys.executable, "-m", "facevox", *map(str, words)]
        env = self.environment | environment
        return subprocess.run(given, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    pytest.importorskip("huggingface_hub")
    server = Server(tmp_path_factory.mktemp("hub"), 0.0)
    yield server
    server.process.kill()
    server.process.wait()


@pytest.fixture(scope="module")
def published(hub, built):
    done = hub.command("publish", built["tar"].path, "user/faces")
    assert done.returncode == 0, done.stderr
    assert "private; access granted by hand" in done.stdout and "23 sent in this run" in done.stdout
    assert "hf_writer" not in done.stdout + done.stderr
    return hub.seen()


def test_it_is_private_and_gated_before_any_data_is_there(published):
    settings = published["repos"]["user/faces"]
    assert settings["made"] == "private"
    assert settings["history"] == [[{"gated": "manual", "visibility": "private"}, 0]]


def test_the_list_of_checksums_goes_last_and_working_state_never(published, built):
    commits = [names.split() for kind, names in published["seen"] if kind == "commit"]
    assert all("checksums.sha256" not in names for names in commits[:-1])
    listed = [line.split("  ")[1] for line in (built["tar"].path / "checksums.sha256").read_text().splitlines()]
    assert sorted(commits[-1]) == sorted([*listed, "checksums.sha256"])


def test_a_second_run_sends_nothing(hub, published, built):
    before = len(hub.sent())
    done = hub.command("publish", built["tar"].path, "user/faces")
    assert "0 sent in this run" in done.stdout
    assert len(hub.sent()) == before


READ = """
import json
import facevox
place = "hf://datasets/user/faces"
folder = facevox.open(place)
batch = next(iter(facevox.stream(place, "utterances", "train", fields=("mic1.flac",), batch_size=2)))
print(json.dumps([folder.digest, batch["__key__"], [int(sound.sum()) for sound in batch["mic1.flac"]]]))
"""


def test_what_was_published_is_opened_and_streamed_from_the_hub(hub, published, built):
    done = subprocess.run(
        [sys.executable, "-c", READ], env=hub.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    digest, keys, sums = json.loads(done.stdout)
    assert digest == built["tar"].digest
    there = built["tar"].fetch(keys, fields=("mic1.flac",), config="utterances")
    assert sums == [int(sample["mic1.flac"].sum()) for sample in there]


def test_what_was_published_is_verified_there(hub, published):
    done = hub.command("verify", "hf://datasets/user/faces", "--sample", 5)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "of 5 of 48 samples" in done.stdout


def test_without_token_right_or_network_it_says_so_and_sends_nothing(hub, built):
    before = hub.seen()["repos"].keys()
    for environment, words in (
        ({"HF_TOKEN": ""}, "no token"),
        ({"HF_TOKEN": "hf_unknown"}, "does not know the token"),
        ({"HF_TOKEN": "hf_reader"}, "no right to write"),
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, "no answer"),
    ):
        done = hub.command("publish", built["tar"].path, "user/other", "--sample", 1, **environment)
        assert (done.returncode, done.stdout) == (2, "")
        assert words in done.stderr and "hf_" not in done.stderr.replace("HF_", "")
        assert len(done.stderr.strip().splitlines()) == 1
    assert hub.seen()["repos"].keys() == before


def test_opening_it_is_confirmed_by_hand_or_by_yes(hub, built):
    refused = hub.command("publish", built["arrow"].path, "user/open", "--public", "--sample", 1)
    assert refused.returncode == 1 and "nothing was sent" in refused.stdout
    assert "public; access granted by hand" in refused.stdout and "licence " in refused.stdout
    assert "user/open" not in hub.seen()["repos"]
    done = hub.command("publish", built["arrow"].path, "user/open", "--public", "--open", "--yes", "--sample", 1)
    assert "public; not gated" in done.stdout
    first, last = hub.seen()["repos"]["user/open"]["history"]
    assert first == [{"gated": "manual", "visibility": "private"}, 0]
    assert last == [{"gated": False, "visibility": "public"}, 23]
    # Another format to the same place: the shards of before are no part of it.
    words = ("publish", built["parquet"].path, "user/open", "--sample", 1)
    seen = "at the hub now: public; not gated; this changes it"
    assert seen in hub.command(*words, "--dry-run").stdout
    hiding = hub.command(*words)
    assert hiding.returncode == 1 and seen in hiding.stdout and "A public repository becomes private" in hiding.stdout
    assert "nothing was sent" in hiding.stdout and "private; access granted by hand" in hiding.stdout
    assert hub.seen()["repos"]["user/open"]["visibility"] == "public"
    done = hub.command(*words, "--yes")
    assert done.returncode == 0, done.stderr
    names = [names for kind, names in hub.seen()["seen"] if kind == "commit"]
    assert ".arrow" not in names[-1] and "checksums.sha256" in names[-1] and "checksums.sha256" not in names[-2]
    assert hub.seen()["repos"]["user/open"]["visibility"] == "private"


def test_a_repository_of_something_else_is_left_alone(hub, built):
    done = subprocess.run([sys.executable, "-c", UNRELATED], env=hub.environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    before = hub.seen()["repos"]["user/thesis"]
    done = hub.command("publish", built["tar"].path, "user/thesis", "--sample", 1)
    assert done.returncode == 2 and "holds 1 files, first thesis.tex, and no dataset folder of facevox" in done.stderr
    assert hub.seen()["repos"]["user/thesis"] == before


UNRELATED = """
from huggingface_hub import HfApi
HfApi().create_repo("user/thesis", repo_type="dataset")
HfApi().upload_file(path_or_fileobj=b"precious", path_in_repo="thesis.tex", repo_id="user/thesis", repo_type="dataset")
"""


def test_killed_while_sending_it_goes_on_without_sending_twice(built, tmp_path):
    hub = Server(tmp_path, 0.4)
    try:
        words = [sys.executable, "-m", "facevox", "publish", str(built["tar"].path), "user/slow", "--sample", "1"]
        first = subprocess.Popen(words, env=hub.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while len(hub.sent()) < 3:
            assert first.poll() is None
            time.sleep(0.02)
        first.send_signal(signal.SIGKILL)
        first.wait()
        time.sleep(1)
        before = hub.sent()
        assert 3 <= len(before) < 19
        done = hub.command("publish", built["tar"].path, "user/slow", "--sample", 1)
        assert done.returncode == 0, done.stderr
        assert sorted(hub.sent()) == sorted(set(hub.sent())) and len(hub.sent()) == 19
    finally:
        hub.process.kill()
        hub.process.wait()


@pytest.fixture
def copy(built, tmp_path):
    shutil.copytree(built["tar"].path, tmp_path / "folder")
    return tmp_path / "folder"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("license: other\n", "", "no license"),
        ("extra_gated_prompt:", "extra_prompt:", "no extra_gated_prompt"),
        ("## Intended use\n", "## Use\n", "section 'Intended use' has 0 letters"),
        ("The release has 74 men", "TODO The release has 74 men", "placeholder 'TODO'"),
        ("> **Nobody in this folder exists.**", "", "the card does not say so"),
    ],
)
def test_a_card_that_says_too_little_stops_it(copy, old, new, words):
    from facevox.loaders.folder import file_sha256

    card, sums = copy / "README.md", copy / "checksums.sha256"
    before = file_sha256(card)
    assert old in card.read_text()
    card.write_text(card.read_text().replace(old, new, 1))
    sums.write_text(sums.read_text().replace(before, file_sha256(card)))
    with pytest.raises(FolderError, match=words):
        prepared(PublishOptions(copy, "user/name", sample=1))


def test_a_damaged_folder_stops_it_and_so_does_no_name(copy):
    assert isinstance(prepared(PublishOptions(copy, "user/name", sample=1)).files[0], Sent)
    with pytest.raises(ValueError, match="USER/NAME"):
        prepared(PublishOptions(copy, "name"))
    shard = next((copy / "data" / "stills").iterdir())
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    with pytest.raises(FolderError, match="nothing was sent"):
        prepared(PublishOptions(copy, "user/name"))


def test_decisions_are_sent_only_when_asked(copy):
    (copy / "review.jsonl").write_text("{}\n")
    names = [sent.name for sent in prepared(PublishOptions(copy, "user/name", sample=1)).files]
    assert "review.jsonl" not in names and not any(name.startswith(".build") for name in names)
    asked = prepared(PublishOptions(copy, "user/name", with_review=True, sample=1))
    assert [sent.name for sent in asked.files][-2:] == ["review.jsonl", "checksums.sha256"]


READ_MODEL = """
import torch
from facevox.models.core.hub import TrainedModel
model = TrainedModel.from_pretrained("user/voices")
print(float(model.model.network(torch.ones(1, 2, 60, 41)).sum().detach()))
model.push_to_hub("user/again")
"""


def commits_of(hub):
    return [sorted(names.split()) for kind, names in hub.seen()["seen"] if kind == "commit"]


def test_a_trained_model_is_exported_to_a_closed_repository_and_read_back(hub, tmp_path):
    torch.manual_seed(0)
    options = VoiceClassifierOptions(classes=3, width=0.125)
    model = VoiceClassifier(options).eval()
    run = {"model": "voice_classifier", "options": options.as_dict(), "weights": model.state_dict(), "epoch": 1}
    save(tmp_path / "best.pt", run)
    words = ("export", "voice_classifier", "--checkpoint", tmp_path / "best.pt", "--out", tmp_path / "E")
    refused = hub.command(*words, "--formats", "safetensors", "--push", "user/voices", HF_TOKEN="hf_reader")
    assert refused.returncode == 2 and "no right to write" in refused.stderr
    done = hub.command(*words, "--formats", "safetensors", "--push", "user/voices")
    assert done.returncode == 0, done.stderr
    assert f"{hub.url}/user/voices" in done.stdout and "hf_writer" not in done.stdout + done.stderr
    assert hub.seen()["repos"]["user/voices"]["history"] == [[{"gated": "manual", "visibility": "private"}, 0]]
    assert ["README.md", "config.json", "model.safetensors"] in commits_of(hub)
    read = subprocess.run(
        [sys.executable, "-c", READ_MODEL], env=hub.environment, capture_output=True, text=True, check=False
    )
    assert read.returncode == 0, read.stderr
    assert float(read.stdout) == pytest.approx(float(model.network(torch.ones(1, 2, 60, 41)).sum().detach()), abs=1e-5)
    # Sent on with no word about who may see it: closed as well, with the same card.
    assert hub.seen()["repos"]["user/again"]["history"] == [[{"gated": "manual", "visibility": "private"}, 0]]
    assert commits_of(hub)[-1] == ["README.md", "config.json", "model.safetensors"]
