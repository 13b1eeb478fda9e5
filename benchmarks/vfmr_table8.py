"""Table 8 of VFMR: what its preprocessing, networks, beginnings and metric are worth."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace

import pyarrow as pa

from ..loaders.folder import Folder
from .core.bench import BenchOptions
from .core.table import Measured, Row, Table
from .core.voice_face import SPLIT, Trained, changes, groups, networks_told, people_told, role, scores, trained
from .core.voice_face_scores import Scores

TITLE = "VFMR, Table 8: ablations, matching and retrieval (mAP) in %"
DATASETS = ("vox_vgg", "chinese_vf", "hq_voxceleb")
CONFIGS = ("voices", "faces")
NEEDS = "checkpoints of `facevox train vfmr` (stage joint), in a folder of --runs each"
TRAININGS = ("vfmr --stage joint --no-freeze-voice",)
WITHOUT = {"judge": "who somebody is stands in the folder; no judge is asked"}
COLUMNS = ("1:2", "1:3", "1:4", "Male", "Female", "mAP")
Config = tuple[str, str]
DEFAULT: Config = ("default", "-")
SHORT: Config = ("preprocessing", "MTCNN 1.0, 2.5 s in tests")
BOXES: dict[float, Config] = {1.0: DEFAULT, 1.1: ("preprocessing", "MTCNN 1.1")}
"""By the scale of the folder's boxes."""
BOTH, VOICE, NONE = "voice=V/best.pt,face=F/best.pt", "voice=V/best.pt", ""
CONFIGS_OF: dict[Config, tuple[str, str]] = {
    DEFAULT: ("", BOTH),
    BOXES[1.1]: ("", BOTH),
    SHORT: ("--test-seconds 2.5", BOTH),
    ("CNN frozen", "none"): ("--no-freeze-voice", BOTH),
    ("CNN frozen", "face"): ("--no-freeze-voice --freeze-face", BOTH),
    ("network", "SE-ResNet50"): ("--face-network se", BOTH),
    ("network", "VGG-M"): ("--face-network vgg_m", BOTH),
    ("network", "DIMNet"): ("--face-network dimnet", BOTH),
    ("trained before", "face MS1M, voice VoxCeleb2"): ("", "voice=V/best.pt,face=arcface-ir50"),
    ("trained before", "face none, voice VoxCeleb2"): ("", VOICE),
    ("trained before", "none"): ("--no-freeze-voice", NONE),
    ("metric", "no L2, s 128"): ("--no-sphere", BOTH),
    ("metric", "L2, s 1"): ("--scale 1", BOTH),
    ("metric", "L2, s 512"): ("--scale 512", BOTH),
}
"""Options of the training, and what it begins with."""
CHANGES: dict[frozenset[tuple[str, object]], Config] = {
    frozenset(): DEFAULT,
    frozenset({("test_seconds", 2.5)}): SHORT,
    frozenset({("freeze_voice", False)}): ("CNN frozen", "none"),
    frozenset({("freeze_voice", False), ("freeze_face", True)}): ("CNN frozen", "face"),
    frozenset({("face_network", "se")}): ("network", "SE-ResNet50"),
    frozenset({("face_network", "vgg_m")}): ("network", "VGG-M"),
    frozenset({("face_network", "dimnet")}): ("network", "DIMNet"),
    frozenset({("sphere", False)}): ("metric", "no L2, s 128"),
    frozenset({("scale", 1.0)}): ("metric", "L2, s 1"),
    frozenset({("scale", 512.0)}): ("metric", "L2, s 512"),
}
WITHOUT_COMMAND = (
    "2.5 s in tests: the default's networks, heard by the middle of a recording",
    "no MTCNN: whole pictures as the release has them. No command measures it: `facevox build vox_vgg` cuts every face "
    "along a detector's box (--detector has no none), and reads boxes of a list for filtered VGGFace alone",
)
"""Of rows that no training of their own measures."""
PLAIN = {"freeze_voice": True, "freeze_face": False, "face_network": "ir50", "sphere": True, "scale": 128.0}
PLAIN |= {"test_seconds": 0.0}
READINGS = {"table2": "ir50", "se_ir50": "se"}
"""Of one network of the paper, two."""
PUBLISHED: dict[Config, tuple[float, ...]] = {
    DEFAULT: (84.48, 73.50, 64.43, 69.85, 71.04, 10.67),
    ("preprocessing", "no MTCNN"): (83.04, 71.13, 62.02, 66.99, 69.69, 8.22),
    BOXES[1.1]: (84.27, 73.28, 65.55, 70.03, 71.65, 10.42),
    SHORT: (83.11, 70.49, 61.41, 64.88, 69.45, 9.09),
    ("CNN frozen", "none"): (84.43, 73.56, 64.59, 68.27, 68.85, 9.77),
    ("CNN frozen", "face"): (81.68, 68.52, 59.43, 64.87, 66.76, 8.33),
    ("network", "SE-ResNet50"): (84.00, 72.62, 63.70, 69.22, 69.49, 9.40),
    ("network", "VGG-M"): (81.30, 68.95, 59.13, 64.90, 64.84, 8.06),
    ("network", "DIMNet"): (83.88, 72.06, 62.93, 69.67, 68.98, 10.05),
    ("trained before", "face MS1M, voice VoxCeleb2"): (84.13, 71.71, 64.74, 63.81, 74.70, 10.47),
    ("trained before", "face none, voice VoxCeleb2"): (73.29, 58.20, 48.72, 54.26, 58.90, 5.56),
    ("trained before", "none"): (70.64, 54.11, 44.18, 52.21, 51.47, 3.91),
    ("metric", "no L2, s 128"): (82.19, 69.29, 60.60, 69.38, 64.97, 8.44),
    ("metric", "L2, s 1"): (81.71, 69.09, 59.61, 62.62, 67.49, 7.58),
    ("metric", "L2, s 512"): (84.27, 72.48, 64.00, 69.43, 71.77, 10.02),
}
"""VFMR1 by COLUMNS."""
PUBLISHED_FLAGS = {
    (DEFAULT, "mAP"): "VFMR1's mAP is 11.48 in Tables 3 and 6 and 10.67 here",
    **dict.fromkeys(
        [(BOXES[1.1], column) for column in ("1:2", "1:3", "mAP")],
        "the text calls box scale 1.1 better than the default, which these numbers are not",
    ),
    **dict.fromkeys(
        [(("network", "SE-ResNet50"), column) for column in COLUMNS],
        "the text says that SE-ResNet50 outperforms ResNet50; the default's numbers are higher throughout",
    ),
}


def run(options: BenchOptions) -> Table:
    """Measure every ablation trained on the folder. Raises ValueError, FolderError."""
    folder = Folder(options.data)
    about, found = role(folder.index), _scored(folder, options)
    measured = measure(found)
    rows = []
    for config in PUBLISHED:
        same = config not in found or found[config].as_published
        for at, column in enumerate(COLUMNS):
            here = measured.get((config, column)) if about == "VFMR1" else None
            flag, labels = PUBLISHED_FLAGS.get((config, column), ""), ("VFMR1", *config, column)
            value, needed = PUBLISHED[config][at], _command(config, options)
            rows.append(Row(labels, value, here, needed, digits=2, comparable=same, flag=flag))
    own = [key for key in measured if about != "VFMR1" or key[0] not in PUBLISHED]
    rows += [Row((about, *config, column), None, measured[config, column], digits=2) for config, column in own]
    facts = {"folder": folder.digest, "about": about, "protocol": options.protocol, "seed": options.seed}
    outcomes = tuple(one.outcomes((about, *config, "1:2"), SPLIT) for config, one in found.items())
    controls = [one for config, scored in found.items() for one in scored.controls(f"{about}, {', '.join(config)}")]
    columns, notes = ("model", "config", "detail", "what"), (*_notes(found, folder), *WITHOUT_COMMAND)
    return Table(TITLE, columns, tuple(rows), notes, facts, outcomes=outcomes, controls=tuple(controls))


def _notes(found: Mapping[Config, Scores], folder: Folder) -> list[str]:
    """Which trials, whose numbers, and by config which networks."""
    first = next(iter(found.values()), None)
    told = [line for line in first.notes() if line not in first.told] + people_told(folder.index) if first else []
    return [*told, *(f"{', '.join(config)}: {line}" for config, scored in found.items() for line in scored.told)]


def _scored(folder: Folder, options: BenchOptions) -> dict[Config, Scores]:
    found: dict[Config, Scores] = {}
    here = [one for one in trained(options.runs, apart=True) if one.folder == folder.digest]
    for seeds in groups(here):
        config = config_of(seeds[0], folder.index)
        if config not in found:
            found[config] = _of_ablation(seeds, folder, options)
        if config == DEFAULT and SHORT not in found:
            found[SHORT] = _of_ablation([_heard_briefly(one) for one in seeds], folder, options)
    return found


def _of_ablation(seeds: Sequence[Trained], folder: Folder, options: BenchOptions) -> Scores:
    """Scores whose difference from the paper's is told where nothing is changed but what the table is about."""
    more = {name: value for name, value in changes(seeds[0].options).items() if name not in {*PLAIN, "picture"}}
    told = [networks_told(seeds)[0]]
    if more:
        words = ", ".join(f"{name} {value}" for name, value in more.items())
        told.append(f"not the paper's training, so that no difference is told: changed are also {words}")
    return replace(scores(seeds, folder, options), told=tuple(told), as_published=not more)


def _heard_briefly(one: Trained) -> Trained:
    model = copy(one.model)
    model.options = replace(model.options, test_seconds=2.5)
    return replace(one, model=model)


def config_of(one: Trained, index: pa.Table) -> Config:
    """Which line of the table a network is, on faces of which boxes; one of its own where it is none."""
    facts = {name: getattr(one.options, name) for name in PLAIN}
    facts["face_network"] = READINGS.get(facts["face_network"], facts["face_network"])
    changed = frozenset(item for item in facts.items() if PLAIN[item[0]] != item[1])
    scales = set(index["box_scale"].drop_null().to_pylist()) if "box_scale" in index.column_names else set()
    (scale,) = scales if len(scales) == 1 else (1.0,)
    if one.begun == {"voice", "face"}:
        known = CHANGES.get(changed)
        known = BOXES.get(scale) if known == DEFAULT else known if scale == 1.0 else None
    else:
        known = {
            ("voice", frozenset[tuple[str, object]]()): ("trained before", "face none, voice VoxCeleb2"),
            ("", frozenset({("freeze_voice", False)})): ("trained before", "none"),
        }.get((",".join(sorted(one.begun)), changed))
    if known:
        return known
    told = [f"{name} {value}" for name, value in sorted(changed)] + [f"boxes {scale}"] * (scale != 1.0)
    return "another", ", ".join([*told, f"begun with {' and '.join(sorted(one.begun)) or 'nothing'}"])


def _command(config: Config, options: BenchOptions) -> str:
    if config not in CONFIGS_OF:
        return ""
    flags, begun = CONFIGS_OF[config]
    box = " --box-scale 1.1" if config == BOXES[1.1] else ""
    out = f"{options.runs or 'W'}/{'-'.join(config).replace(' ', '-').replace(',', '')}"
    words = f"facevox train vfmr --data O --out {out} {flags}" + (f" --initial {begun}" if begun else "")
    return f"facevox build vox_vgg --splits vfmr1{box} --raw R --out O; {' '.join(words.split())}"


# --- measuring: nothing below knows what the paper printed ---


def measure(found: Mapping[Config, Scores]) -> dict[tuple[Config, str], Measured]:
    """By config and column, what can be had of the test split's people."""
    return {(config, column): one for config, scored in found.items() for column, one in scored.table().items()}
