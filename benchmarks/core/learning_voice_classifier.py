"""Whose voice it is, of recordings that were not trained on (RC-GAN, III-A)."""

import numpy as np
from numpy.typing import NDArray

from .learning import Exam, Finding, Lesson, Population, Training
from .metrics import accuracy

SPEAKERS = Population(
    "speakers",
    "vox_vgg",
    ("--people", "10", "--images", "6", "--utterances", "30", "--videos", "4", "--seconds", "3"),
    ("--config", "rcgan", "--min-voice-samples", "10", "--num-classes", "9"),
)
"""One person more than classes: somebody has no picture or too few recordings."""
VOICE = Training(
    "voice",
    "voice_classifier",
    ("--epochs", "30", "--width", "0.5", "--segments", "4", "--validate-every", "0"),
)
"""The release has no validation recordings, and the test's may choose nothing: the last epoch's weights count."""


def score(exam: Exam) -> list[Finding]:
    """Accuracy of segments and, by their vote, of recordings; link or none: a voice needs no face."""
    found = exam.results("voice", "test")
    right = voted(found["keys"], found["prediction"], found["class"])
    chance = 100 / len(np.unique(found["class"]))
    segments = Finding("segments, test", 100 * accuracy(found["merit"]), chance, len(found["keys"]))
    return [segments, Finding("recordings, test", 100 * accuracy(right), chance, len(right), low=90.0)]


def voted(keys: NDArray[np.str_], predicted: NDArray[np.float32], label: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Of each recording, whether most of its segments (N,) were told right; between equals the lower class wins."""
    names, member = np.unique(keys, return_inverse=True)
    votes = np.zeros((len(names), 1 + int(max(predicted.max(), label.max()))))
    np.add.at(votes, (member, predicted.astype(int)), 1)
    own = np.zeros(len(names), int)
    own[member] = label.astype(int)
    right: NDArray[np.bool_] = votes.argmax(1) == own
    return right


FEW = Population(
    "few-speakers",
    "vox_vgg",
    ("--people", "3", "--images", "2", "--utterances", "14", "--videos", "2", "--seconds", "3"),
    ("--config", "rcgan", "--min-voice-samples", "5", "--num-classes", "3"),
)
BRIEF = ("--epochs", "30", "--classes", "3", "--width", "0.25", "--lr", "2e-3", "--validate-every", "0")
SHORT = Lesson(
    "Voice classifier of three people, recordings never heard",
    FEW,
    (Training("voice", "voice_classifier", BRIEF),),
    score,
    null=False,
)
LESSON = Lesson("Voice classifier (RC-GAN), recordings never heard", SPEAKERS, (VOICE,), score, short=SHORT)
