"""Parts of a model that begin with weights trained before: `facevox train MODEL --initial PART=SOURCE`."""

import re
from collections.abc import Mapping, Sequence
from hashlib import file_digest
from pathlib import Path

from torch import Tensor

from .checkpoint import load
from .model import Model, Pretrained, Renames
from .networks import NETWORKS
from .pretrained import locate, part_tensors, sha256


def chosen(text: str) -> dict[str, str]:
    """`part=source,part=source` as a mapping. Raises ValueError for any other form."""
    found: dict[str, str] = {}
    for piece in filter(None, text.split(",")):
        part, mark, source = piece.partition("=")
        if not (mark and part and source) or part in found:
            raise ValueError(f"initial {text!r}: expected PART=CHECKPOINT, several with commas, each part once")
        found[part] = source
    return found


def begin(model: Model, text: str, models: Path | None = None, people: Sequence[str] = ()) -> str:
    """Load what `text` names into the model's parts; returns names and digests of the sources, for the record.

    A source is a checkpoint of the part's model, or the name of the part's registered public network, whose file is
    looked for in the folder `models` first. `people` are those that the model tells apart. Sets `model.begun`. Raises
    ValueError for a part that the model does not have or needs and was not given, another source than the part's,
    weights of other shapes, or a part that tells other people apart; for a public network also what `locate` raises.
    """
    given = chosen(text)
    parts = {part: source for part, source in model.parts.items() if _there(model, part)}
    if unknown := sorted(given.keys() - parts.keys()):
        known = ", ".join(parts) or "none"
        absent = "; with these options it has none" if unknown[0] in model.parts else ""
        raise ValueError(f"initial {unknown[0]!r}: {model.name} has no such part; its parts: {known}{absent}")
    for part, source in parts.items():
        if part not in given and source.required:
            raise ValueError(f"{model.name} begins with a trained {part}: {_advice(part, source)}")
    told = []
    for part, name in sorted(given.items()):
        weights, digest = _read(model, part, name, models, people)
        _fill(model, part, name, weights)
        told.append(f"{part}={digest}")
    model.begun = frozenset(given)
    return ",".join(told)


def _there(model: Model, part: str) -> bool:
    return any(name == part for name, _ in model.named_modules())


def _advice(part: str, source: Pretrained) -> str:
    made = f"`facevox train {source.model}` makes one; then give --initial {part}=RUNS/{source.model}/seed0/best.pt"
    public = f"--initial {part}={source.network} takes the public network"
    ways = [made] * bool(source.model) + [public] * bool(source.network) + [source.without] * bool(source.without)
    return "; or ".join(ways)


def _read(
    model: Model, part: str, name: str, models: Path | None, people: Sequence[str]
) -> tuple[Mapping[str, Tensor], str]:
    """The part's weights in a source, by their names in the part, and the first 16 digits of the source's SHA-256."""
    source = model.parts[part]
    if name in NETWORKS and not Path(name).is_file():
        if name != source.network:
            raise ValueError(f"initial {part}: {name} is another network; {_advice(part, source)}")
        digest = sha256(locate(name, models))[:16]
        weights = part_tensors(name, models, source.network_prefix)
        return {_renamed(key, source.network_names): value for key, value in weights.items()}, digest
    path = Path(name)
    if not path.is_file():
        raise ValueError(f"initial {part}: no file {path}")
    state = load(path)
    if not source.model or state["model"] != source.model:
        raise ValueError(f"initial {part}: {path} is of {state['model']}, expected {_expected(source)}")
    if source.tells_people:
        _check_people(part, path, state.get("people", ()), people)
    own = {key[len(source.prefix) :]: value for key, value in state["weights"].items() if key.startswith(source.prefix)}
    return own, _digest(path)


def _check_people(part: str, path: Path, there: Sequence[str], here: Sequence[str]) -> None:
    """Shapes say only how many people the heads of a part name, not whom."""
    if tuple(there) != tuple(here):
        others = len(set(there) ^ set(here))
        differ = f"{others} of them in one of the two only" if others else "in another order"
        raise ValueError(
            f"initial {part}: {path} tells {len(there)} people apart, this run {len(here)}, {differ}: its outputs "
            "would stand for the wrong people. Give one trained on the same --data with the same --where"
        )


def _renamed(name: str, patterns: Renames) -> str:
    for pattern, put in patterns:
        name = re.sub(pattern, put, name)
    return name


def _expected(source: Pretrained) -> str:
    made = f"a checkpoint of {source.model}"
    public = f"the name of the public network {source.network}"
    return " or ".join([made] * bool(source.model) + [public] * bool(source.network))


def _fill(model: Model, part: str, name: str, own: Mapping[str, Tensor]) -> None:
    module = model.get_submodule(part)
    expected = module.state_dict()
    # How many batches were seen is not used once trained, and old public files do not say.
    counts = {key: value for key, value in expected.items() if key.endswith("num_batches_tracked")}
    own = {**counts, **own}
    wrong = [key for key, value in expected.items() if key not in own or own[key].shape != value.shape]
    if wrong or len(own) != len(expected):
        key = (wrong or sorted(own.keys() - expected.keys()))[0]
        there, here = (tuple(tensors[key].shape) if key in tensors else "absent" for tensors in (own, expected))
        raise ValueError(
            f"initial {part}: {name} was trained with other options than {model.name} has now: {key} is {there} in "
            f"it, {here} here"
        )
    module.load_state_dict(own)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()[:16]
