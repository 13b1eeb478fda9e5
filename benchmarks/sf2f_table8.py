"""Table 8 of SF2F (Bai et al.): faces drawn from voices, filtered VGGFace."""

from ..loaders.folder import Folder
from .core.bench import BenchOptions
from .core.drawn_faces import BY_SECONDS as DRAWINGS
from .core.drawn_faces import PaperTable, drawn_table, score_drawings
from .core.table import Measured, Table

TITLE = "SF2F, Table 8: faces drawn from voices, filtered VGGFace"
DATASETS = ("vox_vgg",)
CONFIGS = ("faces", "voices")
NEEDS = "checkpoints of sf2f and voice2face, a judge of faces (--judge); a judge of classes (--class-judge, --models)"
TRAININGS = (
    "voice2face --preset v2f_sf2f",
    "sf2f",
    "sf2f --stage fuser --initial networks={out}/sf2f-encoder-64/seed0/best.pt",
)

PUBLISHED = {
    ("random", "-"): {"R@1": 1.0, "R@2": 2.0, "R@5": 5.0, "R@10": 10.0},
    ("voice2face", "1.25 s"): {
        "cosine": 0.164,
        "L1": 26.45,
        "R@1": 1.46,
        "R@2": 3.12,
        "R@5": 7.25,
        "R@10": 20.71,
        "VGGFace Score": 12.94,
    },
    ("SF2F without fuser", "1.25 s"): {
        "cosine": 0.251,
        "L1": 21.23,
        "R@1": 1.81,
        "R@2": 4.05,
        "R@5": 9.77,
        "R@10": 18.56,
        "VGGFace Score": 16.62,
    },
    ("voice2face", "5 s"): {
        "cosine": 0.165,
        "L1": 26.42,
        "R@1": 1.45,
        "R@2": 3.17,
        "R@5": 7.89,
        "R@10": 15.43,
        "VGGFace Score": 12.72,
    },
    ("SF2F without fuser", "5 s"): {
        "cosine": 0.248,
        "L1": 21.46,
        "R@1": 1.77,
        "R@2": 3.98,
        "R@5": 9.75,
        "R@10": 18.36,
        "VGGFace Score": 16.49,
    },
    ("SF2F", "5 s"): {
        "cosine": 0.267,
        "L1": 19.94,
        "R@1": 1.96,
        "R@2": 4.21,
        "R@5": 10.67,
        "R@10": 21.34,
        "VGGFace Score": 16.73,
    },
}
FLAGS: dict[tuple[tuple[str, str], str], str] = {
    (("voice2face", "1.25 s"), "R@10"): "above SF2F's 18.56, though the text says that SF2F is ahead everywhere"
}


def run(options: BenchOptions) -> Table:
    """Scores of drawn faces beside the printed ones. Raises FolderError, ValueError."""
    paper = PaperTable(__name__.rpartition(".")[2], TITLE, DRAWINGS, PUBLISHED, FLAGS)
    return drawn_table(paper, measure(Folder(options.data), options), options)


# --- measuring: nothing below knows what the paper printed ---


def measure(folder: Folder, options: BenchOptions) -> dict[tuple[tuple[str, str], str], Measured]:
    """Scores by row; see `score_drawings`."""
    return score_drawings(folder, DRAWINGS, options)
