"""The command `facevox decide`."""

import argparse
import getpass
import sys
from pathlib import Path

DESCRIPTION = """Put one person's decision about one sample on record. The next `facevox build` of the folder follows it
and rebuilds only the shards concerned; until then nothing changes.

ABOUT        VERDICT             VALUE
artifact     confirm, overturn   frozen, blurred, chin_cut, flickers or noisy; configs that are examined for it
trim         change              samples of sound to keep, from the beginning (44,100 a second); utterances
quarantine   leave out           -  (out of the next build)
quarantine   accept              -  (agreed that what the build left out stays out: no longer open)
quarantine   retry               -  (the next build tries once more what an earlier one left out)
face         leave out, keep     -  (samples with a picture; keep: see below)
mark         note                -  (the reason is the note)

What nothing would follow is refused with the reason, such as a trim of what has no sound.

Each decision is one line added to OUT/review.jsonl, with the time and the digest of what the sample was made of: where
the release has other files for it later, the decision is out of date, and the build reports it and does not apply it.
Other options, as of the encoder, change nothing of that. The last line of a person about the same thing counts; --undo
takes one's own back. Where people disagree nothing is applied, and the build lists it; --agreement tells how far
people agree. Decisions, with the name given by --who, become part of the built dataset: use initials where names must
not be published.

A face that people keep is taken before all others, past every threshold and beyond --max-images, where a build picks
faces from candidates. Left out it is all the same where the file cannot be read, holds no face (of several the largest
is taken), cannot be cut out (the segmenter loses the face, or the crop is too large), or where fewer than --min-images
of the person are left."""

EPILOG = """examples:
  facevox decide O 001_1_2_4_0117 --about artifact --value blurred --verdict overturn --reason "sharp enough" --who ann
  facevox decide O 001_1_2_4_0117 --about artifact --value blurred --undo --who ann
  facevox decide O 001_1_2_4_0117 --about trim --verdict change --value 88200 --reason "coughs at the end" --who ann
  facevox decide O 001_1_2_4_0117 --about quarantine --verdict "leave out" --reason "another person" --who ann
  facevox decide O --agreement                    who agrees with whom, Cohen's kappa, every disagreement
  facevox info O --keys                           the keys there are"""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    raw = argparse.RawDescriptionHelpFormatter
    text = "put a person's decision about a sample on record for the next build"
    parser = commands.add_parser("decide", help=text, description=DESCRIPTION, epilog=EPILOG, formatter_class=raw)
    parser.add_argument("folder", help="the built dataset folder", metavar="OUT")
    parser.add_argument("key", nargs="?", help="the sample, as `facevox info OUT --keys` lists it", metavar="KEY")
    parser.add_argument("--about", default="", help="artifact, trim, quarantine, face or mark")
    parser.add_argument("--verdict", default="", help="see above")
    parser.add_argument("--value", help="see above")
    parser.add_argument("--reason", default="", help="why, in a few words")
    parser.add_argument("--who", default="", help="who decides (default: the name of the account)")
    parser.add_argument("--undo", action="store_true", help="take one's own earlier decision back")
    parser.add_argument("--agreement", action="store_true", help="decide nothing: tell how far people agree")
    parser.set_defaults(run=_decide)


def _decide(options: argparse.Namespace) -> int:
    from .api_review import decide

    _tell_torn(options.folder)
    if options.agreement:
        return _agreement(options.folder)
    if not options.key or not options.about:
        raise ValueError("nothing to decide: expected a KEY and --about, or --agreement")
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


def _tell_torn(folder: str) -> None:
    from .builders.core.decisions import FILE, torn

    if words := torn(Path(folder) / FILE):
        print(f"warning: {words}", file=sys.stderr)


def _agreement(folder: str) -> int:
    from .api_review import agreement
    from .builders.core.agreement import FORMULA

    found = agreement(folder)
    for one in found:
        print(one.line())
    # Artifacts are told one by one as well: each disagreement once.
    unlike = {(one.people, conflict.line()): None for one in found for conflict in one.disagreements}
    for _, line in unlike:
        print(f"  {line}")
    print(FORMULA if found else "nothing was judged by two people")
    return 0
