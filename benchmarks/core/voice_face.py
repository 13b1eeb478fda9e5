"""What VFMR's tables are measured from: vectors of a split by trained networks, and every number of them once."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import Field, dataclass, fields, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray

from ...loaders.comparison import FORGED
from ...loaders.folder import Folder, FolderError
from ...models.core.checkpoint import restore
from ...models.core.device import choose
from ...models.core.voice_face_inputs import FACES, VOICE, VOICES, face_tensor
from ...models.vfmr import Vfmr, VfmrOptions
from .bench import BenchOptions
from .embeddings import Embeddings, Vectors
from .leakage import training_leakage
from .sampled import STEPS
from .voice_face_scores import Scores

SPLIT = "test"
AT_ONCE = 64
"""Samples that are read together."""
PAPER_STEPS = {"VFMR1": 10_000}
"""Batches of the test; all others have 1,000."""
ROLES = {"vfmr1": "VFMR1", "uu": "VFMR1", "vfmr2": "VFMR2", "vfmr3": "VFMR3", "vfmr4": "VFMR4"}
"""Which model of the paper a folder's split rule is about."""
SEEN_HEARD = {"vox2": "VFMR1 (SH)", "vox1": "VFMR2 (SH)"}
"""By the subset of VoxCeleb that alone is in the folder."""
PICTURES = ("face.webp", "face.jpg", "masked.jpg", "origin.jpg")
"""Fields of faces: of vox_vgg, of chinese_vf, of hq_voxceleb."""


def role(rows: pa.Table) -> str:
    """VFMR1 .. VFMR4 by the split in a folder's index, "(SH)" for held-out samples of people trained on; else it."""
    names = set(rows["split_rule"].to_pylist()) if "split_rule" in rows.column_names else set()
    rule = str(next(iter(names))).split(" ")[0] if len(names) == 1 else ""
    subsets = set(rows["subset"].to_pylist()) if "subset" in rows.column_names else set()
    if rule == "sh" and len(subsets) == 1:
        return SEEN_HEARD.get(str(*subsets), "split sh")
    return ROLES.get(rule, f"split {rule}" if rule else "this folder")


@dataclass(frozen=True)
class Trained:
    """A joint checkpoint of `facevox train vfmr`."""

    path: Path
    model: Vfmr
    folder: str
    """Digest of what it was trained on."""
    begun: frozenset[str] = frozenset()
    """Parts that began with weights trained before: voice, face."""

    @property
    def options(self) -> VfmrOptions:
        return self.model.options


def trained(runs: str | Path, apart: bool = False) -> list[Trained]:
    """All joint checkpoints below a folder, as RUNS/vfmr-joint-netvlad-ir50/seed0/best.pt.

    `apart`: also those a folder deeper, as RUNS/scale-1/vfmr-joint-.., whose names do not tell what differs. Raises
    ValueError for another model.
    """
    found, name = [], "vfmr-joint-*/seed*/best.pt"
    paths = [*Path(runs).glob(name), *(Path(runs).glob(f"*/{name}") if apart else ())] if runs else []
    for path in sorted(paths):
        model, state = restore(path)
        if not isinstance(model, Vfmr) or model.options.stage != "joint":
            raise ValueError(f"{path}: holds another model than its folder's name says")
        begun = frozenset(piece.split("=")[0] for piece in str(state.get("initial") or "").split(",") if piece)
        found.append(Trained(path, model, str(state["folder"]), begun))
    return found


def embedded(one: Trained, folder: Folder, options: BenchOptions, split: str = SPLIT) -> Embeddings:
    """Vectors of every voice and face of a split's people who have both, whole recordings as in the paper's tests.

    Of faces those of the field that the network was trained on, or of the one that the folder has. Raises FolderError
    for a split without voices and faces of the same people, or without pictures.
    """
    picture = picture_of(folder, one.options.picture)
    columns = ["key", "config", "split", "identity", *(["gender"] if "gender" in folder.index.column_names else [])]
    rows = [row for row in folder.index.select(columns).to_pylist() if row["split"] == split]
    people = {config: {row["identity"] for row in rows if row["config"] == config} for config in (VOICES, FACES)}
    both = people[VOICES] & people[FACES]
    if len(both) < 2:
        raise FolderError(f"{folder}: {len(both)} people of split {split!r} have voices and faces; two are needed")
    place, model = choose(options.device, "fp32"), one.model
    model.to(place.device).eval()

    def hear(sample: dict[str, object]) -> NDArray[np.float32]:
        sound = torch.as_tensor(sample[VOICE]).to(place.device)
        return _row(model.hear_whole(sound))

    def see(sample: dict[str, object]) -> NDArray[np.float32]:
        face = face_tensor(torch.as_tensor(sample[picture]), model.side, str(sample["__key__"]))
        return _row(model.see(face[None].to(place.device)))

    parts = []
    for config, name, network in ((VOICES, VOICE, hear), (FACES, picture, see)):
        own = [row for row in rows if row["config"] == config and row["identity"] in both]
        with torch.inference_mode():
            values = list(_passed(folder, [row["key"] for row in own], config, name, network))
        who = np.array([str(row["identity"]) for row in own])
        parts.append(Vectors(np.concatenate(values), np.array([row["key"] for row in own]), who))
    facts = {str(row["identity"]): {"gender": str(row.get("gender") or "")} for row in rows if row["identity"] in both}
    return Embeddings(parts[0], parts[1], folder.digest, facts, str(one.path))


def picture_of(folder: Folder, wanted: str = "") -> str:
    """The field `wanted` of faces where the folder has it, or the first it has of PICTURES. Raises FolderError."""
    rows = folder.index.filter(pc.equal(folder.index["config"], FACES))
    there = pc.struct_field(pc.list_flatten(rows["fields"]), "name").unique().to_pylist()
    found = next((name for name in (wanted, *PICTURES) if name in there), None)
    if found is None:
        raise FolderError(f"{folder}: faces have {', '.join(there) or 'no field'}; expected {', '.join(PICTURES)}")
    return found


def _passed(
    folder: Folder, keys: Sequence[str], config: str, name: str, network: Callable[..., NDArray[np.float32]]
) -> Iterator[NDArray[np.float32]]:
    for start in range(0, len(keys), AT_ONCE):
        for sample in folder.fetch(keys[start : start + AT_ONCE], [name], config=config):
            yield network(sample)


def _row(vector: torch.Tensor) -> NDArray[np.float32]:
    found: NDArray[np.float32] = vector.float().cpu().numpy()
    return found


def groups(found: Sequence[Trained]) -> list[list[Trained]]:
    """Seeds of the same options and beginnings together, those nearest to the paper's default first."""
    together: dict[tuple[VfmrOptions, frozenset[str]], list[Trained]] = {}
    for one in found:
        together.setdefault((one.options, one.begun), []).append(one)
    return sorted(
        together.values(),
        key=lambda seeds: (len(changes(seeds[0].options)), -len(seeds[0].begun), str(seeds[0].options)),
    )


def changes(options: VfmrOptions) -> dict[str, object]:
    """What differs from the paper's default."""
    return {item.name: getattr(options, item.name) for item in fields(options) if not _default(options, item)}


def _default(options: VfmrOptions, item: "Field[object]") -> bool:
    return bool(getattr(options, item.name) == item.default)


def scores(seeds: Sequence[Trained], folder: Folder, options: BenchOptions) -> Scores:
    """Of the test split by networks of the same options, one for each seed.

    Raises ValueError for one trained on another folder, but for the split of VFMR3, in which nobody is to train on.
    """
    for one in seeds:
        if one.folder != folder.digest and role(folder.index) != "VFMR3":
            raise ValueError(
                f"{one.path}: trained on a folder of digest {one.folder[:12]}, this one has {folder.digest[:12]}. Give "
                "--data the folder it was trained on"
            )
    vectors = [embedded(one, folder, options) for one in seeds]
    if options.vectors_out:
        for one, made in zip(seeds, vectors, strict=True):
            place = Path(options.vectors_out)
            place.mkdir(parents=True, exist_ok=True)
            made.save(place / f"{one.path.parent.parent.name}-{one.path.parent.name}.npz")
    metric = "cosine" if seeds[0].options.sphere else "euclidean"
    told = (*networks_told(seeds), *people_told(folder.index))
    seen = [training_leakage(one.path, one.folder, folder, SPLIT, options.training) for one in seeds]
    leaks = tuple(dict.fromkeys(control for controls in seen for control in controls))
    steps, trials = PAPER_STEPS.get(role(folder.index), STEPS), Path(options.trials) if options.trials else None
    own = Scores(vectors, metric, options.protocol, options.device, options.seed, steps, trials)
    picture = picture_of(folder, seeds[0].options.picture)
    return replace(own, told=told, as_published=as_published(seeds[0]), picture=picture, leakage=leaks)


def measured_folder(options: BenchOptions) -> tuple[Folder, str, Scores | None]:
    """The folder, whose row of the paper it is about, and the scores of the networks nearest to the default."""
    folder = Folder(options.data)
    found = groups(trained(options.runs))
    return folder, role(folder.index), scores(found[0], folder, options) if found else None


def as_published(one: Trained) -> bool:
    """Whether a network and its training are the paper's: its default, begun with trained voices and faces."""
    return one.begun == {"voice", "face"} and not changes(one.options).keys() - {"picture"}


def networks_told(seeds: Sequence[Trained]) -> list[str]:
    """In words, which checkpoints are measured, what they are and what differs from the paper's default."""
    first = seeds[0].options
    begun = f"begun with trained {' and '.join(sorted(seeds[0].begun))}" if seeds[0].begun else "begun with nothing"
    networks = f"faces by {first.face_network} of width {first.face_width}, voices by {first.vlad} of width"
    told = [f"measured: {', '.join(str(one.path) for one in seeds)}; {networks} {first.voice_width}, {begun}"]
    if not as_published(seeds[0]):
        changed = ", ".join(f"{name} {value}" for name, value in changes(first).items()) or "no option"
        told.append(
            f"not the paper's training, so that no difference is told: changed are {changed}, and it is {begun}, where "
            "the paper has trained voices and faces (in its Table 8, begun with nothing scores 70.64 instead of 84.48)"
        )
    return told


def people_told(rows: pa.Table) -> list[str]:
    """In words, whose numbers these are: made-up people, one fold of five, and who is left out; of a folder's index."""
    index = rows.filter(pc.equal(rows["split"], SPLIT))
    told = []
    if "source" in index.column_names and any(str(name).startswith("forged") for name in index["source"].unique()):
        told.append(FORGED)
    if role(index) == "VFMR4":
        told.append(f"{index['split_rule'][0]} alone; the paper's number is the mean of five folds (--fold 0 to 4)")
    people = {
        kind: set(index.filter(pc.equal(index["config"], kind))["identity"].to_pylist()) for kind in (VOICES, FACES)
    }
    for kind, other in ((VOICES, FACES), (FACES, VOICES)):
        if lone := sorted(people[kind] - people[other]):
            told.append(f"left out: {len(lone)} people with {kind} and no {other}, as {lone[0]}")
    return told


@lru_cache(maxsize=8)
def _field_flag(data: str) -> str:
    """How `facevox train` is told the folder's field of faces, where it is not the default."""
    found = picture_of(Folder(data))
    return "" if found == VfmrOptions.picture else f" --picture {found}"


def command(role_wanted: str, options: BenchOptions, table: str = "vfmr_table3") -> str:
    """What trains a network for a row of the paper, on which folder; for VFMR3 also what measures it on another."""
    split = {"VFMR1": "vox_vgg --splits vfmr1", "VFMR2": "vox_vgg --splits vfmr2", "VFMR4": "chinese_vf --splits vfmr4"}
    split |= {"VFMR3": split["VFMR1"]}
    split |= {f"{name}": f"vox_vgg --splits sh --set vox-vgg-{subset[-1]}" for subset, name in SEEN_HEARD.items()}
    built = f"facevox build {split[role_wanted]} --raw R --out O; " if role_wanted in split else ""
    picture = " --picture face.jpg" if role_wanted == "VFMR4" else "" if built else _field_flag(str(options.data))
    data, runs = "O" if built else options.data, options.runs or "W"
    train = f"facevox train vfmr --data {data} --out {runs}{picture} --initial voice=V/best.pt,face=F/best.pt"
    tested = "facevox build chinese_vf --splits vfmr3 --raw C --out P"
    after = f"; {tested}; facevox bench {table} --data P --runs {runs}" if role_wanted == "VFMR3" else ""
    return f"{built}{train}{after}"
