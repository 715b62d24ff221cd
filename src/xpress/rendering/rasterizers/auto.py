"""The fastest backend for the device that the vertices are on."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from xpress.rendering.rasterizers.base import Rasterizer
from xpress.rendering.rasterizers.numba import NumbaRasterizer
from xpress.rendering.rasterizers.torch import TorchRasterizer


class AutoRasterizer(Rasterizer):
    """numba for vertices on the CPU, torch on other devices."""

    def __init__(self, cull_backfaces: bool = False) -> None:
        super().__init__(cull_backfaces)
        self._cpu = NumbaRasterizer(cull_backfaces)
        self._other = TorchRasterizer(cull_backfaces)

    def visibility(
        self,
        vertices: Float[Tensor, "B V 3"],
        triangles: Int[Tensor, "F 3"],
        size: tuple[int, int],
    ) -> Int[Tensor, "B H W"]:
        """Delegate to the backend for the device."""
        backend = self._cpu if vertices.device.type == "cpu" else self._other
        return backend.visibility(vertices, triangles, size)
