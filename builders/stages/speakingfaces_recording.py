"""One clip cut from a raw recording: checked, trimmed at the end, freed of jumps at the beginning, read in place."""

from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...loaders.media import decode_audio
from ..core.avi import Avi
from ..core.builder import Unit
from ..core.raw import Folder
from ..core.review import decided_trim
from ..core.stage import Clock, Reject
from .align import Span
from .beginning import EXAMINED, last_jump
from .recording_plan import FPS, FRAME_SAMPLES, RATE, whole_frames
from .speakingfaces_listing import MAX_WAV_BYTES
from .speakingfaces_release import MAX_SAMPLES, THERMAL, VISUAL, Stem, placed
from .trim import proposed_samples, trim

FULL_HD = (1920, 1080)
FPS_TOLERANCE = 0.01
"""Frames per second: some writers state 28 fps in whole units of 100 ns a frame, which is 28.00006."""
SOUND_MOVED = FRAME_SAMPLES - 1
"""Samples from the beginning of a cut here, 1575 (start - 1), to that of the authors' cut, 1575 start - 1."""
REGION = (576, 500)
"""Left and top of the 768x512 that the authors cut from the camera's 1920x1080 picture, without scaling."""
STREAMS = {1: "thermal", 2: "visual"}


class RecordingClip:
    """Frames and sounds of one unit of a raw recording; close it after use.

    Frame k of a recording goes with samples 1575 (k - 1) to 1575 k - 1. The release's own cut of the sound begins
    1574 samples later; `facts` states the difference.
    """

    audio_lag = 0.0
    has_aligned = False

    def __init__(self, raw: Folder, unit: Unit, clock: Clock) -> None:
        archive = raw.inside(unit.details["archive"])
        if archive is None:
            raise FileNotFoundError(
                f"{unit.details['archive']}: gone since the release was listed. Put it back and resume"
            )
        self.archive, self.clock, self.stem, self.first = archive, clock, Stem(unit), unit.details["first"]
        self._unit = unit
        self._numbers = [n for first, last in unit.details["pieces"] for n in range(first, last + 1)]
        self._open = ExitStack()
        self._facts: dict[str, Any] = {}
        try:
            with clock("presence"):
                self._videos = {stream: self._video(stream) for stream in (1, 2)}
            if self.stem.session == 2:
                self._sounds = {mic: self._recorded(mic) for mic in (1, 2)}
                self._cut()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the files of this clip; the archive stays open."""
        self._open.close()

    @property
    def frames(self) -> int:
        """Frames that are left."""
        return len(self._numbers)

    @property
    def dropped(self) -> int:
        """Frames cut off since the published tables counted them: jumps at the beginning, not what a rescue cut."""
        return int(self._facts.get("beginning_removed", 0))

    @property
    def spans(self) -> list[Span]:
        """Published shifts by frames of this clip: the tables count what planning and rescue left."""
        gone, found = self.dropped, []
        for first, last, dx, dy in self._unit.details["spans"]:
            begin, end = max(first - gone, 1), min(last - gone, self.frames)
            found += [(begin, end, dx, dy)] if begin <= end else []
        return found

    @property
    def facts(self) -> dict[str, Any]:
        """How the clip was cut; {} for a still."""
        return self._facts

    def picture(self, stream: int, number: int) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB. Raises Reject when the recording does not hold it."""
        return self._frame(stream, self._numbers[number - 1])

    def sound(self, mic: int) -> NDArray[np.int16]:
        """(samples,) int16 at 44.1 kHz of microphone 1 or 2, both equally long."""
        return self._sounds[mic]

    # --- reading ---

    def _place(self, name: str) -> str:
        return f"{self.archive.label}/{self._unit.details['members'][name]}"

    def _video(self, stream: int) -> Avi:
        """An opened video that holds every frame of the cut. Raises Reject otherwise."""
        place = self._place(str(stream))
        file = self._open.enter_context(placed(place, self.archive.open, self._unit.details["members"][str(stream)]))
        video: Avi = placed(place, Avi, file, place)
        wide, high = (round(edge * self.stem.scale) for edge in (VISUAL if stream == 2 else THERMAL))
        fits = [(wide, high), FULL_HD] if stream == 2 else [(wide, high)]
        if (video.width, video.height) not in fits:
            raise Reject(
                f"expected {STREAMS[stream]} frames of {wide}x{high}, found {video.width}x{video.height}", place
            )
        if abs(video.fps[0] / video.fps[1] - FPS) >= FPS_TOLERANCE:
            raise Reject(f"expected {FPS} frames per second, found {video.fps[0]}/{video.fps[1]}", place)
        last = max(self._numbers)
        if not placed(place, video.has, last):
            person = self._unit.details["person"]
            about = f"sub_id {person['subject']}, trial_id {person['trial']}, command_id {self.stem.command}"
            raise Reject(f"{STREAMS[stream]} video too short: no frame {last} ({about}, stream_id {stream})", place)
        return video

    def _frame(self, stream: int, number: int) -> NDArray[np.uint8]:
        with self.clock("read"):
            picture = placed(self._place(str(stream)), self._videos[stream].frame, number)
            if stream == 2 and (picture.shape[1], picture.shape[0]) == FULL_HD:
                left, top = REGION
                picture = np.ascontiguousarray(picture[top : top + VISUAL[1], left : left + VISUAL[0]])
            return np.asarray(picture, np.uint8)

    def _recorded(self, mic: int) -> NDArray[np.int16]:
        """The whole recording of a microphone."""
        place = self._place(f"mic{mic}")
        with self.clock("read"):
            data = placed(place, self.archive.read, self._unit.details["members"][f"mic{mic}"], MAX_WAV_BYTES)
        with self.clock("audio"):
            if data[:4] != b"RIFF":
                raise Reject(f"not a WAV file: {len(data)} bytes, begins with {data[:4]!r}", place)
            samples, rate = placed(place, decode_audio, data, MAX_SAMPLES)
            if rate != RATE or samples.ndim != 1:
                raise Reject(f"expected {RATE} Hz mono sound, found {rate} Hz, {samples.ndim} channels", place)
            return np.asarray(samples, np.int16)

    # --- cutting ---

    def _cut(self) -> None:
        """Reduce `_numbers` and `_sounds` to the utterance: plan or rescue, end, beginning, whole frames."""
        details, recorded = self._unit.details, self._sounds[1]
        with self.clock("presence"):
            cut = {mic: _pieces(sound, details["pieces"]) for mic, sound in self._sounds.items()}
            if len(cut[1]) != len(cut[2]):
                lengths = f"{len(cut[1]):,} and {len(cut[2]):,} samples"
                about = f"command_id {self.stem.command}, {self.stem.text}"
                raise Reject(f"microphones of different lengths: {lengths} ({about})", self._place("mic2"))
        begin = details["begin"] // FRAME_SAMPLES
        end = len(cut[1]) if details["end"] is None else min(details["end"], len(cut[1]))
        left = self._numbers[begin : whole_frames(end)]
        first = [self._frame(2, number) for number in left[: EXAMINED + 1]]
        with self.clock("beginning"):
            jump = last_jump(first, self.stem.scale)
        begin += jump
        with self.clock("trim"):
            heard, rescued = cut[1][begin * FRAME_SAMPLES : end], bool(details["rescue"])
            proposed = None if rescued else proposed_samples(heard, recorded)
            kept, trimmed_by = trim(len(heard), proposed, decided_trim(self._unit))
            end = begin * FRAME_SAMPLES + kept
        self._numbers = self._numbers[begin : whole_frames(end)]
        if not self._numbers:
            raise Reject(f"no whole frame is left of {len(cut[1]):,} samples of sound", self._place("mic1"))
        self._sounds = {mic: sound[begin * FRAME_SAMPLES : end] for mic, sound in cut.items()}
        self._facts = {
            "recorded": _runs(self._numbers),
            "sound_moved": SOUND_MOVED,
            "trim_proposed": proposed,
            "trimmed_by": trimmed_by or ("rescue table" if details["end"] is not None else ""),
            "beginning_removed": jump,
            "rescue": details["rescue"],
        }


def _pieces(sound: NDArray[np.int16], pieces: list[tuple[int, int]]) -> NDArray[np.int16]:
    """The sound of frames (first, last) of a recording, laid end to end; what the file lacks at its end is missing."""
    return np.concatenate([sound[FRAME_SAMPLES * (first - 1) : FRAME_SAMPLES * last] for first, last in pieces])


def _runs(numbers: list[int]) -> list[dict[str, int]]:
    runs: list[dict[str, int]] = []
    for number in numbers:
        if runs and runs[-1]["last"] == number - 1:
            runs[-1]["last"] = number
        else:
            runs.append({"first": number, "last": number})
    return runs
