"""Who lives in the made-up population: latent vectors that shape the face and the voice of each person."""

from dataclasses import dataclass

import numpy as np

from .portrait import EYES, JAW, LIPS, NOSE, Points, neutral

LATENTS = 16
TRAITS = (
    "jaw_width", "jaw_length", "eye_size", "eye_distance", "brow_height", "brow_tilt", "nose_width",
    "nose_length", "mouth_width", "mouth_place", "lip_thickness", "eye_tilt", "skin_light", "skin_hue",
    "hair_light", "jaw_square",
)  # fmt: skip
"""What each of the 16 latent numbers (about standard normal) changes in the face."""

ETHNICITIES = ("Asian", "Caucasian", "Black")
_ETHNICITY_SHARE = (0.63, 0.32, 0.05)
_ACCESSORY_SHARE = {"None": 0.70, "Glasses": 0.26, "Veil": 0.03, "Glasses;Hat": 0.01}


@dataclass(frozen=True)
class Person:
    """One made-up subject: published attributes and the hidden numbers behind face and voice."""

    seed: int
    subject: int
    gender: str
    age: int
    ethnicity: str
    accessories: tuple[str, str]
    face: tuple[float, ...]
    voice: tuple[float, ...]
    voice_gender: str
    """Equal to `gender` unless face and voice were unlinked."""

    def trait(self, name: str) -> float:
        """The latent number behind one facial trait."""
        return self.face[TRAITS.index(name)]


def draw(seed: int, subject: int, gender: str | None = None, link: bool = True) -> Person:
    """The person with this number in the population of this seed; `link=False` gives them somebody else's voice."""
    random = np.random.default_rng([seed, subject, 11])
    sex = gender or ("Female", "Male")[int(random.integers(2))]
    age = int(np.clip(20 + random.gamma(1.2, 9.0), 20, 64))
    ethnicity = str(random.choice(ETHNICITIES, p=_ETHNICITY_SHARE))
    face = tuple(float(value) for value in np.clip(random.standard_normal(LATENTS), -2.2, 2.2).round(4))
    kinds, shares = list(_ACCESSORY_SHARE), list(_ACCESSORY_SHARE.values())
    first = str(random.choice(kinds, p=shares))
    if first == "Veil" and sex == "Male":
        first = "None"
    second = ("Glasses" if first == "None" else "None") if random.random() < 0.05 else first
    other = np.random.default_rng([seed, subject, 12])
    voice, voice_gender = face, sex
    if not link:
        voice = tuple(float(value) for value in np.clip(other.standard_normal(LATENTS), -2.2, 2.2).round(4))
        voice_gender = ("Female", "Male")[int(other.integers(2))]
    return Person(seed, subject, sex, age, ethnicity, (first, second), face, voice, voice_gender)


def _about(points: Points, part: slice | list[int], scale: tuple[float, float], move: tuple[float, float]) -> None:
    """Scale a group of landmarks about its own middle and move it, in place."""
    middle = points[part].mean(0)
    points[part] = middle + (points[part] - middle) * scale + move


def shape(person: Person) -> Points:
    """The 68 landmarks of a person's neutral face, (68, 2) in pixels of the head picture."""
    points = neutral()[1].copy()
    middle = points[33, 0]
    side = 1.0 if person.gender == "Male" else -1.0
    trait = person.trait
    eye_y, chin_y = points[EYES, 1].mean(), points[8, 1]

    low = np.clip((points[JAW, 1] - eye_y) / (chin_y - eye_y), 0, 1)
    width = 1 + 0.052 * trait("jaw_width") + (0.035 * side + 0.055 * trait("jaw_square")) * low * (1 - 0.5 * low)
    points[JAW, 0] = middle + (points[JAW, 0] - middle) * width
    points[JAW, 1] += (11.5 * trait("jaw_length") + 4.0 * side) * low

    for part, sign in ((slice(36, 42), -1.0), (slice(42, 48), 1.0)):
        size = 1 + 0.11 * trait("eye_size") - 0.05 * side
        _about(points, part, (size, size * (1 - 0.03 * side)), (sign * 5.0 * trait("eye_distance"), 0.0))
        points[part, 1] -= sign * (points[part, 0] - points[part, 0].mean()) * 0.08 * trait("eye_tilt")
    for part, sign in ((slice(17, 22), -1.0), (slice(22, 27), 1.0)):
        lift = 4.5 * trait("brow_height") - 4.0 * side
        _about(points, part, (1.0, 1 - 0.15 * side), (sign * 4.0 * trait("eye_distance"), -lift))
        points[part, 1] -= sign * (points[part, 0] - points[part, 0].mean()) * 0.07 * trait("brow_tilt")

    nostrils = points[31:36]
    nostrils[:, 0] = middle + (nostrils[:, 0] - middle) * (1 + 0.15 * trait("nose_width") + 0.06 * side)
    drop = 5.5 * trait("nose_length") + 1.5 * side
    points[NOSE, 1] += drop * np.clip((points[NOSE, 1] - eye_y) / (points[33, 1] - eye_y), 0, 1)
    _about(points, LIPS, (1 + 0.12 * trait("mouth_width") + 0.02 * side, 1.0), (0.0, 3.5 * trait("mouth_place")))
    points[LIPS, 1] += 0.7 * drop + 3.0 * trait("jaw_length") + 1.5 * side
    seam = points[[61, 62, 63, 65, 66, 67], 1].mean()
    thick = max(0.5, 1 + 0.24 * trait("lip_thickness") - 0.13 * side)
    points[48:60, 1] = seam + (points[48:60, 1] - seam) * thick
    return points


def skin_tone(person: Person) -> tuple[float, float, float]:
    """Mean skin colour as LAB (L 0..100, a, b)."""
    light, hue = person.trait("skin_light"), person.trait("skin_hue")
    base = {"Asian": (69.0, 13.0, 21.0), "Caucasian": (73.0, 14.0, 16.0), "Black": (42.0, 13.0, 17.0)}
    tone = base[person.ethnicity]
    return tone[0] + 3.5 * light - (2.0 if person.gender == "Male" else 0.0), tone[1] + 2.0 * hue, tone[2] + 2.0 * light


def hair_tone(person: Person) -> tuple[float, float, float]:
    """Mean hair colour as LAB; it greys from 40 on."""
    base = {"Asian": (19.0, 2.0, 4.0), "Caucasian": (36.0, 7.0, 16.0), "Black": (14.0, 1.0, 2.0)}[person.ethnicity]
    spread = {"Asian": 4.0, "Caucasian": 12.0, "Black": 2.0}[person.ethnicity]
    own = (max(9.0, base[0] + spread * person.trait("hair_light")), base[1], base[2])
    grey = float(np.clip((person.age - 40) / 24, 0, 0.85))
    mixed = [colour + (end - colour) * grey for colour, end in zip(own, (62.0, 0.0, 3.0), strict=True)]
    return mixed[0], mixed[1], mixed[2]
