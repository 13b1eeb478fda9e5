"""Table 4 of SF2F (Bai et al.): seconds of speech that a face is drawn from."""

from ..loaders.folder import Folder
from .core.bench import BenchOptions
from .core.drawn_faces import Drawing, PaperTable, drawn_table, score_drawings
from .core.table import Measured, Table

TITLE = "SF2F, Table 4: seconds of speech that a face is drawn from"
DATASETS = ("hq_voxceleb",)
CONFIGS = ("faces", "voices")
NEEDS = "checkpoints of sf2f and voice2face, a judge of faces (--judge); a judge of classes (--class-judge, --models)"
TRAININGS = ("sf2f",)

DRAWINGS = (
    Drawing(("SF2F without fuser", "0.5-1 s"), "sf2f-encoder-64", 0.75, "sf2f"),
    Drawing(("SF2F without fuser", "1-1.5 s"), "sf2f-encoder-64", 1.25, "sf2f"),
    Drawing(("SF2F without fuser", "1.5-3 s"), "sf2f-encoder-64", 2.25, "sf2f"),
    Drawing(("SF2F without fuser", "3-6 s"), "sf2f-encoder-64", 4.5, "sf2f"),
    Drawing(("SF2F without fuser", "6-10 s"), "sf2f-encoder-64", 8.0, "sf2f"),
)

PUBLISHED = {
    ("SF2F without fuser", "0.5-1 s"): {
        "cosine": 0.23,
        "L1": 21.85,
        "R@1": 4.67,
        "R@2": 8.38,
        "R@5": 15.4,
        "R@10": 26.05,
        "VGGFace Score": 18.17,
    },
    ("SF2F without fuser", "1-1.5 s"): {
        "cosine": 0.296,
        "L1": 18.51,
        "R@1": 5.02,
        "R@2": 8.6,
        "R@5": 19.43,
        "R@10": 32.25,
        "VGGFace Score": 18.53,
    },
    ("SF2F without fuser", "1.5-3 s"): {
        "cosine": 0.294,
        "L1": 18.79,
        "R@1": 4.96,
        "R@2": 8.78,
        "R@5": 18.59,
        "R@10": 29.88,
        "VGGFace Score": 18.67,
    },
    ("SF2F without fuser", "3-6 s"): {
        "cosine": 0.274,
        "L1": 19.21,
        "R@1": 4.33,
        "R@2": 8.43,
        "R@5": 17.1,
        "R@10": 30.14,
        "VGGFace Score": 18.05,
    },
    ("SF2F without fuser", "6-10 s"): {
        "cosine": 0.227,
        "L1": 21.92,
        "R@1": 3.34,
        "R@2": 6.58,
        "R@5": 14.73,
        "R@10": 26.92,
        "VGGFace Score": 18.4,
    },
}


def run(options: BenchOptions) -> Table:
    """Scores of drawn faces beside the printed ones. Raises FolderError, ValueError."""
    paper = PaperTable(__name__.rpartition(".")[2], TITLE, DRAWINGS, PUBLISHED)
    return drawn_table(paper, measure(Folder(options.data), options), options)


# --- measuring: nothing below knows what the paper printed ---


def measure(folder: Folder, options: BenchOptions) -> dict[tuple[tuple[str, str], str], Measured]:
    """Scores by row; see `score_drawings`."""
    return score_drawings(folder, DRAWINGS, options)
