"""Drawn faces that a known warp moves, and networks small enough to learn it in seconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from xpress.batches import ExpressionBatch
from xpress.models.dft_net.module import DFTNet
from xpress.models.expression_editing.module import ExpressionGAN
from xpress.models.ganimation.module import GANimation

SIZE = 32
TINY: dict[str, dict[str, Any]] = {
    "ganimation": {"channels": 8, "blocks": 1, "modulated": True},
    "dft_net": {"channels": 8, "blocks": 1, "texture_channels": 4},
}
CLASSES = {"ganimation": GANimation, "dft_net": DFTNet}


def warped(image: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """OpenCV's backward warp of an (H, W, 3) picture; an opinion independent of torch's."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    return cv2.remap(
        image, x + flow[0], y + flow[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def drawn_faces(count: int = 8) -> ExpressionBatch:
    """Smooth random pictures whose middle moves up by the first action unit times four pixels."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    bump = np.exp(-(x**2 + y**2) / 60.0)
    images, edited, flows = [], [], []
    units = rng.uniform(0, 1, (count, 17)).astype(np.float32)
    for row in range(count):
        image = cv2.resize(rng.random((8, 8, 3), np.float32), (SIZE, SIZE))
        flow = np.stack([0 * bump, 4 * units[row, 0] * bump]).astype(np.float32)
        images.append(image)
        edited.append(warped(image, flow))
        flows.append(flow)
    image, result = (torch.from_numpy(np.stack(p)).permute(0, 3, 1, 2) for p in (images, edited))
    return ExpressionBatch(
        image=image,
        action_units=torch.zeros(count, 17),
        target_units=torch.from_numpy(units),
        row=torch.arange(count),
        edited=result,
        flow=torch.from_numpy(np.stack(flows)),
        has_teacher=torch.ones(count, dtype=torch.bool),
    )


@pytest.fixture
def faces() -> ExpressionBatch:
    """Eight of them."""
    return drawn_faces()


@pytest.fixture
def tiny() -> Callable[..., ExpressionGAN]:
    """Makes a network by the name of its task, always with the same weights."""

    def make(name: str, **changes: Any) -> ExpressionGAN:
        torch.manual_seed(0)
        settings = {"size": SIZE, "critic_channels": 4, "critic_depth": 3, **TINY[name]}
        return CLASSES[name](**{**settings, **changes})

    return make


@pytest.fixture
def fit(tmp_path) -> Callable[..., pl.Trainer]:
    """Trains on one batch, several times an epoch."""

    def run(network, batch, epochs=1, steps=1, callbacks=(), **options) -> pl.Trainer:
        checkpoint = options.pop("ckpt_path", None)
        trainer = pl.Trainer(
            max_epochs=epochs,
            accelerator="cpu",
            logger=False,
            callbacks=list(callbacks),
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=tmp_path,
            num_sanity_val_steps=0,
            **{"limit_val_batches": 0, "enable_checkpointing": False, **options},
        )
        loader = DataLoader([batch] * steps, batch_size=None)
        trainer.fit(network, loader, loader, ckpt_path=checkpoint, weights_only=True)
        return trainer

    return run
