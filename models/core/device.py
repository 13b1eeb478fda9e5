"""Where and in which precision a model runs; models themselves never ask."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ...loaders.memory import peak_memory
from .model import Batch, Model

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "fp32", "bf16")
LAYOUTS = {4: torch.channels_last, 5: torch.channels_last_3d}
"""Of weights of convolutions by their dimensions: colours innermost."""


@dataclass(frozen=True)
class Place:
    """A device, and whether steps run in bfloat16 (weights stay float32)."""

    device: torch.device
    bf16: bool

    def __str__(self) -> str:
        return f"{self.device.type} {'bf16' if self.bf16 else 'fp32'}"

    def move(self, batch: Batch) -> Batch:
        """The batch with its tensors on the device."""
        return {n: v.to(self.device, non_blocking=True) if isinstance(v, Tensor) else v for n, v in batch.items()}

    def settle(self, model: Model, channels_last: bool = False, compiled: bool = False) -> Model:
        """The model on the device; its weights of pictures with the colours innermost, its networks compiled.

        Neither changes what a checkpoint holds.
        """
        model = model.to(self.device)
        for weight in model.parameters() if channels_last else ():
            if layout := LAYOUTS.get(weight.dim()):
                weight.data = weight.data.contiguous(memory_format=layout)
        for network in networks(model) if compiled else ():
            network.compile()
        return model

    def peak_bytes(self) -> int:
        """Most memory held so far: on a GPU what torch allocated there, else the process's resident set."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device)
        return peak_memory()

    def precision(self) -> AbstractContextManager[Any]:
        """The context in which to step or evaluate."""
        return torch.autocast(self.device.type, torch.bfloat16) if self.bf16 else nullcontext()


def choose(device: str = "auto", precision: str = "auto") -> Place:
    """auto = the GPU where there is one, in bfloat16 where it has that; else the CPU in float32.

    Raises ValueError for an unknown word or a GPU that is not there.
    """
    if device not in DEVICES or precision not in PRECISIONS:
        raise ValueError(
            f"device {device!r}, precision {precision!r}: expected one of {', '.join(DEVICES)}, "
            f"and one of {', '.join(PRECISIONS)}"
        )
    there = torch.cuda.is_available()
    if device == "cuda" and not there:
        raise ValueError("device cuda: torch sees no GPU here. Use --device cpu, or install torch with CUDA")
    where = torch.device("cuda" if there and device != "cpu" else "cpu")
    capable = where.type == "cuda" and torch.cuda.is_bf16_supported()
    return Place(where, precision == "bf16" or (precision == "auto" and capable))


def networks(module: nn.Module) -> Iterator[nn.Module]:
    """The outermost parts below a model that are called themselves, not only what they hold."""
    for child in module.children():
        if type(child).forward is nn.Module.forward:
            yield from networks(child)
        elif any(True for _ in child.parameters()):
            yield child


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread: sums then come in one order, so that equal inputs give equal bits on any machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
