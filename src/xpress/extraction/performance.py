"""A performance: face parameters over time, whatever they were read from."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from xpress.errors import InputError
from xpress.extraction.face_sample import FaceSample, Timed
from xpress.media.live_link import START, is_time_code
from xpress.media.sources import BlendshapeSource, ParameterSource
from xpress.morphable.action_units import ACTION_UNIT_NAMES, ActionUnits
from xpress.morphable.face_model import LinearFaceModel
from xpress.structures import FaceParameters


@dataclass(frozen=True)
class Performance:
    """A face over time.

    Attributes:
        parameters: numpy arrays, one row a frame.
        fps: frames per second.
        start: time code of the first frame, `HH:MM:SS:FF.mmm`.
        landmarks68: iBUG-68 in pixels, where pictures gave them.
        contours: Face Mesh contour points in pixels, the same.
        detected: False where a video shows no face and the parameters of the last one are held.
    """

    parameters: FaceParameters
    fps: Fraction
    start: str = START
    landmarks68: Float[np.ndarray, "T 68 2"] | None = None
    contours: Float[np.ndarray, "T 138 2"] | None = None
    detected: Bool[np.ndarray, " T"] | None = None

    def __len__(self) -> int:
        return len(self.parameters)

    @classmethod
    def recorded(
        cls, source: ParameterSource | BlendshapeSource, model: LinearFaceModel
    ) -> Performance:
        """What a recording holds.

        Raises:
            InputError: its coefficients are another face model's.
        """
        if isinstance(source, BlendshapeSource):
            # scipy's rotations take as long to load as all else that this module needs
            from xpress.morphable.io.arkit import from_recording

            recording = source.recording
            return cls(from_recording(recording, model), recording.fps, recording.start)
        parameters = source.parameters
        sizes = (parameters.identity.shape[1], parameters.expression.shape[1])
        if sizes != model.sizes[:2]:
            raise InputError(
                f"{source.name}: has {sizes[0]} identity and {sizes[1]} expression coefficients, "
                f"the face model {model.sizes[0]} and {model.sizes[1]}; extract it again"
            )
        return cls(parameters, source.fps, **_beside(source.path, len(parameters)))

    @classmethod
    def of_faces(cls, track: Sequence[FaceSample | None], fps: Fraction) -> Performance:
        """Faces of pictures: frames without one repeat the last, those before the first its."""
        last = next(face for face in track if face is not None)
        faces = []
        for face in track:
            last = last if face is None else face
            faces.append(last)
        return cls(
            FaceParameters.cat([face.parameters for face in faces]),
            fps,
            landmarks68=np.array([face.landmarks68 for face in faces], np.float32),
            contours=np.array([face.contours for face in faces], np.float32),
            detected=np.array([face is not None for face in track]),
        )

    def faces(self) -> Iterator[Timed]:
        """The frames as tracked faces; landmarks that are not known are zero."""
        rows: dict[str, Any] = {n: a.astype(float) for n, a in vars(self.parameters).items()}
        rows["landmarks68"] = self._points(self.landmarks68, 68)
        rows["contours"] = self._points(self.contours, 138)
        for number in range(len(self)):
            row = {name: array[number] for name, array in rows.items()}
            row["scale"] = float(row["scale"])
            yield number / self.fps, FaceSample(**row)

    def save(self, path: str | os.PathLike, action_units: ActionUnits) -> None:
        """Write what `ParameterSource` reads; only an `.npz` keeps time code and names.

        Raises:
            InputError: the file cannot be written, or its suffix is of another format.
        """
        units = action_units(np.asarray(self.parameters.expression, float))
        known = {n: getattr(self, n) for n in ("landmarks68", "contours", "detected")}
        beside = {name: array for name, array in known.items() if array is not None}
        beside["action_units"] = units.astype("f4")
        beside["fps"] = np.array([self.fps.numerator, self.fps.denominator])
        if Path(path).suffix == ".npz":  # safetensors hold numbers only
            beside["action_unit_names"] = np.array(ACTION_UNIT_NAMES)
            beside["timecode"] = np.array(self.start)
        self.parameters.save(path, **beside)

    def _points(self, points: np.ndarray | None, count: int) -> Float[np.ndarray, "T N 2"]:
        return np.zeros((len(self), count, 2)) if points is None else points.astype(float)


def _beside(path: Path | None, frames: int) -> dict[str, Any]:
    """What an `.npz` holds beside the parameters, where it is of as many frames."""
    if path is None or path.suffix != ".npz":
        return {}
    shapes = {"landmarks68": (68, 2), "contours": (138, 2), "detected": ()}
    found: dict[str, Any] = {}
    with np.load(path, allow_pickle=False) as archive:
        for name, shape in shapes.items():
            array = archive.get(name)
            if array is not None and array.shape == (frames, *shape) and array.dtype.kind in "fb":
                found[name] = array.astype(bool) if name == "detected" else array
        code = archive.get("timecode")
        if code is not None and code.dtype.kind == "U" and is_time_code("".join(np.ravel(code))):
            found["start"] = "".join(np.ravel(code))
    return found
