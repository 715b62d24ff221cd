"""How commands name another face model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional


@dataclass
class MorphableOptions:
    """Another face model than the package's; `conf/morphable` has a choice for each reader.

    Attributes:
        reader: what reads it, see `registry.READERS`; None takes the package's.
        path: its file or folder.
        landmarks: text file with 68 vertices of its mesh, -1 for unknown ones.
    """

    reader: Optional[str] = None  # noqa: UP045  (OmegaConf reads this form alone)
    path: Optional[str] = None  # noqa: UP045
    landmarks: Optional[str] = None  # noqa: UP045
