"""Planted faults of recording: which clips freeze, blur, lose a chin, hum, mislead, jump or deviate."""

from dataclasses import replace

import numpy as np

from .clips import ARTIFACTS, JUMPS, Clip, ForgeOptions, Segment, split_of

_RATE = 0.03
"""Share of the utterances per kind of artifact; at least one each from 12 utterances on."""
_FREEZE_LEAST = 10


def with_artifacts(options: ForgeOptions, clips: list[Clip]) -> list[Clip]:
    """The same clips, some of them with one artifact each; silent clips stay clean."""
    spoken = [place for place, clip in enumerate(clips) if clip.session == 2]
    random = np.random.default_rng([options.seed, 5])
    order = [spoken[place] for place in random.permutation(len(spoken))]
    each = max(1, round(_RATE * len(spoken))) if len(spoken) >= 12 else 0
    kinds = [kind for kind in ARTIFACTS for _ in range(each)]
    if not each:
        kinds = list(ARTIFACTS[: len(spoken) // 2])
    found = list(clips)
    for kind in kinds:
        # A jump is published by a rule, and no rules are published for the test split.
        fit = (place for place in order if kind != "jump" or split_of(clips[place].subject) != "test")
        place = next(fit, None)
        if place is None:
            continue
        order.remove(place)
        found[place] = _spoiled(options, clips[place], kind)
    return found


def _spoiled(options: ForgeOptions, clip: Clip, kind: str) -> Clip:
    random = np.random.default_rng([options.seed, clip.subject, clip.trial, clip.position, clip.command, 6])
    frames, span = clip.frames, (1, clip.frames)
    if kind == "freeze":
        run = min(frames, max(_FREEZE_LEAST, 3 * frames // 5))
        first = int(random.integers(1, frames - run + 2))
        span = (first, first + run - 1)
    elif kind in ("blur", "both"):
        run = max(2, frames // 2)
        first = int(random.integers(1, frames - run + 2))
        span = (first, first + run - 1)
    elif kind == "text":
        words = clip.text.split()
        words.insert(int(random.integers(1, len(words))), "uh")
        return replace(clip, artifact=kind, said=" ".join(words))
    elif kind == "jump":
        far = int(random.choice(JUMPS, p=(0.7, 0.2, 0.1))) + int(random.integers(-3, 4))
        dx, dy = round(far * options.scale), clip.segments[0].dy
        base = clip.segments[0]
        segments = (replace(base, last=1), Segment(2, 2, dx, dy, "jump"), replace(base, first=3))
        return replace(clip, artifact=kind, span=(2, 2), segments=segments)
    return replace(clip, artifact=kind, span=span)


def with_deviations(options: ForgeOptions, clips: list[Clip]) -> list[Clip]:
    """Some clips of train and valid with a shift of their own, over all frames or from some frame on.

    A command that comes twice at one position keeps the default: a rule could not tell the two apart.
    """
    found = list(clips)
    random = np.random.default_rng([options.seed, 7])
    free = [
        place
        for place, clip in enumerate(clips)
        if clip.session == 2 and len(clip.segments) == 1 and split_of(clip.subject) != "test"
    ]
    chosen = [free[place] for place in random.permutation(len(free))[: max(2, len(free) // 12)]]
    for count, place in enumerate(sorted(chosen)):
        clip, base = clips[place], clips[place].segments[0]
        step = int(random.choice((-6, -4, -3, 3, 4, 6)))
        dy = max(1, base.dy + (round(step * options.scale) or 1))
        dx = base.dx + int(random.integers(-1, 2))
        if count % 2 == 0:
            parts: tuple[Segment, ...] = (Segment(1, clip.frames, dx, dy, "command"),)
        else:
            cut = max(2, clip.frames // 2)
            parts = (Segment(1, cut, dx, dy, "frames"), replace(base, first=cut + 1))
        found[place] = replace(clip, segments=parts)
    return found
