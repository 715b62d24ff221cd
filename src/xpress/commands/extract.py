"""The function behind `infer.py task=extract`."""

from __future__ import annotations

import os
from contextlib import ExitStack

from xpress.commands.extract_files import WRITTEN, extract_video, write_mesh, write_track
from xpress.commands.output_files import (
    folder_beside,
    new_folders_kept_on_success,
)
from xpress.commands.overlay import Overlay
from xpress.commands.pipeline import Progress, StageTimes, threads_limited
from xpress.errors import InputError
from xpress.extraction.face_reader import FaceReader
from xpress.extraction.face_sample import FaceSample
from xpress.media.images import write_image
from xpress.media.sources import FrameSource, ImageSource, VideoSource, open_source
from xpress.provenance.provenance import MARKED, Provenance
from xpress.provenance.statement import DRAWN_OVERLAY
from xpress.whole_files import local_path

PathLike = str | os.PathLike


def extract(
    target: PathLike,
    output: PathLike,
    face: str | int = "largest",
    smoothing: bool = True,
    overwrite: bool = True,
    progress: Progress = True,
    weights: PathLike | None = None,
    reader: FaceReader | None = None,
    refine: int = 0,
    provenance: Provenance = MARKED,
) -> None:
    """Write `params.npz`, and `mesh.obj` and `overlay.png` of a photo or `overlay.mp4` of a video.

    Args:
        target: photograph or video.
        output: folder, made if missing; with `face=all` each face has a folder in it, numbered
            from the left.
        face: largest, all, or an index from the left.
        smoothing: filter videos over time.
        overwrite: replace files in the folder.
        progress: show a progress bar, or tell of every frame, see `Progress`.
        weights: folder of an own encoder, see `FaceReader.from_pretrained`.
        reader: loaded weights; the package's by default.
        refine: Gauss-Newton steps on a photograph's faces, see `refine.FaceRefiner`.
        provenance: how the overlay is marked.

    Raises:
        InputError: no such file or face, a video that is to be refined, or the folder cannot be
            written; nothing is written.
    """
    folder = local_path(output)
    with ExitStack() as stack:
        source = stack.enter_context(open_source(target))
        stack.enter_context(new_folders_kept_on_success(folder))
        partial = stack.enter_context(folder_beside(folder, overwrite, WRITTEN))
        if not isinstance(source, ImageSource | VideoSource):
            raise InputError(f"{source.name}: task=extract takes a photo or a video")
        _check_refine(refine, source)
        provenance.check()
        label = provenance.label(DRAWN_OVERLAY, source.path)
        reader = reader or FaceReader.from_pretrained(weights or "default")
        stack.enter_context(threads_limited(2))
        times = StageTimes()
        if isinstance(source, ImageSource):
            found = reader.find(source.image, face, source.name)
            refined = reader.refine(source.image, found, refine) if refine else []
            stills = [item.face for item in refined] or found
            tracks: list[list[FaceSample | None]] = [[item] for item in stills]
            Overlay(reader.model).draw(source.image, stills)
            write_image(partial / "overlay.png", source.image, label)
        else:
            tracks = extract_video(reader, source, partial, face, smoothing, progress, times, label)
        for number, track in enumerate(tracks):
            place = partial / f"face{number}" if face == "all" else partial
            place.mkdir(exist_ok=True)
            write_track(reader, place, track, source.fps)
            if isinstance(source, ImageSource):
                write_mesh(reader, place / "mesh.obj", stills[number])
    if isinstance(source, VideoSource):
        missed = sum(item is None for track in tracks for item in track)
        without = f"; {missed} frames without a face" if missed else ""
        print(f"{folder}: {times.summary(len(tracks[0]))}{without}")
    else:
        print(f"{folder}: {found.choice.told('read')}")
        for number, item in enumerate(refined):
            print(
                f"face {number}: colours off by {item.before:.3f} before and {item.after:.3f} "
                f"after {item.steps} step(s)"
            )


def _check_refine(steps: int, source: FrameSource) -> None:
    if steps < 0:
        raise InputError(f"refine={steps}: choose 0 or more steps")
    if steps and not isinstance(source, ImageSource):
        raise InputError(f"{source.name}: refine={steps} is for photos; leave it out for a video")
