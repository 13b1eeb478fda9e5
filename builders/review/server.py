"""The review page's server: one page, its views, decisions and media, on 127.0.0.1 alone."""

import secrets
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .desk import Desk, ReviewOptions, View
from .media import Media
from .security import Guard

VIEWS = ("artifacts.Artifacts", "faces.Faces", "quarantine.Quarantine", "statistics.Statistics", "collect.Collect")
"""Module and class of every view, in the order of the page's tabs."""
LOOPBACK = "127.0.0.1"
PAGE = Path(__file__).parent / "page"
KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
__all__ = ["ReviewOptions", "address", "application", "serve"]


def address(port: int, token: str, view: str = "") -> str:
    """What is opened in the browser."""
    return f"http://{LOOPBACK}:{port}/?token={token}" + (f"#{view}" if view else "")


def application(options: ReviewOptions, token: str = "", ticket: str = "") -> Starlette:
    """The page as an ASGI application for 127.0.0.1:`options.port`; `token` is what its address must carry.

    `ticket` will do too, once.

    Raises FolderError for a folder that is none, ValueError for a broken review.jsonl.
    """
    desk = Desk(options)
    views = [view for view in _views(desk) if view.available()]
    api = Api(desk, views)
    routes = [*api.routes(), *Media(desk).routes(), *(route for view in views for route in view.routes())]
    pages = [Route(path, page) for path, page in _pages()]
    guard = Middleware(Guard, token=token or secrets.token_urlsafe(32), port=options.port, ticket=ticket)
    known: Any = {
        KeyError: _unknown,
        FileNotFoundError: _unknown,
        ValueError: _refused,
        HTTPException: _stopped,
        OSError: _failed,
    }
    return Starlette(routes=[*pages, *routes], middleware=[guard], exception_handlers=known)


def serve(options: ReviewOptions) -> None:
    """Serve the page until it is interrupted; prints its address and opens the browser on it.

    Raises OSError when the port is taken, ValueError when there is no such port.
    """
    if not 0 <= options.port <= 65_535:
        raise ValueError(f"port {options.port}: expected 1 to 65535, or 0 for a free one")
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with listener:
        _bind(listener, options.port)
        port, token, ticket = listener.getsockname()[1], secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        app = application(replace(options, port=port), token, ticket)
        listener.listen()
        opened = address(port, token, options.view)
        shown = f"reviewing {options.folder}" if options.folder else f"collecting from {options.collect.videos}"
        print(f"{shown} as {options.who}; stop with Ctrl-C\n{opened}", flush=True)
        if options.browser:
            # A browser in the terminal would otherwise wait for the server, and the server for it.
            once = address(port, ticket, options.view)
            threading.Thread(target=webbrowser.open, args=(once,), daemon=True).start()
        quiet: dict[str, Any] = {"log_level": "warning", "access_log": False, "server_header": False}
        config = uvicorn.Config(app, ws="none", lifespan="off", proxy_headers=False, **quiet)
        config.timeout_graceful_shutdown = 1
        # Ctrl-C is how one stops it: no error.
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])


def _bind(listener: socket.socket, port: int) -> None:
    try:
        listener.bind((LOOPBACK, port))
    except OSError as error:
        raise OSError(f"port {port}: {error.strerror}. Pass another --port, or none for a free one") from error


class Api:
    """Routes /api/...: what the page is about, decisions, undo and the place."""

    def __init__(self, desk: Desk, views: list[View]) -> None:
        self.desk, self.views = desk, views

    def routes(self) -> list[Route]:
        return [
            Route("/api/desk", self.about),
            Route("/api/left", self.left),
            Route("/api/decide", posted(self.decide), methods=["POST"]),
            Route("/api/undo", posted(self.undo), methods=["POST"]),
            Route("/api/place", posted(self.place), methods=["POST"]),
        ]

    def about(self, request: Request) -> Response:
        """The page's title, its views, who is looking, the media's version and the places where one stopped."""
        views = [{"name": view.name, "title": view.title} for view in self.views]
        desk = self.desk
        known = {"title": desk.title, "who": desk.who, "version": desk.version, "places": desk.places()}
        return JSONResponse({**known, "views": views})

    def left(self, request: Request) -> Response:
        """How much is done and how much there is, by view."""
        return JSONResponse({view.name: view.left() for view in self.views})

    def decide(self, body: dict[str, Any]) -> Any:
        known: dict[str, Any] = {"key": "", "about": "", "verdict": "", "value": None, "reason": "", "version": ""}
        if not isinstance(body.get("key"), str) or not isinstance(body.get("about"), str):
            raise ValueError("expected a key and what the decision is about, both text")
        return self.desk.decide(**{name: body.get(name, default) for name, default in known.items()}).__dict__

    def undo(self, body: dict[str, Any]) -> Any:
        undone = self.desk.undo()
        return None if undone is None else undone.__dict__

    def place(self, body: dict[str, Any]) -> Any:
        if body.get("view") not in {view.name for view in self.views}:
            raise ValueError(f"view {body.get('view')!r}: there is none of that name")
        self.desk.stop_at(body["view"], body.get("place", ""))
        return None


def posted(act: Callable[[dict[str, Any]], Any]) -> Callable[[Request], Any]:
    """An endpoint that hands a posted JSON object to `act` (in a thread) and answers with what it returns as JSON."""

    async def endpoint(request: Request) -> Response:
        try:
            body = await request.json()
        except RecursionError:
            raise ValueError("JSON nested too deep") from None
        if not isinstance(body, dict):
            raise ValueError("expected one JSON object")
        return JSONResponse(await run_in_threadpool(act, body))

    return endpoint


def _views(desk: Desk) -> Iterator[View]:
    for place in VIEWS:
        module, name = place.split(".")
        yield getattr(import_module(f".{module}", __package__), name)(desk)


def _pages() -> Iterator[tuple[str, Callable[[Request], Response]]]:
    """The page's own files: a fixed list, read when asked for."""
    for path in sorted(PAGE.iterdir()):
        if path.suffix in KINDS:
            yield "/" if path.name == "index.html" else f"/{path.name}", _page(path)


def _page(path: Path) -> Callable[[Request], Response]:
    def page(request: Request) -> Response:
        return Response(path.read_bytes(), media_type=KINDS[path.suffix])

    return page


def _error(status: int, text: str) -> Response:
    return JSONResponse({"error": " ".join(text.split())[:500]}, status)


def _unknown(request: Request, error: Exception) -> Response:
    return _error(404, f"nothing of that name: {error.args[0] if error.args else ''}"[:200])


def _refused(request: Request, error: Exception) -> Response:
    return _error(400, str(error))


def _stopped(request: Request, error: Exception) -> Response:
    return _error(error.status_code, error.detail) if isinstance(error, HTTPException) else _error(500, str(error))


def _failed(request: Request, error: Exception) -> Response:
    # The disk is full, or a folder cannot be written: nothing of the request was kept.
    return _error(500, f"not done: {error}")
