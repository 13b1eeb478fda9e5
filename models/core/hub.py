"""A trained model to and from the Hugging Face Hub, by huggingface_hub's own mixin."""

import shutil
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, ModelHubMixin, snapshot_download

from ...loaders.hub_errors import in_words
from .exported import CARD, FACTS, WEIGHTS, exported_files, read_exported
from .model import Model


class TrainedModel(ModelHubMixin, library_name="facevox"):
    """What `facevox export` wrote: `model` is the network in evaluation mode, `home` the folder.

    TrainedModel.from_pretrained("FOLDER").push_to_hub("user/name")
    TrainedModel.from_pretrained("user/name").model
    """

    def __init__(self, network: Model, home: Path) -> None:
        self.model, self.home = network, home

    def _save_pretrained(self, save_directory: Path) -> None:
        for name in self.files():
            shutil.copyfile(self.home / name, save_directory / name)

    def files(self) -> list[str]:
        """Of what was exported, what is here; a copy from the hub has no ONNX. Raises ValueError without a card."""
        there = [name for name in exported_files(self.home) if (self.home / name).is_file()]
        if absent := {CARD, WEIGHTS}.difference(there):
            raise ValueError(f"{self.home}: no {min(absent)}, which a model at a hub needs; export it anew")
        return there

    def push_to_hub(self, repo_id: str, *, private: bool | None = True, token: str | None = None, **how: Any) -> str:
        """Send the exported files, and nothing beside them; returns the commit's address.

        Private unless `private` is False, access granted by hand in both cases: set before any weight is there. `how`
        goes to huggingface_hub. Raises ValueError for a folder that lacks files, and what huggingface_hub raises.
        """
        self.files()
        api = HfApi(library_name="facevox", token=token)
        if not api.repo_exists(repo_id):
            api.create_repo(repo_id, private=True)
        closed = private is not False
        api.update_repo_settings(repo_id, private=closed, gated="manual")
        return super().push_to_hub(repo_id, private=closed, token=token, **how)

    @classmethod
    def _from_pretrained(cls, *, model_id: str, **how: Any) -> "TrainedModel":
        home = Path(model_id)
        if not home.is_dir():
            names = ("revision", "cache_dir", "force_download", "local_files_only", "token")
            given: dict[str, Any] = {name: how[name] for name in names if name in how}
            home = Path(snapshot_download(model_id, allow_patterns=[FACTS, WEIGHTS, CARD], **given))
        return cls(read_exported(home), home)


def push(home: Path, repo: str, public: bool = False) -> str:
    """Send what `export` wrote to a model repository: private unless `public`, access granted by hand.

    Returns the address. Raises ValueError for a folder that lacks files, PermissionError without a token or right,
    ConnectionError when the hub cannot be reached.
    """
    if absent := [name for name in exported_files(home) if not (home / name).is_file()]:
        raise ValueError(f"{home}: no {absent[0]}, the export was not finished; export it anew")
    told = TrainedModel.from_pretrained(home)
    api = HfApi(library_name="facevox")
    with in_words(repo, api.endpoint):
        api.whoami()
        told.push_to_hub(repo, private=not public, commit_message=f"{told.model.name}, exported by facevox")
    return f"{api.endpoint}/{repo}"
