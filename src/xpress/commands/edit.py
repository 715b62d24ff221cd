"""The functions behind `infer.py task=edit|interpolate`: files in, files out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from xpress.commands.edit_video import EditJob
from xpress.commands.output_files import (
    check_output,
    check_suffix,
    new_folders_kept_on_success,
)
from xpress.commands.pipeline import Progress, threads_limited
from xpress.editing.action_unit_values import listing, parse_action_units
from xpress.editing.expression_editor import ExpressionEditor, FaceEdits, Image
from xpress.errors import InputError
from xpress.extraction.face_sample import FaceSample
from xpress.extraction.face_window import draw_in_place
from xpress.media.images import IMAGE_SUFFIXES, write_image
from xpress.media.sources import ImageSource, VideoSource, open_source
from xpress.media.video import VIDEO_SUFFIXES
from xpress.morphable.action_units import SIDES
from xpress.provenance.provenance import MARKED, Provenance

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
    progress: Progress = True,
    threads: int = 2,
    weights: PathLike | None = None,
    loaded: ExpressionEditor | None = None,
    provenance: Provenance = MARKED,
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
        progress: show a progress bar, or tell of every frame, see `Progress`.
        threads: frames of a video that are drawn at the same time.
        weights: folder of own networks, see `ExpressionEditor.from_pretrained`.
        loaded: an editor with its weights; made from the options by default.
        provenance: how the output is marked.

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
        stack.enter_context(threads_limited(threads))
        source = stack.enter_context(open_source(target))
        if not isinstance(source, ImageSource | VideoSource):
            raise InputError(f"{source.name}: task=edit takes a photo or a video")
        still = isinstance(source, ImageSource)
        why = f"a {source.kind} gives a {source.kind}"
        check_suffix(output, IMAGE_SUFFIXES if still else VIDEO_SUFFIXES, why)
        provenance.check(output)
        label, marker = provenance.label(parent=source.path), provenance.marker()
        loaded = loaded or ExpressionEditor.from_pretrained(editor, weights or "default", mouth)
        if isinstance(source, VideoSource):
            job = EditJob(loaded, source, units, face, smoothing, threads, label, marker)
            job.write(output, progress)
            return
        faces = loaded.reenactor.find(source.image, face, source.name)
        edits = FaceEdits(loaded.editors, units)

        def draw(part: Image, shown: list[FaceSample]) -> Image:
            return marker(part, edits(part, shown).image, shown)

        draw_in_place(source.image, faces, draw)
        write_image(output, source.image, label)
    told = ", ".join(f"{name}={value:g}" for name, value in units.items())
    print(f"{output}: {told}; {faces.choice.told('edited')}")
