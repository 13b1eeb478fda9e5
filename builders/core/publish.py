"""A sound folder to a repository of the hub: card checked, private and gated first, checked there at the end."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...loaders.folder import Folder, FolderError
from ...loaders.shards import SHARD_NAME
from ...loaders.verify import VerifyOptions, check, checksums
from .croissant import NAME
from .decisions import FILE
from .hub import Access, Hub, is_there
from .publish_check import Sent, check_card, files_to_send, gate_of, names_of_people

GATES = ("manual", "auto")
BATCH_FILES = 64
BATCH_BYTES = 16 << 30
"""One commit holds no more, so that an interruption loses little."""
REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
OWN = re.compile(rf"{SHARD_NAME.pattern}|tables/[a-z_]+\.parquet")
"""Files at the hub that are removed when the folder no longer has them."""
Tell = Callable[[int], object]


@dataclass(frozen=True)
class PublishOptions:
    """What goes where, and who may see it there."""

    folder: Path
    repo: str
    gated: str = "manual"
    """manual, auto, or "" for a repository that asks nobody."""
    public: bool = False
    with_review: bool = False
    """Send review.jsonl, which names the people who decided."""
    sample: float | None = None
    """As of `facevox verify`: read only some samples of the shards before sending."""
    workers: int = 1

    @property
    def access(self) -> Access:
        return Access(self.public, self.gated)

    def check(self) -> None:
        """Raise ValueError for a name that is none, or an unknown gate."""
        if not REPO.fullmatch(self.repo):
            raise ValueError(f"repository {self.repo!r}: expected USER/NAME or ORGANISATION/NAME")
        if self.gated and self.gated not in GATES:
            raise ValueError(f"gated {self.gated!r}: expected {' or '.join(GATES)}")


@dataclass(frozen=True)
class Parcel:
    """A checked folder: the files that go, and under which terms."""

    options: PublishOptions
    folder: Folder
    files: tuple[Sent, ...]

    @property
    def size(self) -> int:
        return sum(sent.size for sent in self.files)

    def lines(self) -> list[str]:
        """What would be sent and the terms, as `--dry-run` prints them."""
        told = [f"{sent.size:>15,}  {sent.name}" for sent in self.files]
        told.append(f"{self.size:>15,}  bytes in {len(self.files)} files, for datasets/{self.options.repo}")
        return [*told, *self.terms(), f"not sent: .build{'' if self.options.with_review else f', {FILE}'}"]

    def terms(self) -> list[str]:
        """Licence, visibility, gate and what is asked of people, as who opens a repository confirms them."""
        head = gate_of(self.folder)
        told = [f"{head.get('pretty_name')}; licence {head.get('license_name') or head.get('license')}"]
        told += [str(self.options.access), *(f"  {line}" for line in _prompt(head))]
        told += [f"  asked: {', '.join(head.get('extra_gated_fields') or {})}"] if self.options.gated else []
        if people := names_of_people(self.folder):
            told.append(f"note: the fact `decisions` in tables and shards names {people} people who decided")
        return told


def _prompt(head: dict[str, object]) -> list[str]:
    return [line for line in str(head.get("extra_gated_prompt", "")).splitlines() if line]


@dataclass
class PublishReport:
    """What was sent, and what the hub holds now."""

    options: PublishOptions
    url: str
    files: int
    size: int
    sent: list[str] = field(default_factory=list)
    """Names of the files that this run sent."""

    def lines(self) -> list[str]:
        """The closing words of `facevox publish`."""
        told = f"{self.files} files, {self.size / 1e6:,.1f} MB at {self.url}: {self.options.access}"
        return [told, f"{len(self.sent)} sent in this run; every size and hash there is that of checksums.sha256"]


def prepared(options: PublishOptions, progress: Tell | None = None) -> Parcel:
    """Verify the folder and check its card. Raises FolderError with all that is wrong; nothing is sent."""
    options.check()
    folder = Folder(options.folder)
    wrong = check(folder.local, progress, VerifyOptions(options.workers, options.sample)).problems
    if not wrong:
        wrong = list(check_card(folder))
    if wrong:
        shown = "; ".join(wrong[:10]) + (f"; and {len(wrong) - 10} more" if len(wrong) > 10 else "")
        raise FolderError(f"{options.folder}: not fit to be published, nothing was sent. {shown}")
    return Parcel(options, folder, tuple(files_to_send(folder, checksums(folder), options.with_review)))


def publish(parcel: Parcel, progress: Tell | None = None) -> PublishReport:
    """Send a checked folder, or what is missing of it at the hub; `progress` is told bytes that are there.

    The repository is private and gated before any data is there; it is opened, if asked for, when all of it has been
    checked. checksums.sha256 goes last: a folder without it is unfinished. Raises PermissionError without a token or
    right, FolderError for a repository of something else, ConnectionError when the hub cannot be reached, OSError when
    it holds other bytes than were sent.
    """
    options, home, tell = parcel.options, parcel.folder.local, progress or (lambda size: None)
    hub = Hub(options.repo)
    hub.check_token()
    hub.make()
    there = hub.files()
    _check_own(hub, there)
    hub.set_access(private=True, gated=options.gated or GATES[0])
    missing = [sent for sent in parcel.files if not is_there(home, sent, there)]
    tell(parcel.size - sum(sent.size for sent in missing))
    report = PublishReport(options, hub.url, len(parcel.files), parcel.size, [sent.name for sent in missing])
    *body, sums = parcel.files
    cards = [sent for sent in missing if sent.name in ("README.md", "croissant.json")]
    outdated = [sums.name] if sums in missing and sums.name in there else []
    hub.commit(home, cards, outdated, "Describe the dataset")
    tell(sum(sent.size for sent in cards))
    for number, batch in enumerate(batches([sent for sent in body if sent in missing and sent not in cards]), 1):
        hub.commit(home, batch, [], f"Add shards and tables, part {number}")
        tell(sum(sent.size for sent in batch))
    names = {sent.name for sent in parcel.files}
    stale = sorted(name for name in there if OWN.fullmatch(name) and name not in names)
    hub.commit(home, [sums] if sums in missing else [], stale, "Finish the folder")
    tell(sums.size if sums in missing else 0)
    now = hub.files()
    if wrong := [sent.name for sent in parcel.files if not is_there(home, sent, now)]:
        raise OSError(f"{hub.url}: {len(wrong)} files there are not what was sent, first {wrong[0]}. Run it again")
    if options.public or not options.gated:
        hub.set_access(private=not options.public, gated=options.gated)
    return report


def _check_own(hub: Hub, there: Collection[str]) -> None:
    """Raise FolderError for a repository that holds something else: nothing of it is touched."""
    others = sorted({*there} - {".gitattributes"})
    if others and not {"checksums.sha256", NAME} & {*others}:
        raise FolderError(
            f"{hub.url}: holds {len(others)} files, first {others[0]}, and no dataset folder of facevox; "
            "nothing was changed there. Choose another name, or remove its files first"
        )


def batches(files: Sequence[Sent]) -> Iterator[list[Sent]]:
    """Files in order, at most BATCH_FILES and BATCH_BYTES at once, at least one."""
    batch: list[Sent] = []
    for sent in files:
        if batch and (len(batch) == BATCH_FILES or sum(one.size for one in batch) + sent.size > BATCH_BYTES):
            yield batch
            batch = []
        batch.append(sent)
    if batch:
        yield batch
