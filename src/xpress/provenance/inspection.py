"""What a file's marks say: metadata, C2PA manifest and invisible mark."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from xpress.errors import InputError
from xpress.media.images import is_image, read_image
from xpress.media.video import VideoReader
from xpress.provenance.c2pa_manifest import ManifestReport, read_manifest
from xpress.provenance.metadata import read_metadata
from xpress.provenance.watermark import TILES_A_FACE
from xpress.provenance.watermark_detection import WatermarkEvidence, find_watermark

FRAMES, SPAN = 48, 240
"""Frames of a video that are searched, evenly from its first so many."""

LARGE = 200
"""Pixels of a face: where smaller ones are left out, that is told."""


@dataclass(frozen=True)
class Findings:
    """What was found in a file.

    Attributes:
        metadata: `digital_source_type` and `software`, as far as they are named.
        manifest: None where there is none, or a sentence on why it cannot be told.
        watermark: of the pixels.
    """

    metadata: dict[str, str]
    manifest: ManifestReport | str | None
    watermark: WatermarkEvidence

    @property
    def any(self) -> bool:
        """Whether something says how the file was made."""
        named = "digital_source_type" in self.metadata
        return named or isinstance(self.manifest, ManifestReport) or self.watermark.found

    def lines(self) -> list[str]:
        """For people, one mark a line."""
        return [_metadata_line(self.metadata), _manifest_line(self.manifest), self._pixels()]

    def _pixels(self) -> str:
        score = f"score {self.watermark.score:.1f}, threshold {self.watermark.threshold:.1f}"
        if not self.watermark.found:
            least = self.watermark.shortest * TILES_A_FACE
            large = f"; of faces below {least:.0f} pixels not looked for" if least > LARGE else ""
            return f"invisible mark: none ({score}{large})"
        return f"invisible mark: found ({score}, tile of {self.watermark.period:.0f} pixels)"


def inspect(path: Path, anchors: Path | None = None) -> Findings:
    """Look for every mark in a picture or video.

    Args:
        path: the file.
        anchors: PEM with root certificates to trust.

    Raises:
        InputError: no such file, not a medium, or unreadable anchors.
    """
    found = read_metadata(path)
    try:
        manifest: ManifestReport | str | None = read_manifest(path, anchors)
    except InputError as error:
        manifest = str(error)
    return Findings(found, manifest, find_watermark(_frames(path)))


def _frames(path: Path) -> Iterator[UInt8[np.ndarray, "H W 3"]]:
    if is_image(path):
        yield read_image(path)
        return
    reader = VideoReader(path)
    every = max(min(reader.frame_count or SPAN, SPAN) // FRAMES, 1)
    yield from islice(reader, 0, SPAN, every)


def _metadata_line(found: dict[str, str]) -> str:
    if not found:
        return "metadata: none that says how the file was made"
    source = found.get("digital_source_type", "no digital source type").rsplit("/", 1)[-1]
    return f"metadata: {source}" + (f", by {found['software']}" if "software" in found else "")


def _manifest_line(manifest: ManifestReport | str | None) -> str:
    if manifest is None:
        return "C2PA: no manifest"
    if isinstance(manifest, str):
        return f"C2PA: not looked for; {manifest}"
    sources = ", ".join(source.rsplit("/", 1)[-1] for source in manifest.digital_source_types)
    problems = f" ({', '.join(manifest.problems)})" if manifest.problems else ""
    signer = f" by {manifest.signer}" if manifest.signer else ""
    return (
        f"C2PA: {manifest.state.lower()}{problems}, signed{signer}: {sources or 'no source type'}"
    )
