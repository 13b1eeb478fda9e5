"""Table 7 of SF2F (Bai et al.): what each loss, network and the quality of the pictures are worth."""

from ..loaders.folder import Folder
from .core.bench import BenchOptions
from .core.drawn_faces import DIGITS, Drawing, PaperTable, drawn_table, score_drawings
from .core.table import Measured, Table

TITLE = "SF2F, Table 7: without one of the losses, networks or the good pictures"
DATASETS = ("hq_voxceleb",)
CONFIGS = ("faces", "voices")
NEEDS = (
    "checkpoints of sf2f in folders of their own, a judge of faces (--judge) and of classes (--class-judge, --models)"
)
TRAININGS = (
    "sf2f --picture 0 --out without-picture",
    "sf2f --stage fuser --picture 0 --initial networks={out}/without-picture/sf2f-encoder-64/seed0/best.pt "
    "--out without-picture",
    "sf2f --adversarial 0 --out without-adversarial",
    "sf2f --stage fuser --adversarial 0 --initial networks={out}/without-adversarial/sf2f-encoder-64/seed0/best.pt "
    "--out without-adversarial",
    "sf2f --identity 0 --out without-identity",
    "sf2f --stage fuser --identity 0 --initial networks={out}/without-identity/sf2f-encoder-64/seed0/best.pt "
    "--out without-identity",
    "sf2f --perceptual 0 --out without-perceptual",
    "sf2f --stage fuser --perceptual 0 --initial networks={out}/without-perceptual/sf2f-encoder-64/seed0/best.pt "
    "--out without-perceptual",
    "sf2f --encoder plain --out plain-encoder",
    "sf2f --stage fuser --encoder plain --initial networks={out}/plain-encoder/sf2f-encoder-64/seed0/best.pt "
    "--out plain-encoder",
    "sf2f --decoder transposed --out plain-decoder",
    "sf2f --stage fuser --decoder transposed --initial networks={out}/plain-decoder/sf2f-encoder-64/seed0/best.pt "
    "--out plain-decoder",
    "sf2f",
    "sf2f --stage fuser --initial networks={out}/sf2f-encoder-64/seed0/best.pt",
)
SECONDS = 5.0
SETTINGS = {
    "without image reconstruction": ("--picture 0", "without-picture"),
    "without adversarial loss": ("--adversarial 0", "without-adversarial"),
    "without auxiliary classifier": ("--identity 0", "without-identity"),
    "without perceptual loss": ("--perceptual 0", "without-perceptual"),
    "baseline encoder": ("--encoder plain", "plain-encoder"),
    "baseline decoder": ("--decoder transposed", "plain-decoder"),
}
"""Option of `facevox train sf2f`, and folder below --runs."""
LOW_QUALITY, FULL = "LQ dataset", "full model"


def _drawing(name: str, option: str, place: str) -> Drawing:
    first = f"sf2f {option} --out {place}"
    network = f"{{out}}/{place}/sf2f-encoder-64/seed0/best.pt"
    then = f"sf2f --stage fuser {option} --initial networks={network} --out {place}"
    return Drawing((name, "5 s"), f"{place}/sf2f-fuser-64", SECONDS, f"{first} && {then}")


DRAWINGS = (
    *(_drawing(name, *how) for name, how in SETTINGS.items()),
    Drawing(
        (FULL, "5 s"),
        "sf2f-fuser-64",
        SECONDS,
        "sf2f && sf2f --stage fuser --initial networks={out}/sf2f-encoder-64/seed0/best.pt",
    ),
)
OTHER_DATA = Drawing((LOW_QUALITY, "5 s"), "", SECONDS, "")
"""The full model trained and tested on filtered VGGFace: Table 8 of the same paper has the row."""
ELSEWHERE = (
    "facevox build vox_vgg --raw RELEASE --out O8 --splits filtered_vggface && facevox bench train --data O8 --out W8 "
    "--tables sf2f_table8 && facevox bench sf2f_table8 --data O8 --runs W8"
)


def _printed(*values: float) -> dict[str, float]:
    return dict(zip(DIGITS, values, strict=True))


PUBLISHED = {
    ("without image reconstruction", "5 s"): _printed(0.310, 21.74, 3.47, 7.26, 18.36, 31.56, 16.84),
    ("without adversarial loss", "5 s"): _printed(0.298, 20.97, 3.23, 8.70, 16.73, 32.36, 18.51),
    ("without auxiliary classifier", "5 s"): _printed(0.310, 18.13, 5.24, 8.45, 17.30, 34.28, 19.16),
    ("without perceptual loss", "5 s"): _printed(0.236, 18.22, 2.73, 5.23, 15.39, 26.37, 18.44),
    ("baseline encoder", "5 s"): _printed(0.309, 18.47, 5.54, 9.26, 19.18, 34.75, 18.89),
    ("baseline decoder", "5 s"): _printed(0.311, 18.52, 4.32, 8.56, 19.47, 34.25, 18.46),
    (LOW_QUALITY, "5 s"): _printed(0.267, 19.94, 1.96, 4.21, 10.67, 21.34, 16.73),
    (FULL, "5 s"): _printed(0.317, 17.91, 5.75, 9.32, 20.36, 36.65, 19.49),
}
FLAG = "the paper's text lost which loss is meant; told by the order of its losses"
FLAGS = {((name, "5 s"), score): FLAG for name in SETTINGS if name.startswith("without") for score in DIGITS}


def run(options: BenchOptions) -> Table:
    """Scores of drawn faces beside the printed ones. Raises FolderError, ValueError."""
    told = (*DRAWINGS[:-1], OTHER_DATA, DRAWINGS[-1])
    paper = PaperTable(__name__.rpartition(".")[2], TITLE, told, PUBLISHED, FLAGS, {OTHER_DATA: ELSEWHERE})
    return drawn_table(paper, measure(Folder(options.data), options), options)


# --- measuring: nothing below knows what the paper printed ---


def measure(folder: Folder, options: BenchOptions) -> dict[tuple[tuple[str, str], str], Measured]:
    """Scores by row; see `score_drawings`."""
    return score_drawings(folder, DRAWINGS, options)
