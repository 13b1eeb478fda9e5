"""Checks of distances and errors of pictures: what must come out of the real pictures themselves, and of others'."""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from .controls import TOLERATED, Control
from .metrics import bootstrap, kernel_distance
from .picture_errors import MOST_DECIBELS, PictureErrors, picture_errors

PERFECT = PictureErrors(*(np.array([value]) for value in (0.0, 0.0, MOST_DECIBELS, MOST_DECIBELS, 0.0, 1.0)))
"""Errors of a picture against itself."""
OFF = 1e-6
"""Rounding that is allowed; of distances, as a share of the features' variance."""
DEALS = 5
"""Random halves of the people; their mean is told."""
SHUFFLES = 20
CHECKED = 400
"""Pictures of each set whose features the controls compare: distances of thousands take seconds each."""

Distance = Callable[[NDArray[np.float64], NDArray[np.float64]], float]
"""Of features (N, D) and (M, D)."""


@dataclass(frozen=True)
class DrawnPictures:
    """Pictures (N, H, W, 3) float RGB in 0..1, the targets that they should be, and whose they are, (N,)."""

    targets: NDArray[np.float32]
    made: NDArray[np.float32]
    people: NDArray[np.int64]


def target_oracle(targets: NDArray[np.float32]) -> Control:
    """The target pictures (N, H, W, 3) as if they were drawn: no error, the most decibels, SSIM 1; else it fails."""
    found = picture_errors(targets, targets)
    names = [one.name for one in fields(PictureErrors)]
    worst = {name: float(np.abs(getattr(found, name) - getattr(PERFECT, name)).max()) for name in names}
    told = ", ".join(f"{name.upper()} {getattr(found, name).mean():.6g}" for name in names)
    wanted = ", ".join(f"{getattr(PERFECT, name)[0]:.6g}" for name in names)
    said = f"the {len(targets)} target faces themselves have {told}; expected {wanted}"
    return Control("oracle", "errors", said, max(worst.values()) <= OFF)


def target_chance(about: str, drawn: DrawnPictures, seed: int = 0) -> Control:
    """Mean absolute error against a target of another person, drawn by `seed`, beside that against the own one.

    It fails where the own target is surely no nearer, 95 % over people, and where there is one person alone: nobody
    to take it for.
    """
    names, first, member = np.unique(drawn.people, return_index=True, return_inverse=True)
    if len(names) < 2:
        return Control("chance", about, "one person alone: no target of another to compare with", False)
    others = (member + np.random.default_rng(seed).integers(1, len(names), len(member))) % len(names)
    own = picture_errors(drawn.targets, drawn.made).mae
    other = picture_errors(drawn.targets[first[others]], drawn.made).mae
    between = bootstrap(other - own, drawn.people, seed)
    said = (
        f"MAE {other.mean():.4f} against the target of another person, {own.mean():.4f} against the own, of "
        f"{len(member)} segments of {len(names)} people; gain {(other - own).mean():.4f}, 95 % {between.low:.4f}.."
        f"{between.high:.4f}, expected above 0; no formula"
    )
    surely_no_nearer = between.high <= 0
    return Control("chance", about, said + (": are targets mixed up?" if surely_no_nearer else ""), between.high > 0)


def checked(count: int) -> NDArray[np.int64]:
    """Places of equally spaced ones of `count` pictures, at most CHECKED."""
    return np.unique(np.linspace(0, count - 1, min(count, CHECKED)).astype(np.int64))


def kernel_itself(name: str, real: NDArray[np.float64]) -> Control:
    """The kernel distance of features (N, D) from themselves, which its formula gives by their lengths and their sum.

    With k = (x y / D + 1)^3 and pairs of one picture in the cross term alone, 2 / N times what k is for two different
    pictures less what it is for one, in the mean: below 0.
    """
    count, dimension = real.shape
    own = (((real**2).sum(1) / dimension + 1) ** 3).mean()
    others = np.mean([((np.delete(real, at, 0) @ one / dimension + 1) ** 3).mean() for at, one in enumerate(real)])
    found, expected = kernel_distance(real, real), 2 / count * (others - own)
    said = f"{name} of the real faces from themselves is {found:.6g}, {expected:.6g} by formula"
    return Control("oracle", name, said, bool(abs(found - expected) <= OFF * max(abs(own), 1.0)))


def shuffled_sets(
    name: str,
    distance: Distance,
    real: NDArray[np.float64],
    thermal: NDArray[np.float64],
    formula: float | None,
    seed: int = 0,
) -> Control:
    """Features of real and thermal faces, (N, D) both, with what is real shuffled over all of them: chance.

    An unbiased distance is `formula` in the mean, and fails where the shuffles are not by `TOLERATED` standard errors.
    One without a formula (None) fails where the sets as they are lie no farther apart than shuffled ones.
    """
    random, both = np.random.default_rng(seed), np.concatenate([real, thermal])
    found = []
    for _ in range(SHUFFLES):
        both = random.permutation(both)
        found.append(distance(both[: len(real)], both[len(real) :]))
    mean, error, apart = np.mean(found), np.std(found, ddof=1) / SHUFFLES**0.5, distance(real, thermal)
    said = f"{name} with what is real shuffled is {mean:.4g}, {apart:.4g} as it is; "
    if formula is None:
        return Control("chance", name, f"{said}no formula, expected less", bool(mean < apart))
    right = abs(mean - formula) <= TOLERATED * error + OFF
    return Control("chance", name, f"{said}{formula:.4g} by formula", bool(right))


def itself(name: str, distance: Distance, real: NDArray[np.float64]) -> Control:
    """The real features (N, D) from themselves; it fails unless the distance is 0 but for rounding."""
    found, variance = distance(real, real), float(real.var(0).sum())
    said = f"{name} of the real faces from themselves is {found:.2g}, expected 0"
    return Control("oracle", name, said, abs(found) <= OFF * max(variance, 1.0))


def halves(
    name: str,
    distance: Distance,
    real: NDArray[np.float64],
    thermal: NDArray[np.float64],
    people: NDArray[np.str_],
    seed: int = 0,
) -> Control:
    """Real features (N, D) of one half of the people from those of the other half, and from the other's thermal ones.

    Both sets have as many pictures of as many people, so that what a distance owes to their number is in both. It
    fails where the thermal faces are no farther: then the judge cannot tell such sets apart.
    """
    names, random = np.unique(people), np.random.default_rng(seed)
    apart: list[tuple[float, float]] = []
    for _ in range(DEALS):
        first = np.isin(people, random.permutation(names)[: len(names) // 2])
        if min(first.sum(), (~first).sum()) < 2:
            return Control("judge", name, f"{len(names)} people are too few to be dealt into two halves", False)
        apart.append((distance(real[first], real[~first]), distance(real[first], thermal[~first])))
    same, far = np.mean(apart, axis=0)
    said = (
        f"{name} of real faces from those of the other half of the people is {same:.4g}, from the other half's thermal "
        f"ones {far:.4g}, mean of {DEALS} deals of {len(names)} people; expected less"
    )
    said += "" if same < far else ": this judge cannot tell such sets apart"
    return Control("judge", name, said, bool(same < far))
