"""A folder of marked videos becomes a collection of faces and voices, without the page: marks and options in, C out.

The same videos, marks and options give the same bytes, with one process or several, in one go or resumed.
"""

import fcntl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from ..core.engine import in_processes
from ..core.stage import Attempts, Clock, Rejection
from .collection_folder import CONFIG, check_place, remove_others, write_config, write_tables, write_truth
from .collection_options import CollectOptions
from .collection_scan import HIDDEN, VideoFacts, read_scan, scan
from .collection_scores import Threshold, thresholds
from .collection_truth import GroundTruth, ground_truth
from .collection_video import Decided, check_single_talker, decide_video
from .collection_videos import Refusal, SourceVideo, list_videos
from .marks import Marks, read, settle
from .video import open_video

TIMES_REAL_TIME = 10.0
"""At which a core of 2020 goes through a video of 1280x720 at one frame per second, for `estimate`."""
Progress = Callable[[str, int, int], None]
"""Called with the step and how many of how many of its pieces are done."""
Made = TypeVar("Made")


@dataclass(frozen=True)
class Report:
    """What a run did."""

    decided: Mapping[str, tuple[SourceVideo, Decided]]
    """By speaker_id/video_id; also those left out for what was found in them."""
    refused: tuple[Refusal, ...]
    face: Threshold
    voice: Threshold
    folds: Mapping[str, int]
    facts: Mapping[str, VideoFacts]
    """Of every scanned video."""
    scanned: int
    """Videos looked through in this run; the others were known."""
    scanned_seconds: float
    seconds: Mapping[str, float]
    """Spent in each step, over all processes."""
    took: float
    torn: str = ""

    def kept(self) -> list[tuple[SourceVideo, Decided]]:
        return [one for one in self.decided.values() if not one[1].refused]

    def lines(self) -> list[str]:
        """In words."""
        kept = [what for _, what in self.kept()]
        every = [what for _, what in self.decided.values()]
        frames = sum(facts.frames for facts in self.facts.values())
        length = sum(facts.seconds for facts in self.facts.values())
        lines = [
            f"{len(self.folds):,} speakers, {len(kept):,} videos kept; {len(self.refused):,} rows in refused.csv",
            f"{frames:,} frames looked at in {length:,.0f} s of video",
            f"faces: {sum(w.faces for w in kept):,} kept of {sum(w.candidates for w in every):,} found; "
            f"{sum(w.duplicates for w in every):,} more were nearly the same as a kept one",
            f"voices: {sum(w.segments for w in kept):,} segments kept, {sum(w.segment_seconds for w in kept):,.0f} s",
        ]
        for name, one in (("face", self.face), ("voice", self.voice)):
            lines.append(
                f"tau_{name} {one.value:.4f} ({one.how}); passed by {one.passing:.2%} of {len(one.others):,} ground "
                f"truths of other speakers, {one.own:.1%} of the speakers' own"
            )
        lines += [f"left out: {one.path or one.speaker}: {one.reason}" for one in self.refused]
        if self.torn:
            lines.append(self.torn)
        return [*lines, *self._speed()]

    def _speed(self) -> list[str]:
        whole = sum(self.seconds.values())
        if not self.scanned or not whole:
            return [f"{self.took:.1f} s; every video was scanned before"]
        shares = ", ".join(
            f"{name} {seconds / whole:.0%}" for name, seconds in sorted(self.seconds.items(), key=lambda one: -one[1])
        )
        return [f"{self.took:.1f} s, {self.scanned_seconds / self.took:.1f} times real time: {shares}"]


def collect(options: CollectOptions, progress: Progress | None = None) -> Report:
    """Make or resume the collection. Videos are read in place, one frame at a time.

    Raises ValueError for a broken marks file, a place that holds something else, thresholds that nobody knows, or when
    another run is at work on the collection.
    """
    check_place(options)
    held = read(options.marks_file)
    if not held.marks:
        raise ValueError(f"{options.marks_file}: no marks there. Mark the videos first: facevox collect VIDEOS")
    marks = settle(held.marks)
    listing = list_videos(options.videos, marks)
    with _alone(options):
        # A collection without it is half made.
        (options.out / CONFIG).unlink(missing_ok=True)
        report = _collect(_Run(options, marks, progress, list(listing.refused)), listing.videos)
    return replace(report, torn=held.torn)


def estimate(options: CollectOptions) -> list[str]:
    """What a run would look through, in words; nothing is written, and of each video only its beginning is read."""
    check_place(options)
    held = read(options.marks_file)
    listing = list_videos(options.videos, settle(held.marks))
    known = [video for video in listing.videos if read_scan(options, video) is not None]
    lengths = []
    for video in listing.videos:
        try:
            with (options.videos / video.path).open("rb") as file, open_video(file) as opened:
                lengths.append(0.0 if video in known else opened.seconds)
        except ValueError:
            # The run says what is wrong with it.
            continue
    speakers = {video.speaker for video in listing.videos}
    return [
        f"{len(listing.videos):,} videos of {len(speakers):,} speakers, {len(listing.refused):,} left out; "
        f"{len(known):,} were scanned before",
        f"{sum(lengths):,.0f} s to scan: {sum(lengths) * options.frames_per_second:,.0f} frames, about "
        f"{sum(lengths) / TIMES_REAL_TIME / options.workers:,.0f} s of work",
        *(
            []
            if listing.videos or listing.refused
            else ["no video there: put mp4, webm or mkv files into a folder per person"]
        ),
        *(f"left out: {one.path or one.speaker}: {one.reason}" for one in listing.refused),
        *([held.torn] if held.torn else []),
    ]


@contextmanager
def _alone(options: CollectOptions) -> Iterator[None]:
    hidden = options.out / HIDDEN
    hidden.mkdir(parents=True, exist_ok=True)
    with (hidden / "lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(
                f"{options.out}: another run is at work here. Wait for it, or choose another --out"
            ) from None
        yield


@dataclass
class _Run:
    """What the steps share."""

    options: CollectOptions
    marks: Marks
    progress: Progress | None
    refused: list[Refusal] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def each(
        self, step: str, work: Callable[[SourceVideo, Clock], Made], videos: Sequence[SourceVideo]
    ) -> dict[str, Made]:
        """work(video, clock) for each video in several processes, by its key; others go to `refused`."""
        tell = None if self.progress is None else partial(self.progress, step)
        made = {}
        piece = partial(_attempt, step, work, tuple(videos))
        for video, (outcome, spent) in zip(
            videos, in_processes(piece, len(videos), self.options.workers, tell), strict=True
        ):
            for name, seconds in spent.items():
                self.seconds[name] = self.seconds.get(name, 0.0) + seconds
            if isinstance(outcome, Refusal):
                self.refused.append(outcome)
            else:
                made[video.key] = outcome
        return made


def _attempt(
    step: str, work: Callable[[SourceVideo, Clock], Made], videos: Sequence[SourceVideo], number: int
) -> tuple[Made | Refusal, dict[str, float]]:
    clock, video = Clock(), videos[number]

    def reject(stage: str, place: str, reason: str, kind: str, measured: str) -> Rejection:
        return Rejection("", "", "", place or step, "", reason if kind == "Reject" else f"{kind}: {reason}")

    outcome = Attempts(clock)(lambda: work(video, clock), reject)
    if isinstance(outcome, Rejection):
        refusal = Refusal(video.speaker, video.video_id, video.digest, outcome.stage, outcome.reason, video.path)
        return refusal, dict(clock.seconds)
    return outcome, dict(clock.seconds)


def _collect(run: _Run, videos: Sequence[SourceVideo]) -> Report:
    options, began = run.options, time.perf_counter()
    truths = _truths(run, videos)
    able = [video for video in videos if video.speaker in truths]
    known = {video.key for video in able if read_scan(options, video) is not None}
    facts = run.each("scan", partial(_scan, options), able)
    face, voice = thresholds(options, run.marks, list(truths.values()))
    seen = [video for video in able if video.key in facts]
    made = run.each("keep", partial(_decide, options, truths, (face.value, voice.value)), seen)
    decided = {video.key: (video, made[video.key]) for video in seen if video.key in made}
    for video, one in decided.values():
        if one.refused:
            run.refused.append(Refusal(video.speaker, video.video_id, video.digest, "score", one.refused, video.path))
    kept = [video for video, one in decided.values() if not one.refused]
    remove_others(options, {video.speaker for video in kept}, {video.key for video in kept})
    refused = tuple(sorted(run.refused, key=lambda one: (one.speaker, one.video_id, one.digest)))
    folds = write_tables(options, decided, refused, run.marks)
    write_config(options, face, voice)
    new = [facts[video.key].seconds for video in seen if video.key not in known]
    took = time.perf_counter() - began
    return Report(decided, refused, face, voice, folds, facts, len(new), sum(new), run.seconds, took)


def _truths(run: _Run, videos: Sequence[SourceVideo]) -> dict[str, GroundTruth]:
    """By speaker. Who has none is refused, and so are all their videos."""
    first = {video.speaker: video for video in reversed(videos)}
    turned_down = len(run.refused)
    made = run.each("truth", partial(_truth, run.options, run.marks, tuple(videos)), list(first.values()))
    for number, one in enumerate(run.refused[turned_down:], turned_down):
        run.refused[number] = replace(one, video_id="", digest="", path="")
        reason = f"its speaker has no ground truth: {one.reason}"
        run.refused += [
            Refusal(video.speaker, video.video_id, video.digest, "truth", reason, video.path)
            for video in videos
            if video.speaker == one.speaker
        ]
    return {truth.speaker: truth for truth in made.values()}


def _truth(
    options: CollectOptions, marks: Marks, videos: Sequence[SourceVideo], first: SourceVideo, clock: Clock
) -> GroundTruth:
    with clock("truth"):
        truth = ground_truth(options, [video for video in videos if video.speaker == first.speaker], marks)
        write_truth(options, truth)
    # Pictures and sounds of thousands of speakers need not be held.
    return replace(truth, files={})


def _scan(options: CollectOptions, video: SourceVideo, clock: Clock) -> VideoFacts:
    found = scan(options, video, clock=clock)
    check_single_talker(options, found.facts)
    return found.facts


def _decide(
    options: CollectOptions,
    truths: Mapping[str, GroundTruth],
    taus: tuple[float, float],
    video: SourceVideo,
    clock: Clock,
) -> Decided:
    return decide_video(options, video, truths, taus, clock)
