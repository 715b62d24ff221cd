"""Reads from a file what its metadata says about how it was made."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from xpress.errors import InputError
from xpress.media.containers import open_container
from xpress.media.images import is_image
from xpress.media.label import XMP_BOX
from xpress.provenance.xmp import LONGEST, read_xmp_packet

TAG = "DIGITAL_SOURCE_TYPE"
"""Name of the tag in containers without XMP."""

_BOX_TYPES = (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip")


def read_metadata(path: Path) -> dict[str, str]:
    """`digital_source_type` and `software`, as far as the file names them.

    Args:
        path: picture or video.

    Raises:
        InputError: no such file, or not a medium.
    """
    if is_image(path):
        return read_xmp_packet(_picture_xmp(path))
    try:
        with path.open("rb") as file:
            packet = _box_xmp(file)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    if packet:
        return read_xmp_packet(packet)
    with open_container(path) as container:
        tags = {name.upper(): value for name, value in container.metadata.items()}
    names = {"digital_source_type": TAG, "software": "SOFTWARE"}
    return {name: tags[tag] for name, tag in names.items() if tag in tags}


def _picture_xmp(path: Path) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a picture's other faults are not asked for
        with Image.open(path) as image:
            packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    return packet.encode() if isinstance(packet, str) else packet


def _box_xmp(file: BinaryIO) -> bytes:
    """The XMP box of an MP4 or MOV file; empty where there is none."""
    end = file.seek(0, 2)
    place = 0
    while place + 8 <= end:
        file.seek(place)
        size, kind = struct.unpack(">I4s", file.read(8))
        start = place + 8
        if size == 1:
            size = int.from_bytes(file.read(8), "big")
            start += 8
        elif size == 0:
            size = end - place
        if (place == 0 and kind not in _BOX_TYPES) or size < start - place:
            return b""
        length = place + size - start - 16
        if kind == b"uuid" and 0 <= length <= LONGEST and file.read(16) == XMP_BOX:
            return file.read(length)
        place += size
    return b""
