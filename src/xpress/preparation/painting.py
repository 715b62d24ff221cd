"""Plausible colours for what photographs of faces hardly show: eyes, teeth, gums, the mouth."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from xpress.morphable.model import MorphableModel

COLORS = {
    "eye_sockets": (0.50, 0.30, 0.26),
    "mouth_socket": (0.30, 0.10, 0.09),
    "gums_tongue": (0.62, 0.30, 0.29),
    "teeth_upper": (0.86, 0.82, 0.76),
    "teeth_lower": (0.80, 0.76, 0.70),
}
SCLERA, IRIS, PUPIL = (0.84, 0.80, 0.78), (0.30, 0.20, 0.13), (0.03, 0.03, 0.03)
IRIS_RADIUS, PUPIL_RADIUS = 0.49, 0.21
"""Over the eyeball's radius: 5.9 mm and 2.5 mm of 12 mm."""


def paint_inner_parts(model: MorphableModel, colors: Float[Tensor, "V 3"]) -> Float[Tensor, "V 3"]:
    """`colors` with the parts that lie inside the face painted; the face keeps its own."""
    colors = colors.clone()
    for name, color in COLORS.items():
        part = model.parts[name]
        colors[part.vertex_start : part.vertex_stop] = torch.tensor(color)
    # The back of the mouth lies in the dark: spherical harmonics know no shadows.
    front = model.mean[model.parts["teeth_upper"].vertex_start :, 2].max()
    for name in ("mouth_socket", "gums_tongue", "teeth_upper", "teeth_lower"):
        part = model.parts[name]
        block = slice(part.vertex_start, part.vertex_stop)
        behind = (front - model.mean[block, 2]).clamp_min(0)
        colors[block] *= torch.exp(-behind / 2.5)[:, None]
    for name in ("eyeball_left", "eyeball_right"):
        part = model.parts[name]
        block = slice(part.vertex_start, part.vertex_stop)
        colors[block] = _eyeball_colors(model.mean[block])
    return colors


def _eyeball_colors(vertices: Float[Tensor, "V 3"]) -> Float[Tensor, "V 3"]:
    low, high = vertices.amin(0), vertices.amax(0)
    radius = (high[0] - low[0]) / 2
    distance = (vertices - (low + high) / 2)[:, :2].norm(dim=1) / radius
    front = vertices[:, 2] > low[2] + radius
    colors = torch.tensor(SCLERA).repeat(len(vertices), 1)
    colors[front & (distance < IRIS_RADIUS)] = torch.tensor(IRIS)
    colors[front & (distance < PUPIL_RADIUS)] = torch.tensor(PUPIL)
    return colors
