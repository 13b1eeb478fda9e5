"""Who may talk to the review page: this machine's browser with the token, asking for its own origin, and no one else.

A page of another site can make the browser send requests to 127.0.0.1, or point its own name there (DNS rebinding).
Hence Host, Origin and Sec-Fetch-Site are checked, and every request needs the token's cookie, which browsers keep from
other sites (SameSite=Strict) and from scripts (HttpOnly).
"""

import hmac
import json
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 64 << 10
"""Bytes of a request's body; a decision takes some hundred."""
CONTENT_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    b"content-security-policy": CONTENT_POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
}
ASK = "Open the address that facevox printed in the terminal: it carries the token"


class Guard:
    """ASGI middleware: refuses with 400, 403, 405, 411, 413 or 415 and one line of text; adds HEADERS to every answer.

    The opened address carries `?token=`; it is answered by a redirect to `/` that leaves the token in a cookie.
    `ticket` opens the page in the place of the token, once: every account of a machine can read what a browser was
    started with.
    """

    def __init__(self, app: ASGIApp, token: str, port: int, ticket: str = "") -> None:
        self.app, self._token, self.cookie = app, token.encode(), f"facevox_{port}"
        self._ticket = ticket.encode()
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"} | ({"127.0.0.1", "localhost"} if port == 80 else set())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if self._opens(scope, headers):
            await self._hand_over(send)
            return
        if refusal := self._refused(scope, headers):
            await _answer(send, *refusal)
            return
        await self.app(scope, _bounded(receive), _with_headers(send))

    def _opens(self, scope: Scope, headers: Mapping[str, str]) -> bool:
        if scope["method"] != "GET" or scope["path"] != "/" or headers.get("host") not in self._hosts:
            return False
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if self._ticket and hmac.compare_digest(given.encode(), self._ticket):
            self._ticket = b""
            return True
        return self._right(given)

    def _right(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token)

    async def _hand_over(self, send: Send) -> None:
        cookie = f"{self.cookie}={self._token.decode()}; Path=/; HttpOnly; SameSite=Strict"
        await _answer(send, 303, "", {b"location": b"/", b"set-cookie": cookie.encode()})

    def _refused(self, scope: Scope, headers: Mapping[str, str]) -> tuple[int, str] | None:
        method, site, host = scope["method"], headers.get("sec-fetch-site", "same-origin"), headers.get("host", "")
        if host not in self._hosts:
            return 403, f"Host {host[:80]!r} is not this page's"
        if method not in ("GET", "HEAD", "POST"):
            return 405, f"method {method[:20]!r}: expected GET or POST"
        if not self._right(_cookie(headers.get("cookie", ""), self.cookie)):
            return 403, ASK
        typed = scope["path"] == "/" and method == "GET"
        if site != "same-origin" and not (typed or (site == "none" and method != "POST")):
            return 403, f"a request from another site ({site[:20]}) is refused"
        return self._refused_post(headers, host) if method == "POST" else None

    def _refused_post(self, headers: Mapping[str, str], host: str) -> tuple[int, str] | None:
        if headers.get("origin") != f"http://{host}":
            return 403, f"Origin {headers.get('origin', '')[:80]!r} is not this page's"
        if headers.get("x-facevox") != "1":
            return 403, "the header X-Facevox: 1 is missing"
        if headers.get("content-type", "").split(";")[0].strip() != "application/json":
            return 415, "expected a body of application/json"
        length = headers.get("content-length", "")
        if not (length.isascii() and length.isdecimal()):
            return 411, "expected a Content-Length"
        # Python refuses to read numbers of thousands of digits.
        return (413, f"body of more than {MAX_BODY:,} bytes") if len(length) > 9 or int(length) > MAX_BODY else None


def _cookie(header: str, name: str) -> str:
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


def _bounded(receive: Receive) -> Receive:
    """`receive` that gives up on a body that is longer than it said."""
    had = 0

    async def bounded() -> Message:
        nonlocal had
        message = await receive()
        had += len(message.get("body", b""))
        if had > MAX_BODY:
            raise HTTPException(413, f"body of more than {MAX_BODY:,} bytes")
        return message

    return bounded


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = [(name, value) for name, value in message.get("headers", ()) if name.lower() not in HEADERS]
            names = {name.lower() for name, _ in given}
            stored = [] if b"cache-control" in names else [(b"cache-control", b"no-store")]
            message = {**message, "headers": [*given, *HEADERS.items(), *stored]}
        await send(message)

    return sending


async def _answer(send: Send, status: int, text: str, headers: Mapping[bytes, bytes] | None = None) -> None:
    body = json.dumps({"error": text}).encode() if text else b""
    given = {b"content-type": b"application/json", b"content-length": str(len(body)).encode(), **(headers or {})}
    sending = _with_headers(send)
    await sending({"type": "http.response.start", "status": status, "headers": list(given.items())})
    await sending({"type": "http.response.body", "body": body})
