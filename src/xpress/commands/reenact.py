"""The functions behind `infer.py task=reenact|extract|demo`: files in, files out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack

from xpress.commands.output_files import (
    check_output,
    check_suffix,
    new_folders_kept_on_success,
)
from xpress.commands.pipeline import Progress, threads_limited
from xpress.commands.reenact_video import VideoJob
from xpress.extraction.face_reader import Image
from xpress.extraction.face_sample import FaceSample
from xpress.extraction.face_window import draw_in_place
from xpress.media.images import IMAGE_SUFFIXES, read_image, write_image
from xpress.media.sources import ImageSource, open_source
from xpress.media.video import VIDEO_SUFFIXES
from xpress.provenance.provenance import MARKED, Provenance
from xpress.reenactment.options import ReenactmentOptions, without_head
from xpress.reenactment.reenactor import Reenactor

PathLike = str | os.PathLike


def reenact(
    source: PathLike | int,
    target: PathLike,
    output: PathLike,
    motion: str = "relative",
    strength: float = 1.0,
    regions: Sequence[str] | None = None,
    face: str | int = "largest",
    mouth: str = "generator",
    source_neutral: PathLike | None = None,
    smoothing: bool = True,
    overwrite: bool = True,
    progress: Progress = True,
    threads: int = 2,
    weights: PathLike | None = None,
    reenactor: Reenactor | None = None,
    provenance: Provenance = MARKED,
    gaze: str = "source",
    head: str | float = "auto",
    idle: float = 0.0,
    seed: int = 0,
) -> None:
    """Move the target's face with the source's expression and write the result.

    The output has the source's frames: their number, rate and times. A target video that is
    shorter is played back and forth; with a photograph as the source the target's own frames
    count. The sound is the source's, with which the lips move, else the target video's. Frames
    in which the source shows no face hold its last expression, and a face that comes back comes in
    over a fifth of a second, as it goes on a target that loses its own.

    Args:
        source: video, photograph, recorded parameters, or number of a camera.
        target: photograph or video.
        output: .mp4, .mov or .mkv; a picture if source and target are photographs.
        motion: relative or absolute.
        strength: factor on the expression's change.
        regions: of mouth, eyes, brows; None moves all of the face.
        face: of the target: largest, all, or an index from the left.
        mouth: what fills the opened mouth: generator, model or none.
        source_neutral: picture of the source's resting face.
        smoothing: filter videos over time.
        overwrite: replace an output that exists.
        progress: show a progress bar, or tell of every frame, see `Progress`.
        threads: frames that are drawn at the same time.
        weights: folder of own networks, see `Reenactor.from_pretrained`.
        reenactor: loaded weights; the package's by default.
        provenance: how the output is marked.
        gaze: whose eyes look: source, with whose the target's turn, target, or viewer: the
            target's stay where they look while its head turns.
        head: whose head moves: target, source, a factor on the source's motion, or auto: a
            photograph's head follows, a video's keeps its own.
        idle: share of a mild motion of its own that a photograph is given.
        seed: of that motion.

    Raises:
        InputError: an input or option is wrong; nothing is written.
    """
    options = ReenactmentOptions(
        motion, float(strength), regions, face, smoothing, gaze, head, float(idle), seed
    )
    with ExitStack() as stack:
        stack.enter_context(new_folders_kept_on_success(output))
        output = check_output(output, [source, target, source_neutral], overwrite)
        stack.enter_context(threads_limited(threads))
        driving = stack.enter_context(open_source(source))
        driven = stack.enter_context(open_source(target))
        stills = driving.frame_count == 1 and isinstance(driven, ImageSource)
        why = "two photos give a photo" if stills else "this gives a video"
        check_suffix(output, IMAGE_SUFFIXES if stills else VIDEO_SUFFIXES, why)
        provenance.check(output)
        calm = None if source_neutral is None else read_image(source_neutral)
        reenactor = reenactor or Reenactor.from_pretrained(weights or "default", mouth=mouth)
        label, marker = provenance.label(parent=driven.path), provenance.marker()
        if stills:
            assert isinstance(driven, ImageSource)
            options = without_head(options)
            animator = reenactor.target_animator(options)
            found = reenactor.find(driven.image, face, driven.name)
            shown = next(reenactor.driver(driving, False, calm))

            def draw(part: Image, faces: list[FaceSample]) -> Image:
                animator.set(part, [reenactor.rested(face, options.strength) for face in faces])
                return marker(part, animator.render(shown), faces)

            draw_in_place(driven.image, found, draw)
            write_image(output, driven.image, label)
            print(f"{output}: {found.choice.told('moved')}")
            return
        still = isinstance(driven, ImageSource)
        reenactor.target_animator(options, still)  # wrong options are told before the work
        job = VideoJob(reenactor, driving, driven, options, threads, label, marker)
        job.write(output, calm, progress)
