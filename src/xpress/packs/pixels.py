"""Where a data set's pictures lie while it trains: encoded, or decoded into one shared array."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int, UInt8

from xpress.errors import InputError
from xpress.packs.records import FaceRecords, decode

log = logging.getLogger(__name__)

AUTO_LIMIT = 3 << 30
"""Bytes of decoded pictures up to which `cache="auto"` keeps them decoded."""


@runtime_checkable
class Pixels(Protocol):
    """Pictures by row."""

    def __getitem__(self, row: int) -> np.ndarray:
        """RGB uint8 (H, W, 3); raises `InputError` where the row cannot be decoded."""
        ...


class EncodedPixels:
    """Decodes a picture whenever it is asked for; memory stays that of the encoded bytes."""

    def __init__(self, images: Sequence[bytes] | Sequence[Path]) -> None:
        self.images = images

    def __getitem__(self, row: int) -> np.ndarray:
        return decode(self.images[row])


class DecodedPixels:
    """Decoded pictures of any sizes end to end in one array, which forked workers share.

    Args:
        buffer: all pixels.
        offsets: where each row begins.
        shapes: (height, width) of each row.
    """

    def __init__(
        self,
        buffer: UInt8[np.ndarray, " bytes"],
        offsets: Int[np.ndarray, " N"],
        shapes: Int[np.ndarray, "N 2"],
    ) -> None:
        self.buffer, self.offsets, self.shapes = buffer, offsets, shapes

    def __getitem__(self, row: int) -> np.ndarray:
        (height, width), start = self.shapes[row], self.offsets[row]
        return self.buffer[start : start + 3 * height * width].reshape(height, width, 3)

    @staticmethod
    def stack(images: np.ndarray) -> DecodedPixels:
        """From (N, H, W, 3) uint8 of one size, without a copy (also from a memory map)."""
        count, height, width = images.shape[:3]
        offsets = np.arange(count, dtype=np.int64) * (3 * height * width)
        return DecodedPixels(images.reshape(-1), offsets, np.tile([height, width], (count, 1)))


def load_pixels(records: FaceRecords, cache: str = "auto") -> tuple[FaceRecords, Pixels]:
    """Prepare the pictures of a source.

    Args:
        records: of one reader.
        cache: "decoded" keeps all pictures decoded, "encoded" decodes at every use, "auto"
            decodes what fits into `AUTO_LIMIT` bytes.

    Returns:
        The records without the rows that failed to decode (known only when decoded here), and
        the pictures by row.

    Raises:
        InputError: unknown cache mode, or no picture can be decoded.
    """
    if cache not in ("auto", "decoded", "encoded"):
        raise InputError(f"cache={cache}: choose auto, decoded or encoded")
    if cache == "encoded" or (cache == "auto" and _decoded_bytes(records) > AUTO_LIMIT):
        return records, EncodedPixels(records.images)
    images, good, first = [], [], ""
    for row in range(len(records)):
        try:
            images.append(decode(records.images[row]))
            good.append(row)
        except InputError:
            first = first or records.keys[row]
    if len(good) < len(records):
        lost = len(records) - len(good)
        log.warning("%s: skipped %d broken images (first: %s)", records.name, lost, first)
    if not good:
        raise InputError(f"{records.name}: none of its {len(records)} images can be decoded")
    return records.select(np.array(good)), _join(images)


def _join(images: list[np.ndarray]) -> DecodedPixels:
    shapes = np.array([image.shape[:2] for image in images], np.int64)
    ends = np.cumsum(3 * shapes.prod(1))
    buffer = np.empty(ends[-1], np.uint8)
    offsets = ends - 3 * shapes.prod(1)
    for i, start in enumerate(offsets):
        buffer[start : ends[i]] = images[i].reshape(-1)
        images[i] = buffer[:0]  # frees the picture, so that the peak stays near one copy
    return DecodedPixels(buffer, offsets, shapes)


def _decoded_bytes(records: FaceRecords) -> int:
    """An estimate from at most sixteen rows."""
    sizes = []
    for row in np.linspace(0, len(records) - 1, 16).astype(int):
        try:
            sizes.append(decode(records.images[row]).nbytes)
        except InputError:
            continue
    return int(np.mean(sizes) * len(records)) if sizes else 0


def is_color(image: np.ndarray) -> bool:
    """Whether a picture (H, W, 3) shows colours."""
    return bool(np.ptp(image[::8, ::8].astype(np.int16), axis=2).max() > 8)


class SelectedPixels:
    """Some rows of other pixels."""

    def __init__(self, pixels: object, rows: np.ndarray) -> None:
        self.pixels, self.rows = pixels, rows

    def __getitem__(self, row: int) -> np.ndarray:
        return self.pixels[int(self.rows[row])]  # type: ignore[index]
