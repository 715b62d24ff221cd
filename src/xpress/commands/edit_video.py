"""A video with edited faces: decoding, reading, drawing and encoding side by side."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import numpy as np

from xpress.commands.frame_job import Frame, FrameJob
from xpress.commands.pipeline import Progress, prefetch
from xpress.editing.expression_editor import ExpressionEditor, FaceEdits
from xpress.errors import InputError
from xpress.extraction.face_sample import FaceSample
from xpress.media.label import Label
from xpress.media.sources import VideoSource
from xpress.provenance.watermark import Marker, unmarked
from xpress.transfer.fading import fading

_Tracked = tuple[Fraction, np.ndarray, list[FaceSample | None]]
_Shared = tuple[Fraction, np.ndarray, list[tuple[FaceSample, float] | None]]


class EditJob(FrameJob):
    """Every frame of a video with the same action units, whatever the face does otherwise.

    Args:
        editor: finds, reads and edits faces.
        source: the video.
        units: as `parse_action_units` returns them.
        face: largest, all, or an index from the left.
        smoothing: filter pose and expression over time.
        workers: frames that are drawn at the same time.
        label: what the output says of itself.
        marker: marks what was changed in a frame.
    """

    def __init__(
        self,
        editor: ExpressionEditor,
        source: VideoSource,
        units: dict[str, float],
        face: str | int = "largest",
        smoothing: bool = True,
        workers: int = 2,
        label: Label | None = None,
        marker: Marker = unmarked,
    ) -> None:
        super().__init__(workers, label, marker)
        self.editor = editor
        self.source = source
        self.units = units
        self.face = face
        self.smoothing = smoothing
        self.without = 0

    def write(self, output: Path, progress: Progress) -> None:
        """Run it and print the summary.

        Raises:
            InputError: no frame shows a face, or the output cannot be written.
        """
        source = self.source
        sounding = source if source.has_audio else None
        count = self.encode(output, self._drawn(), source, sounding, progress)
        chosen = f"; {self.choice.told('edited')}" if self.choice else ""
        kept = f"; {self.without} frames without a face left as they are" if self.without else ""
        print(f"{output}: {self.times.summary(count)}{chosen}{kept}")

    def check(self, count: int) -> None:
        """Refuse a video without a face."""
        if self.without == count:
            raise InputError(
                f"{self.source.name}: no face found in any frame; give one that shows a face"
            )

    def _tracked(self) -> Generator[_Tracked, None, None]:
        with closing(prefetch(self.times.over("decode", self.source.timed()))) as frames:
            yield from self.times.over(
                "extract",
                self.editor.reenactor.track_faces(
                    frames, self.face, self.source.name, self.smoothing, self.chose
                ),
            )

    def _drawn(self) -> Generator[Frame, None, None]:
        def draw(edits: FaceEdits, frame: _Shared) -> Frame:
            time, image, shown = frame
            faces = [None if item is None else item[0] for item in shown]
            seen = [face for face in faces if face is not None]
            if not seen:
                return time, image
            with self.times.measure("edit"):
                shares = [0.0 if item is None else item[1] for item in shown]
                edited = edits(image, faces, shares).image
                return time, self.marker(image, edited, seen)

        def make() -> FaceEdits:
            return FaceEdits(self.editor.editors, self.units)

        return self.side_by_side(make, draw, self._counted())

    def _counted(self) -> Iterator[_Shared]:
        shared = fading(self._tracked(), lambda face, share: (face, share))
        with closing(prefetch(shared)) as frames:
            for frame in frames:
                self.without += not any(face is not None for face in frame[2])
                yield frame
