"""The collect view: videos of single talkers, marks on them, detection, scores, thresholds, verdicts."""

from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..stages.collection_faces import cut
from ..stages.collection_options import CollectOptions
from ..stages.collection_videos import SourceVideo
from ..stages.marks import LEAST_PERIOD_MS, LEAST_SCREENSHOTS, Mark, VideoMarks
from .collect_marks import Marking, VideoFile
from .collect_media import Waveforms, faces_of, facts, jpeg, shot_at, sound_file
from .collect_run import Run
from .collect_scores import Scores, look_through, write_collection
from .desk import Desk
from .media import KEPT, Thumbnails, ranged
from .server import posted

FACE_EDGE = 128
"""Pixels of a face's thumbnail."""
SCANS, COLLECTION = "scores", "collection files"
"""What a run makes."""
KINDS = {".webm": "video/webm", ".mkv": "video/x-matroska"}
"""Of video files by their ending; the others are served as MP4."""


class Collect:
    """View of a folder of videos. Videos are named by ids that this class gave, never by a path."""

    name, title = "collect", "Collect"

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        if not self.available():
            return
        self.options: CollectOptions = desk.options.collect
        self.marking = Marking(self.options.videos, self.options.marks_file, desk.who)
        self.waveforms = Waveforms(desk.cache / "waveforms")
        self.thumbnails = Thumbnails(desk.cache / "faces")
        self.scores = Scores(self.options, self.marking, desk.cache / "truths")
        self.run = Run()

    def available(self) -> bool:
        return self.desk.options.collect is not None

    def left(self) -> tuple[int, int] | None:
        marks = self.marking.marks()
        verdicts = [marks.of(video.path).verdict for video in self.marking.videos.values()]
        return sum(verdict != "" for verdict in verdicts), len(verdicts)

    def routes(self) -> list[Route]:
        own, video = "/api/collect", "/api/collect/videos/{video}"
        return [
            Route(f"{own}/state", self.state),
            Route(f"{own}/mark", posted(self.mark), methods=["POST"]),
            Route(f"{own}/undo", posted(self.undo), methods=["POST"]),
            Route(f"{own}/run", self.progress, methods=["GET"]),
            Route(f"{own}/run", posted(self.detect), methods=["POST"]),
            Route(f"{own}/write", posted(self.write), methods=["POST"]),
            Route(f"{own}/stop", posted(self.stop), methods=["POST"]),
            Route(video, self.video),
            Route(f"{video}/results", self.results),
            Route(f"{video}/effect", self.effect),
            Route(f"{video}/crop/{{number:int}}.jpg", self.crop),
            Route(f"{video}/file", self.file),
            Route(f"{video}/frame/{{ms:int}}.jpg", self.frame),
            Route(f"{video}/faces/{{ms:int}}", self.faces),
            Route(f"{video}/face/{{ms:int}}.webp", self.face),
            Route(f"{video}/waveform", self.waveform),
            Route(f"{video}/sound/{{start:int}}_{{end:int}}.wav", self.sound),
        ]

    # --- what there is ---

    def state(self, request: Request) -> Response:
        """People and their videos, with what is marked of each."""
        if request.query_params.get("look"):
            self.marking.look()
        return JSONResponse(self._state())

    def _state(self) -> dict[str, Any]:
        marks, listed = self.marking.marks(), self.scores.listed()
        people: dict[str, dict[str, Any]] = {}
        for video in self.marking.videos.values():
            own = marks.of(video.path)
            who = marks.speakers.get(video.person)
            person = people.setdefault(
                video.person,
                {
                    "folder": video.person,
                    "speaker": who.speaker if who else "",
                    "gender": who.gender if who else "",
                    "screenshots": 0,
                    "periods": 0,
                    "videos": [],
                },
            )
            person["screenshots"] += len(own.screenshots)
            person["periods"] += own.period is not None
            person["videos"].append(self._brief(video, own, listed.get(video.path)))
        return {
            "people": list(people.values()),
            "out": self.options.out.name,
            "suggested": self._next_speaker(),
            "least": {"screenshots": LEAST_SCREENSHOTS, "period_ms": LEAST_PERIOD_MS},
            "can_undo": self.marking.can_undo,
            "warnings": [text for text in (self.marking.torn, *self.marking.refused) if text],
        }

    def _brief(self, video: VideoFile, own: VideoMarks, source: SourceVideo | None) -> dict[str, Any]:
        return {
            "id": video.id,
            "name": video.name,
            "screenshots": len(own.screenshots),
            "period": own.period is not None,
            "verdict": own.verdict,
            "scanned": self.scores.scanned(source),
        }

    def _next_speaker(self) -> str:
        taken = {int(who.speaker[3:]) for who in self.marking.marks().speakers.values()}
        return f"cvf{max(taken, default=0) + 1:04d}"

    def video(self, request: Request) -> Response:
        """One video: length, rate, size, and the marks in force."""
        video = self._video(request)
        own = self.marking.marks().of(video.path)
        return JSONResponse(
            {
                "id": video.id,
                "name": video.name,
                "person": video.person,
                "version": self.marking.digest(video)[:12],
                "facts": asdict(facts(self.marking.path(video))),
                "screenshots": [asdict(shot) for shot in own.screenshots],
                "period": asdict(own.period) if own.period else None,
                "verdict": own.verdict,
                "reason": own.reason,
                "changed": bool(own.seen - {self.marking.digest(video)}),
            }
        )

    def _video(self, request: Request) -> VideoFile:
        """The video that a request names. Raises KeyError for any other name."""
        return self.marking.videos[request.path_params["video"]]

    # --- media ---

    def file(self, request: Request) -> Response:
        """The video file, in ranges when asked, so that the player can seek."""
        path = self.marking.path(self._video(request))
        kind = KINDS.get(path.suffix.lower(), "video/mp4")
        return ranged(request, path.open("rb"), kind, 0, path.stat().st_size)

    def frame(self, request: Request) -> Response:
        """The frame on screen at a moment, as JPEG: the one that a collection would be made from."""
        shot = shot_at(self.marking.path(self._video(request)), request.path_params["ms"])
        return Response(jpeg(shot.picture), media_type="image/jpeg", headers=KEPT)

    def faces(self, request: Request) -> Response:
        """Where the detector finds faces at a moment, in pixels of the video."""
        shot = shot_at(self.marking.path(self._video(request)), request.path_params["ms"])
        height, width = shot.picture.shape[:2]
        found = [asdict(face) for face in faces_of(self.options, shot.picture)]
        return JSONResponse({"width": width, "height": height, "seconds": shot.seconds, "faces": found})

    def face(self, request: Request) -> Response:
        """A small picture of one face: moment, and box as `left,top,width,height` (none: the largest face)."""
        video, ms = self._video(request), request.path_params["ms"]
        text = request.query_params.get("box", "")
        box = _box(text)

        def picture() -> Any:
            shot = shot_at(self.marking.path(video), ms).picture
            faces = [box] if box else [face.box for face in faces_of(self.options, shot)]
            left, top, width, height = max(
                faces, key=lambda face: face[2] * face[3], default=(0, 0, *shot.shape[1::-1])
            )
            return cut(shot, (left, top, left + width, top + height), self.options.box_scale)

        return self.thumbnails.response(f"{self.marking.digest(video)} {ms} {text}", picture, FACE_EDGE)

    def waveform(self, request: Request) -> Response:
        """Lowest and highest sample of each of `pixels` parts of the span `start` to `end` ms."""
        video = self._video(request)
        start, end, pixels = (_whole(request, name) for name in ("start", "end", "pixels"))
        path = self.marking.path(video)
        return JSONResponse(self.waveforms.read(path, self.marking.digest(video), start, end, pixels))

    def sound(self, request: Request) -> Response:
        """The sound of a span as WAV."""
        path, params = self.marking.path(self._video(request)), request.path_params
        return Response(sound_file(path, params["start"], params["end"]), media_type="audio/wav", headers=KEPT)

    # --- marks ---

    def mark(self, body: dict[str, Any]) -> Any:
        """Put a mark on record: {video: id or "", about, value}; answers with the state after it."""
        name, about, value = (body.get(part) for part in ("video", "about", "value"))
        if not isinstance(about, str) or not isinstance(value, dict):
            raise ValueError("expected {video, about, value: {...}}")
        video = self.marking.videos[name] if isinstance(name, str) and name else None
        if video is not None:
            self._check_place(video, about, value)
        return {"mark": self._told(self.marking.mark(video, about, value)), "state": self._state()}

    def undo(self, body: dict[str, Any]) -> Any:
        """Take the last mark of this person back; `mark` is null where there is none."""
        undone = self.marking.undo()
        return {"mark": self._told(undone) if undone else None, "state": self._state()}

    def _told(self, mark: Mark) -> dict[str, Any]:
        """A mark for the page: about, value, and the id of its video, "" for none or one that is gone."""
        names = (video.id for video in self.marking.videos.values() if video.path == mark.video)
        return {"about": mark.about, "value": dict(mark.value), "id": next(names, "")}

    # --- detection ---

    def results(self, request: Request) -> Response:
        """Scores of a scanned video, of ground truths, and thresholds: see `Scores.results`."""
        return JSONResponse(self.scores.results(self._video(request)))

    def effect(self, request: Request) -> Response:
        """What the thresholds `face` and `voice` keep of a video: see `Scores.effect`."""
        face, voice = (_cosine(request, name) for name in ("face", "voice"))
        return JSONResponse(self.scores.effect(self._video(request), face, voice))

    def crop(self, request: Request) -> Response:
        """A face of the scan, as it is kept."""
        data = self.scores.crop(self._video(request), request.path_params["number"])
        return Response(data, media_type="image/jpeg", headers=KEPT)

    def progress(self, request: Request) -> Response:
        """Where the run stands, if one was begun."""
        return JSONResponse(self.run.state())

    def detect(self, body: dict[str, Any]) -> Any:
        """Begin with the videos of these ids, or with all that are ready where none is named."""
        names = body.get("videos")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError("expected {videos: [id, ...]}")
        listed = [video.path for video in self.scores.ready()]
        wanted = {self.marking.videos[name].path for name in names}
        if missing := sorted(wanted - set(listed)):
            raise ValueError(f"{missing[0]}: not ready. It needs a speaker id with faces and a period, and no refusal")
        self.run.start(SCANS, look_through, self.options, [path for path in listed if path in wanted or not wanted])
        return self.run.state()

    def write(self, body: dict[str, Any]) -> Any:
        """Begin to make the collection from the marks as they are; videos that have no scan yet are looked through."""
        self.run.start(COLLECTION, write_collection, self.options, [""])
        return self.run.state()

    def stop(self, body: dict[str, Any]) -> Any:
        """Stop the run; videos that were finished stay."""
        self.run.stop()
        return None

    def _check_place(self, video: VideoFile, about: str, value: dict[str, Any]) -> None:
        """Raise ValueError for a moment, span or box outside the video."""
        if about not in ("screenshot", "period") or value.get("undo"):
            return
        known = facts(self.marking.path(video))
        if known.problem:
            raise ValueError(f"{video.name}: {known.problem}. Turn this video down")
        last = max((value[name] for name in ("ms", "end_ms") if isinstance(value.get(name), int)), default=0)
        if last > known.seconds * 1000:
            raise ValueError(f"{last} ms: the video ends at {known.seconds:.3f} s")
        if box := value.get("box"):
            _inside(box, known.width, known.height)


def _whole(request: Request, name: str) -> int:
    text = request.query_params.get(name, "")
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise ValueError(f"{name} {text[:20]!r}, expected a whole number")
    return int(text)


def _cosine(request: Request, name: str) -> float:
    text = request.query_params.get(name, "")
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not -1 <= value <= 1:
        raise ValueError(f"{name} {text[:20]!r}, expected a cosine from -1 to 1")
    return value


def _box(text: str) -> tuple[int, int, int, int] | None:
    if not text:
        return None
    parts = text.split(",")
    if len(parts) != 4 or not all(part.isascii() and part.isdecimal() and len(part) <= 6 for part in parts):
        raise ValueError(f"box {text[:40]!r}, expected left,top,width,height in whole pixels")
    left, top, width, height = (int(part) for part in parts)
    return left, top, width, height


def _inside(box: Any, width: int, height: int) -> None:
    whole = isinstance(box, list) and len(box) == 4 and all(type(edge) is int for edge in box)
    if not whole or min(box) < 0 or box[0] + box[2] > width or box[1] + box[3] > height:
        raise ValueError(f"box {str(box)[:60]}, expected [left, top, width, height] inside {width}x{height} pixels")
