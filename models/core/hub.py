"""A trained model to and from the Hugging Face Hub, by huggingface_hub's own mixin."""

import shutil
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, ModelHubMixin, snapshot_download

from ...loaders.hub_errors import in_words
from .export import FACTS, WEIGHTS, read_exported
from .model import Model


class TrainedModel(ModelHubMixin, library_name="facevox"):
    """What `facevox export` wrote: `model` is the network in evaluation mode, `home` the folder.

    TrainedModel.from_pretrained("FOLDER").push_to_hub("user/name", private=True)
    TrainedModel.from_pretrained("user/name").model
    """

    def __init__(self, network: Model, home: Path) -> None:
        self.model, self.home = network, home

    def _save_pretrained(self, save_directory: Path) -> None:
        for path in sorted(self.home.iterdir()):
            if path.is_file() and path.suffix in (".json", ".safetensors", ".onnx", ".md"):
                shutil.copyfile(path, save_directory / path.name)

    @classmethod
    def _from_pretrained(cls, *, model_id: str, **how: Any) -> "TrainedModel":
        home = Path(model_id)
        if not home.is_dir():
            names = ("revision", "cache_dir", "force_download", "local_files_only", "token")
            given: dict[str, Any] = {name: how[name] for name in names if name in how}
            home = Path(snapshot_download(model_id, allow_patterns=[FACTS, WEIGHTS], **given))
        return cls(read_exported(home), home)


def push(home: Path, repo: str, public: bool = False) -> str:
    """Send what `export` wrote to a model repository: private unless `public`, access granted by hand.

    The repository is closed before any weight is there. Returns the address. Raises ValueError for a folder without
    weights, PermissionError without a token or right, ConnectionError when the hub cannot be reached.
    """
    if not (home / WEIGHTS).is_file():
        raise ValueError(f"{home}: no {WEIGHTS}, which a model at a hub needs; leave safetensors among the formats")
    told = TrainedModel.from_pretrained(home)
    api = HfApi(library_name="facevox")
    with in_words(repo, api.endpoint):
        api.whoami()
        if not api.repo_exists(repo):
            api.create_repo(repo, private=True)
        api.update_repo_settings(repo, private=not public, gated="manual")
        told.push_to_hub(repo, commit_message=f"{told.model.name}, exported by facevox")
    return f"{api.endpoint}/{repo}"
