"""What a written file says of itself."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

XMP_BOX = uuid.UUID("be7acfcb-97a9-42e8-9c71-999491e3afac").bytes
"""Type of the box that holds XMP in MP4 and MOV (Adobe, XMP Specification Part 3, 2016)."""


@dataclass(frozen=True)
class Label:
    """Metadata for an output, in every form that containers take.

    Attributes:
        xmp: packet, UTF-8.
        tags: for containers that keep names and values.
        sign: called with the complete file before it takes its name; None leaves it unsigned.
    """

    xmp: bytes
    tags: Mapping[str, str] = field(default_factory=dict)
    sign: Callable[[Path], None] | None = None


def append_xmp_box(path: Path, xmp: bytes) -> None:
    """Append XMP to a complete MP4 or MOV file; samples and index stay where they are."""
    body = XMP_BOX + xmp
    with path.open("ab") as file:
        file.write(struct.pack(">I4s", len(body) + 8, b"uuid") + body)
