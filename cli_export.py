"""`facevox export`: a trained model on its way to others."""

import argparse
from typing import Any

EXPORT = """Write a trained model for others: weights as safetensors, networks as ONNX, facts and a card.

  facevox export speech2face --checkpoint W/speech2face/seed0/best.pt --out E
  facevox export gender --checkpoint W/gender-mode7/seed0/best.pt --out E --push user/name

The card tells the digest of the training data, the training command, metrics, intended use and limits. Every ONNX file
is run by OpenCV and held against the network. --push sends the folder to a model repository of the Hugging Face Hub:
private, access granted by hand; the token is that of `hf auth login` or HF_TOKEN.
Needs: pip install 'facevox[export]'"""


def add(commands: Any) -> None:
    """Put the command among the others."""
    raw = argparse.RawDescriptionHelpFormatter
    export = commands.add_parser(
        "export", help="a trained model as ONNX and safetensors, with a card", description=EXPORT, formatter_class=raw
    )
    export.add_argument("model", help="which model the checkpoint is of", metavar="MODEL")
    export.add_argument("--checkpoint", required=True, help="best.pt or last.pt of a training run")
    export.add_argument("--out", required=True, help="the folder to write; files of an earlier export are replaced")
    export.add_argument("--formats", default="safetensors,onnx", help="one or both (default: safetensors,onnx)")
    export.add_argument("--data", default="", help="what the card calls the training data, beside its digest")
    export.add_argument("--push", default="", metavar="USER/NAME", help="send it to this model repository")
    export.add_argument("--public", action="store_true", help="let everybody see the repository's card")
    export.set_defaults(run=_export)


def _export(options: argparse.Namespace) -> int:
    from .api_export import export

    formats = tuple(filter(None, options.formats.split(",")))
    to = {"push": options.push, "public": options.public}
    found = export(options.checkpoint, options.out, model=options.model, formats=formats, data=options.data, **to)
    print(*found.lines(), sep="\n")
    return 0
