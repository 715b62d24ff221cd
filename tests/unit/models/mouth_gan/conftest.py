"""A network small enough to train on them in seconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from xpress.models.mouth_gan.module import MouthGAN

SIZE = 32
TINY: dict[str, Any] = {
    "size": SIZE,
    "channels": (4, 8, 16),
    "repeats": (1, 1),
    "expansion": 2,
    "discriminator_channels": (8, 16),
    "local_channels": (8,),
    "local_size": (8, 16),
}


@pytest.fixture
def tiny() -> Callable[..., MouthGAN]:
    """Makes the network, always with the same weights."""

    def make(**changes: Any) -> MouthGAN:
        torch.manual_seed(0)
        return MouthGAN(**{**TINY, **changes})

    return make
