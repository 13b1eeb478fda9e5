"""Table 5 of SF2F (Bai et al.): resolution of the drawn faces."""

from ..loaders.folder import Folder
from .core.bench import BenchOptions
from .core.drawn_faces import Drawing, PaperTable, drawn_table, score_drawings
from .core.table import Measured, Table

TITLE = "SF2F, Table 5: resolution of the drawn faces"
DATASETS = ("hq_voxceleb",)
CONFIGS = ("faces", "voices")
NEEDS = "checkpoints of sf2f and voice2face, a judge of faces (--judge); a judge of classes (--class-judge, --models)"
TRAININGS = (
    "sf2f",
    "sf2f --stage fuser --initial networks={out}/sf2f-encoder-64/seed0/best.pt",
    "sf2f --sides 128",
    "sf2f --stage fuser --sides 128 --initial networks={out}/sf2f-encoder-128/seed0/best.pt",
    "sf2f --sides 64+128",
    "sf2f --stage fuser --sides 64+128 --initial networks={out}/sf2f-encoder-64-128/seed0/best.pt",
)

DRAWINGS = (
    Drawing(
        ("single resolution 64", "5 s"),
        "sf2f-fuser-64",
        5.0,
        "sf2f --stage fuser --initial networks={out}/sf2f-encoder-64/seed0/best.pt",
    ),
    Drawing(
        ("single resolution 128", "5 s"),
        "sf2f-fuser-128",
        5.0,
        "sf2f --stage fuser --sides 128 --initial networks={out}/sf2f-encoder-128/seed0/best.pt",
    ),
    Drawing(
        ("multi-resolution 128", "5 s"),
        "sf2f-fuser-64-128",
        5.0,
        "sf2f --stage fuser --sides 64+128 --initial networks={out}/sf2f-encoder-64-128/seed0/best.pt",
    ),
)

PUBLISHED = {
    ("single resolution 64", "5 s"): {
        "cosine": 0.317,
        "L1": 17.91,
        "R@1": 5.75,
        "R@2": 9.32,
        "R@5": 20.36,
        "R@10": 36.65,
        "VGGFace Score": 19.49,
    },
    ("single resolution 128", "5 s"): {
        "cosine": 0.278,
        "L1": 18.54,
        "R@1": 5.02,
        "R@2": 8.6,
        "R@5": 19.43,
        "R@10": 32.25,
        "VGGFace Score": 18.53,
    },
    ("multi-resolution 128", "5 s"): {
        "cosine": 0.313,
        "L1": 17.46,
        "R@1": 6.1,
        "R@2": 9.25,
        "R@5": 18.77,
        "R@10": 35.38,
        "VGGFace Score": 20.1,
    },
}
FLAGS: dict[tuple[tuple[str, str], str], str] = {
    (
        ("single resolution 128", "5 s"),
        score,
    ): "R@K and VGGFace Score are those of Table 4's row 1-1.5 s: perhaps copied"
    for score in ("R@1", "R@2", "R@5", "R@10", "VGGFace Score")
}


def run(options: BenchOptions) -> Table:
    """Scores of drawn faces beside the printed ones. Raises FolderError, ValueError."""
    paper = PaperTable(__name__.rpartition(".")[2], TITLE, DRAWINGS, PUBLISHED, FLAGS)
    return drawn_table(paper, measure(Folder(options.data), options), options)


# --- measuring: nothing below knows what the paper printed ---


def measure(folder: Folder, options: BenchOptions) -> dict[tuple[tuple[str, str], str], Measured]:
    """Scores by row; see `score_drawings`."""
    return score_drawings(folder, DRAWINGS, options)
