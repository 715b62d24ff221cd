"""Real-time facial reenactment and expression editing.

The names here and in `xpress.rendering` are the library; everything else is internal and may
change.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from xpress import kernel_cache

# ONNX Runtime since 1.29 else leaves a file in the folder for temporary files when it is imported,
# and tells its makers of every network that is loaded
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from xpress.editing.expression_editor import ExpressionEditor as ExpressionEditor
    from xpress.errors import InputError as InputError
    from xpress.extraction.face_analysis import FaceAnalysis as FaceAnalysis
    from xpress.extraction.face_reader import FaceReader as FaceReader
    from xpress.media.images import read_image as read_image
    from xpress.media.images import write_image as write_image
    from xpress.morphable.face_model import FaceModel as FaceModel
    from xpress.morphable.io.obj import write_obj as write_obj
    from xpress.morphable.model import MorphableModel as MorphableModel
    from xpress.reenactment.options import ReenactmentOptions as ReenactmentOptions
    from xpress.reenactment.reenactor import Reenactor as Reenactor
    from xpress.rendering.camera import project as project
    from xpress.rendering.camera import rotate as rotate
    from xpress.rendering.rasterizers import get_rasterizer as get_rasterizer
    from xpress.rendering.renderer import Rendering as Rendering
    from xpress.rendering.renderer import render as render
    from xpress.rendering.texturing import Texture as Texture
    from xpress.structures import FaceParameters as FaceParameters

kernel_cache.prepare(Path(__file__).parent)

__all__ = [
    "ExpressionEditor",
    "FaceAnalysis",
    "FaceModel",
    "FaceParameters",
    "FaceReader",
    "InputError",
    "MorphableModel",
    "ReenactmentOptions",
    "Reenactor",
    "Rendering",
    "Texture",
    "get_rasterizer",
    "project",
    "read_image",
    "render",
    "rotate",
    "write_image",
    "write_obj",
]

_PLACES = {
    "ExpressionEditor": "xpress.editing.expression_editor",
    "FaceAnalysis": "xpress.extraction.face_analysis",
    "FaceModel": "xpress.morphable.face_model",
    "FaceParameters": "xpress.structures",
    "FaceReader": "xpress.extraction.face_reader",
    "InputError": "xpress.errors",
    "MorphableModel": "xpress.morphable.model",
    "ReenactmentOptions": "xpress.reenactment.options",
    "Reenactor": "xpress.reenactment.reenactor",
    "Rendering": "xpress.rendering.renderer",
    "Texture": "xpress.rendering.texturing",
    "get_rasterizer": "xpress.rendering.rasterizers",
    "project": "xpress.rendering.camera",
    "read_image": "xpress.media.images",
    "render": "xpress.rendering.renderer",
    "rotate": "xpress.rendering.camera",
    "write_image": "xpress.media.images",
    "write_obj": "xpress.morphable.io.obj",
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
