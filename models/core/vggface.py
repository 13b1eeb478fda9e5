"""The two VGGFace judges: VGG-Face (Parkhi and others 2015) and ResNet-50 on VGGFace2 (Cao and others 2018).

Both have the names and the colour order (RGB) of the weights that Oxford publishes for torch.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, max_pool2d

VGG_FACE_IDENTITIES = 2_622
VGG_FACE_2_IDENTITIES = 8_631
BLOCKS = (2, 2, 3, 3, 3)
"""Convolutions of VGG16 between two poolings."""
STAGES = (3, 4, 6, 3)
"""Bottlenecks of ResNet-50 in conv2, conv3, conv4, conv5."""


class VggFace(nn.Module):
    """Pictures (N, 3, 224, 224), each colour less its mean -> fc7 (N, 4096) before its rectifier, logits (N, 2622).

    fc7 may be negative (Speech2Face takes it so); the logits are of the rectified fc7. 145,002,878 parameters.
    """

    def __init__(self) -> None:
        super().__init__()
        channels = 3
        for block, count in enumerate(BLOCKS, start=1):
            width = min(64 * 2 ** (block - 1), 512)
            for number in range(1, count + 1):
                self.add_module(f"conv{block}_{number}", nn.Conv2d(channels, width, 3, padding=1))
                channels = width
        self.fc6 = nn.Linear(512 * 7 * 7, 4096)
        self.fc7 = nn.Linear(4096, 4096)
        self.fc8 = nn.Linear(4096, VGG_FACE_IDENTITIES)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        for block, count in enumerate(BLOCKS, start=1):
            for number in range(1, count + 1):
                x = torch.relu(self.get_submodule(f"conv{block}_{number}")(x))
            x = max_pool2d(x, 2)
        fc7 = self.fc7(torch.relu(self.fc6(x.flatten(1))))
        return fc7, self.fc8(torch.relu(fc7))


class VggFace2Resnet50(nn.Module):
    """Pictures (N, 3, 224, 224), each colour less its mean -> pooled features (N, 2048), logits (N, 8631).

    ResNet-50 as Caffe has it: a stage halves the size in its first 1x1 convolution. 41,192,951 parameters.
    """

    def __init__(self) -> None:
        super().__init__()
        self._conv("conv1_7x7_s2", 3, 64, 7, 2)
        channels = 64
        for stage, count in enumerate(STAGES, start=2):
            width = 16 * 2**stage
            for number in range(1, count + 1):
                name, stride = f"conv{stage}_{number}", 2 if number == 1 and stage > 2 else 1
                self._conv(f"{name}_1x1_reduce", channels, width, 1, stride)
                self._conv(f"{name}_3x3", width, width, 3)
                self._conv(f"{name}_1x1_increase", width, 4 * width, 1)
                if number == 1:
                    self._conv(f"{name}_1x1_proj", channels, 4 * width, 1, stride)
                channels = 4 * width
        self.classifier = nn.Conv2d(channels, VGG_FACE_2_IDENTITIES, 1)

    def _conv(self, name: str, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        self.add_module(name, nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False))
        self.add_module(f"{name}_bn", nn.BatchNorm2d(outputs))

    def _run(self, name: str, x: Tensor) -> Tensor:
        found: Tensor = self.get_submodule(f"{name}_bn")(self.get_submodule(name)(x))
        return found

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = max_pool2d(torch.relu(self._run("conv1_7x7_s2", x)), 3, 2, ceil_mode=True)
        for stage, count in enumerate(STAGES, start=2):
            for number in range(1, count + 1):
                name = f"conv{stage}_{number}"
                kept = self._run(f"{name}_1x1_proj", x) if number == 1 else x
                x = torch.relu(self._run(f"{name}_1x1_reduce", x))
                x = torch.relu(self._run(f"{name}_3x3", x))
                x = torch.relu(self._run(f"{name}_1x1_increase", x) + kept)
        pooled = avg_pool2d(x, 7, 1)
        return pooled.flatten(1), self.classifier(pooled).flatten(1)
