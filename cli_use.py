"""Commands that use trained models: `facevox match`."""

import argparse

MATCH = """Rank the pictures of a folder by how well their faces fit a voice.

The score says which of these faces fits the voice better than the others of the folder. It is no evidence of who
somebody is: of two faces of people never seen the published model chooses the right one 84 times in 100, and gender
alone settles every second of those choices. Do not use it to identify people."""

MATCH_EXAMPLES = """examples:
  facevox train vfmr --data O --out W --initial voice=W0/vfmr-voice-netvlad/seed0/best.pt
  facevox match vfmr voice.wav faces/ --checkpoint W/vfmr-joint-netvlad-ir50/seed0/best.pt
  facevox match vfmr voice.wav crops/ --checkpoint C --detector none      pictures that are faces already"""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands to the command line."""
    raw = argparse.RawDescriptionHelpFormatter
    text = "rank faces by how well they fit a voice"
    parser = commands.add_parser("match", help=text, description=MATCH, epilog=MATCH_EXAMPLES, formatter_class=raw)
    parser.add_argument("model", help="which model: vfmr", metavar="MODEL")
    parser.add_argument("voice", help="a recording, WAV or FLAC of 16 bits", metavar="VOICE")
    parser.add_argument("faces", help="a folder of pictures", metavar="FACES")
    parser.add_argument("--checkpoint", required=True, help="best.pt of the training")
    parser.add_argument(
        "--detector", default="mtcnn", help="finds the largest face; none: pictures are face crops (default: mtcnn)"
    )
    parser.add_argument(
        "--box-scale",
        type=float,
        default=1.0,
        help="side of the square crop over the longer side of the face's box, as the data were built (default: 1.0)",
    )
    parser.add_argument("--models", default="", help="folder with detectors' files, looked through before the packages")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    parser.set_defaults(run=_match)


def _match(options: argparse.Namespace) -> int:
    from .api_use import match

    how = {name: getattr(options, name) for name in ("detector", "box_scale", "models", "device")}
    found = match(options.model, options.voice, options.faces, checkpoint=options.checkpoint, **how)
    print("rank  score   face")
    for rank, one in enumerate(found.ranked, start=1):
        print(f"{rank:4d}  {one.score:+.3f}  {one.name}")
    for name, reason in found.left_out.items():
        print(f"left out: {name}: {reason}")
    return 0
