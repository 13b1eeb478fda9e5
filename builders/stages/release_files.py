"""Every file of a release wherever it lies, in plain folders or inside archives, by names and sizes alone."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ..core.raw import ARCHIVES, Folder, unsafe
from ..core.stage import Reject, Rejection


@dataclass(frozen=True, slots=True)
class ReleaseFile:
    """One file: the archive that it lies in (its place without the ending; "" for none) and its name there."""

    archive: str
    name: str
    size: int

    @property
    def at(self) -> list[str]:
        """What `read_file` needs, as plain JSON."""
        return [self.archive, self.name]

    @property
    def place(self) -> str:
        return "/".join(filter(None, self.at))


def release_files(raw: Folder, config: str, skip: Collection[str] = ()) -> Iterator[ReleaseFile | Rejection]:
    """Plain files first, then what each zip and tar holds; rows for unsafe names and archives that cannot be opened.

    An archive inside an archive is a file like any other. What lies at the places in `skip`, from the release's root,
    is left alone: millions of pictures need not be listed to find recordings.
    """
    archives = []
    for entry in raw.entries(skip):
        if problem := unsafe(entry.name) or entry.problem:
            yield _refused(config, entry.name, problem)
        elif entry.name.lower().endswith(ARCHIVES):
            archives.append(entry.name)
        else:
            yield ReleaseFile("", entry.name, entry.size)
    for name in archives:
        yield from _inside(raw, name, config, archives)


def _inside(raw: Folder, name: str, config: str, archives: list[str]) -> Iterator[ReleaseFile | Rejection]:
    stem, ending = name.rsplit(".", 1)
    if ending == "tar" and f"{stem}.zip" in archives:
        yield _archive(
            config, name, f"{name} beside {stem}.zip: only the zip is read. Keep one of them", "extra archive"
        )
        return
    if not name.endswith(ARCHIVES):
        yield _archive(config, name, f"{name}: rename it to {stem}.{ending.lower()}", "extra archive")
        return
    try:
        archive = raw.inside(stem)
        found = [] if archive is None else list(archive.entries())
    except ValueError as error:
        kind = "empty archive" if "empty file" in str(error) else "unreadable archive"
        yield _archive(config, name, str(error), kind)
        return
    for entry in found:
        if problem := unsafe(entry.name) or entry.problem:
            yield _refused(config, f"{name}/{entry.name}", problem)
        else:
            yield ReleaseFile(stem, entry.name, entry.size)


def _refused(config: str, place: str, problem: str) -> Rejection:
    return Rejection("", config, "", "list", place, f"refused: {problem}")


def _archive(config: str, place: str, reason: str, kind: str) -> Rejection:
    return Rejection("", config, "", "list", place, reason, kind)


def read_file(raw: Folder, at: list[str], limit: int) -> bytes:
    """All bytes of a file by its `at`. Raises Reject for damage or more than `limit` bytes."""
    stem, name = at
    try:
        if not stem:
            return raw.read(name, limit)
        archive = raw.inside(stem)
        if archive is None:
            raise FileNotFoundError(f"{raw.label}/{stem}: the archive is gone since the release was listed")
        return archive.read(name, limit)
    except ValueError as error:
        raise Reject(str(error), "/".join(filter(None, at))) from None
