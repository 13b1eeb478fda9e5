"""Places beyond this machine's disks: how their files are named, opened in every process anew, and asked for bytes."""

import os
import re
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

from . import answers
from .answers import Answer, Fault, Span, fault_of

if TYPE_CHECKING:
    from asyncio import Timeout

    from .web import Web

PIECE = 256 << 10
EXTRAS = {"s3": "'facevox[s3]'", "s3a": "'facevox[s3]'", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs"}


class Place:
    """A folder on a web server, or that fsspec can reach, by its URL and `storage_options`.

    A query in an http(s) URL, such as a signature, goes with every request. Words about a place never show query,
    user or password. The connection belongs to one process: after a fork, or unpickled, a place opens its own.
    """

    def __init__(self, url: str, options: Mapping[str, Any] | None = None) -> None:
        self.url, self.options = url, dict(options or {})
        self.base, self.headers = url, dict[str, str]()
        self._of: tuple[int, Filesystem | Web] | None = None

    def __str__(self) -> str:
        return shown(self.url)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_of": None}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place) and self.__getstate__() == other.__getstate__()

    def __hash__(self) -> int:
        return hash(self.base)

    def pin(self) -> Answer | Fault:
        """One try to fix the commit of a hub folder, which all processes then read; other places stay as they are."""
        if self.protocol != "hf":
            return Answer(b"")
        # Ranges then come over the hub's plain HTTP: its own filesystem reads far ahead and opens files one by one.
        with ThreadPoolExecutor(1) as one:
            asked = one.submit(_pinned, self)
        if error := asked.exception():
            return fault_of(error)
        (self.base, self.headers), self.options = asked.result(), {}
        return Answer(b"")

    @property
    def protocol(self) -> str:
        return self.base.split(":", 1)[0]

    def file(self, name: str) -> str:
        """The URL of a file in the folder, a name like data/utterances/train-00000.tar."""
        if self.protocol not in ("http", "https"):
            return f"{self.base.rstrip('/')}/{name}"
        parts = urlsplit(self.base)
        return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{quote(name)}", fragment=""))

    def opened(self) -> "Filesystem | Web":
        """This process's connection. Raises ModuleNotFoundError naming the package that the place needs."""
        if self._of is None or self._of[0] != os.getpid():
            if self._of is not None:
                _INHERITED.append(self._of[1])
            self._of = os.getpid(), self._open()
        return self._of[1]

    def _open(self) -> "Filesystem | Web":
        if self.protocol not in ("http", "https"):
            return Filesystem(self)
        from .web import Web

        return Web(self.options, self.headers)

    def ask(self, name: str, span: Span) -> Answer | Fault:
        """One try to get a file, or a part of it; never raises for what the network or the server does."""
        return self.opened().ask(self.file(name), span)


def shown(url: str) -> str:
    """A URL without what may be secret: user, password, query."""
    return re.sub(r"//[^/]*@", "//", url.split("?", 1)[0].split("#", 1)[0])


def place_of(path: str | Path | Place, options: Mapping[str, Any] | None = None) -> Path | Place:
    """A local path for a path or a file:// URL, else a Place. Raises ValueError for storage options of a local path."""
    if isinstance(path, Place):
        return path
    text = str(path)
    if re.match(r"[a-z][a-z0-9+.:-]*://", text) and not text.startswith("file://"):
        return Place(text, options)
    if re.match(r"[a-z][a-z0-9+.-]+:/[^/]", text):
        raise ValueError(
            f"{text}: a place is given as text with two slashes, as {text.replace(':/', '://', 1)} (a Path loses one)"
        )
    if options:
        raise ValueError(f"{text}: storage options are for places such as s3://bucket/folder, not for a local folder")
    return Path(text.removeprefix("file://"))


def local(path: str | Path, what: str) -> Path:
    """The path of a folder on a local disk. Raises ValueError for a place: `what` says who needs the disk."""
    if re.match(r"[a-z][a-z0-9+.-]*:/", str(path)):
        raise ValueError(f"{shown(str(path))}: {what} a folder on a local disk, not a place")
    return Path(path)


_INHERITED: "list[Filesystem | Web]" = []
"""Of the process that forked this one; let go of, they would wait a second for a loop that does not run here."""


class Filesystem:
    """One process's fsspec filesystem for a place."""

    def __init__(self, place: Place) -> None:
        import fsspec
        from fsspec.asyn import AsyncFileSystem

        options, protocol = dict(place.options), place.protocol
        if protocol in ("s3", "s3a"):
            # All tries are counted in one place: botocore's and s3fs's own would multiply with ours.
            options["config_kwargs"] = {"retries": {"total_max_attempts": 1}, **options.get("config_kwargs", {})}
        try:
            self.fs, _ = fsspec.core.url_to_fs(place.base, skip_instance_cache=True, **options)
        except ImportError as error:
            wanted = EXTRAS.get(protocol) or f"what fsspec asks for ({error})"
            raise ModuleNotFoundError(f"{place}: not installed; pip install {wanted}", name=protocol) from None
        self.on_s3 = protocol in ("s3", "s3a")
        self.one_at_a_time = None if isinstance(self.fs, AsyncFileSystem) else threading.Lock()
        if self.on_s3:
            self.fs.retries = 1
            self._run(lambda _: self.fs.set_session())

    def ask(self, url: str, span: Span) -> Answer | Fault:
        """One try to get a file, or a part of it; never raises for what the network or the server does."""
        found = self._run(partial(_over_s3, self.fs, url, span)) if self.on_s3 else self._other(url, span)
        if isinstance(found, (Answer, Fault)):
            return found
        if isinstance(found, bytes):
            return Answer(found)
        if isinstance(found, (ImportError, MemoryError, KeyboardInterrupt)):
            raise found
        return fault_of(found)

    def _run(self, ask: "Callable[[Timeout], Coroutine[Any, Any, Any]]") -> Any:
        """What the coroutine returns, or the exception that it raised, as a value; it moves its limit as bytes come."""
        from asyncio import gather, timeout

        from fsspec.asyn import sync

        async def caught() -> Any:
            # In a list: `sync` would raise an exception that it is given alone.
            try:
                async with timeout(answers.REQUEST_SECONDS) as limit:
                    return await gather(ask(limit), return_exceptions=True)
            except TimeoutError:
                return [answers.too_slow()]

        return sync(self.fs.loop, caught)[0]

    def _other(self, url: str, span: Span) -> Any:
        path = self.fs._strip_protocol(url)
        first, end = (None, None) if span is None else (span[0], sum(span))
        if self.one_at_a_time is None:
            return self._run(partial(_over_other, self.fs, path, first, end))
        # fsspec does not promise that its synchronous filesystems can be used by several threads.
        with self.one_at_a_time:
            return self.fs.cat_ranges([path], [first], [end], on_error="return")[0]


def _pinned(place: Place) -> tuple[str, dict[str, str]]:
    """The https URL of a hub folder at the commit that its revision names now, and the headers of its reader."""
    from huggingface_hub import HfApi, HfFileSystem, hf_hub_url

    hub = HfFileSystem(**place.options)
    found: Any = hub.resolve_path(place.url)
    api = HfApi(endpoint=hub.endpoint, token=hub.token)
    commit = api.repo_info(found.repo_id, repo_type=found.repo_type, revision=found.revision).sha
    any_file = hf_hub_url(found.repo_id, "x", repo_type=found.repo_type, revision=commit, endpoint=hub.endpoint)
    base = any_file.removesuffix("x") + quote(found.path_in_repo)
    return base.rstrip("/"), dict(api._build_hf_headers())


def _in(seconds: float) -> float:
    """A time by the clock of the running loop."""
    from asyncio import get_running_loop

    return get_running_loop().time() + seconds


async def _received(pieces: AsyncIterator[bytes], span: Span, limit: "Timeout") -> bytes:
    """The bytes of an answer, or one piece more than were asked for."""
    data, begun = bytearray(), _in(0)
    async for piece in pieces:
        data += piece
        limit.reschedule(begun + answers.REQUEST_SECONDS + len(data) / answers.SLOWEST)
        if span and len(data) > span[1]:
            break
    return bytes(data)


async def _over_other(fs: Any, path: str, first: int | None, end: int | None, limit: "Timeout") -> bytes:
    # Nothing is seen of the bytes on their way: a whole file, of which no size is known, has no limit.
    size = None if first is None or end is None else end - first
    limit.reschedule(None if size is None else _in(answers.REQUEST_SECONDS + size / answers.SLOWEST))
    data: bytes = await fs._cat_file(path, start=first, end=end)
    return data


async def _over_s3(fs: Any, url: str, span: Span, limit: "Timeout") -> Answer | Fault:
    bucket, key, _ = fs.split_path(url)
    asked = {"Range": f"bytes={span[0]}-{sum(span) - 1}"} if span else {}
    answer = await fs._call_s3("get_object", Bucket=bucket, Key=key, **asked)
    body = answer["Body"]
    async with body:
        size, total = answer["ContentLength"], answer["ContentLength"]
        if span:
            place = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", answer.get("ContentRange", ""))
            if not place or (int(place[1]), int(place[2])) != (span[0], sum(span) - 1):
                return Fault(f"the server sent {answer.get('ContentRange') or 'the whole file'} instead", True)
            size, total = span[1], int(place[3])
        data = await _received(body.iter_chunks(PIECE), span, limit)
    if len(data) != size:
        return Fault(f"{len(data):,} bytes came instead of {size:,}", True)
    return Answer(data, total, answer.get("ETag", ""))


def outcome(act: Callable[[], Any]) -> Answer | Fault:
    """What `act` returns, or why it did not: fsspec's filesystems raise exceptions of their own making."""
    with ThreadPoolExecutor(1) as one:
        asked = one.submit(act)
    if error := asked.exception():
        if isinstance(error, (NotImplementedError, MemoryError)):
            return Fault(f"the place cannot be written to ({type(error).__name__})", False)
        return fault_of(error)
    return Answer(asked.result())
