"""What `task=extract` writes: parameters, mesh and overlay."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack, closing
from fractions import Fraction
from pathlib import Path

from xpress.commands.overlay import Overlay
from xpress.commands.pipeline import Progress, StageTimes, frame_progress, prefetch
from xpress.errors import InputError
from xpress.extraction.face_reader import FaceReader
from xpress.extraction.face_sample import FaceSample
from xpress.extraction.performance import Performance
from xpress.media.label import Label
from xpress.media.sources import VideoSource
from xpress.media.video import VideoWriter
from xpress.morphable.io.obj import write_obj

WRITTEN = re.compile(r"(face\d+(/|$))?(params\.npz|mesh\.obj|overlay\.png|overlay\.mp4)?")
"""Paths in the output of what is written here, now or at another time."""


def extract_video(
    reader: FaceReader,
    source: VideoSource,
    folder: Path,
    face: str | int,
    smoothing: bool,
    progress: Progress,
    times: StageTimes,
    label: Label | None,
) -> list[list[FaceSample | None]]:
    """Write the overlay; returns each face's track, parameters only."""
    overlay = Overlay(reader.model)
    tracks: list[list[FaceSample | None]] = []
    sound = source.path if source.has_audio else None
    assert source.size is not None
    with ExitStack() as stack:
        decoded = stack.enter_context(closing(prefetch(times.over("decode", source.timed()))))
        tracked = reader.track_faces(decoded, face, source.name, smoothing)
        extracted = stack.enter_context(closing(prefetch(times.over("extract", tracked))))
        writer = stack.enter_context(
            VideoWriter(folder / "overlay.mp4", source.fps, source.size, sound, label=label)
        )
        told = stack.enter_context(frame_progress(source.frame_count, progress))
        for number, (time, image, faces) in enumerate(extracted):
            tracks += [[None] * number for _ in range(len(faces) - len(tracks))]
            for track, found in zip(tracks, faces, strict=True):
                track.append(found)
            with times.measure("draw"):
                drawn = overlay(image, [found for found in faces if found is not None])
            with times.measure("encode"):
                writer.write(drawn, time)
            told(drawn)
    if not any(item is not None for track in tracks for item in track):
        raise InputError(f"{source.name}: no face found in any frame; give one that shows a face")
    return tracks


def write_track(
    reader: FaceReader, folder: Path, track: Sequence[FaceSample | None], fps: Fraction
) -> None:
    """`params.npz`, see `Performance.of_faces`."""
    Performance.of_faces(track, fps).save(folder / "params.npz", reader.action_units)


def write_mesh(reader: FaceReader, path: Path, face: FaceSample) -> None:
    """The face in model space with its albedo."""
    model, p = reader.model, face.parameters
    vertices = model.vertices(p.identity, p.expression)[0]
    write_obj(path, vertices, model.triangles, model.colors(p.color)[0])
