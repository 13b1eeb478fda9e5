"""Files of a web server, whole or by byte ranges, over connections that are kept."""

import re
import time
from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import urllib3
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)

from . import answers
from .answers import Answer, Fault, Span, fault_of, refused

CONNECT_SECONDS = 5
CONNECTIONS = 16
"""Kept open in one process."""
REDIRECTS = 5
"""A hub sends readers on to where its files lie."""
PIECE = 256 << 10
HEADER_VALUE = re.compile(r"[\t -~\xa0-\xff]*")


class Web:
    """One process's connections to web servers; `options` may hold `headers`, which go with every request as `more` do.

    User and password of a URL are sent by basic authentication. None of these headers go to another host that a server
    sends readers on to. Raises ValueError for other options, and for a header that cannot be sent.
    """

    def __init__(self, options: Mapping[str, Any], more: Mapping[str, str]) -> None:
        if unknown := sorted(options.keys() - {"headers"}):
            raise ValueError(
                f"storage option {unknown[0]!r} of a web server: expected headers={{..}}, and nothing else"
            )
        own = {**more, **options.get("headers", {})}
        for name, value in own.items():
            # The value may be a secret, and is not told.
            if not (isinstance(value, str) and re.fullmatch(r"[!-9;-~]+", name) and HEADER_VALUE.fullmatch(value)):
                raise ValueError(f"header {name!r}: expected a name and a value of one line of Latin-1 text")
        self.headers = {"Accept-Encoding": "identity", **own}
        # All tries are counted in one place: urllib3's own would multiply with ours.
        once = urllib3.Retry(REDIRECTS, connect=0, read=0, redirect=REDIRECTS, status=0, other=0)
        once.respect_retry_after_header = False
        once.remove_headers_on_redirect |= {name.lower() for name in own}
        self._pool = urllib3.PoolManager(maxsize=CONNECTIONS, retries=once)

    def ask(self, url: str, span: Span) -> Answer | Fault:
        """One try to get a file, or a part of it; never raises for what the network or the server does."""
        begun = time.monotonic()
        limit = urllib3.Timeout(connect=CONNECT_SECONDS, read=answers.SILENT_SECONDS)
        plain, own = _without_user(url)
        own |= self.headers
        if span:
            own["Range"] = f"bytes={span[0]}-{sum(span) - 1}"
        answer: BaseHTTPResponse | None = None
        try:
            answer = self._pool.request("GET", plain, headers=own, timeout=limit, preload_content=False)
            found = _told(answer, span) or _received(answer, span, begun)
            return Answer(found, *_about(answer)) if isinstance(found, bytes) else found
        except HTTPError as error:
            return _fault(error)
        finally:
            if answer is not None:
                # One that was read to its end has given its connection back; any other is of no further use.
                answer.close()


def _without_user(url: str) -> tuple[str, dict[str, str]]:
    """A URL without user and password, and the header that says them."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, {}
    told = b64encode(unquote(user).encode()).decode()
    return urlunsplit(parts._replace(netloc=host)), {"Authorization": f"Basic {told}"}


def _told(answer: BaseHTTPResponse, span: Span) -> Fault | None:
    """What is wrong with an answer by its status and headers."""
    if fault := refused(answer.status, answer.headers.get("Retry-After", "")):
        return fault
    if not span:
        return None
    place = re.fullmatch(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", answer.headers.get("Content-Range", ""))
    if answer.status == 200:
        return Fault("the server sent the whole file; facevox needs one that serves byte ranges", True)
    if not place:
        return Fault("the server did not say which bytes it sent", True)
    if (int(place[1]), int(place[2])) != (span[0], sum(span) - 1):
        return Fault(f"the server sent bytes {place[1]}-{place[2]} instead", True)
    return None


def _received(answer: BaseHTTPResponse, span: Span, begun: float) -> bytes | Fault:
    """The bytes of an answer: as many as were asked for or, of a whole file, as the server promised."""
    length = answer.headers.get("Content-Length", "")
    expected = span[1] if span else _size(length)
    data = bytearray()
    while piece := answer.read1(PIECE):
        data += piece
        if expected is not None and len(data) > expected:
            break
        if time.monotonic() > begun + answers.REQUEST_SECONDS + len(data) / answers.SLOWEST:
            return answers.too_slow()
    if expected is not None and len(data) != expected:
        return Fault(f"{len(data):,} bytes came instead of {expected:,}", True)
    return bytes(data)


def _about(answer: BaseHTTPResponse) -> tuple[int | None, str]:
    """Size of the whole file, where the server says it, and the tag of its content."""
    total = answer.headers.get("Content-Range", "").rpartition("/")[2] or answer.headers.get("Content-Length", "")
    tag = answer.headers.get("ETag", "")
    return _size(total), "" if tag.startswith("W/") else tag


def _size(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def _fault(error: HTTPError) -> Fault:
    """What went wrong, in words that cannot hold a secret."""
    cause: BaseException = (error.reason or error) if isinstance(error, MaxRetryError) else error
    if isinstance(cause, NameResolutionError):
        return Fault("its host is not known", True)
    if isinstance(cause, SSLError):
        return Fault("its certificate, or the encryption it offers, is not accepted here", False)
    if isinstance(cause, ConnectTimeoutError) and not isinstance(cause, NewConnectionError):
        return Fault(f"no connection within {CONNECT_SECONDS} s", True)
    if isinstance(cause, ReadTimeoutError):
        return Fault(f"no answer within {answers.SILENT_SECONDS} s", True)
    within = cause.__cause__ or cause.__context__
    return fault_of(within if isinstance(within, OSError) and within.errno else cause)
