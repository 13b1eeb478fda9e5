"""Visual faces of thermal ones, of people never seen: nearer to real ones than before training, by CycleGAN and CUT."""

from .learning import Exam, Finding, Lesson, Population, Training
from .picture_distance import translation_distances

FACES = Population(
    "thermal",
    "speakingfaces",
    (
        *("--subjects", "24", "--positions", "9", "--utterances", "1", "--frames", "6", "--stills-frames", "0"),
        *("--size", "small", "--no-artifacts"),
    ),
    ("--config", "pairs"),
)
BRIEF = (
    *("--validate-every", "0", "--crop-size", "64", "--load-size", "66", "--width", "0.25"),
    *("--lr", "4e-4", "--beta1", "0.5", "--constant", "2", "--decay", "2"),
)
"""A quarter of the paper's widths and half of its sides: learns in minutes on a CPU."""
CYCLEGAN = Training("cyclegan", "cyclegan", (*BRIEF, "--blocks", "3"))
CUT = Training("cut", "cut", (*BRIEF, "--blocks", "5", "--patches", "128", "--where", "position <= 3"))
"""It learns sooner, and its steps cost half as much again: a third of the pictures will do."""
JUDGED = "position <= 2"
"""Test faces that are measured, since dlib takes a twelfth of a second for each: 84 of 7 people.

Too few for a covariance of full rank, so their distances are compared with each other alone."""


def score(exam: Exam) -> list[Finding]:
    """Of both: the distance of translated test faces from real ones, as a share of that before training."""
    found = []
    for name, title in (("cyclegan", "CycleGAN"), ("cut", "CUT")):
        apart = translation_distances(exam.data, exam.best[name], where=JUDGED)
        before = (
            f"{title}, distance to real faces, % of untrained ({apart.trained:.0f} of {apart.untrained:.0f}; "
            f"thermal as it is {apart.thermal:.0f}), test"
        )
        found.append(Finding(before, 100 * apart.trained / apart.untrained, 100.0, apart.count, high=50.0))
    return found


LESSON = Lesson(
    "Thermal to visual faces (SpeakingFaces 7.2) by dlib's 128 numbers, people never seen",
    FACES,
    (CYCLEGAN, CUT),
    score,
    null=False,
)
