"""The card of an exported model: data, training command, metrics, intended use, limits; in the Hub's form."""

import importlib
import shlex
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import yaml

from .model import Model
from .networks import NETWORKS
from .train_options import TrainOptions

TERMS = (
    "This model was trained on faces, voices or heat pictures of people. Whoever asks for it states who they are and "
    "what for, and will not use it to find, name, watch or rate anybody."
)
ASKED = {
    "Name": "text",
    "Affiliation": "text",
    "Purpose": "text",
    "I have read the sections Intended use and Limits of the card": "checkbox",
    "I will try to identify nobody with it": "checkbox",
}
LIMITS = (
    "It knows only people, languages, cameras and microphones like those of its training data; nothing is known of how "
    "it does on others, and it errs more on groups that the data has few of.",
    "Whoever it is run on should have agreed to that. It is no evidence of who somebody is, of gender, age or origin.",
    "Trained on forged people, it says nothing about real ones.",
)


def card(model: Model, facts: Mapping[str, Any], differences: Mapping[str, float | None], data: str = "") -> str:
    """Markdown with the Hub's head. `data` names the training data; `differences` are those of the ONNX files."""
    title = f"{model.name}{f' ({model.variant})' if model.variant else ''}"
    about = (importlib.import_module(type(model).__module__).__doc__ or "").strip().splitlines()[0]
    sections = {
        "": "\n\n".join(filter(None, (about, f"**{model.warning}**" if model.warning else "", _size(facts)))),
        "Training data": _data(model, facts, data),
        "Training command": f"```bash\n{command(model, facts)}\n```",
        "Metrics": _metrics(facts),
        "Intended use": model.intended,
        "Limits": "\n".join(f"- {limit}" for limit in (*model.limits, *LIMITS)),
        "Use": _use(model, facts, differences),
    }
    body = "\n\n".join((f"## {name}\n\n" if name else f"# {title}\n\n") + text for name, text in sections.items())
    return f"---\n{yaml.safe_dump(_head(model), sort_keys=False, allow_unicode=True)}---\n\n{body}\n"


def command(model: Model, facts: Mapping[str, Any]) -> str:
    """The `facevox train` that makes this model, places left as words in capitals."""
    words: list[str] = ["facevox", "train", model.name, "--data", "FOLDER", "--out", "RUNS"]
    asked = facts.get("asked") or {"epochs": facts["trained"]["epochs"]}
    # A run that counts steps has no epochs to name: they would turn its count of steps off.
    words += ["--epochs", str(asked["epochs"])] if asked["epochs"] else []
    words += _differing(asked, TrainOptions("", "", ""), ("epochs",))
    words += ["--seed", str(facts.get("seed", 0)), "--batch-size", str(facts.get("batch_size", 0))]
    # A config can be named only where one is read.
    words += ["--config", facts["config"]] if facts.get("config") and "," not in facts["config"] else []
    words += ["--where", "FILTER"] if facts.get("where_sha256") else []
    words += ["--limit", str(facts["limit"])] if facts.get("limit") else []
    if facts.get("initial"):
        given = ",".join(f"{part}={_public(model, part, digest) or 'CHECKPOINT'}" for part, digest in _begun(facts))
        words += ["--initial", given]
    words += _differing(facts["options"], model.options_type())
    return shlex.join(words)


def _differing(values: Mapping[str, Any], usual: Any, without: tuple[str, ...] = ()) -> list[str]:
    """Flags and words of those values that are not the usual ones."""
    words: list[str] = []
    for option in fields(usual):
        value, flag = values.get(option.name), "--" + option.name.replace("_", "-")
        if value is None or value == getattr(usual, option.name) or option.name in without:
            continue
        if isinstance(value, bool):
            words.append(flag if value else "--no-" + flag[2:])
        else:
            words += [f"{flag}={value}"] if str(value).startswith("-") else [flag, str(value)]
    return words


def _begun(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Parts that began trained, with the first digits of their files' SHA-256."""
    pieces = (piece.partition("=") for piece in filter(None, facts.get("initial", "").split(",")))
    return [(part, digest) for part, _, digest in pieces]


def _public(model: Model, part: str, digest: str) -> str:
    """Name of the public network that a part began with; empty for a checkpoint, or where the file is not known."""
    source = model.parts.get(part)
    if source is None or not source.network:
        return ""
    known = NETWORKS[source.network].sha256
    return source.network if not source.model or (known and known.startswith(digest)) else ""


def _head(model: Model) -> dict[str, Any]:
    return {
        "library_name": "facevox",
        "license": "other",
        "license_name": "as-the-training-data",
        "tags": ["facevox", model.name, "biometrics"],
        "extra_gated_prompt": TERMS,
        "extra_gated_fields": ASKED,
    }


def _size(facts: Mapping[str, Any]) -> str:
    people = f"; learned to tell {facts['people']:,} people apart" if facts["people"] else ""
    return f"{facts['parameters']:,} parameters{people}. Made with facevox {facts['facevox']}, torch {facts['torch']}."


def _data(model: Model, facts: Mapping[str, Any], data: str) -> str:
    lines = [data] if data else []
    config = f"config `{facts['config']}`" if facts.get("config") else "all configs"
    lines.append(f"A folder that `facevox build` made, digest `{facts.get('folder', 'unknown')}`, {config}.")
    if facts.get("where_sha256"):
        lines.append(f"Of it only what a filter chose, of SHA-256 `{facts['where_sha256']}`.")
    if facts.get("limit"):
        lines.append(f"Of each split at most {facts['limit']:,} samples.")
    if facts.get("initial"):
        lines.append(f"Parts began trained, by the first digits of their files' SHA-256: `{facts['initial']}`.")
    lines += _licences(model, facts)
    return "\n".join(lines)


def _licences(model: Model, facts: Mapping[str, Any]) -> list[str]:
    """A line for each part that began, or may have begun, as a public network."""
    lines = []
    for part, digest in _begun(facts):
        source = model.parts.get(part)
        if source is None or not source.network:
            continue
        sure = "began" if _public(model, part, digest) else "may have begun"
        use = "It judged in training and is not in the files" if part in model.training_only else "It is in the files"
        licence = NETWORKS[source.network].licence
        lines.append(f"Part `{part}` {sure} as the public network {source.network} (licence: {licence}). {use}.")
    return lines


def _metrics(facts: Mapping[str, Any]) -> str:
    found = facts["trained"]
    names = {
        "epoch": "epoch of these weights",
        "loss": "training loss of that epoch",
        "merit": "mean merit on the validation split (0 to 1, higher is better)",
        "validation_loss": "summed loss on the validation split",
        "validation_samples": "samples of the validation split",
    }
    rows = [f"| {words} | {_number(found[name])} |" for name, words in names.items() if name in found]
    if "merit" not in found:
        rows.append("| on a validation split | not measured |")
    return "\n".join(["| measured while training | value |", "| --- | --- |", *rows])


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _use(model: Model, facts: Mapping[str, Any], differences: Mapping[str, float | None]) -> str:
    lines = [
        "```python",
        "from facevox.models.core.hub import TrainedModel",
        "",
        'model = TrainedModel.from_pretrained("FOLDER OR USER/NAME").model',
        "```",
    ]
    networks = model.portable()
    for file, difference in differences.items():
        network = networks[file.removesuffix(".onnx")]
        checked = "not compared" if difference is None else f"within {difference:.0e} of the network"
        lines += ["", f"`{file}` ({checked}, batch of any size): {network.about}"]
    return "\n".join(lines)
