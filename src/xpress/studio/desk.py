"""What the worker processes do: everything that opens a file of a user or loads a network."""

from __future__ import annotations

import io
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import redirect_stdout
from functools import cached_property
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import UInt8

from xpress.commands.convert import convert
from xpress.commands.extract import extract
from xpress.commands.reenact import reenact
from xpress.editing.action_unit_values import parse_action_units
from xpress.editing.expression_editor import ExpressionEditor
from xpress.editing.strip import face_strip
from xpress.errors import InputError
from xpress.extraction.face_sample import FaceSample
from xpress.extraction.performance import Performance
from xpress.media.images import read_image, write_image
from xpress.media.sources import BlendshapeSource, ImageSource, ParameterSource, open_source
from xpress.morphable.io.obj import write_obj
from xpress.provenance.provenance import Provenance
from xpress.reenactment.options import ReenactmentOptions
from xpress.reenactment.reenactor import Reenactor
from xpress.structures import FaceParameters
from xpress.studio.limits import Limits, check_upload
from xpress.studio.live_face import LiveFace
from xpress.studio.pictures import box, jpeg, scaled, within
from xpress.studio.reading import mesh_of_frame, values_over_time
from xpress.studio.retouch import Retouch, Wish, own_values

Image = UInt8[np.ndarray, "H W 3"]
Value = TypeVar("Value")

PREVIEW = 1024
"""Pixels of the longer side of pictures that are shown while sliders move."""
POSTER = 640
"""The same of the pictures that stand for files."""
LIVE, LIVE_SIDE = 4, 720
"""Live sessions at a time, and pixels of the longer side of their pictures."""
KEPT = 6
"""Prepared pictures that are remembered."""
SEARCHED = 50
"""Frames of a video in which the first face is looked for."""
TOLD_EVERY = 0.15
"""Seconds between two pictures of work in progress."""
EXAMPLE_SECONDS = 5
"""Of the clip that moves when the page opens."""


class Desk:
    """Functions that are called by name; arguments and results are plain values."""

    def __init__(self) -> None:
        self._editors: dict[str, ExpressionEditor] = {}
        self._live: dict[str, LiveFace] = {}
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()

    @cached_property
    def reenactor(self) -> Reenactor:
        """Loaded once."""
        return self._editor("morphable").reenactor

    def _editor(self, name: str) -> ExpressionEditor:
        if name not in self._editors:
            self._editors[name] = ExpressionEditor.from_pretrained(name)
        return self._editors[name]

    def _remembered(self, key: Hashable, make: Callable[[], Value]) -> Value:
        if key not in self._kept:
            self._kept[key] = make()
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return self._kept[key]

    # ---- files

    def inspect(self, path: str, limits: Limits) -> dict[str, Any]:
        """What an uploaded file holds; a poster is laid beside pictures.

        Returns:
            kind, and as far as they are known width, height, seconds, frames, and faces as boxes
            (left, top, width, height, in shares of the picture).
        """
        place = Path(path)
        kind = check_upload(place, limits)
        with open_source(place) as source:
            frames = source.frame_count or 0
            if isinstance(source, ParameterSource | BlendshapeSource):
                count = len(Performance.recorded(source, self.reenactor.model))
                if count > limits.frames:
                    raise InputError(f"{path}: {count} frames; {limits.frames} are allowed")
                return {"kind": kind, "frames": count, "seconds": float(count / source.fps)}
            image, faces = self._first_faces(source)
        height, width = image.shape[:2]
        write_image(place.with_suffix(".poster.jpg"), within(image, POSTER))
        details = {"kind": kind, "width": width, "height": height}
        if kind == "video":
            details |= {"frames": frames, "seconds": float(frames / source.fps)}
        return details | {"faces": [box(face, width, height) for face in faces]}

    def _first_faces(self, source: Any) -> tuple[Image, list[FaceSample]]:
        """The first frame that shows a face, else the first; faces from the left."""
        if isinstance(source, ImageSource):
            try:
                return source.image, list(self.reenactor.find(source.image, "all"))
            except InputError:
                return source.image, []
        first: Image | None = None
        tracked = self.reenactor.track_faces(source.timed(), "all", source.name, False)
        for number, (_, image, faces) in enumerate(tracked):
            first = image if first is None else first
            if found := [face for face in faces if face is not None]:
                return image, found
            if number >= SEARCHED:
                break
        assert first is not None  # the source has been probed
        return first, []

    # ---- expressions

    def own_units(self, path: str, face: str | int) -> dict[str, float]:
        """What a face shows itself, see `own_values`."""
        names = list(self.reenactor.model.expression_names)
        return own_values(names, self._retouch(path, face, "morphable", True).face.expression)

    def preview(
        self, path: str, face: str | int, editor: str, units: dict, gaze: list[float] | None
    ) -> bytes:
        """The photograph with other units, JPEG, at most `PREVIEW` pixels long."""
        return jpeg(self._retouch(path, face, editor, True)(_wish(units, gaze)))

    def export(
        self,
        path: str,
        face: str | int,
        editor: str,
        units: dict,
        gaze: list[float] | None,
        output: str,
        watermark: bool,
    ) -> None:
        """Write the edited photograph, the strip that leads there, or the mesh, by the name."""
        wish, place = _wish(units, gaze), Path(output)
        if place.suffix == ".obj":
            still = self._retouch(path, face, "morphable", False)
            model, parameters = self.reenactor.model, still.face.parameters
            expression = still.expression(wish)[None].astype(np.float32)
            vertices = model.vertices(parameters.identity, expression)[0]
            colors = model.colors(parameters.color)[0]
            write_obj(place, vertices, model.triangles, colors)
            return
        provenance = Provenance(watermark=watermark)
        retouch = self._retouch(path, face, editor, False)
        edited = retouch(wish)
        edited = provenance.marker()(retouch.image, edited, [retouch.face])
        if "strip" in place.name:
            steps = [retouch(wish, share) for share in (0.25, 0.5, 0.75)]
            edited = face_strip(retouch.image, steps, edited, retouch.face, retouch.face)
        write_image(place, edited, provenance.label(parent=path))

    def _retouch(self, path: str, face: str | int, editor: str, small: bool) -> Retouch:
        def make() -> Retouch:
            image = read_image(path)
            found = self.reenactor.find(image, face, path)[0]
            if not small:
                return Retouch(self._editor(editor), image, found)
            shown = within(image, PREVIEW)
            found = scaled(found, shown.shape[1] / image.shape[1])
            return Retouch(self._editor(editor), shown, found)

        return self._remembered((path, face, editor), make) if small else make()

    # ---- live

    def live_open(self, id: str, path: str, face: str | int) -> str:
        """Begin a live session; says what is set.

        Raises:
            InputError: no face, or too many sessions are live.
        """
        if len(self._live) >= LIVE:
            raise InputError("Others are live here already; please try again later.")
        target, image = Path(path), read_image(path)
        if max(image.shape[:2]) > LIVE_SIDE:
            target = target.with_suffix(".live.png")
            write_image(target, within(image, LIVE_SIDE))
        options = ReenactmentOptions(face=face, head="source")
        self._live[id] = LiveFace(self.reenactor, target, options)
        return self._live[id].told()

    def live_frame(self, id: str, moment: float, picture: bytes) -> tuple[bytes, bool]:
        """See `LiveFace`."""
        return self._lively(id)(moment, picture)

    def live_press(self, id: str, key: str) -> str:
        """Do what a key of `live.session` does; says what is set then."""
        face = self._lively(id)
        face.session.press(key)
        return face.told()

    def live_close(self, id: str) -> None:
        """End a live session, if there is one."""
        self._live.pop(id, None)

    def _lively(self, id: str) -> LiveFace:
        if id not in self._live:  # the process that held it has ended
            raise InputError("The live picture was interrupted; please start it again.")
        return self._live[id]

    # ---- jobs

    def reenact(
        self,
        source: str,
        target: str,
        output: str,
        options: dict[str, Any],
        watermark: bool,
        told: Callable[..., object],
    ) -> str:
        """Write the result, a picture where both are photographs; says how it went."""
        with redirect_stdout(io.StringIO()) as words:
            reenact(
                source,
                target,
                output,
                progress=_Progress(told),
                reenactor=self.reenactor,
                provenance=Provenance(watermark=watermark),
                **options,
            )
        return words.getvalue().replace(f"{output}: ", "").strip()

    def record(self, source: str, output: str, told: Callable[..., object]) -> None:
        """Write what is read of a driver as `params.npz`."""
        with redirect_stdout(io.StringIO()):  # names a temporary file, which says nothing
            convert(source, output, progress=_Progress(told), reader=self.reenactor)

    def look(self, target: str, output: str, face: str | int, told: Callable[..., object]) -> None:
        """Write all that `task=extract` writes into a folder."""
        with redirect_stdout(io.StringIO()):
            extract(target, output, face, progress=_Progress(told), reader=self.reenactor)

    def values(self, path: str) -> dict[str, Any]:
        """See `values_over_time`."""
        return values_over_time(Path(path), self.reenactor.model)

    def mesh(self, path: str, frame: int, whole: bool) -> bytes:
        """See `mesh_of_frame`."""
        return mesh_of_frame(Path(path), frame, whole, self.reenactor.model)

    def example(self, output: str, folder: str, told: Callable[..., object]) -> str:
        """Write the clip that moves when the page opens."""
        with as_file(files("xpress") / "assets" / "demo") as demo:
            performance = FaceParameters.load(demo / "performance.npz")
            short = Path(folder) / "example.npz"
            performance[: 25 * EXAMPLE_SECONDS].save(short, fps=np.array([25, 1]))
            options = {"idle": 1.0}
            return self.reenact(str(short), str(demo / "target.jpg"), output, options, False, told)


class _Progress:
    """Tells of frames, and shows one now and then."""

    def __init__(self, told: Callable[..., object]) -> None:
        self._told, self._last = told, 0.0

    def __call__(self, done: int, total: int | None, image: Image) -> None:
        now = time.monotonic()
        if now - self._last >= TOLD_EVERY:
            self._last = now
            self._told(done=done, total=total, frame=jpeg(within(image, POSTER)))


def _wish(units: dict, gaze: list[float] | None) -> Wish:
    return Wish(parse_action_units(units), None if gaze is None else (gaze[0], gaze[1]))
