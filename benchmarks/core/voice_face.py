"""What VFMR's tables are measured from: vectors of a split by trained networks, and every number of them once."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import Field, dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from ...loaders.folder import Folder, FolderError
from ...models.core.checkpoint import restore
from ...models.core.device import choose
from ...models.core.voice_face_inputs import FACES, VOICE, VOICES, face_tensor
from ...models.vfmr import Vfmr, VfmrOptions
from .bench import BenchOptions
from .embeddings import Embeddings, Vectors
from .voice_face_scores import Scores

SPLIT = "test"
AT_ONCE = 64
"""Samples that are read together."""
ROLES = {"vfmr1": "VFMR1", "uu": "VFMR1", "vfmr2": "VFMR2", "vfmr3": "VFMR3", "vfmr4": "VFMR4"}
"""Which model of the paper a folder's split rule is about."""


def role(rows: pa.Table) -> str:
    """VFMR1 .. VFMR4 by the split in a folder's index, "(SH)" for held-out samples of people trained on; else it."""
    names = set(rows["split_rule"].to_pylist()) if "split_rule" in rows.column_names else set()
    rule = str(next(iter(names))).split(" ")[0] if len(names) == 1 else ""
    if rule == "sh":
        second = "subset" in rows.column_names and "vox2" in set(rows["subset"].to_pylist())
        return "VFMR1 (SH)" if second else "VFMR2 (SH)"
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

    Raises FolderError for a split without voices and faces of the same people.
    """
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
        picture = torch.as_tensor(sample[model.options.picture])
        face = face_tensor(picture, model.side, str(sample["__key__"]))
        return _row(model.see(face[None].to(place.device)))

    parts = []
    for config, name, network in ((VOICES, VOICE, hear), (FACES, model.options.picture, see)):
        own = [row for row in rows if row["config"] == config and row["identity"] in both]
        with torch.inference_mode():
            values = list(_passed(folder, [row["key"] for row in own], config, name, network))
        who = np.array([str(row["identity"]) for row in own])
        parts.append(Vectors(np.concatenate(values), np.array([row["key"] for row in own]), who))
    facts = {str(row["identity"]): {"gender": str(row.get("gender") or "")} for row in rows if row["identity"] in both}
    return Embeddings(parts[0], parts[1], folder.digest, facts, str(one.path))


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
    metric = "cosine" if seeds[0].options.sphere else "euclidean"
    return Scores(vectors, metric, options.protocol, options.device, options.seed)


def measured_folder(options: BenchOptions) -> tuple[Folder, str, Scores | None]:
    """The folder, whose row of the paper it is about, and the scores of the networks nearest to the default."""
    folder = Folder(options.data)
    found = groups(trained(options.runs))
    return folder, role(folder.index), scores(found[0], folder, options) if found else None


def command(role_wanted: str, options: BenchOptions) -> str:
    """What trains a network for a row of the paper, on which folder."""
    split = {"VFMR1": "vox_vgg --splits vfmr1", "VFMR2": "vox_vgg --splits vfmr2", "VFMR4": "chinese_vf --splits vfmr4"}
    split |= {"VFMR3": "chinese_vf --splits vfmr3"}
    split |= {f"VFMR{n} (SH)": f"vox_vgg --splits sh --set vox-vgg-{3 - n}" for n in (1, 2)}
    built = f"facevox build {split[role_wanted]} --raw R --out O; " if role_wanted in split else ""
    data = "O" if built else options.data
    return f"{built}facevox train vfmr --data {data} --out {options.runs or 'W'} --initial voice=V/best.pt"
