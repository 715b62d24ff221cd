"""The function behind `infer.py task=interpolate`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from xpress.commands.output_files import (
    check_output,
    check_suffix,
    new_folders_kept_on_success,
)
from xpress.commands.pipeline import Progress, frame_progress, threads_limited
from xpress.editing.expression_editor import ExpressionEditor
from xpress.editing.strip import FPS, face_strip, sweep, times
from xpress.errors import InputError
from xpress.extraction.face_window import FaceWindow
from xpress.media.images import IMAGE_SUFFIXES, write_image
from xpress.media.label import Label
from xpress.media.sources import ImageSource, open_source
from xpress.media.video import VIDEO_SUFFIXES, VideoWriter
from xpress.provenance.provenance import MARKED, Provenance

PathLike = str | os.PathLike


def interpolate(
    source: PathLike,
    target: PathLike,
    output: PathLike,
    steps: Sequence[float] = (0.5, 0.75, 1.0),
    editor: str = "morphable",
    face: str | int = "largest",
    mouth: str = "generator",
    overwrite: bool = True,
    progress: Progress = True,
    weights: PathLike | None = None,
    loaded: ExpressionEditor | None = None,
    provenance: Provenance = MARKED,
) -> None:
    """Move a face's expression step by step to that of another photograph.

    A picture shows the target, each step and the source side by side; a video moves from the
    target through the steps, easing and resting on each.

    Args:
        source: photograph that gives the expression.
        target: photograph that receives it.
        output: picture or video.
        steps: from 0, the target's own expression, to 1, the source's.
        editor: morphable interpolates all activations but the gaze's, ganimation and dft_net the 17
            units.
        face: of the target, largest or an index from the left.
        mouth: see `edit`.
        overwrite: replace an output that exists.
        progress: show a progress bar, or tell of every frame, see `Progress`.
        weights: see `edit`.
        loaded: see `edit`.
        provenance: how the output is marked.

    Raises:
        InputError: an input or option is wrong; nothing is written.
    """
    steps = _checked_steps(steps)
    if face == "all":
        raise InputError("face=all: task=interpolate moves one face; give largest or an index")
    with ExitStack() as stack:
        stack.enter_context(new_folders_kept_on_success(output))
        output = check_output(output, [source, target], overwrite)
        stack.enter_context(threads_limited(1))
        why = "an interpolation is a picture or a video"
        check_suffix(output, (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES), why)
        given, receiving = (stack.enter_context(open_source(path)) for path in (source, target))
        for photo in (given, receiving):
            if not isinstance(photo, ImageSource):
                raise InputError(f"{photo.name}: task=interpolate takes two photos")
        assert isinstance(given, ImageSource)
        assert isinstance(receiving, ImageSource)
        provenance.check(output)
        label, marker = provenance.label(parent=receiving.path), provenance.marker()
        loaded = loaded or ExpressionEditor.from_pretrained(editor, weights or "default", mouth)
        own = loaded.reenactor.find(receiving.image, face, receiving.name)[0]
        other = loaded.reenactor.find(given.image, name=given.name)[0]
        drawing, image = loaded.editors(), receiving.image
        video = output.suffix.lower() in VIDEO_SUFFIXES
        if not video:  # which shows all of the picture; tiles show heads
            window = FaceWindow.around(own, *image.shape[:2])
            image, own = window.cut(image), window.shifted(own)

        def moved(step: float) -> np.ndarray:
            return marker(image, drawing.towards(image, own, other, step).image, [own])

        if video:
            _write_sweep(output, image, steps, moved, progress, label)
        else:
            shown = [moved(step) for step in steps]
            write_image(output, face_strip(image, shown, given.image, own, other), label)
    print(f"{output}: steps {', '.join(f'{step:g}' for step in steps)}")


def _write_sweep(
    output: Path,
    image: np.ndarray,
    steps: Sequence[float],
    moved: Callable[[float], np.ndarray],
    progress: Progress,
    label: Label | None,
) -> None:
    """Write the video; frames that rest on a step are drawn once."""
    frames = sweep(steps)
    size = (image.shape[1], image.shape[0])
    with (
        VideoWriter(output, FPS, size, label=label) as writer,
        frame_progress(len(frames), progress) as told,
    ):
        last, drawn = None, image
        for time, step in zip(times(len(frames)), frames, strict=True):
            if step != last:
                last, drawn = step, moved(step)
            writer.write(drawn, time)
            told(drawn)


def _checked_steps(steps: Sequence[float]) -> list[float]:
    found = [float(step) for step in steps]
    if not found or not all(0 <= step <= 1 for step in found):
        raise InputError(f"steps={list(steps)}: give one or more from 0 to 1, as in [0.5,0.75,1.0]")
    return found
