"""What is measured inside the hole of a mouth crop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import torch
from jaxtyping import Float
from kornia.filters import spatial_gradient
from kornia.metrics import ssim
from torch import Tensor

TELEA_RADIUS = 3
"""Pixels around the hole that OpenCV's inpainting looks at."""
SSIM_WINDOW = 7
FIGURES = ("l1", "ssim", "gradient", "gradient_truth", "pixels", "lpips")
"""Columns of the rows that `summarize` takes: of `hole_figures`, and the crop's LPIPS."""


def hole_figures(
    output: Float[Tensor, "B 3 H W"],
    truth: Float[Tensor, "B 3 H W"],
    hole: Float[Tensor, "B 1 H W"],
) -> dict[str, Tensor]:
    """Sums over the hole's pixels, one number a row.

    Returns:
        `l1`: absolute difference (mean of the channels); `ssim` (Wang et al., 2004); `gradient`:
        the output's gradient magnitude (Sobel, of luma); `gradient_truth`; `pixels`: how many.
    """
    difference = (output - truth).abs().mean(1, keepdim=True)
    likeness = ssim(output, truth, SSIM_WINDOW).mean(1, keepdim=True)
    sums = {
        "l1": difference,
        "ssim": likeness,
        "gradient": gradient_magnitude(output),
        "gradient_truth": gradient_magnitude(truth),
        "pixels": torch.ones_like(hole),
    }
    return {name: (value * hole).sum((1, 2, 3)) for name, value in sums.items()}


def gradient_magnitude(image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 1 H W"]:
    """Length of the luma's Sobel gradient, per pixel."""
    luma = (image * image.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    return spatial_gradient(luma)[:, 0].norm(dim=1, keepdim=True)


def telea(
    image: Float[Tensor, "B 3 H W"], hole: Float[Tensor, "B 1 H W"]
) -> Float[Tensor, "B 3 H W"]:
    """OpenCV's inpainting of the hole (Telea, "An Image Inpainting Technique …", 2004)."""
    rows = []
    pictures = (image * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    masks = hole[:, 0].byte().cpu().numpy()
    for picture, mask in zip(pictures, masks, strict=True):
        rows.append(cv2.inpaint(picture, mask, TELEA_RADIUS, cv2.INPAINT_TELEA))
    filled = torch.from_numpy(np.stack(rows)).permute(0, 3, 1, 2).to(image)
    return filled / 255


def summarize(rows: Sequence[tuple[Tensor, Tensor]]) -> dict[str, float]:
    """Means over all pixels of all holes of a set.

    Args:
        rows: numbers of rows (N,) and their `FIGURES` (N, 6), batch by batch; a row that comes
            twice counts once.

    Returns:
        `l1` (RGB in [0, 1]), `ssim`, `sharpness`: mean gradient magnitude over the truth's, and
        `lpips`: mean over the crops, not finite where it was not measured.
    """
    number = torch.cat([n for n, _ in rows]).cpu().numpy()
    _, first = np.unique(number, return_index=True)
    values = torch.cat([v for _, v in rows]).double().cpu().numpy()[first]
    sums = dict(zip(FIGURES, values.sum(0).tolist(), strict=True))
    pixels = max(sums["pixels"], 1.0)
    return {
        "l1": sums["l1"] / pixels,
        "ssim": sums["ssim"] / pixels,
        "sharpness": sums["gradient"] / max(sums["gradient_truth"], 1e-9),
        "lpips": sums["lpips"] / max(len(values), 1),
    }


METHODS = (
    ("generator", ""),
    ("without reference", "alone/"),
    ("Telea", "telea/"),
    ("mean mouth", "mean/"),
)
"""What is measured, as it is told and as it is logged."""


def figure_table(metrics: Mapping[str, Tensor | float], stage: str) -> str:
    """Logged figures of every set as a table: the generator beside the baselines."""
    sets = sorted({n.split("/")[1] for n in metrics if n.startswith(f"{stage}/") and "l1" in n})
    lines = []
    for name in sets:
        lines.append(f"{name}, inside the hole      L1     SSIM  sharpness  LPIPS")
        for label, part in METHODS:
            prefix = f"{stage}/{name}/{part}"
            if f"{prefix}l1" in metrics:
                l1, likeness, sharp, lpips = (
                    float(metrics.get(prefix + n, float("nan")))
                    for n in ("l1", "ssim", "sharpness", "lpips")
                )
                lines.append(f"  {label:<20} {l1:8.4f} {likeness:8.3f} {sharp:8.2f} {lpips:8.4f}")
        own = float(metrics[f"{stage}/{name}/l1"])
        for label, part in METHODS[2:]:
            other = metrics.get(f"{stage}/{name}/{part}l1")
            if other is not None:
                lines.append(f"  L1 over that of {label}: {own / float(other):.3f}")
    return "\n".join(lines)
