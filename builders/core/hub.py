"""A dataset repository on the Hugging Face Hub, or on another server that speaks its API (`HF_ENDPOINT`)."""

import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...loaders.hub_errors import in_words
from .publish_check import Sent

SMALL = 16 << 20
"""Files above are kept by sha256 at the hub; of smaller ones it may give git's own hash only."""


@dataclass(frozen=True)
class There:
    """A file as the hub lists it."""

    size: int
    sha256: str
    """"" where the hub keeps it as a plain git file."""
    blob: str
    """git's hash of the file, or of what stands for it."""


@dataclass(frozen=True)
class Access:
    """Who may see a repository."""

    public: bool
    gated: str
    """manual, auto, or "" for nobody asked."""

    def __str__(self) -> str:
        asks = {"manual": "access granted by hand", "auto": "access granted to whoever agrees", "": "not gated"}
        return f"{'public' if self.public else 'private'}; {asks.get(self.gated, self.gated)}"


class Hub:
    """One repository, with errors in words: no token, no right, no network."""

    def __init__(self, repo: str) -> None:
        from huggingface_hub import HfApi
        from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

        if not sys.stderr.isatty():
            disable_progress_bars()
        self.repo, self.api = repo, HfApi(library_name="facevox")

    @property
    def url(self) -> str:
        return f"{self.api.endpoint}/datasets/{self.repo}"

    def check_token(self) -> None:
        """Raise PermissionError unless `hf auth login` or HF_TOKEN gave a token that the hub knows."""
        with in_words(self.repo, self.api.endpoint):
            self.api.whoami()

    def make(self) -> None:
        """Make the repository, private, unless it is there."""
        with in_words(self.repo, self.api.endpoint):
            if not self.api.repo_exists(self.repo, repo_type="dataset"):
                self.api.create_repo(self.repo, repo_type="dataset", private=True)

    def access(self) -> Access | None:
        """Who may see the repository now; None when there is none, or none that the token's owner may see."""
        with in_words(self.repo, self.api.endpoint):
            if not self.api.repo_exists(self.repo, repo_type="dataset"):
                return None
            found = self.api.dataset_info(self.repo)
        return Access(not found.private, str(found.gated or ""))

    def set_access(self, private: bool, gated: str) -> None:
        """Who may see it: `gated` is manual, auto or "" for nobody asked."""
        with in_words(self.repo, self.api.endpoint):
            gate: Any = gated or False
            self.api.update_repo_settings(self.repo, repo_type="dataset", private=private, gated=gate)

    def files(self) -> dict[str, There]:
        """Every file of the repository, by name."""
        with in_words(self.repo, self.api.endpoint):
            tree: list[Any] = list(self.api.list_repo_tree(self.repo, repo_type="dataset", recursive=True))
        found = [entry for entry in tree if hasattr(entry, "blob_id")]
        return {f.path: There(f.size, f.lfs.sha256 if f.lfs else "", f.blob_id) for f in found}

    def commit(self, folder: Path, files: Sequence[Sent], removed: Sequence[str], message: str) -> None:
        """Send files and remove others, all at once or not at all; what was uploaded before is not sent again."""
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        added = [CommitOperationAdd(sent.name, folder / sent.name) for sent in files]
        gone = [CommitOperationDelete(name) for name in removed]
        if added or gone:
            with in_words(self.repo, self.api.endpoint):
                self.api.create_commit(self.repo, [*added, *gone], commit_message=message, repo_type="dataset")


def is_there(folder: Path, sent: Sent, there: Mapping[str, There]) -> bool:
    """Whether the hub holds this very content under this name."""
    found = there.get(sent.name)
    if found is None or found.size != sent.size:
        return False
    if found.sha256 or sent.size > SMALL:
        return found.sha256 == sent.sha256
    return found.blob == git_hash((folder / sent.name).read_bytes())


def git_hash(data: bytes) -> str:
    """git's name of a file's content: SHA-1 over `blob`, size and content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
