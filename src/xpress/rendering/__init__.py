"""Camera, light and visibility: from vertices to pixels, differentiable throughout.

`render` does everything; the steps it is made of are here too. Every name below is public, and
`docs/rendering.md` shows them at work.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xpress.rendering.antialiasing import antialias as antialias
    from xpress.rendering.camera import project as project
    from xpress.rendering.camera import rotate as rotate
    from xpress.rendering.camera import rotation_matrix as rotation_matrix
    from xpress.rendering.fragments import Fragments as Fragments
    from xpress.rendering.interpolation import interpolate as interpolate
    from xpress.rendering.lighting import ambient as ambient
    from xpress.rendering.lighting import shade as shade
    from xpress.rendering.lighting import spherical_harmonics as spherical_harmonics
    from xpress.rendering.normals import vertex_normals as vertex_normals
    from xpress.rendering.rasterizers import RASTERIZERS as RASTERIZERS
    from xpress.rendering.rasterizers import Rasterizer as Rasterizer
    from xpress.rendering.rasterizers import get_rasterizer as get_rasterizer
    from xpress.rendering.renderer import Rendering as Rendering
    from xpress.rendering.renderer import render as render
    from xpress.rendering.texturing import Texture as Texture
    from xpress.rendering.texturing import sample_texture as sample_texture
    from xpress.rendering.texturing import textured as textured

__all__ = [
    "RASTERIZERS",
    "Fragments",
    "Rasterizer",
    "Rendering",
    "Texture",
    "ambient",
    "antialias",
    "get_rasterizer",
    "interpolate",
    "project",
    "render",
    "rotate",
    "rotation_matrix",
    "sample_texture",
    "shade",
    "spherical_harmonics",
    "textured",
    "vertex_normals",
]

_PLACES = {
    "Fragments": "xpress.rendering.fragments",
    "RASTERIZERS": "xpress.rendering.rasterizers",
    "Rasterizer": "xpress.rendering.rasterizers",
    "Rendering": "xpress.rendering.renderer",
    "Texture": "xpress.rendering.texturing",
    "ambient": "xpress.rendering.lighting",
    "antialias": "xpress.rendering.antialiasing",
    "get_rasterizer": "xpress.rendering.rasterizers",
    "interpolate": "xpress.rendering.interpolation",
    "project": "xpress.rendering.camera",
    "render": "xpress.rendering.renderer",
    "rotate": "xpress.rendering.camera",
    "rotation_matrix": "xpress.rendering.camera",
    "sample_texture": "xpress.rendering.texturing",
    "shade": "xpress.rendering.lighting",
    "spherical_harmonics": "xpress.rendering.lighting",
    "textured": "xpress.rendering.texturing",
    "vertex_normals": "xpress.rendering.normals",
}


if not TYPE_CHECKING:  # which would believe that every name exists

    def __getattr__(name: str):
        # torch takes seconds to load, and not everything here needs it
        if name not in _PLACES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_PLACES[name]), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
