"""Pictures and sounds of the page: named by config, key and field of the index, never by a path of the client's."""

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from ...loaders.durable import write_bytes
from ...loaders.folder import decode_member, member_ranges
from ...loaders.media import decode_frame, still_webp
from ...loaders.picture import matrix_at
from ...loaders.shards import shard_path
from .desk import Desk

Image = NDArray[np.uint8]
KINDS = {".flac": "audio/flac", ".wav": "audio/wav", ".webp": "image/webp", ".jpg": "image/jpeg", ".png": "image/png"}
PIECE = 256 << 10
EDGE = 192
"""Longer edge of a thumbnail, pixels: two per CSS pixel at its shown size."""
QUALITY = 78
THUMBNAIL_BYTES = 512 << 20
"""What the thumbnails of one folder may take on the disk; the oldest go first."""
KEPT = {"cache-control": "private, max-age=86400"}
"""Addresses of media carry the folder's version, hence they never change."""
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class Media:
    """Routes /media/... and /thumb/... over the members in the index."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.thumbnails = Thumbnails(desk.cache / "thumbs")

    def routes(self) -> list[Route]:
        return [
            Route("/media/{config}/{key}/{field}", self.member),
            Route("/media/{config}/{key}/aligned/{frame:int}.png", self.aligned),
            Route("/media/{config}/{key}/{field}/{frame:int}.webp", self.frame),
            Route("/thumb/{config}/{key}/{field}", self.thumbnail),
            Route("/thumb/{config}/{key}/{field}/{frame:int}.webp", self.thumbnail),
        ]

    def member(self, request: Request) -> Response:
        """A whole member as stored, in ranges when asked."""
        row, entry = self.desk.member(*_names(request))
        path = shard_path(self.desk.folder.path, row["shard"])
        kind = KINDS.get(Path(entry["name"]).suffix, "application/octet-stream")
        return ranged(request, path.open("rb"), kind, entry["offset"], entry["size"])

    def frame(self, request: Request) -> Response:
        """One frame of a clip, from 1, as a still WebP around its stored bytes."""
        payload = self._part(*_names(request), request.path_params["frame"])[0]
        return Response(still_webp(payload), media_type="image/webp", headers=KEPT)

    def aligned(self, request: Request) -> Response:
        """The visual frame warped onto the thermal one by the sample's matrix, as loading with align=True gives it."""
        config, key, number = request.path_params["config"], request.path_params["key"], request.path_params["frame"]
        matrix = matrix_at(self.desk.row(config, key), number)
        if matrix is None:
            raise KeyError(f"no matrix for frame {number}")
        _, thermal = self.desk.member(config, key, "thermal.webp")
        payload, (width, height) = self._part(config, key, "visual.webp", number)
        visual = decode_frame(payload, width, height)
        size = int(thermal["width"]), int(thermal["height"])
        return _png(np.asarray(cv2.warpPerspective(visual, matrix, size, flags=cv2.INTER_LINEAR), np.uint8))

    def _part(self, config: str, key: str, field: str, number: int) -> tuple[bytes, tuple[int, int]]:
        row, entry = self.desk.member(config, key, field)
        if not 1 <= number <= len(entry["frame_offset"]):
            raise KeyError(f"frame {number} of {len(entry['frame_offset'])}")
        (where,) = member_ranges(entry, [number - 1])
        return bytes(self.desk.parts(row, [where])[0]), (int(entry["width"]), int(entry["height"]))

    def thumbnail(self, request: Request) -> Response:
        """A small WebP of a picture, or of one frame of a clip (the middle one by default); made once."""
        config, key, field = _names(request)
        row, entry = self.desk.member(config, key, field)
        frames = len(entry["frame_offset"])
        number = request.path_params.get("frame") or (frames + 1) // 2
        if frames and not 1 <= number <= frames:
            raise KeyError(f"frame {number} of {frames}")

        def picture() -> Image:
            if frames:
                payload, (width, height) = self._part(config, key, field, number)
                return decode_frame(payload, width, height)
            return np.asarray(decode_member(entry, self.desk.parts(row, member_ranges(entry, "all"))), np.uint8)

        if Path(field).suffix not in (".webp", ".png", ".jpg"):
            raise KeyError(f"{field} is no picture")
        return self.thumbnails.response(f"{entry['sha256']}/{number}", picture)


class Thumbnails:
    """Small WebP files made when first asked for, in a folder of bounded size."""

    def __init__(self, folder: Path, limit: int = THUMBNAIL_BYTES) -> None:
        self.folder, self.limit = folder, limit
        self._lock = threading.Lock()
        self._held = -1

    def response(self, of: str, picture: Callable[[], Image], edge: int = EDGE) -> Response:
        """The thumbnail of what `of` names uniquely (a digest of the picture's bytes, say); `picture` gives it, RGB."""
        return Response(self.bytes(of, picture, edge), media_type="image/webp", headers=KEPT)

    def bytes(self, of: str, picture: Callable[[], Image], edge: int = EDGE) -> bytes:
        """WebP bytes; `picture` (H, W, 3) uint8 RGB is asked only when there is no file yet."""
        name = sha256(f"{of} {edge}".encode()).hexdigest()
        path = self.folder / name[:2] / f"{name}.webp"
        try:
            return path.read_bytes()
        except OSError:
            data = small_webp(picture(), edge)
        # A cache that cannot be written costs time, no picture.
        with self._lock, suppress(OSError):
            write_bytes(path, data)
            self._bound(len(data))
        return data

    def _bound(self, new: int) -> None:
        """Remove the oldest files when there are too many bytes; counted once, then kept in mind."""
        self._held = sum(state.st_size for _, state in self._files()) if self._held < 0 else self._held + new
        if self._held <= self.limit:
            return
        for _, size, path in sorted((state.st_mtime_ns, state.st_size, path) for path, state in self._files()):
            if self._held <= self.limit * 3 // 4:
                break
            path.unlink(missing_ok=True)
            self._held -= size

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        for path in self.folder.glob("*/*.webp"):
            try:
                yield path, path.stat()
            except FileNotFoundError:
                continue


def small_webp(picture: Image, edge: int = EDGE) -> bytes:
    """(H, W, 3) uint8 RGB -> lossy WebP whose longer edge is `edge` pixels at most."""
    height, width = picture.shape[:2]
    scale = min(1.0, edge / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA) if scale < 1 else picture
    done, data = cv2.imencode(".webp", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    if not done:
        raise ValueError(f"a picture of {width} x {height} pixels does not encode as WebP")
    return bytes(data)


@dataclass(frozen=True)
class _Span:
    first: int
    end: int


def ranged(request: Request, file: BinaryIO, kind: str, offset: int, size: int, kept: bool = True) -> Response:
    """`size` bytes of an open file from `offset`, or the one range that the request asks for; closes the file.

    206 with Content-Range for a range, 416 for one that begins behind the end, 200 for none (or several).
    """
    headers = {"accept-ranges": "bytes", **(KEPT if kept else {})}
    match = _RANGE.fullmatch(request.headers.get("range", "").strip())
    first, last = match.groups() if match else ("", "")
    part = bool(first or last)
    span = _asked(first, last, size) if part else _Span(0, size)
    if span is None:
        file.close()
        return Response(status_code=416, headers={"content-range": f"bytes */{size}"})
    headers["content-length"] = str(span.end - span.first)
    if part:
        headers["content-range"] = f"bytes {span.first}-{span.end - 1}/{size}"
    pieces = _pieces(file, offset + span.first, span.end - span.first)
    return StreamingResponse(pieces, 206 if part else 200, headers, kind)


def _asked(first: str, last: str, size: int) -> _Span | None:
    """The bytes of `first`-`last` of a range, either of which may be empty; None where there are none of them."""
    if not first:
        return _Span(max(0, size - int(last)), size) if int(last) and size else None
    if int(first) >= size or (last and int(last) < int(first)):
        return None
    return _Span(int(first), min(size, int(last) + 1) if last else size)


def _pieces(file: BinaryIO, offset: int, size: int) -> Iterator[bytes]:
    with file:
        file.seek(offset)
        while size > 0 and (piece := file.read(min(PIECE, size))):
            size -= len(piece)
            yield piece


def _names(request: Request) -> tuple[str, str, str]:
    return request.path_params["config"], request.path_params["key"], request.path_params["field"]


def _png(picture: Image) -> Response:
    data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 1])[1]
    return Response(bytes(data), media_type="image/png", headers=KEPT)
