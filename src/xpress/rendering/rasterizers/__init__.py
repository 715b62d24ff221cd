"""Rasterisers: one backend a file behind one protocol.

>>> rasterizer = get_rasterizer("auto")
>>> fragments = rasterizer(projected_vertices, triangles, (height, width))
"""

from __future__ import annotations

from importlib import import_module

from xpress.errors import InputError
from xpress.rendering.rasterizers.base import Rasterizer

_BACKENDS = {
    "torch": ("xpress.rendering.rasterizers.torch", "TorchRasterizer"),
    "numba": ("xpress.rendering.rasterizers.numba", "NumbaRasterizer"),
    "pytorch3d": ("xpress.rendering.rasterizers.pytorch3d", "Pytorch3dRasterizer"),
    "auto": ("xpress.rendering.rasterizers.auto", "AutoRasterizer"),
}

RASTERIZERS = tuple(_BACKENDS)
"""Names that `get_rasterizer` knows."""


def get_rasterizer(name: str = "auto", *, cull_backfaces: bool = False) -> Rasterizer:
    """The backend of that name.

    Args:
        name: `torch` (any device), `numba` (CPU), `pytorch3d` (an extra), or `auto` (numba for
            vertices on the CPU, torch on other devices).
        cull_backfaces: draw only triangles that turn their front to the viewer.

    Raises:
        InputError: an unknown name, or pytorch3d is not installed.
    """
    if name not in _BACKENDS:
        raise InputError(f"rasterizer {name!r}: unknown; choose one of {', '.join(RASTERIZERS)}")
    module, backend = _BACKENDS[name]
    return getattr(import_module(module), backend)(cull_backfaces=cull_backfaces)


__all__ = ["RASTERIZERS", "Rasterizer", "get_rasterizer"]
