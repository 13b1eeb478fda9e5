"""CycleGAN (Zhu and others 2017) from thermal to visual faces, with the constants of SpeakingFaces 7.2."""

from dataclasses import dataclass, field
from functools import partial

from torch import Tensor, nn

from .core.model import Batch
from .core.translation import Translation, TranslationOptions, begin_weights, told_apart
from .core.translation_networks import PatchDiscriminator, PicturePool, TranslationGenerator, least_squares

POOL = 50
"""Made pictures that a discriminator is shown again."""


@dataclass(frozen=True)
class CycleganOptions(TranslationOptions):
    """The published training: half of the usual rate, 50 + 50 epochs."""

    lr: float = field(default=1e-4, metadata={"help": "learning rate of all optimizers"})
    beta1: float = field(default=0.1, metadata={"help": "of Adam, whose beta2 is 0.999"})
    constant: int = field(default=50, metadata={"help": "epochs at the full learning rate"})
    decay: int = field(default=50, metadata={"help": "epochs in which it then falls in equal steps towards 0"})
    cycle: float = field(default=10.0, metadata={"help": "weight of the way there and back"})
    identity: float = field(
        default=0.5, metadata={"help": "weight, as a share of cycle, of leaving its own kind as is"}
    )

    def check(self) -> None:
        """Raise ValueError for a value out of range."""
        super().check()
        if min(self.cycle, self.identity) < 0:
            raise ValueError(f"cycle {self.cycle}, identity {self.identity}: expected 0 or more")


class Cyclegan(Translation):
    """Two generators that undo each other, and a discriminator of each kind of picture."""

    name = "cyclegan"
    options_type = CycleganOptions
    epochs = 100
    training_only = ("discriminator", "inverse_discriminator")
    passing = ("later", "pool", "inverse_pool")

    def __init__(self, options: CycleganOptions) -> None:
        super().__init__(options)
        self.options = options
        self.generator = TranslationGenerator(width=options.width, blocks=options.blocks)
        self.inverse = TranslationGenerator(width=options.width, blocks=options.blocks)
        self.discriminator = PatchDiscriminator(width=options.width)
        self.inverse_discriminator = PatchDiscriminator(width=options.width)
        begin_weights(self, partial(nn.init.normal_, std=0.02))
        self.pool = PicturePool(POOL, options.crop_size)
        self.inverse_pool = PicturePool(POOL, options.crop_size)
        self.optimize(
            generators=(self.generator, self.inverse), discriminators=(self.discriminator, self.inverse_discriminator)
        )

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """The generators, then the discriminators, which are shown made pictures out of the pools."""
        thermal, visual = self.unpaired(batch)
        made, made_thermal = self.generator(thermal), self.inverse(visual)
        self._learning(False)
        fooled = least_squares(self.discriminator(made).float(), True)
        fooled = fooled + least_squares(self.inverse_discriminator(made_thermal).float(), True)
        cycle = self.options.cycle * (
            _apart(self.inverse(made), thermal) + _apart(self.generator(made_thermal), visual)
        )
        losses = {"cycle": cycle, "adversarial": fooled}
        if weight := self.options.identity * self.options.cycle:
            losses["identity"] = weight * (
                _apart(self.generator(visual), visual) + _apart(self.inverse(thermal), thermal)
            )
        self.update("generators", sum(losses.values(), fooled.new_zeros(())))
        self._learning(True)
        told = told_apart(self.discriminator(visual), self.discriminator(self.pool.exchange(made.float())))
        older = self.inverse_pool.exchange(made_thermal.float())
        told = told + told_apart(self.inverse_discriminator(thermal), self.inverse_discriminator(older))
        self.update("discriminators", told)
        return {name: loss.detach() for name, loss in {**losses, "discriminator": told}.items()}

    def _learning(self, on: bool) -> None:
        """Spare the discriminators the gradients of the generators' losses."""
        self.discriminator.requires_grad_(on)
        self.inverse_discriminator.requires_grad_(on)


def _apart(made: Tensor, wanted: Tensor) -> Tensor:
    return (made.float() - wanted).abs().mean()


MODEL = Cyclegan
