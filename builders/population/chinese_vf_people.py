"""Who speaks and who asks in forged videos for Chinese_VF: people whose faces differ as those of real people do."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from .people import Person, draw
from .voices import PITCH_SPREAD, TRACT_SPREAD, Voice

OUTSIDERS = 60_000
"""Numbers of people who have no folder begin here."""
ASKING = 6
"""People without a folder who ask questions in a release."""
TRIES = 12
"""Draws for each person, of which the one whose face lies farthest from all before is taken."""
STRONGER = 1.5
"""Factor on the face's latent numbers, which stay within LIMIT."""
LIMIT = 2.7

_NAMES = {
    "f": ("Lin Yutong", "chen_ruolin", "苏婉清", "Zhao-Jingyi", "Eszter Åkervind", "he.siyuan"),
    "m": ("Gábor Brindel", "wang_mingyuan", "Liu Haoran", "Søren Højvang", "郑伯安", "tang-weijie"),
}


@dataclass(frozen=True)
class Speaker:
    """A person with a folder of videos."""

    number: int
    folder: str
    person: Person

    @property
    def speaker(self) -> str:
        """The id in marks and collection."""
        return f"cvf{self.number + 1:04d}"

    @property
    def gender(self) -> str:
        return self.person.gender[0].lower()


@lru_cache(maxsize=4)
def cast(speakers: int, seed: int, link: bool = True) -> tuple[tuple[Speaker, ...], tuple[Person, ...]]:
    """The speakers of a release, women and men in turn, and the outsiders who question them.

    The population's faces come from one portrait, and dlib's descriptor finds two of one gender more alike (median
    cosine 0.93) than two real people (0.84). Their traits are therefore taken half as far again from the mean, and of
    TRIES draws the farthest from all before is taken; voices stay those of the draw.
    """
    found: list[Person] = []
    for number in range(speakers + ASKING):
        gender = ("Female", "Male")[number % 2]
        first = number * TRIES + (OUTSIDERS if number >= speakers else 1)
        draws = [draw(seed, first + attempt, gender, link) for attempt in range(TRIES)]
        people = [replace(one, face=_stronger(one.face)) for one in draws]
        found.append(max(people, key=lambda one: min((unlike(one, other) for other in found), default=0.0)))
    own = tuple(Speaker(number, _folder(number), person) for number, person in enumerate(found[:speakers]))
    return own, tuple(found[speakers:])


def _stronger(face: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(round(float(value), 4) for value in np.clip(np.multiply(face, STRONGER), -LIMIT, LIMIT))


def _folder(number: int) -> str:
    names = _NAMES["fm"[number % 2]]
    again, which = divmod(number // 2, len(names))
    return names[which] + (f" {again + 1}" if again else "")


def unlike(one: Person, other: Person) -> float:
    """How much dlib's descriptor tells two forged faces apart, about 1 - cosine.

    Least squares over 435 pairs of forged heads from the front: gender, the distance of the eyes (by which the
    descriptor's chip is aligned) and the width of the nose explain most of it, correlation 0.85.
    """
    eyes = abs(one.trait("eye_distance") - other.trait("eye_distance"))
    nose = abs(one.trait("nose_width") - other.trait("nose_width"))
    return 0.03 + 0.016 * eyes + 0.007 * nose + 0.05 * (one.gender != other.gender)


def voices_apart(one: Voice, other: Voice) -> dict[str, float]:
    """How far apart two voices are: in pitch (octaves), in length of the vocal tract (share), and over all.

    `overall` is the root mean square over pitch, tract, tilt, front and pace in standard deviations of people of one
    gender, divided by that of two people drawn at random: 1 is as usual, a woman and a man are about 2 apart.
    """
    pitch = float(np.log2(one.pitch / other.pitch))
    tract = one.tract / other.tract - 1
    steps = (
        pitch / PITCH_SPREAD,
        tract / TRACT_SPREAD,
        float(np.log2(one.tilt / other.tilt)) / 0.5,
        (one.front - other.front) / 0.05,
        float(np.log2(one.pace / other.pace)) / 0.15,
    )
    overall = float(np.sqrt(np.mean(np.square(steps)) / 2))
    return {"pitch_octaves": round(pitch, 4), "tract_share": round(tract, 4), "overall": round(overall, 4)}
