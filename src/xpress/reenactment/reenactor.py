"""Composition of the stages: detector, tracker, extractor, transfer, animator."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from jaxtyping import UInt8

from xpress.errors import InputError
from xpress.media.images import read_image
from xpress.media.sources import FrameSource, ImageSource, ParameterSource, open_source
from xpress.morphable.action_units import ActionUnits
from xpress.morphable.landmark_model import LandmarkModel
from xpress.morphable.model import MorphableModel
from xpress.reenactment.detect import STILL_ROTATIONS, Detector, FaceDetector, choose_faces
from xpress.reenactment.driver import DriverFrame, Timed, drive
from xpress.reenactment.extractor import Extractor
from xpress.reenactment.faces import FaceSample
from xpress.reenactment.filter import FaceFilter
from xpress.reenactment.geometry import ExpressionGeometry
from xpress.reenactment.neutral import RestingFace
from xpress.reenactment.options import FaceAnalysis, Options
from xpress.reenactment.pretrained import animator, load_pretrained
from xpress.reenactment.refine import FaceRefiner, Refinement
from xpress.reenactment.targets import Animator, RestedFace, Stage
from xpress.reenactment.track import PRESENT, FaceTracker, track_all
from xpress.reenactment.transfer import Transfer

Image = UInt8[np.ndarray, "H W 3"]
TimedFrames = Iterable[tuple[Fraction, np.ndarray]]


class Reenactor:
    """Moves the face of a target with the expression of a source.

    >>> reenactor = Reenactor.from_pretrained()
    >>> analysis = reenactor.extract(image)
    >>> for frame in reenactor.reenact("portrait.jpg", "driver.mp4"): ...

    Args:
        model: the face model.
        extractor: reads a face's parameters from a crop.
        detector: finds faces.
        animators: makes an animator for a face of the target.
        size: pixels of the encoder's crop.
        signal_gain: share of the signals' motion that the extractor reads; see `calibrate`.
    """

    def __init__(
        self,
        model: MorphableModel,
        extractor: Extractor,
        detector: Detector | None = None,
        animators: Callable[[], Animator] | None = None,
        size: int = 128,
        signal_gain: np.ndarray | None = None,
    ) -> None:
        self.model = model
        self.extractor = extractor
        self.detector = detector or FaceDetector()
        self.animators = animators or (lambda: animator(model, "model"))
        self.size = size
        self.signal_gain = signal_gain
        self.geometry = ExpressionGeometry(LandmarkModel.of(model), model.expression_names)
        self.resting = RestingFace(self.geometry)
        self.action_units = ActionUnits(model.expression_names)

    @classmethod
    def from_pretrained(
        cls, name: str | os.PathLike = "default", mouth: str = "generator", threads: int = 1
    ) -> Reenactor:
        """Load face model, encoder and mouth generator.

        Args:
            name: `default` for the weights in the package, or a folder that
                `train.py … export=DIR` has written; what it lacks comes from the package.
            mouth: what fills the opened mouth: `generator`, `model` or `none`.
            threads: of each network.

        Raises:
            InputError: no such folder, nothing in it, or a file of it cannot be read.
        """
        loaded = load_pretrained(name, mouth, threads)
        return cls(
            loaded.model,
            loaded.extractor,
            animators=loaded.animators(),
            size=loaded.encoder.layout.size,
            signal_gain=loaded.encoder.signal_gain,
        )

    def find(self, image: Image, face: str | int = "largest", name: str = "picture"):
        """The wanted faces of a photograph.

        Args:
            image: RGB.
            face: largest, all (left to right), or an index from the left.
            name: for messages.

        Returns:
            A list of `FaceSample`, in pixels of the picture.

        Raises:
            InputError: there is no such face.
        """
        found = self.detector(image, STILL_ROTATIONS)
        samples = {item: self.extractor.settled(image, item.crop(self.size)) for item in found}
        found = [item for item in found if samples[item].presence >= PRESENT]
        return [samples[item] for item in choose_faces(found, face, name)]

    def refine(self, image: Image, faces: Sequence[FaceSample], steps: int) -> list[Refinement]:
        """Faces of a photograph after so many Gauss-Newton steps; see `refine.FaceRefiner`."""
        refiner = FaceRefiner(self.model)
        return [refiner(image, face, steps) for face in faces]

    def extract(
        self, image: Image | str | os.PathLike, face: str | int = "largest", refine: int = 0
    ) -> FaceAnalysis:
        """Parameters, landmarks and action units of one face of a photograph.

        Args:
            image: RGB array or a file.
            face: largest, or an index from the left.
            refine: Gauss-Newton steps on landmarks and colours.

        Raises:
            InputError: no such file or face.
        """
        array, name = _read(image)
        found = self.find(array, face, name)[0]
        return self.analysis(self.refine(array, [found], refine)[0].face if refine else found)

    def analysis(self, face: FaceSample, detected: bool = True) -> FaceAnalysis:
        """A face with its action units."""
        units = self.action_units(face.expression)
        return FaceAnalysis(face.parameters, face.landmarks68, face.contours, detected, units)

    def track(self, frames: TimedFrames, smoothing: bool = True) -> Iterator[Timed]:
        """The largest face of each frame of a video, None where it is out of sight."""
        tracker = FaceTracker(self.detector, self.extractor, size=self.size)
        smooth = FaceFilter(steady_identity=False) if smoothing else None
        for time, image in frames:
            yield time, self._smoothed(tracker(image), smooth, time)

    def track_faces(
        self, frames: TimedFrames, face: str | int, name: str, smoothing: bool = True
    ) -> Iterator[tuple[Fraction, np.ndarray, list[FaceSample | None]]]:
        """Each frame with the wanted faces, which are chosen in the first frame that shows any.

        Raises:
            InputError: no face of that number there, or no face in any frame.
        """
        trackers: list[FaceTracker] = []
        filters: list[FaceFilter | None] = []
        for number, (time, image) in enumerate(frames):
            if not trackers and number % 5 == 0:
                found = self.detector(image)
                if found:
                    chosen = choose_faces(found, face, name)
                    trackers = track_all(self.detector, self.extractor, image, chosen, self.size)
                    filters = [FaceFilter() if smoothing else None for _ in trackers]
            faces = [
                self._smoothed(tracker(image), smooth, time)
                for tracker, smooth in zip(trackers, filters, strict=True)
            ]
            yield time, image, faces

    def _smoothed(
        self, face: FaceSample | None, smooth: FaceFilter | None, time: Fraction
    ) -> FaceSample | None:
        if smooth is None:
            return face
        if face is None:
            smooth.reset()
            return None
        filtered = smooth(face, float(time))
        return self.extractor.update(filtered)

    def driver(
        self,
        source: FrameSource,
        smoothing: bool = True,
        source_neutral: Image | None = None,
        frames: TimedFrames | None = None,
    ) -> Iterator[DriverFrame]:
        """Expressions of a source over time.

        Args:
            source: what `open_source` returns.
            smoothing: filter the expression of videos.
            source_neutral: a picture of the source's resting face.
            frames: the source's frames, where the caller measures or limits them.

        Raises:
            InputError: the source shows no face.
        """
        rest = None
        if source_neutral is not None:
            face = self.find(source_neutral, name="source_neutral")[0]
            rest = self.geometry.shown(face.expression, face.identity)
        if isinstance(source, ParameterSource):
            self._check_sizes(source)
            faces: Iterable[Timed] = _recorded(source)
        elif isinstance(source, ImageSource):
            faces = [(Fraction(0), self.find(source.image, name=source.name)[0])]
        else:
            faces = self.track(source.timed() if frames is None else frames, smoothing)
        still = source.frame_count == 1
        return drive(faces, self.resting, source.name, rest, still)

    def _check_sizes(self, source: ParameterSource) -> None:
        parameters = source.parameters
        sizes = (parameters.identity.shape[1], parameters.expression.shape[1])
        if sizes != self.model.sizes[:2]:
            raise InputError(
                f"{source.name}: has {sizes[0]} identity and {sizes[1]} expression coefficients, "
                f"the face model {self.model.sizes[0]} and {self.model.sizes[1]}; extract it again"
            )

    def stage(self, options: Options) -> Stage:
        """What animates the target's pictures."""
        transfer = Transfer(
            self.model.expression_names,
            options.motion,
            options.strength,
            options.regions,
            self.geometry,
            self.signal_gain,
        )
        return Stage(self.animators, transfer)

    def rested(self, face: FaceSample) -> RestedFace:
        """A photograph's face with what counts as its rest."""
        return RestedFace(face, self.resting.of_photo(face.expression, face.identity))

    def reenact(
        self,
        target: Image | str | os.PathLike,
        source: Image | str | os.PathLike,
        options: Options | None = None,
        source_neutral: Image | None = None,
    ) -> Image | Iterator[Image]:
        """Move a photograph's face; for target videos and sound see `jobs.reenact`.

        Args:
            target: photograph, RGB array or file.
            source: photograph (array or file), video or recorded parameters (file).
            options: see `Options`.
            source_neutral: a picture of the source's resting face.

        Returns:
            A picture for a photograph as the source, else an iterator of frames.

        Raises:
            InputError: a file cannot be read, or shows no face.
        """
        options = options or Options()
        image, name = _read(target)
        stage = self.stage(options)
        stage.set(image, [self.rested(face) for face in self.find(image, options.face, name)])
        if isinstance(source, np.ndarray):
            face = self.find(source, name="source")[0]
            frames = drive([(Fraction(0), face)], self.resting, "source", still=True)
            return stage.render(next(iter(frames)))
        with open_source(source) as opened:
            driver = self.driver(opened, options.smoothing, source_neutral)
            if opened.frame_count == 1:
                return stage.render(next(iter(driver)))
        return map(stage.render, driver)


def _recorded(source: ParameterSource) -> Iterator[Timed]:
    """A recording as tracked faces; its landmarks are not needed."""
    parameters = source.parameters
    arrays: dict[str, Any] = {n: getattr(parameters, n).double().numpy() for n in vars(parameters)}
    nowhere = {"landmarks68": np.zeros((68, 2)), "contours": np.zeros((138, 2))}
    for number in range(len(parameters)):
        row = {name: array[number] for name, array in arrays.items()} | nowhere
        row["scale"] = float(row["scale"])
        yield number / source.fps, FaceSample(**row)


def _read(image: np.ndarray | str | os.PathLike) -> tuple[np.ndarray, str]:
    if isinstance(image, np.ndarray):
        return image, "picture"
    return read_image(image), str(image)
