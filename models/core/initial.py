"""Parts of a model that begin with weights trained before: `facevox train MODEL --initial PART=CHECKPOINT`."""

from hashlib import file_digest
from pathlib import Path

from .checkpoint import load
from .model import Model


def chosen(text: str) -> dict[str, Path]:
    """`part=checkpoint,part=checkpoint` as a mapping. Raises ValueError for any other form."""
    found: dict[str, Path] = {}
    for piece in filter(None, text.split(",")):
        part, mark, path = piece.partition("=")
        if not (mark and part and path) or part in found:
            raise ValueError(f"initial {text!r}: expected PART=CHECKPOINT, several with commas, each part once")
        found[part] = Path(path)
    return found


def begin(model: Model, text: str) -> str:
    """Load what `text` names into the model's parts; returns names and digests of the checkpoints, for the record.

    Raises ValueError for a part that the model does not have or needs and was not given, a checkpoint of another model
    than the part's, or weights of other shapes.
    """
    given = chosen(text)
    if unknown := sorted(given.keys() - model.parts.keys()):
        known = ", ".join(model.parts) or "none"
        raise ValueError(f"initial {unknown[0]!r}: {model.name} has no such part; its parts: {known}")
    for part, source in model.parts.items():
        if part not in given:
            raise ValueError(
                f"{model.name} begins with a trained {part}: `facevox train {source.model}` makes one; then give "
                f"--initial {part}=RUNS/{source.model}/seed0/best.pt"
            )
        _fill(model, part, given[part])
    return ",".join(f"{part}={_digest(path)}" for part, path in sorted(given.items()))


def _fill(model: Model, part: str, path: Path) -> None:
    if not path.is_file():
        raise ValueError(f"initial {part}: no file {path}")
    source, state = model.parts[part], load(path)
    if state["model"] != source.model:
        raise ValueError(f"initial {part}: {path} is of {state['model']}, expected a checkpoint of {source.model}")
    own = {name.removeprefix(source.prefix): value for name, value in state["weights"].items()}
    module = model.get_submodule(part)
    expected = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    wrong = [name for name, shape in expected.items() if name not in own or tuple(own[name].shape) != shape]
    if wrong or len(own) != len(expected):
        name = (wrong or sorted(own.keys() - expected.keys()))[0]
        there, here = (
            tuple(tensors[name].shape) if name in tensors else "absent" for tensors in (own, module.state_dict())
        )
        raise ValueError(
            f"initial {part}: {path} was trained with other options than {model.name} has now: {name} is {there} in "
            f"it, {here} here"
        )
    module.load_state_dict(own)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()[:16]
