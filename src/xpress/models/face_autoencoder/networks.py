"""The encoder: a MobileNetV2 whose last features keep their places.

Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018. Instead of
global average pooling the 4×4 and 8×8 maps are flattened: where something is in the crop tells
how far a lid or a lip has moved, and pooling forgets it.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from xpress.morphable.gaze import GAZE_TURNS

# expansion, channels at width 1, repeats, stride: MobileNetV2's table 2 with MnasNet's smaller
# early expansions and fewer repeats, which trains 1.7 times as fast on a CPU, where the large early
# maps are bound by memory.
STAGES = (
    (1, 16, 1, 1),
    (3, 24, 2, 2),
    (3, 32, 2, 2),
    (4, 64, 3, 2),
    (4, 96, 3, 1),
    (6, 160, 2, 2),
    (6, 320, 1, 1),
)
MIDDLE_STAGE = 4
"""The last stage on the 8×8 grid, whose map goes to the head beside the 4×4 one."""

EYE_STAGE = 1
"""The last stage on the 32×32 grid, whose map the gaze is read from."""


def round_channels(channels: float, divisor: int = 8) -> int:
    """To the nearest multiple of `divisor`, at least one of it and at most 10% below."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1):
    """Convolution, batch norm, ReLU6."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU6(inplace=True),
    )


class InvertedResidual(nn.Module):
    """Expand, filter depthwise, project linearly; a shortcut where the shape allows."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        layers = [] if expansion == 1 else [convolution(inputs, hidden, 1)]
        self.layers = nn.Sequential(
            *layers,
            convolution(hidden, hidden, 3, stride, groups=hidden),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
        """Spatial size is divided by the stride."""
        return x + self.layers(x) if self.shortcut else self.layers(x)


class GazeHead(nn.Module):
    """Where the eyes look, from a fine map around them.

    A pupil moves by a pixel of the crop, which the coarse maps have long forgotten.

    Args:
        inputs: channels of the map, a quarter of the crop's size.
        channels: of the two convolutions.
        grid: side of the map.
    """

    def __init__(self, inputs: int, channels: int, grid: int) -> None:
        super().__init__()
        self.band = slice(grid * 6 // 32, grid * 20 // 32)
        rows = self.band.stop - self.band.start
        self.layers = nn.Sequential(
            convolution(inputs, channels, 3),
            convolution(channels, channels, 3, stride=2),
            nn.Flatten(),
            nn.Linear(channels * (grid // 2) * ((rows + 1) // 2), 32),
            nn.ReLU(inplace=True),
            nn.Linear(32, 3),
        )
        for parameter in self.layers[-1].parameters():  # a new encoder looks ahead
            nn.init.zeros_(parameter)

    def forward(self, fine: Float[Tensor, "B C H W"]) -> Float[Tensor, "B 3"]:
        """Numbers for the turns to the owner's left and up and for convergence, before tanh."""
        return self.layers(fine[:, :, self.band])


class FaceEncoder(nn.Module):
    """Crop to code; `code.CodeLayout` says what the numbers of the code mean.

    Args:
        outputs: length of the code.
        width: channel multiplier; 0.5 gives about a million parameters.
        size: pixels of the crop's side, a multiple of 32.
        head_channels: channels of the 4×4 and the 8×8 map (at size 128) before flattening.
        dropout: on the flattened features, in training.
        gaze: `CodeLayout.gaze_outputs`, which a head of their own fills.
        gaze_channels: of that head; 0 leaves it out.
    """

    def __init__(
        self,
        outputs: int,
        width: float = 0.5,
        size: int = 128,
        head_channels: tuple[int, int] = (64, 16),
        dropout: float = 0.0,
        gaze: tuple[int, ...] = (),
        gaze_channels: int = 0,
    ) -> None:
        super().__init__()
        if size % 32:
            raise ValueError(f"size {size} is not a multiple of 32")
        channels = round_channels(32 * width)
        self.stem = convolution(3, channels, 3, stride=2)
        stages = []
        for number, (expansion, base, repeats, stride) in enumerate(STAGES):
            wide = round_channels(base * width)
            blocks = []
            for repeat in range(repeats):
                step = stride if repeat == 0 else 1
                blocks.append(InvertedResidual(channels, wide, step, expansion))
                channels = wide
            stages.append(nn.Sequential(*blocks))
            if number == MIDDLE_STAGE:
                middle = channels
            if number == EYE_STAGE:
                fine = channels
        self.stages = nn.ModuleList(stages)
        self.deep = convolution(channels, head_channels[0], 1)
        self.fine = convolution(middle, head_channels[1], 1)
        grid = size // 32
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(grid**2 * (head_channels[0] + 4 * head_channels[1]), outputs)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        seeing = bool(gaze) and gaze_channels > 0
        self.gaze = GazeHead(fine, gaze_channels, size // 4) if seeing else None
        spread = torch.zeros(3, outputs)
        spread[:, list(gaze)] = torch.from_numpy(GAZE_TURNS).float() if gaze else 0.0
        self.register_buffer("spread", spread, persistent=False)
        self.register_buffer("kept", 1 - spread.abs().amax(0), persistent=False)

    spread: Tensor
    kept: Tensor

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B K"]:
        """Codes of RGB crops in [0, 1]."""
        x = self.stem(image * 2 - 1)
        fine = eyes = x
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number == EYE_STAGE:
                eyes = x
            if number == MIDDLE_STAGE:
                fine = x
        features = torch.cat([self.deep(x).flatten(1), self.fine(fine).flatten(1)], dim=1)
        code = self.head(self.dropout(features))
        if self.gaze is None:
            return code
        return code * self.kept + self.gaze(eyes) @ self.spread
