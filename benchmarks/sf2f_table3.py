"""Table 3 of SF2F (Bai et al.): faces of 64 pixels drawn from voices, HQ-VoxCeleb."""

from ..loaders.folder import Folder
from .core.bench import BenchOptions
from .core.drawn_faces import BY_SECONDS as DRAWINGS
from .core.drawn_faces import PaperTable, drawn_table, score_drawings
from .core.table import Measured, Table

TITLE = "SF2F, Table 3: faces of 64 pixels drawn from voices, HQ-VoxCeleb"
DATASETS = ("hq_voxceleb",)
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
        "cosine": 0.202,
        "L1": 23.46,
        "R@1": 1.77,
        "R@2": 3.55,
        "R@5": 14.6,
        "R@10": 20.33,
        "VGGFace Score": 15.47,
    },
    ("SF2F without fuser", "1.25 s"): {
        "cosine": 0.304,
        "L1": 19.22,
        "R@1": 5.32,
        "R@2": 8.1,
        "R@5": 19.27,
        "R@10": 32.8,
        "VGGFace Score": 18.59,
    },
    ("voice2face", "5 s"): {
        "cosine": 0.205,
        "L1": 23.17,
        "R@1": 1.64,
        "R@2": 3.64,
        "R@5": 15.12,
        "R@10": 20.82,
        "VGGFace Score": 15.68,
    },
    ("SF2F without fuser", "5 s"): {
        "cosine": 0.294,
        "L1": 18.51,
        "R@1": 4.11,
        "R@2": 8.38,
        "R@5": 19.43,
        "R@10": 33.97,
        "VGGFace Score": 18.54,
    },
    ("SF2F", "5 s"): {
        "cosine": 0.317,
        "L1": 17.91,
        "R@1": 5.75,
        "R@2": 9.32,
        "R@5": 20.36,
        "R@10": 36.65,
        "VGGFace Score": 19.49,
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
