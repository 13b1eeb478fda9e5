"""`facevox generate`: a face from a voice."""

import argparse
from typing import Any

GENERATE = """Draw a face from a voice, by a trained SF2F, voice2face or RC-GAN.

{warning}
With the paper's data SF2F's face led to its person among 100 faces as one of the first ten 37 times in 100; by chance
it is ten times, and gender alone gives twenty."""

GENERATE_EXAMPLES = """examples:
  facevox train sf2f --data O --out W --initial face_network=facenet
  facevox train sf2f --data O --out W --stage fuser --initial networks=W/sf2f-encoder-64/seed0/best.pt,...
  facevox generate sf2f voice.wav --checkpoint W/sf2f-fuser-64/seed0/best.pt          writes voice-face.png
  facevox generate sf2f --data O --checkpoint C --beside W/voice2face-v2f_sf2f-face/seed0/best.pt --out figure5.png"""


def add(commands: Any) -> None:
    """Put the command among the others."""
    from .models.core.speech_to_face import WARNING

    text = "a face drawn from a voice; nobody's likeness"
    parser = commands.add_parser(
        "generate",
        help=text,
        description=GENERATE.format(warning=WARNING),
        epilog=GENERATE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help="which model: sf2f, voice2face or rcgan", metavar="MODEL")
    parser.add_argument("voice", nargs="?", default="", help="a recording: wav, FLAC, m4a or mp4", metavar="VOICE")
    parser.add_argument("--checkpoint", required=True, help="best.pt of the training")
    parser.add_argument("--out", default="", help="the PNG to write (default: VOICE-face.png here)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    figure = parser.add_argument_group("a figure instead, as SF2F's figure 5: true faces, and each checkpoint's")
    figure.add_argument("--data", default="", help="a built folder with voices and faces")
    figure.add_argument("--split", default="test", help="of the folder (default: test)")
    figure.add_argument("--beside", nargs="*", default=(), help="checkpoints of other runs or models")
    parser.set_defaults(run=_generate)


def _generate(options: argparse.Namespace) -> int:
    from .api_generate import generate, generation_figure

    if bool(options.data) == bool(options.voice):
        raise ValueError("give a VOICE to draw a face from, or --data for a figure; one of them")
    how: dict[str, Any] = {"checkpoint": options.checkpoint, "device": options.device}
    if options.voice:
        print(generate(options.model, options.voice, out=options.out, **how))
        return 0
    more = {"beside": options.beside, "split": options.split, "out": options.out or "figure5.png"}
    print(generation_figure(options.model, options.data, **more, **how))
    return 0
