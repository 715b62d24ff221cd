"""The functions behind `infer.py task=reenact|extract|demo`: files in, files out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from importlib.resources import as_file, files
from itertools import islice
from pathlib import Path

from xpress.errors import InputError
from xpress.media.images import IMAGE_SUFFIXES, read_image, write_image
from xpress.media.sources import FrameSource, ImageSource, VideoSource, open_source
from xpress.media.video import VIDEO_SUFFIXES, VideoReader
from xpress.reenactment.extraction import extract_video, write_mesh, write_track
from xpress.reenactment.options import Options
from xpress.reenactment.outputs import (
    check_output,
    check_suffix,
    folder_beside,
    new_folders_kept_on_success,
)
from xpress.reenactment.overlay import Overlay, contact_sheet
from xpress.reenactment.pipeline import StageTimes, use_threads
from xpress.reenactment.reenactor import Reenactor
from xpress.reenactment.video_job import VideoJob, photo_faces

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
    progress: bool = True,
    threads: int = 2,
    weights: PathLike | None = None,
    reenactor: Reenactor | None = None,
) -> None:
    """Move the target's face with the source's expression and write the result.

    The output has the source's frames: their number, rate and times. A target video that is
    shorter is played back and forth; with a photograph as the source the target's own frames
    count. The sound is the source's, with which the lips move, else the target video's. Frames
    in which the source shows no face hold its last expression.

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
        progress: show a progress bar.
        threads: frames that are drawn at the same time.
        weights: folder of own networks, see `Reenactor.from_pretrained`.
        reenactor: loaded weights; the package's by default.

    Raises:
        InputError: an input or option is wrong; nothing is written.
    """
    options = Options(motion, float(strength), regions, face, smoothing)
    with ExitStack() as stack:
        stack.enter_context(new_folders_kept_on_success(output))
        output = check_output(output, [source, target, source_neutral], overwrite)
        use_threads(threads)
        driving = stack.enter_context(open_source(source))
        driven = stack.enter_context(open_source(target))
        stills = driving.frame_count == 1 and isinstance(driven, ImageSource)
        why = "two photos give a photo" if stills else "this gives a video"
        check_suffix(output, IMAGE_SUFFIXES if stills else VIDEO_SUFFIXES, why)
        calm = None if source_neutral is None else read_image(source_neutral)
        reenactor = reenactor or Reenactor.from_pretrained(weights or "default", mouth)
        if stills:
            assert isinstance(driven, ImageSource)
            stage = reenactor.stage(options)
            stage.set(driven.image, photo_faces(reenactor, driven, face))
            write_image(output, stage.render(next(reenactor.driver(driving, False, calm))))
            print(f"{output}: written")
            return
        reenactor.stage(options)  # wrong options are told before the work
        VideoJob(reenactor, driving, driven, options, threads).write(output, calm, progress)


def extract(
    target: PathLike,
    output: PathLike,
    face: str | int = "largest",
    smoothing: bool = True,
    overwrite: bool = True,
    progress: bool = True,
    weights: PathLike | None = None,
    reenactor: Reenactor | None = None,
    refine: int = 0,
) -> None:
    """Write `params.npz`, and `mesh.obj` and `overlay.png` of a photo or `overlay.mp4` of a video.

    Args:
        target: photograph or video.
        output: folder, made if missing; with `face=all` each face has a folder in it, numbered
            from the left.
        face: largest, all, or an index from the left.
        smoothing: filter videos over time.
        overwrite: replace files in the folder.
        progress: show a progress bar.
        weights: folder of an own encoder, see `Reenactor.from_pretrained`.
        reenactor: loaded weights; the package's by default.
        refine: Gauss-Newton steps on a photograph's faces, see `refine.FaceRefiner`.

    Raises:
        InputError: no such file or face, a video that is to be refined, or the folder cannot be
            written; nothing is written.
    """
    folder = Path(output)
    with ExitStack() as stack:
        source = stack.enter_context(open_source(target))
        stack.enter_context(new_folders_kept_on_success(folder))
        partial = stack.enter_context(folder_beside(folder, overwrite))
        if not isinstance(source, ImageSource | VideoSource):
            raise InputError(f"{source.name}: task=extract takes a photo or a video")
        _check_refine(refine, source)
        reenactor = reenactor or Reenactor.from_pretrained(weights or "default", "none")
        use_threads(2)
        times = StageTimes()
        if isinstance(source, ImageSource):
            found = reenactor.find(source.image, face, source.name)
            refined = reenactor.refine(source.image, found, refine) if refine else []
            stills = [item.face for item in refined] or found
            tracks = [[item] for item in stills]
            overlay = Overlay(reenactor.model)
            write_image(partial / "overlay.png", overlay(source.image, [t[0] for t in tracks]))
        else:
            tracks = extract_video(reenactor, source, partial, face, smoothing, progress, times)
        for number, track in enumerate(tracks):
            place = partial / f"face{number}" if face == "all" else partial
            place.mkdir(exist_ok=True)
            write_track(reenactor, place, track, source.fps)
            if isinstance(source, ImageSource):
                write_mesh(reenactor, place / "mesh.obj", track[0])
    if isinstance(source, VideoSource):
        missed = sum(item is None for track in tracks for item in track)
        without = f"; {missed} frames without a face" if missed else ""
        print(f"{folder}: {times.summary(len(tracks[0]))}{without}")
    else:
        print(f"{folder}: {len(tracks)} face(s)")
        for number, item in enumerate(refined):
            print(
                f"face {number}: colours off by {item.before:.3f} before and {item.after:.3f} "
                f"after {item.steps} step(s)"
            )


def demo(
    output: PathLike = "demo_output",
    mouth: str = "generator",
    weights: PathLike | None = None,
    reenactor: Reenactor | None = None,
) -> None:
    """Move the photograph in the package with the performance in it.

    Writes `demo.mp4` and `contact_sheet.png` into the folder and prints where they are.

    Args:
        output: the folder.
        mouth: see `reenact`.
        weights: see `reenact`.
        reenactor: see `reenact`.

    Raises:
        InputError: the folder cannot be written.
    """
    folder = Path(output)
    video, sheet = folder / "demo.mp4", folder / "contact_sheet.png"
    with as_file(files("xpress") / "assets" / "demo") as assets:
        source, target = assets / "performance.npz", assets / "target.jpg"
        reenact(source, target, video, mouth=mouth, weights=weights, reenactor=reenactor)
        reader = VideoReader(video)
        every = max((reader.frame_count or 1) // 24, 1)
        frames = [read_image(target), *islice(reader, every // 2, None, every)]
    write_image(sheet, contact_sheet(frames[:24]))
    print(f"video: {video.resolve()}\ncontact sheet: {sheet.resolve()}")


def _check_refine(steps: int, source: FrameSource) -> None:
    if steps < 0:
        raise InputError(f"refine={steps}: choose 0 or more steps")
    if steps and not isinstance(source, ImageSource):
        raise InputError(f"{source.name}: refine={steps} is for photos; leave it out for a video")
