"""Pairs of drawn eyes, and a network small enough to train on them in seconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from xpress.data_modules.eyes.dataset import EyeAugment, EyeDataset
from xpress.data_modules.eyes.rows import read_eyes

from xpress.batches import EyeBatch
from xpress.models.eye_gan.losses import EyeLossWeights
from xpress.models.eye_gan.module import EyeGAN

from ...drawn_eyes import eye_pack

TINY: dict[str, Any] = {
    "channels": (4, 8, 16),
    "repeats": (1, 1),
    "expansion": 2,
    "discriminator_channels": (8, 16),
    "weights": EyeLossWeights(perceptual=0.0),
}


@pytest.fixture(scope="session")
def eyes(tmp_path_factory) -> EyeBatch:
    """Twelve pairs."""
    rows = read_eyes(eye_pack(tmp_path_factory.mktemp("eyes") / "eyes.parquet"))
    plain = EyeAugment(same=0.0, small=0.0, photometric=0.0, grey=0.0)
    return EyeDataset(rows, plain).__getitems__(list(range(0, 48, 4))).finish()


@pytest.fixture
def tiny() -> Callable[..., EyeGAN]:
    """Makes the network, always with the same weights."""

    def make(**changes: Any) -> EyeGAN:
        torch.manual_seed(0)
        return EyeGAN(**{**TINY, **changes})

    return make
