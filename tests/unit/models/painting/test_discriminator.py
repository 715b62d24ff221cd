from __future__ import annotations

import pytest
import torch

from xpress.models.painting.discriminator import PatchDiscriminator


def test_discriminators_halve_the_picture():
    logits, features = PatchDiscriminator(4, (24, 48, 96, 192))(torch.rand(2, 4, 96, 96))
    assert logits.shape == (2, 1, 6, 6)
    assert [tuple(f.shape[1:]) for f in features] == [
        *((24, 48, 48), (48, 24, 24), (96, 12, 12), (192, 6, 6))
    ]
    logits, features = PatchDiscriminator(4, (32, 64, 128))(torch.rand(2, 4, 32, 64))
    assert logits.shape == (2, 1, 4, 8)
    assert len(features) == 3


def test_spectral_norms_are_at_most_one():
    torch.manual_seed(0)
    network = PatchDiscriminator(4, (8, 16))
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, torch.nn.Conv2d):
                layer.parametrizations.weight.original.mul_(50)
        for _ in range(50):
            network(torch.rand(1, 4, 16, 16))
    network.eval()
    layers = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(layers) == 3
    for layer in layers:
        largest = torch.linalg.svdvals(layer.weight.detach().flatten(1))[0]
        assert largest == pytest.approx(1, abs=0.01)
