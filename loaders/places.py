"""Places beyond this machine's disks: how their files are named, opened in every process anew, and asked for bytes."""

import os
import re
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

if TYPE_CHECKING:
    from asyncio import Timeout

CONNECT_SECONDS = 5
SILENT_SECONDS = 8
"""A connection that sends nothing for so long is given up."""
PIECE = 256 << 10
REQUEST_SECONDS = 30.0
SLOWEST = 10_000
"""A request is given up that has brought less than so many bytes for every second after the first REQUEST_SECONDS."""
EXTRAS = {"s3": "s3", "s3a": "s3", "http": "https", "https": "https", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs"}

ABOVE_FOLDERS = {"NoSuchBucket": "bucket", "ContainerNotFound": "container", "FilesystemNotFound": "container"}
"""What S3 and Azure say of what all folders of a place lie in, when it does not exist."""

Span = tuple[int, int] | None
"""First byte and size of what is asked for; None for the whole file."""


@dataclass(frozen=True)
class Answer:
    """Bytes as they came, and what the server says about the whole file: its size, and a tag of its content."""

    data: bytes
    total: int | None = None
    tag: str = ""


@dataclass(frozen=True)
class Fault:
    """Why there are no bytes; `again` when another try may help, after `wait` seconds if the server says so."""

    text: str
    again: bool
    wait: float = 0.0
    absent: bool = False
    """Whether the file is not there."""
    denied: bool = False
    """Whether permission is what lacks."""


class Place:
    """A folder that fsspec can reach, by its URL and the options of its filesystem (`storage_options`).

    A query in an http(s) URL, such as a signature, goes with every request. Words about a place never show query,
    user or password. The connection belongs to one process: after a fork, or unpickled, a place opens its own.
    """

    def __init__(self, url: str, options: Mapping[str, Any] | None = None) -> None:
        self.url, self.options = url, dict(options or {})
        self.base, self.headers = url, dict[str, str]()
        self._of: tuple[int, _Opened] | None = None

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

    def opened(self) -> "_Opened":
        """This process's connection. Raises ModuleNotFoundError naming the package that the place needs."""
        if self._of is None or self._of[0] != os.getpid():
            if self._of is not None:
                _INHERITED.append(self._of[1])
            self._of = os.getpid(), _Opened(self)
        return self._of[1]

    def ask(self, name: str, span: Span) -> Answer | Fault:
        """One try to get a file, or a part of it; never raises for what the network or the server does."""
        return self.opened().ask(name, span)


def shown(url: str) -> str:
    """A URL without what may be secret: user, password, query."""
    return re.sub(r"//[^/@]*@", "//", url.split("?", 1)[0].split("#", 1)[0])


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


_INHERITED: "list[_Opened]" = []
"""Of the process that forked this one; let go of, they would wait a second for a loop that does not run here."""


class _Opened:
    """One process's filesystem for a place."""

    def __init__(self, place: Place) -> None:
        import fsspec
        from fsspec.asyn import AsyncFileSystem

        self.place, options, protocol = place, dict(place.options), place.protocol
        if protocol in ("s3", "s3a"):
            # All tries are counted in one place: botocore's and s3fs's own would multiply with ours.
            options["config_kwargs"] = {"retries": {"total_max_attempts": 1}, **options.get("config_kwargs", {})}
        try:
            self.fs, _ = fsspec.core.url_to_fs(place.base, skip_instance_cache=True, **options)
        except ImportError as error:
            extra = EXTRAS.get(protocol, "")
            wanted = f"'facevox[{extra}]'" if extra in ("s3", "https") else extra or f"what fsspec asks for ({error})"
            raise ModuleNotFoundError(f"{place}: not installed; pip install {wanted}", name=extra or protocol) from None
        self.kind = "s3" if protocol in ("s3", "s3a") else "http" if protocol in ("http", "https") else "other"
        self.one_at_a_time = None if isinstance(self.fs, AsyncFileSystem) else threading.Lock()
        if self.kind == "s3":
            self.fs.retries = 1
        if self.kind != "other":
            self._run(lambda _: self.fs.set_session())

    def ask(self, name: str, span: Span) -> Answer | Fault:
        url = self.place.file(name)
        if self.kind == "http":
            found = self._run(partial(_over_http, self.fs, url, span, self.place.headers))
        elif self.kind == "s3":
            found = self._run(partial(_over_s3, self.fs, url, span))
        else:
            found = self._other(url, span)
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
                async with timeout(REQUEST_SECONDS) as limit:
                    return await gather(ask(limit), return_exceptions=True)
            except TimeoutError:
                return [Fault(f"slower than {SLOWEST:,} bytes/s for more than {REQUEST_SECONDS:g} s", True)]

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
        limit.reschedule(begun + REQUEST_SECONDS + len(data) / SLOWEST)
        if span and len(data) > span[1]:
            break
    return bytes(data)


async def _over_other(fs: Any, path: str, first: int | None, end: int | None, limit: "Timeout") -> bytes:
    # Nothing is seen of the bytes on their way: a whole file, of which no size is known, has no limit.
    size = None if first is None or end is None else end - first
    limit.reschedule(None if size is None else _in(REQUEST_SECONDS + size / SLOWEST))
    data: bytes = await fs._cat_file(path, start=first, end=end)
    return data


async def _over_http(fs: Any, url: str, span: Span, more: Mapping[str, str], limit: "Timeout") -> Answer | Fault:
    from aiohttp import ClientTimeout

    kwargs = {"timeout": ClientTimeout(sock_connect=CONNECT_SECONDS, sock_read=SILENT_SECONDS), **fs.kwargs}
    kwargs["headers"] = {"Accept-Encoding": "identity", **more, **kwargs.get("headers", {})}
    if span:
        kwargs["headers"]["Range"] = f"bytes={span[0]}-{sum(span) - 1}"
    session = await fs.set_session()
    async with session.get(fs.encode_url(url), **kwargs) as answer:
        if fault := _refused(answer.status, answer.headers.get("Retry-After", "")):
            return fault
        total, said = answer.content_length, answer.headers.get("Content-Range", "")
        if span:
            place = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", said)
            if answer.status == 200:
                return Fault("the server sent the whole file; facevox needs one that serves byte ranges", True)
            if not place:
                return Fault("the server did not say which bytes it sent", True)
            if (int(place[1]), int(place[2])) != (span[0], sum(span) - 1):
                return Fault(f"the server sent bytes {place[1]}-{place[2]} instead", True)
            total = int(place[3]) if place[3] != "*" else None
        data = await _received(answer.content.iter_any(), span, limit)
        if len(data) != (span[1] if span else answer.content_length or len(data)):
            return Fault(f"{len(data):,} bytes came instead of {span[1] if span else answer.content_length:,}", True)
        tag = answer.headers.get("ETag", "")
        return Answer(data, total, "" if tag.startswith("W/") else tag)


def _refused(status: int, after: str) -> Fault | None:
    """What a status means; None for one that brings bytes."""
    if status in (200, 206):
        return None
    if status in (404, 410):
        return Fault(f"HTTP {status}: it is not there", False, absent=True)
    if status in (401, 403):
        return Fault(f"HTTP {status}: no permission; give the place its credentials", False, denied=True)
    if status == 416:
        return Fault("HTTP 416: it ends before the bytes asked for, so it is cut short or was changed", False)
    wait = float(after) if after.isdecimal() else 0.0
    return Fault(f"HTTP {status}", status in (408, 425, 429) or status >= 500, wait)


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


def fault_of(error: BaseException) -> Fault:
    """What an exception of a filesystem means, in words that cannot hold a secret: its kind and its code."""
    cause = error.__cause__ or error
    response = getattr(cause, "response", None)
    told = response.get("Error", {}).get("Code", "") if isinstance(response, dict) else ""
    told = told or str(getattr(cause, "error_code", None) or "")
    code = f" {told}" if re.fullmatch(r"[A-Za-z0-9.]{1,40}", told) else ""
    if told in ABOVE_FOLDERS:
        advice = "check its name and the endpoint, or make it first"
        return Fault(f"the {ABOVE_FOLDERS[told]} is not there ({told}); {advice}", False)
    if isinstance(error, FileNotFoundError):
        return Fault(f"it is not there{code}", False, absent=True)
    if fault := _refused(getattr(response, "status_code", 200), ""):
        return fault
    name = type(error).__name__
    if isinstance(error, PermissionError) or "Credentials" in name:
        return Fault(f"no permission ({name}{code}); give the place its credentials", False, denied=True)
    if "InvalidRange" in told:
        return Fault("it ends before the bytes asked for, so it is cut short or was changed", False)
    if isinstance(error, TimeoutError):
        return Fault(f"no answer within {SILENT_SECONDS} s", True)
    why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else ""
    return Fault(f"{name}{code}{': ' + why if why else ''}", True)


def outcome(act: Callable[[], Any]) -> Answer | Fault:
    """What `act` returns, or why it did not: fsspec's filesystems raise exceptions of their own making."""
    with ThreadPoolExecutor(1) as one:
        asked = one.submit(act)
    if error := asked.exception():
        if isinstance(error, (NotImplementedError, MemoryError)):
            return Fault(f"the place cannot be written to ({type(error).__name__})", False)
        return fault_of(error)
    return Answer(asked.result())
