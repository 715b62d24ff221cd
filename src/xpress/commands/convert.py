"""The function behind `infer.py task=convert`."""

from __future__ import annotations

import os
import re
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from xpress.commands.output_files import (
    check_output,
    folder_beside,
    new_folders_kept_on_success,
)
from xpress.commands.pipeline import Progress, frame_progress
from xpress.errors import InputError
from xpress.extraction.face_reader import FaceReader
from xpress.extraction.face_sample import FaceSample
from xpress.extraction.performance import Performance
from xpress.media.sources import (
    BlendshapeSource,
    CameraSource,
    FrameSource,
    ImageSource,
    ParameterSource,
    open_source,
)
from xpress.morphable.action_units import ActionUnits
from xpress.morphable.face_model import FaceModel
from xpress.whole_files import local_path

PathLike = str | os.PathLike

FORMATS = {
    "params": (".npz", ".safetensors"),
    "flame": (".npz",),
    "live_link": (".csv",),
    "open_face": (".csv",),
    "gltf": (".glb",),
    "obj": ("",),
}
"""What can be written, with the suffixes of each; the first format of a suffix is its default."""

_MESHES = re.compile(r"frame_\d+\.obj")


def convert(
    source: PathLike,
    output: PathLike,
    format: str | None = None,
    face: str | int = "largest",
    smoothing: bool = True,
    overwrite: bool = True,
    progress: Progress = True,
    weights: PathLike | None = None,
    reader: FaceReader | None = None,
) -> None:
    """Write a performance in the format of another program.

    Args:
        source: `params.npz`, a CSV of Live Link Face, a photograph or a video.
        output: file, or a folder for `obj`, a mesh a frame.
        format: params, flame (FLAME's own parameters, where the face model is FLAME), live_link
            (ARKit's blendshapes as CSV), open_face (pose, landmarks and action units as CSV), gltf
            or obj; None goes by the suffix, with params for `.npz`, live_link for `.csv` and obj
            for none.
        face: of a photograph or video, largest or an index from the left.
        smoothing: filter videos over time.
        overwrite: replace an output that exists.
        progress: show a progress bar, or tell of every frame, see `Progress`.
        weights: folder of an own encoder, see `FaceReader.from_pretrained`.
        reader: loaded weights; the package's by default.

    Raises:
        InputError: an input or option is wrong; nothing is written.
    """
    if face == "all":
        raise InputError("face=all: task=convert writes one face; give largest or an index")
    with ExitStack() as stack:
        stack.enter_context(new_folders_kept_on_success(output))
        kind = _format(local_path(output), format)
        opened = stack.enter_context(open_source(source))
        if kind == "obj":
            place = stack.enter_context(folder_beside(local_path(output), overwrite, _MESHES))
        else:
            place = check_output(output, [source], overwrite)
        recording = isinstance(opened, ParameterSource | BlendshapeSource)
        if isinstance(opened, CameraSource):
            raise InputError(f"{opened.name}: task=convert takes a recording, a photo or a video")
        if recording and reader is None and weights is None:
            model = FaceModel.default()
        else:
            reader = reader or FaceReader.from_pretrained(weights or "default")
            model = reader.model
        if isinstance(opened, ParameterSource | BlendshapeSource):
            performance = Performance.recorded(opened, model)
        else:
            assert reader is not None
            performance = _read(reader, opened, face, smoothing, progress)
        _write(place, kind, performance, model)
    print(f"{output}: {len(performance)} frame(s) at {float(performance.fps):g} a second, {kind}")


def _format(output: Path, format: str | None) -> str:
    suffix = output.suffix.lower()
    if format is None:
        found = next((name for name, suffixes in FORMATS.items() if suffix in suffixes), None)
        if found is None:
            known = ", ".join(s for suffixes in FORMATS.values() for s in suffixes if s)
            raise InputError(
                f"{output}: no format is known by {suffix}; name an output that ends in {known}, "
                "or a folder"
            )
        return found
    if suffix not in FORMATS[format] and format != "obj":
        raise InputError(
            f"{output}: format={format} needs an output that ends in {' or '.join(FORMATS[format])}"
        )
    return format


def _read(
    reader: FaceReader, source: FrameSource, face: str | int, smoothing: bool, progress: Progress
) -> Performance:
    if isinstance(source, ImageSource):
        return Performance.of_faces(reader.find(source.image, face, source.name)[:1], source.fps)
    track: list[FaceSample | None] = []
    with frame_progress(source.frame_count, progress) as told:
        for _, image, faces in reader.track_faces(source.timed(), face, source.name, smoothing):
            track.append(faces[0] if faces else None)
            told(image)
    return Performance.of_faces(track, source.fps)


def _write(place: Path, kind: str, performance: Performance, model: FaceModel) -> None:
    """One format; each writer is loaded where it is needed."""
    names, parameters = model.expression_names, performance.parameters
    if kind == "live_link":
        from xpress.media.live_link import write_live_link
        from xpress.morphable.io.arkit import to_recording

        write_live_link(place, to_recording(parameters, names, performance.fps, performance.start))
    elif kind == "gltf":
        from xpress.morphable.io.gltf import write_gltf

        write_gltf(place, model, parameters, performance.fps)
    elif kind == "flame":
        from xpress.face_models.flame_parameters import write_flame_parameters

        write_flame_parameters(place, model, parameters, performance.fps)
    elif kind == "obj":
        _write_meshes(place, performance, model)
    elif kind == "open_face":
        from xpress.morphable.io.open_face import write_open_face

        units = ActionUnits(names)(np.asarray(parameters.expression, float))
        write_open_face(
            place,
            units,
            parameters.rotation,
            performance.fps,
            performance.landmarks68,
            performance.detected,
        )
    else:
        performance.save(place, ActionUnits(names))


def _write_meshes(folder: Path, performance: Performance, model: FaceModel) -> None:
    """A mesh a frame, in model space and with its albedo, as programs import sequences."""
    from xpress.morphable.io.obj import write_obj

    for number, parameters in enumerate(performance.parameters[i] for i in range(len(performance))):
        vertices = model.vertices(parameters.identity, parameters.expression)[0]
        colors = model.colors(parameters.color)[0]
        write_obj(folder / f"frame_{number:05}.obj", vertices, model.triangles, colors)
