"""The photometric loss at some vertices of the skin: colour and light without a renderer.

Tewari et al. (MoFA, ICCV 2017) compare the picture with the model at its projected vertices, not
at pixels. A few hundred vertices spread over the face tell colour and light as well as all pixels
do, and cost next to nothing, so that the encoder's features can learn both from the first step.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from xpress.models.face_autoencoder.decoder import inner_face_mask
from xpress.morphable.model import MorphableModel
from xpress.rendering.camera import project, rotate
from xpress.rendering.lighting import shade
from xpress.rendering.normals import vertex_normals
from xpress.structures import FaceParameters

FACING = 0.25
"""Vertices whose normal's z is below are hidden or seen too obliquely."""


class SkinModel(nn.Module):
    """The face model at `count` vertices of the front of the face, spread by area.

    Their neighbours come along, for normals that are exactly those of the whole mesh.

    Args:
        model: the face model.
        count: vertices that are compared.
    """

    def __init__(self, model: MorphableModel, count: int = 600) -> None:
        super().__init__()
        chosen = _spread(model, count)
        triangles = model.part_triangles("face")
        is_chosen = torch.zeros(len(model.mean), dtype=torch.bool)
        is_chosen[chosen] = True
        around = triangles[is_chosen[triangles].any(1)]
        others = around.unique()
        vertices = torch.cat([chosen, others[~is_chosen[others]]])
        place = torch.full((len(model.mean),), -1)
        place[vertices] = torch.arange(len(vertices))
        self.count = len(chosen)
        buffers = {
            "mean": model.mean[vertices],
            "identity_basis": model.identity_basis[:, vertices],
            "expression_basis": model.expression_basis[:, vertices],
            "mean_color": model.mean_color[chosen],
            "color_basis": model.color_basis[:, chosen],
            "triangles": place[around],
        }
        for name, value in buffers.items():
            self.register_buffer(name, value, persistent=False)

    mean: Tensor
    identity_basis: Tensor
    expression_basis: Tensor
    mean_color: Tensor
    color_basis: Tensor
    triangles: Tensor

    def forward(
        self, parameters: FaceParameters
    ) -> tuple[Float[Tensor, "B N 2"], Float[Tensor, "B N 3"], Float[Tensor, "B N"]]:
        """Where the vertices are seen, pixels; their colours, RGB; z of their normals."""
        shape = (
            self.mean
            + torch.tensordot(parameters.identity, self.identity_basis, dims=1)
            + torch.tensordot(parameters.expression, self.expression_basis, dims=1)
        )
        normals = vertex_normals(rotate(shape, parameters.rotation), self.triangles)
        normals = normals[:, : self.count]
        pose = parameters.rotation, parameters.translation, parameters.scale
        points = project(shape[:, : self.count], *pose)[..., :2]
        albedo = self.mean_color + torch.tensordot(parameters.color, self.color_basis, dims=1)
        return points, albedo * shade(normals, parameters.illumination), normals[..., 2]


def skin_loss(
    skin: SkinModel,
    parameters: FaceParameters,
    image: Float[Tensor, "B 3 H W"],
    robust: float = 3.0,
) -> Float[Tensor, " B"]:
    """RMS difference between the model's colours and the picture's where the skin is seen.

    Colour and light alone have gradients: geometry that follows colours slides along edges.

    Args:
        skin: the vertices.
        parameters: in pixels of `image`.
        image: RGB in [0, 1].
        robust: as in `losses.photometric_loss`.
    """
    height, width = image.shape[2:]
    names = ("identity", "expression", "rotation", "translation", "scale")
    fixed = {name: getattr(parameters, name).detach() for name in names}
    points, color, facing = skin(parameters.replace(**fixed))
    # align_corners: -1 and 1 are the centres of the outermost pixels
    place = points * 2 / points.new_tensor([width - 1, height - 1]) - 1
    seen = functional.grid_sample(image, place[:, None], align_corners=True)[:, :, 0]
    inside = (place.abs() <= 1).all(-1)
    # what is seen obliquely takes fewer pixels
    weight = torch.where(inside & (facing > FACING), facing, 0.0)
    error = (color - seen.transpose(1, 2)).square().mean(-1)
    if robust != float("inf"):
        spread = (error.detach() * weight).sum(1) / weight.sum(1).clamp_min(1)
        weight = weight * (error.detach() <= robust**2 * spread[:, None])
    return ((error * weight).sum(1) / weight.sum(1).clamp_min(1) + 1e-6).sqrt()


def _spread(model: MorphableModel, count: int) -> Tensor:
    """Indices of vertices drawn without replacement, in proportion to the area around them."""
    triangles = model.part_triangles("face")
    a, b, c = model.mean[triangles].unbind(1)
    area = torch.linalg.cross(b - a, c - a).norm(dim=1)
    around = torch.zeros(len(model.mean)).index_add(
        0, triangles.flatten(), area.repeat_interleave(3)
    )
    around *= inner_face_mask(model)
    count = min(count, int((around > 0).sum()))
    generator = torch.Generator().manual_seed(0)
    return torch.multinomial(around, count, generator=generator)
