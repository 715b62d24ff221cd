"""What tasks do that draw the frames of a video: side by side, and written as they come."""

from __future__ import annotations

import queue
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, closing
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TypeVar

import numpy as np

from xpress.commands.pipeline import Progress, StageTimes, frame_progress, ordered_map
from xpress.extraction.detection import FaceChoice
from xpress.media.label import Label
from xpress.media.sources import FrameSource
from xpress.media.video import VideoWriter
from xpress.provenance.watermark import Marker, unmarked

Drawer = TypeVar("Drawer")
Task = TypeVar("Task")
Frame = tuple[Fraction, np.ndarray]
"""Seconds after the first frame, and an RGB picture (H, W, 3)."""


class FrameJob:
    """Draws and encodes the frames of one output.

    Args:
        workers: frames that are drawn at the same time.
        label: what the output says of itself.
        marker: marks what was changed in a frame.

    Attributes:
        times: of each stage.
        choice: which of the faces were chosen, once that is known.
    """

    def __init__(
        self, workers: int = 2, label: Label | None = None, marker: Marker = unmarked
    ) -> None:
        self.workers, self.label, self.marker = workers, label, marker
        self.times = StageTimes()
        self.choice: FaceChoice | None = None

    def chose(self, choice: FaceChoice) -> None:
        """Remember which faces were chosen."""
        self.choice = choice

    def side_by_side(
        self,
        make: Callable[[], Drawer],
        draw: Callable[[Drawer, Task], Frame],
        tasks: Iterable[Task],
    ) -> Generator[Frame, None, None]:
        """Frames in order, by as many drawers as there are workers."""
        idle: queue.SimpleQueue[Drawer] = queue.SimpleQueue()
        for _ in range(self.workers):
            idle.put(make())

        def drawn(task: Task) -> Frame:
            drawer = idle.get()
            try:
                return draw(drawer, task)
            finally:
                idle.put(drawer)

        return ordered_map(drawn, tasks, self.workers)

    def encode(
        self,
        output: Path,
        frames: Generator[Frame, None, None],
        leading: FrameSource,
        sounding: FrameSource | None,
        progress: Progress,
    ) -> int:
        """Write the frames, at least one, and count them.

        Args:
            output: the video.
            frames: closed in the end.
            leading: gives the frame rate and, for the progress bar, the number of frames.
            sounding: gives the sound.
            progress: show a progress bar, or tell of every frame, see `Progress`.
        """
        count = 0
        with ExitStack() as stack:
            frames = stack.enter_context(closing(frames))
            first = next(frames)
            size = (first[1].shape[1], first[1].shape[0])
            sound = sounding.path if sounding is not None else None
            writer = VideoWriter(output, leading.fps, size, sound, label=self.label)
            stack.enter_context(writer)
            told = stack.enter_context(frame_progress(leading.frame_count, progress))
            for time, frame in chain([first], frames):
                with self.times.measure("encode"):
                    writer.write(frame, time)
                count += 1
                told(frame)
            self.check(count)
        return count

    def check(self, count: int) -> None:
        """Raise where these frames are not to be kept; called before the output is complete."""
