"""Perceptual distance of pictures: LPIPS v0.1 on AlexNet.

Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018;
features of Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014.
The weights are not part of the package: name a file, see `load_lpips`.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from xpress.errors import InputError

LAYERS = ((64, 11, 4, 2), (192, 5, 1, 2), (384, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1))
"""Channels, kernel, stride and padding of AlexNet's convolutions."""
POOLED = (1, 2)
"""Convolutions that a maximum over 3×3 with stride 2 comes before."""
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""Of RGB in [-1, 1]: the mean and deviation that AlexNet was trained with."""
SMALLEST = 32
"""Pixels of a picture's shorter side, at least."""
NOTHING = 1e-10
"""Squared length of features that counts as none; keeps the gradient finite where all are zero."""


def normalized_features(
    features: Float[Tensor, "B C h w"],
) -> Float[Tensor, "B C h w"]:
    """Features of unit length at every place, zero where there are none."""
    return features * torch.rsqrt(features.square().sum(1, keepdim=True) + NOTHING)


def feature_distance(
    first: Sequence[Float[Tensor, "B _ _ _"]],
    second: Sequence[Float[Tensor, "B _ _ _"]],
    weights: Sequence[Float[Tensor, " _"]],
) -> Float[Tensor, " B"]:
    """Squared differences of normalised features, weighed by channel (Zhang et al., equation 1).

    Args:
        first: maps of one set of pictures, layer by layer.
        second: of the other.
        weights: of each layer's channels.

    Returns:
        Mean over places, summed over layers; zero for the same pictures.
    """
    terms = []
    for one, other, weight in zip(first, second, weights, strict=True):
        difference = (normalized_features(one) - normalized_features(other)).square()
        terms.append(torch.einsum("bchw,c->bhw", difference, weight).mean((1, 2)))
    return torch.stack(terms).sum(0)


class LPIPS(nn.Module):
    """How different two pictures look; frozen, in evaluation mode.

    Its numbers are random until `load_lpips` puts the published ones in.
    """

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList()
        inputs = 3
        for outputs, kernel, stride, padding in LAYERS:
            self.convolutions.append(nn.Conv2d(inputs, outputs, kernel, stride, padding))
            inputs = outputs
        self.linear = nn.ParameterList([torch.ones(layer[0]) for layer in LAYERS])
        self.register_buffer("shift", torch.tensor(SHIFT).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(SCALE).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False).eval()

    shift: Tensor
    scale: Tensor

    def features(self, image: Float[Tensor, "B 3 H W"]) -> list[Tensor]:
        """AlexNet's five activations of RGB in [0, 1], at least `SMALLEST` pixels a side."""
        x = (image * 2 - 1 - self.shift) / self.scale
        maps = []
        for number, convolution in enumerate(self.convolutions):
            if number in POOLED:
                x = F.max_pool2d(x, 3, 2)
            x = F.relu(convolution(x))
            maps.append(x)
        return maps

    def forward(
        self, output: Float[Tensor, "B 3 H W"], truth: Float[Tensor, "B 3 H W"]
    ) -> Float[Tensor, " B"]:
        """The distance of each pair; no gradient reaches `truth`.

        Args:
            output: RGB in [0, 1], at least `SMALLEST` pixels a side.
            truth: likewise.
        """
        with torch.no_grad():
            wanted = self.features(truth)
        return feature_distance(self.features(output), wanted, list(self.linear))


def load_lpips(path: str | os.PathLike) -> LPIPS:
    """LPIPS with published weights.

    Args:
        path: `.npz` with `AlexNet_0/Conv_{0…4}/kernel` (height, width, in, out), `…/bias` and
            `NetLinLayer_{0…4}/Conv_0/kernel` (1, 1, channels, 1), as ports to Flax name the
            weights of `richzhang/PerceptualSimilarity` v0.1.

    Raises:
        InputError: missing, unreadable, or other weights.
    """
    path = Path(path)
    network = LPIPS()
    try:
        with np.load(path, allow_pickle=False) as stored:
            for number in range(len(LAYERS)):
                name = f"AlexNet_0/Conv_{number}"
                convolution = network.convolutions[number]
                kernel = stored[f"{name}/kernel"].transpose(3, 2, 0, 1)
                _put(convolution.weight, kernel)  # type: ignore[arg-type]
                _put(convolution.bias, stored[f"{name}/bias"])  # type: ignore[arg-type]
                linear = stored[f"NetLinLayer_{number}/Conv_0/kernel"]
                _put(network.linear[number], linear[0, 0, :, 0])
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; name the weights of LPIPS (AlexNet)") from error
    except (KeyError, IndexError, ValueError, OSError, zipfile.BadZipFile) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"{path}: not the weights of LPIPS on AlexNet ({reason}); give the .npz with "
            "AlexNet_0/… and NetLinLayer_…/…"
        ) from error
    return network


def _put(parameter: Tensor, values: np.ndarray) -> None:
    if parameter.shape != values.shape:
        raise ValueError(f"shape {tuple(values.shape)} instead of {tuple(parameter.shape)}")
    parameter.copy_(torch.from_numpy(np.ascontiguousarray(values, np.float32)))
