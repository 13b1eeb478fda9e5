"""What is seen in a forged video for Chinese_VF: talking heads that sway and turn, slides and landscapes."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .backgrounds import background
from .chinese_vf_sounds import Track
from .chinese_vf_videos import Framing, Shot, Video
from .heads import OPENINGS, head
from .people import Person
from .portrait import Points
from .turning import Look, Turned, pupils, turn
from .voices import RATE

LOUD = 0.2
"""Level (root mean square) of sound at which a mouth is wide open."""
YAW_STEP = 3
"""Degrees between two pictures of a turning head."""
ENLARGED = 68.0
"""Pupils farther apart than this, in pixels, are drawn from a head at full size."""
GRAIN = 1.3
"""Sigma of the camera's noise in grey levels."""
Image = NDArray[np.uint8]


def openings(voice: Track, video: Video) -> NDArray[np.float64]:
    """(frames,) how wide a mouth is open, 0..1, by the loudness of its voice while a frame is on screen."""
    edges = [int(number * RATE / video.fps) for number in range(video.frames + 1)]
    power = np.add.reduceat(voice.astype(np.float64) ** 2, edges[:-1])
    return np.asarray(np.clip(np.sqrt(power / np.diff(edges)) / LOUD, 0, 1))


@lru_cache(maxsize=96)
def _head(person: Person, day: int, scale: float, yaw: int, opening: int, light: tuple[float, float]) -> Turned:
    """A head turned by a yaw in degrees, the mouth at one of the OPENINGS; the body goes on below the picture."""
    still = head(person, day, scale)
    seen = turn(still.colour[opening].astype(np.float32), still.points, Look(yaw=float(yaw), light=light))
    longer = cv2.copyMakeBorder(seen.colour, 0, seen.colour.shape[0] // 2, 0, 0, cv2.BORDER_REPLICATE)
    return Turned(np.asarray(longer, np.uint8), seen.points)


class Camera:
    """Draws the frames of one video; the same head moves the same way in every shot of it."""

    def __init__(self, video: Video, voices: tuple[Track, Track]) -> None:
        self.video = video
        self.people = (video.speaker.person, video.other)
        self.days = (video.day, 1)
        self.open = tuple(openings(voice, video) for voice in voices)
        random = video.random(97)
        self._phase = random.uniform(0, 2 * np.pi, (2, 5))
        self._speed = random.uniform(0.8, 1.25, (2, 5))
        # One far turn in every ten seconds or so, to either side.
        count = video.milliseconds // 10_000 + 1
        self._turns = [
            [(10.0 * at + float(random.uniform(0, 10)), float(random.choice((-1, 1)))) for at in range(count)]
            for _ in range(2)
        ]
        kinds = random.choice(("room", "board", "plain", "room"), 2)
        self._rooms = [_still(str(kind), video, 98 + who) for who, kind in enumerate(kinds)]
        grain = random.normal(0, GRAIN, (video.size[1] + 32, video.size[0] + 32, 1)).repeat(3, 2)
        self._grain = np.clip(np.round(grain + 8), 0, 16).astype(np.uint8)

    def yaw(self, who: int, seconds: float) -> float:
        """Degrees, above 0 to the right."""
        phase, speed = self._phase[who], self._speed[who]
        sway = 5.5 * np.sin(2 * np.pi * seconds * speed[0] / 6.7 + phase[0])
        bumps = sum(side * np.exp(-(((seconds - at) / 0.7) ** 2)) for at, side in self._turns[who])
        return float(np.clip(sway + self.video.channel.turn * bumps, -45, 45))

    def _placed(self, who: int, framing: Framing, number: int) -> tuple[Image, NDArray[np.float64], Points]:
        """The head's picture, the (2, 3) matrix from its pixels into the frame, and (68, 2) landmarks there."""
        seconds = float(number / self.video.fps)
        phase, speed = self._phase[who], self._speed[who]
        width, height = self.video.size
        distance = framing.distance * height
        scale = 0.5 if distance < ENLARGED else 1.0
        yaw = YAW_STEP * round(self.yaw(who, seconds) / YAW_STEP)
        opening = 2 * round(float(self.open[who][number]) * (OPENINGS - 1) / 2)
        shown = _head(self.people[who], self.days[who], scale, yaw, opening, self.video.channel.light)
        left, right = pupils(head(self.people[who], self.days[who], scale).points)
        roll = np.radians(2.5 * np.sin(2 * np.pi * seconds * speed[1] / 5.3 + phase[1]))
        zoom = distance / (right[0] - left[0]) * (1 + 0.02 * np.sin(2 * np.pi * seconds * speed[2] / 8.9 + phase[2]))
        linear = zoom * np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
        across = 0.18 * distance * np.sin(2 * np.pi * seconds * speed[3] / 7.7 + phase[3])
        down = 0.08 * distance * np.sin(2 * np.pi * seconds * speed[4] / 4.1 + phase[4])
        goal = np.array([framing.x * width + across, framing.y * height + down])
        matrix = np.column_stack([linear, goal - linear @ ((left + right) / 2)])
        return shown.colour, matrix, shown.points @ linear.T + matrix[:, 2]

    def faces(self, shot: Shot, number: int) -> dict[str, Points]:
        """The (68, 2) landmarks of every face in a frame, by target and other."""
        places = {"target": shot.target, "other": shot.other}
        return {
            name: self._placed(who, framing, number)[2]
            for who, (name, framing) in enumerate(places.items())
            if framing is not None
        }

    def frames(self) -> Iterator[Image]:
        """Every frame, (H, W, 3) uint8 BGR."""
        shot, behind, cut = None, self._rooms[0], 0
        for number in range(self.video.frames):
            now = self.video.shot(number / float(self.video.fps))
            if now is not shot:
                shot, cut = now, cut + 1
                behind = self._behind(now, cut)
            frame = behind
            for who, framing in ((1, now.other), (0, now.target)):
                if framing is not None:
                    picture, matrix, _ = self._placed(who, framing, number)
                    frame = _over(frame, picture, matrix)
            yield self._exposed(frame, number)

    def _behind(self, shot: Shot, cut: int) -> Image:
        if shot.shows == "slides":
            return slide(self.video.size, self.video.random(1000 + cut))
        if shot.shows == "landscape":
            return _still("trees", self.video, 1000 + cut)
        return self._rooms[shot.target is None]

    def _exposed(self, frame: Image, number: int) -> Image:
        seconds = float(number / self.video.fps)
        drift = 1 + 0.04 * np.sin(2 * np.pi * seconds / 11 + self._phase[0, 0])
        lit: Any = cv2.convertScaleAbs(frame, alpha=float(self.video.channel.brightness * drift))
        top, left = (7 * number) % 31, (13 * number) % 31
        grain = self._grain[top : top + frame.shape[0], left : left + frame.shape[1]]
        return np.asarray(cv2.subtract(cv2.add(lit, grain), (8.0, 8.0, 8.0, 8.0)), np.uint8)


def _over(frame: Image, picture: Image, matrix: NDArray[np.float64]) -> Image:
    size = (frame.shape[1], frame.shape[0])
    front = cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR)
    through = cv2.bitwise_not(cv2.extractChannel(front, 3))
    behind = cv2.multiply(frame, cv2.merge([through] * 3), scale=1 / 255)
    return np.asarray(cv2.add(behind, cv2.cvtColor(front, cv2.COLOR_BGRA2BGR)), np.uint8)


def _still(kind: str, video: Video, salt: int) -> Image:
    picture = background(kind, video.size, video.random(salt))
    return np.asarray(np.clip(picture + 0.5, 0, 255), np.uint8)


def slide(size: tuple[int, int], random: np.random.Generator) -> NDArray[np.uint8]:
    """A page of a talk: a title, lines of text and a bar chart, (H, W, 3) uint8 BGR."""
    width, height = size
    page = np.full((height, width, 3), 250, np.uint8)
    ink = [int(value) for value in random.integers(10, 120, 3)]
    cv2.rectangle(page, (0, 0), (width, height // 6), ink, -1)
    unit = height / 320

    def word() -> str:
        return "".join(chr(97 + int(letter)) for letter in random.integers(0, 26, int(random.integers(3, 9))))

    def write(text: str, x: float, y: float, big: float, colour: list[int]) -> None:
        place = (round(x * width), round(y * height))
        cv2.putText(page, text, place, cv2.FONT_HERSHEY_DUPLEX, big * unit, colour, 1, cv2.LINE_AA)

    write(f"{word().title()} {word()}", 0.05, 0.12, 0.8, [245, 245, 245])
    for line in range(6):
        write(f"- {word()} {word()} {word()}", 0.06, 0.3 + 0.11 * line, 0.45, [60, 60, 60])
    base = round(0.9 * height)
    for bar, share in enumerate(random.uniform(0.1, 0.6, 5)):
        left = round((0.62 + 0.07 * bar) * width)
        cv2.rectangle(page, (left, base - round(share * height)), (left + round(0.05 * width), base), ink, -1)
    return page
