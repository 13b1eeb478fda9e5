"""CUT and FastCUT (Park and others 2020) from thermal to visual faces, with the constants of SpeakingFaces 7.2."""

from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor, nn

from .core.model import Batch
from .core.translation import Translation, TranslationOptions, begin_weights, told_apart
from .core.translation_networks import (
    NCE_LAYERS,
    PATCHES,
    PatchDiscriminator,
    PatchProjection,
    TranslationGenerator,
    drawn_places,
    least_squares,
    patch_nce,
)

LEAST_BLOCKS = 5
"""The last of the compared layers is the fifth residual block."""


@dataclass(frozen=True)
class CutOptions(TranslationOptions):
    """The published training: 200 + 200 epochs at 2e-4; FastCUT 150 + 50."""

    constant: int = field(default=-1, metadata={"help": "epochs at the full learning rate (default: 200, FastCUT 150)"})
    decay: int = field(
        default=-1, metadata={"help": "epochs in which it then falls towards 0 (default: 200, FastCUT 50)"}
    )
    fast: bool = field(
        default=False, metadata={"help": "FastCUT: patches weigh 10, no identity, turned pictures translate alike"}
    )
    nce: float = field(default=-1.0, metadata={"help": "weight of comparing patches (default: 1, FastCUT 10)"})
    patches: int = field(default=PATCHES, metadata={"help": "places compared in every layer"})
    temperature: float = field(default=0.07, metadata={"help": "of the comparison"})

    def settled(self) -> "CutOptions":
        """These options with the variant's constants. Raises ValueError for a value out of range."""
        constant, decay, nce = (150, 50, 10.0) if self.fast else (200, 200, 1.0)
        chosen = replace(
            self,
            constant=constant if self.constant < 0 else self.constant,
            decay=decay if self.decay < 0 else self.decay,
            nce=nce if self.nce < 0 else self.nce,
        )
        chosen.check()
        if self.blocks < LEAST_BLOCKS or self.patches < 2 or self.temperature <= 0:
            raise ValueError(
                f"{self.blocks} blocks, {self.patches} patches, temperature {self.temperature}: expected "
                f"{LEAST_BLOCKS} blocks or more (the fifth is compared), 2 patches or more, a temperature above 0"
            )
        return chosen


class Cut(Translation):
    """One generator and one discriminator; each patch of the made picture is to be known by its own source patch."""

    name = "cut"
    options_type = CutOptions
    epochs = 400
    training_only = ("discriminator", "projection")

    def __init__(self, options: CutOptions) -> None:
        options = options.settled()
        super().__init__(options)
        self.options = options
        self.generator = TranslationGenerator(True, options.width, options.blocks)
        self.discriminator = PatchDiscriminator(True, options.width)
        self.projection = PatchProjection(self.generator.channels)
        begin_weights(self, partial(nn.init.xavier_normal_, gain=0.02))
        self.optimize(generator=(self.generator,), discriminator=(self.discriminator,), projection=(self.projection,))

    @property
    def variant(self) -> str:
        return "fast" if self.options.fast else ""

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """The discriminator, then generator and projection together."""
        thermal, visual = self.unpaired(batch)
        # FastCUT alone: in half of the steps the generator sees all pictures turned.
        turned = self.options.fast and bool(torch.rand(()) < 0.5)
        made = self.generator(thermal.flip(3) if turned else thermal)
        told = told_apart(self.discriminator(visual), self.discriminator(made.detach()))
        self.update("discriminator", told)
        self.discriminator.requires_grad_(False)
        fooled = least_squares(self.discriminator(made).float(), True)
        losses = {"nce": self.options.nce * self.compared(made, thermal, turned)}
        if not self.options.fast:
            losses["identity"] = self.options.nce * self.compared(self.generator(visual), visual)
        self.optimizers["projection"].zero_grad(set_to_none=True)
        self.update("generator", fooled + sum(losses.values(), fooled.new_zeros(())) / len(losses))
        self.optimizers["projection"].step()
        self.discriminator.requires_grad_(True)
        found = {**losses, "adversarial": fooled, "discriminator": told}
        return {name: loss.detach() for name, loss in found.items()}

    def compared(self, made: Tensor, source: Tensor, turned: bool = False) -> Tensor:
        """Mean over the compared layers of the patches' loss, the made pictures' features turned back where turned."""
        queries = self.generator.features(made, NCE_LAYERS)
        if turned:
            queries = [found.flip(3) for found in queries]
        with torch.no_grad():
            keys = self.generator.features(source, NCE_LAYERS)
            places = drawn_places(keys, self.options.patches)
            projected = self.projection(keys, places)
        losses = [
            patch_nce(query.float(), key.float(), self.options.temperature)
            for query, key in zip(self.projection(queries, places), projected, strict=True)
        ]
        return torch.stack(losses).mean()


MODEL = Cut
