"""Fixtures that tests of several folders share."""

from .small_models import plant, reduced, sheets
from .toy_faces import (
    geometry,
    landmark_model,
    model,
    mouth_files,
    one_thread,
    reenactor,
    toys,
    world,
)
from .written_packs import write_mouths, write_pack

__all__ = [
    "geometry",
    "landmark_model",
    "model",
    "mouth_files",
    "one_thread",
    "plant",
    "reduced",
    "reenactor",
    "sheets",
    "toys",
    "world",
    "write_mouths",
    "write_pack",
]
