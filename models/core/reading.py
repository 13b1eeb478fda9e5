"""The streams that a model is trained and validated on: samples one by one, or people with so many samples each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...loaders.batches import StreamOptions
from ...loaders.folder import Folder, FolderError
from ...loaders.identity_stream import IdentityOptions, IdentityStream
from ...loaders.stream import BatchStream, Stream, split_rows
from .model import Inputs, PeopleInputs


@dataclass(frozen=True)
class Reading:
    """What of a folder is read, how much at once, by how many processes."""

    folder: Folder
    inputs: Inputs | PeopleInputs
    config: str = ""
    """Empty for what the inputs name; PeopleInputs allow no other."""
    where: str = ""
    limit: int = 0
    batch_size: int = 16
    workers: int = 0

    @property
    def configs(self) -> tuple[str, ...]:
        """Configs that are read. Raises ValueError for a config beside those of PeopleInputs."""
        if isinstance(self.inputs, Inputs):
            return (self.config or self.inputs.config,)
        if self.config:
            raise ValueError(
                f"config {self.config!r}: this model reads {' and '.join(self.inputs.samples)}; leave it out"
            )
        if self.limit:
            raise ValueError(f"limit {self.limit}: this model reads people; choose some by where")
        return tuple(self.inputs.samples)

    def stream(self, split: str, *, shuffle: bool = False, seed: int = 0) -> BatchStream:
        """Batches of a split. Samples come in folder order unless shuffled; people always in an order drawn by `seed`.

        Raises FolderError for a missing config, split or field, ValueError as `configs` does.
        """
        (config, *_) = self.configs
        if isinstance(self.inputs, PeopleInputs):
            return self._people(self.inputs, split, shuffle, seed)
        own: dict[str, Any] = {name: getattr(self.inputs, name) for name in ("fields", "frames", "align")}
        own |= {name: getattr(self, name) for name in ("where", "limit", "batch_size", "workers")}
        return Stream(self.folder, config, split, StreamOptions(**own, shuffle=shuffle, seed=seed), inputs=self.inputs)

    def _people(self, inputs: PeopleInputs, split: str, training: bool, seed: int) -> IdentityStream:
        options = IdentityOptions(
            identities=self.batch_size,
            samples=inputs.samples,
            fields=inputs.fields,
            where=self.where,
            balance=inputs.balance,
            seed=seed,
            # In training every batch is whole, for what is normalised over it; in validation everybody counts.
            drop_last=training,
            workers=self.workers,
        )
        return IdentityStream(self.folder, split, options, inputs)


def shortage(stream: BatchStream) -> list[str]:
    """In words, who is in no batch and what is drawn again because somebody has too few samples; of people alone."""
    if not isinstance(stream, IdentityStream):
        return []
    found = []
    if stream.left_out:
        found.append(f"{stream.left_out} people are in no batch: they lack samples of one of the configs")
    for config, again in stream.repeats.items():
        if again["draws"]:
            found.append(
                f"{again['identities']} people have fewer than {stream.options.samples[config]} samples of {config}: "
                f"{again['draws']} an epoch are drawn again"
            )
    return found


def people(folder: Folder, configs: Sequence[str], split: str, where: str = "") -> tuple[str, ...]:
    """Names of those who have samples in all of these configs, sorted; none for no config.

    Raises FolderError for a missing config or split, or when nobody has.
    """
    tables = [split_rows(folder, config, split, StreamOptions(where=where)) for config in configs]
    if not tables:
        return ()
    names = sorted(set.intersection(*(set(table["identity"].to_pylist()) for table in tables)))
    if not names:
        raise FolderError(f"{folder}: nobody has samples in all of {', '.join(configs)} {split}")
    return tuple(names)
