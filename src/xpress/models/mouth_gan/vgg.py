"""Perceptual loss through VGG19 (Simonyan and Zisserman, 2015; Johnson et al., ECCV 2016)."""

from __future__ import annotations

import logging

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
"""torchvision's weights; the file's name ends with the start of its SHA-256."""
STAGES = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 1))
"""Channels and convolutions of each stage, up to conv5_1."""
WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
"""Of the first activation of each stage, as in pix2pixHD."""
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

_log = logging.getLogger(__name__)


class VGG19(nn.Module):
    """The convolutions of VGG19 up to conv5_1, under torchvision's names."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        self.taps = []
        inputs = 3
        for outputs, count in STAGES:
            if layers:
                layers.append(nn.MaxPool2d(2))
            for number in range(count):
                layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
                inputs = outputs
                if number == 0:
                    self.taps.append(len(layers) - 1)
        self.features = nn.Sequential(*layers)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(DEVIATION).view(1, 3, 1, 1), persistent=False)

    mean: Tensor
    std: Tensor

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> list[Tensor]:
        """Activations after the first convolution of each stage, of RGB in [0, 1]."""
        x = (image - self.mean) / self.std
        taken = []
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in self.taps:
                taken.append(x)
        return taken


def load_vgg19() -> VGG19 | None:
    """VGG19 with published weights, frozen; None, and a warning, where they cannot be had."""
    try:
        state = torch.hub.load_state_dict_from_url(
            URL, map_location="cpu", check_hash=True, weights_only=True, progress=False
        )
    except (OSError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        _log.warning("perceptual loss is off: the weights of VGG19 cannot be fetched (%s)", reason)
        return None
    network = VGG19()
    known = network.state_dict().keys()
    network.load_state_dict({name: value for name, value in state.items() if name in known})
    return network.eval().requires_grad_(False)


def perceptual_loss(
    network: VGG19, output: Float[Tensor, "B 3 H W"], truth: Float[Tensor, "B 3 H W"]
) -> Float[Tensor, ""]:
    """Weighted mean absolute differences of features; no gradient reaches `truth`."""
    with torch.no_grad():
        wanted = network(truth)
    terms = [F.l1_loss(a, b) for a, b in zip(network(output), wanted, strict=True)]
    return torch.stack([w * t for w, t in zip(WEIGHTS, terms, strict=True)]).sum()
