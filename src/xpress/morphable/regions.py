"""Parts of the face that may be moved on their own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from xpress.errors import InputError

REGIONS: dict[str, tuple[str, ...]] = {
    "mouth": ("jaw", "mouth", "cheekPuff", "noseSneer"),
    "eyes": ("eye", "cheekSquint"),
    "brows": ("brow",),
}
"""How the names of the blendshapes of each region begin; every shape belongs to one."""


def moved_by(names: Sequence[str], regions: Sequence[str] | None) -> Bool[np.ndarray, " Ke"]:
    """Which blendshapes belong to any of the regions; None means all of the face.

    Raises:
        InputError: an unknown region, or none at all.
    """
    if regions is None:
        return np.ones(len(names), bool)
    known = ", ".join(REGIONS)
    if not regions:
        raise InputError(f"regions=[]: nothing would move; choose of {known}")
    for region in regions:
        if region not in REGIONS:
            raise InputError(f"regions: {region} is none; choose of {known}")
    beginnings = tuple(start for region in regions for start in REGIONS[region])
    return np.array([name.startswith(beginnings) for name in names])
