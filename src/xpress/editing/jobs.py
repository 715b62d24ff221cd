"""The functions behind `infer.py task=edit|interpolate`: files in, files out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from xpress.editing.action_unit_values import listing, parse_action_units
from xpress.editing.expression_editor import ExpressionEditor, FaceEdits
from xpress.editing.strip import FPS, face_strip, sweep, times
from xpress.editing.video_job import EditJob
from xpress.errors import InputError
from xpress.media.images import IMAGE_SUFFIXES, write_image
from xpress.media.sources import ImageSource, VideoSource, open_source
from xpress.media.video import VIDEO_SUFFIXES, VideoWriter
from xpress.morphable.action_units import SIDES
from xpress.reenactment.outputs import (
    check_output,
    check_suffix,
    new_folders_kept_on_success,
)
from xpress.reenactment.pipeline import progress_bar, use_threads

PathLike = str | os.PathLike


def edit(
    target: PathLike,
    output: PathLike,
    aus: Mapping[str, Any] | None = None,
    editor: str = "morphable",
    face: str | int = "largest",
    mouth: str = "generator",
    smoothing: bool = True,
    overwrite: bool = True,
    progress: bool = True,
    threads: int = 2,
    weights: PathLike | None = None,
    loaded: ExpressionEditor | None = None,
) -> None:
    """Give a face other action units and write the result.

    Intensities are absolute and hold in every frame; units that are not named stay as they are.
    A video keeps its frames, rate and sound; frames without a face stay as they are.

    Args:
        target: photograph or video.
        output: a picture of a photograph, .mp4, .mov or .mkv of a video.
        aus: intensities in [0, 1] by names such as AU12 or AU45_L, or random, see
            `parse_action_units`.
        editor: morphable, ganimation or dft_net.
        face: largest, all, or an index from the left.
        mouth: what fills a mouth that the morphable editor opens: generator, model or none.
        smoothing: filter videos over time.
        overwrite: replace an output that exists.
        progress: show a progress bar.
        threads: frames of a video that are drawn at the same time.
        weights: folder of own networks, see `ExpressionEditor.from_pretrained`.
        loaded: an editor with its weights; made from the options by default.

    Raises:
        InputError: an input or option is wrong; nothing is written.
    """
    units = parse_action_units(aus or {})
    if not units:
        raise InputError(f"task=edit needs aus.AU12=0.8 or aus.random=7; units: {listing()}")
    if editor != "morphable" and (sided := [name for name in units if name.endswith(SIDES)]):
        raise InputError(f"aus.{sided[0]}: only editor=morphable moves one side")
    with ExitStack() as stack:
        stack.enter_context(new_folders_kept_on_success(output))
        output = check_output(output, [target], overwrite)
        use_threads(threads)
        source = stack.enter_context(open_source(target))
        if not isinstance(source, ImageSource | VideoSource):
            raise InputError(f"{source.name}: task=edit takes a photo or a video")
        still = isinstance(source, ImageSource)
        why = f"a {source.kind} gives a {source.kind}"
        check_suffix(output, IMAGE_SUFFIXES if still else VIDEO_SUFFIXES, why)
        loaded = loaded or ExpressionEditor.from_pretrained(editor, weights or "default", mouth)
        if isinstance(source, VideoSource):
            EditJob(loaded, source, units, face, smoothing, threads).write(output, progress)
            return
        faces = loaded.reenactor.find(source.image, face, source.name)
        write_image(output, FaceEdits(loaded.editors, units)(source.image, faces).image)
    print(f"{output}: {', '.join(f'{name}={value:g}' for name, value in units.items())}")


def interpolate(
    source: PathLike,
    target: PathLike,
    output: PathLike,
    steps: Sequence[float] = (0.5, 0.75, 1.0),
    editor: str = "morphable",
    face: str | int = "largest",
    mouth: str = "generator",
    overwrite: bool = True,
    progress: bool = True,
    weights: PathLike | None = None,
    loaded: ExpressionEditor | None = None,
) -> None:
    """Move a face's expression step by step to that of another photograph.

    A picture shows the target, each step and the source side by side; a video moves from the
    target through the steps, easing and resting on each.

    Args:
        source: photograph that gives the expression.
        target: photograph that receives it.
        output: picture or video.
        steps: from 0, the target's own expression, to 1, the source's.
        editor: morphable interpolates all activations, ganimation and dft_net the 17 units.
        face: of the target, largest or an index from the left.
        mouth: see `edit`.
        overwrite: replace an output that exists.
        progress: show a progress bar.
        weights: see `edit`.
        loaded: see `edit`.

    Raises:
        InputError: an input or option is wrong; nothing is written.
    """
    steps = _checked_steps(steps)
    if face == "all":
        raise InputError("face=all: task=interpolate moves one face; give largest or an index")
    with ExitStack() as stack:
        stack.enter_context(new_folders_kept_on_success(output))
        output = check_output(output, [source, target], overwrite)
        use_threads(1)
        why = "an interpolation is a picture or a video"
        check_suffix(output, (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES), why)
        given, receiving = (stack.enter_context(open_source(path)) for path in (source, target))
        for photo in (given, receiving):
            if not isinstance(photo, ImageSource):
                raise InputError(f"{photo.name}: task=interpolate takes two photos")
        assert isinstance(given, ImageSource)
        assert isinstance(receiving, ImageSource)
        loaded = loaded or ExpressionEditor.from_pretrained(editor, weights or "default", mouth)
        own = loaded.reenactor.find(receiving.image, face, receiving.name)[0]
        other = loaded.reenactor.find(given.image, name=given.name)[0]
        drawing = loaded.editors()

        def moved(step: float) -> np.ndarray:
            return drawing.towards(receiving.image, own, other, step).image

        if output.suffix.lower() in VIDEO_SUFFIXES:
            _write_sweep(output, receiving.image, steps, moved, progress)
        else:
            shown = [moved(step) for step in steps]
            write_image(output, face_strip(receiving.image, shown, given.image, own, other))
    print(f"{output}: steps {', '.join(f'{step:g}' for step in steps)}")


def _write_sweep(
    output: Path,
    image: np.ndarray,
    steps: Sequence[float],
    moved: Callable[[float], np.ndarray],
    progress: bool,
) -> None:
    """Write the video; frames that rest on a step are drawn once."""
    frames = sweep(steps)
    size = (image.shape[1], image.shape[0])
    with VideoWriter(output, FPS, size, None) as writer, progress_bar(len(frames), progress) as bar:
        last, drawn = None, image
        for time, step in zip(times(len(frames)), frames, strict=True):
            if step != last:
                last, drawn = step, moved(step)
            writer.write(drawn, time)
            bar.update()


def _checked_steps(steps: Sequence[float]) -> list[float]:
    found = [float(step) for step in steps]
    if not found or not all(0 <= step <= 1 for step in found):
        raise InputError(f"steps={list(steps)}: give one or more from 0 to 1, as in [0.5,0.75,1.0]")
    return found
