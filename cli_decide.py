"""The command `facevox decide`."""

import argparse
import getpass

DESCRIPTION = """Put one person's decision about one sample on record. The next `facevox build` of the folder follows it
and rebuilds only the shards concerned; until then nothing changes.

ABOUT        VERDICT             VALUE
artifact     confirm, overturn   frozen, blurred, chin_cut, flickers or noisy
trim         change              samples of sound to keep, from the beginning (44,100 a second); configs with sound
quarantine   leave out           -  (out of the next build)
quarantine   accept              -  (agreed that what the build left out stays out: no longer open)
quarantine   retry               -  (the next build tries once more what an earlier one left out)
face         leave out, keep     -  (keep: see below)
mark         note                -  (the reason is the note)

Each decision is one line added to OUT/review.jsonl, with the time and the sha256 of what the sample was. The last line
of a person about the same thing counts; --undo takes one's own back. Where people disagree nothing is applied, and the
build lists it. Decisions, with the name given by --who, become part of the built dataset: use initials where names must
not be published.

A face that people keep is taken before all others, past every threshold and beyond --max-images, where a build picks
faces from candidates. Left out it is all the same where the file cannot be read, holds no face (of several the largest
is taken), cannot be cut out (the segmenter loses the face, or the crop is too large), or where fewer than --min-images
of the person are left. Elsewhere keep is only put on record."""

EPILOG = """examples:
  facevox decide O 001_1_2_4_0117 --about artifact --value blurred --verdict overturn --reason "sharp enough" --who ann
  facevox decide O 001_1_2_4_0117 --about artifact --value blurred --undo --who ann
  facevox decide O 001_1_2_4_0117 --about trim --verdict change --value 88200 --reason "coughs at the end" --who ann
  facevox decide O 001_1_2_4_0117 --about quarantine --verdict "leave out" --reason "another person" --who ann
  facevox info O --keys                           the keys there are"""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    raw = argparse.RawDescriptionHelpFormatter
    text = "put a person's decision about a sample on record for the next build"
    parser = commands.add_parser("decide", help=text, description=DESCRIPTION, epilog=EPILOG, formatter_class=raw)
    parser.add_argument("folder", help="the built dataset folder", metavar="OUT")
    parser.add_argument("key", help="the sample, as `facevox info OUT --keys` lists it", metavar="KEY")
    parser.add_argument("--about", required=True, help="artifact, trim, quarantine, face or mark")
    parser.add_argument("--verdict", default="", help="see above")
    parser.add_argument("--value", help="see above")
    parser.add_argument("--reason", default="", help="why, in a few words")
    parser.add_argument("--who", default="", help="who decides (default: the name of the account)")
    parser.add_argument("--undo", action="store_true", help="take one's own earlier decision back")
    parser.set_defaults(run=_decide)


def _decide(options: argparse.Namespace) -> int:
    from .api import decide

    decided = decide(
        options.folder,
        options.key,
        about=options.about,
        verdict="undo" if options.undo else options.verdict,
        value=options.value,
        reason=options.reason,
        who=options.who or getpass.getuser(),
    )
    print(
        f"{decided.key}: {decided.about} {decided.value or ''} {decided.verdict}, by {decided.who}".replace("  ", " ")
    )
    print("run the build command again to apply it")
    return 0
