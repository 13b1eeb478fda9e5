"""Commands that use trained models: `facevox match` and `facevox translate`."""

import argparse

MATCH = """Rank the pictures of a folder by how well their faces fit a voice.

The score says which of these faces fits the voice better than the others of the folder. It is no evidence of who
somebody is: of two faces of people never seen the published model chooses the right one 84 times in 100, and gender
alone settles every second of those choices. Do not use it to identify people."""

MATCH_EXAMPLES = """examples:
  facevox train vfmr --data O --out W --initial voice=W0/vfmr-voice-netvlad/seed0/best.pt
  facevox match vfmr voice.wav faces/ --checkpoint W/vfmr-joint-netvlad-ir50/seed0/best.pt
  facevox match vfmr voice.wav crops/ --checkpoint C --detector none      pictures that are faces already"""

TRANSLATE = """Make visual faces of thermal ones, by a trained CycleGAN or CUT.

What comes out is a guess that looks like the training people: the thermal picture does not hold colours, eyes or skin.
With the paper's data and 128 pixels dlib knew 35 in 100 people again in CycleGAN's pictures (98 in real ones). Do not
use it to identify people."""

TRANSLATE_EXAMPLES = """examples:
  facevox build speakingfaces --raw R --out O --config pairs
  facevox train cyclegan --data O --out W --validate-every 0
  facevox translate cyclegan thermal.png --checkpoint W/cyclegan/seed0/best.pt      writes thermal-visual.png
  facevox translate cyclegan crops/ --checkpoint W/cyclegan/seed0/best.pt --out made/
  facevox translate cyclegan --data O --checkpoint W/cyclegan/seed0/best.pt --beside W/cut/seed0/best.pt --out f9.png"""


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
    _add_translate(commands)


def _add_translate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    raw = argparse.RawDescriptionHelpFormatter
    text = "make visual faces of thermal ones"
    parser = commands.add_parser(
        "translate", help=text, description=TRANSLATE, epilog=TRANSLATE_EXAMPLES, formatter_class=raw
    )
    parser.add_argument("model", help="which model: cyclegan or cut", metavar="MODEL")
    parser.add_argument("thermal", nargs="?", default="", help="a thermal face crop, or a folder of them")
    parser.add_argument("--checkpoint", required=True, help="best.pt of the training")
    parser.add_argument("--out", default="", help="what to write (default: THERMAL-visual.png, or folder, here)")
    parser.add_argument("--data", default="", help="draw the paper's figure 9 of this built folder instead")
    parser.add_argument("--split", default="test", help="with --data: whose faces (default: test)")
    parser.add_argument(
        "--beside", action="append", default=[], metavar="CHECKPOINT", help="with --data: another model's column"
    )
    parser.set_defaults(run=_translate)


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


def _translate(options: argparse.Namespace) -> int:
    from .api_use import translate, translation_figure

    if bool(options.data) == bool(options.thermal):
        raise ValueError("translate needs one of THERMAL, a picture or folder, and --data, a built folder")
    if options.data:
        how = {"checkpoint": options.checkpoint, "beside": options.beside, "split": options.split}
        print(translation_figure(options.model, options.data, out=options.out or "figure9.png", **how))
        return 0
    written, left_out = translate(options.model, options.thermal, checkpoint=options.checkpoint, out=options.out)
    print(*written, sep="\n")
    for name, reason in left_out.items():
        print(f"left out: {name}: {reason}")
    return 0
