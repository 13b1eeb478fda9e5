"""Names a user typed, held against those there are."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


def nearest(word: str, known: Sequence[str]) -> str:
    """'did you mean X?' where something is near, and in any case what there is."""
    close = get_close_matches(word, known, n=1, cutoff=0.5)
    return (f"did you mean {close[0]!r}? " if close else "") + f"there is: {', '.join(known)}"


def check_options(owner: str, given: Iterable[str], known: Sequence[str]) -> None:
    """Raise ValueError for an option that `owner` does not have, naming the nearest."""
    for name in given:
        if name not in known:
            raise ValueError(f"{owner} has no option {name!r}; {nearest(name, known)}")
