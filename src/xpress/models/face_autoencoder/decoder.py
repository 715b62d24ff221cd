"""The decoder: face model, lighting and differentiable rendering."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from xpress.morphable.model import MorphableModel
from xpress.rendering.camera import project, rotate
from xpress.rendering.lighting import shade
from xpress.rendering.normals import vertex_normals
from xpress.rendering.rasterizers import get_rasterizer
from xpress.rendering.renderer import Rendering, render
from xpress.structures import FaceParameters


class FaceDecoder(nn.Module):
    """Parameters to picture.

    Args:
        model: the face model.
        rasterizer: backend, see `xpress.rendering.rasterizers`.
        parts: what is drawn; the whole face with eyes and mouth by default.
    """

    def __init__(
        self, model: MorphableModel, rasterizer: str = "auto", parts: tuple[str, ...] | None = None
    ) -> None:
        super().__init__()
        self.model = model
        self.rasterizer = get_rasterizer(rasterizer)
        triangles = model.part_triangles(*(parts or model.parts))
        self.register_buffer("triangles", triangles, persistent=False)

    triangles: Tensor

    def forward(self, parameters: FaceParameters, size: tuple[int, int]) -> Rendering:
        """Draw faces in pixels of the crop that the parameters refer to."""
        shape = self.model.vertices(parameters.identity, parameters.expression)
        points = project(shape, parameters.rotation, parameters.translation, parameters.scale)
        colors = self.vertex_colors(shape, parameters)
        return render(
            points, self.triangles, colors, size, antialias=False, rasterizer=self.rasterizer
        )

    def vertex_colors(
        self, shape: Float[Tensor, "B V 3"], parameters: FaceParameters
    ) -> Float[Tensor, "B V 3"]:
        """Albedo times shading at the vertices' normals in camera space."""
        normals = vertex_normals(rotate(shape, parameters.rotation), self.model.triangles)
        return self.model.colors(parameters.color) * shade(normals, parameters.illumination)


def inner_face_mask(model: MorphableModel) -> Float[Tensor, " V"]:
    """1 for vertices of the front of the face, 0 for neck, ears, scalp and inner parts.

    The colour loss looks there only: hair and collars are no skin.
    """
    face = model.parts["face"].vertex_stop
    _, y, z = model.mean[:face].unbind(1)
    points = model.landmark_points(model.mean[None])[0]
    chin, brow = points[8, 1], points[17:27, 1].max()
    top = brow + 0.35 * (brow - chin)
    front = (z > points[36, 2] - 3.5) & (y > chin - 0.3) & (y < top)
    return torch.cat([front.float(), torch.zeros(len(model.mean) - face)])
