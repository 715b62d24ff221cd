"""Composition of the stages: detector, tracker, extractor, transfer, animator."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction

import numpy as np

from xpress.errors import InputError
from xpress.extraction.detection import Detector
from xpress.extraction.encoder import Extractor
from xpress.extraction.face_reader import FaceReader, Image, TimedFrames, read_picture
from xpress.extraction.face_sample import FaceSample, Timed
from xpress.extraction.performance import Performance
from xpress.media.sources import (
    BlendshapeSource,
    FrameSource,
    ImageSource,
    ParameterSource,
    open_source,
)
from xpress.morphable.expression_geometry import ExpressionGeometry
from xpress.morphable.face_model import LinearFaceModel
from xpress.morphable.landmarks.face_landmarks import FaceLandmarks
from xpress.reenactment.options import ReenactmentOptions, without_head
from xpress.reenactment.pretrained import load_eyes, load_pretrained, twins
from xpress.reenactment.target_video import Animator, TargetAnimator, TargetFace
from xpress.transfer.driver import DriverFrame, drive
from xpress.transfer.expression_transfer import ExpressionTransfer
from xpress.transfer.head_motion import HeadPose
from xpress.transfer.head_transfer import HeadTransfer, head_factor
from xpress.transfer.idle_motion import IdleMotion
from xpress.transfer.pose_filter import PoseFilter
from xpress.transfer.resting_face import RestingFace


class Reenactor(FaceReader):
    """Moves the face of a target with the expression of a source; reads faces as `FaceReader`.

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
        model: LinearFaceModel,
        extractor: Extractor,
        detector: Detector | None = None,
        animators: Callable[[], Animator] | None = None,
        size: int = 128,
        signal_gain: np.ndarray | None = None,
    ) -> None:
        super().__init__(model, extractor, detector, size)
        if animators is None:
            animators = twins(self.model, "model", load_eyes())
        self.animators = animators
        self.signal_gain = signal_gain
        self.geometry = ExpressionGeometry(FaceLandmarks.of(self.model), model.expression_names)
        self.resting = RestingFace(self.geometry)

    @classmethod
    def from_pretrained(
        cls, name: str | os.PathLike = "default", threads: int = 1, mouth: str = "generator"
    ) -> Reenactor:
        """Load face model, encoder and mouth generator.

        Args:
            name: `default` for the weights in the package, or a folder that
                `train.py … export=DIR` has written; what it lacks comes from the package.
            threads: of each network.
            mouth: what fills the opened mouth: `generator`, `model` or `none`.

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

    def driver(
        self,
        source: FrameSource,
        smoothing: bool = True,
        source_neutral: np.ndarray | None = None,
        frames: TimedFrames | None = None,
    ) -> Iterator[DriverFrame]:
        """Expressions and head poses of a source over time.

        Args:
            source: what `open_source` returns.
            smoothing: filter the expression and the pose of videos.
            source_neutral: a picture of the source's resting face; of its resting head too, where
                the picture is as large as the source's frames.
            frames: the source's frames, where the caller measures or limits them.

        Raises:
            InputError: the source shows no face.
        """
        rest = pose = None
        if source_neutral is not None:
            face = self.find(source_neutral, name="source_neutral")[0]
            rest = self.geometry.measure(face.expression, face.identity)
            if source.size == source_neutral.shape[1::-1]:
                pose = HeadPose.of(face)
        if isinstance(source, ParameterSource | BlendshapeSource):
            faces: Iterable[Timed] = Performance.recorded(source, self.model).faces()
        elif isinstance(source, ImageSource):
            faces = [(Fraction(0), self.find(source.image, name=source.name)[0])]
        else:
            faces = self.track(source.timed() if frames is None else frames, smoothing)
        still = source.frame_count == 1
        steady = PoseFilter() if smoothing and not still else None
        return drive(faces, self.resting, source.name, rest, still, pose, steady)

    def target_animator(self, options: ReenactmentOptions, still: bool = True) -> TargetAnimator:
        """What animates the target's pictures.

        Args:
            options: how.
            still: the target is a photograph.

        Raises:
            InputError: an option is wrong.
        """
        if not 0 <= options.idle <= 3:
            raise InputError(f"idle={options.idle}: choose a share from 0 to 3")
        head = HeadTransfer(head_factor(options.head, still), options.motion)
        names = self.model.expression_names
        idle = IdleMotion(names, options.idle, options.seed) if options.idle and still else None
        transfer = ExpressionTransfer(
            self.model.expression_names,
            options.motion,
            options.strength,
            options.regions,
            self.geometry,
            self.signal_gain,
            options.gaze,
        )
        viewer = options.gaze == "viewer"
        return TargetAnimator(self.animators, transfer, head, idle, viewer)

    def rested(self, face: FaceSample, strength: float = 1.0) -> TargetFace:
        """A photograph's face with what counts as its rest; weak motion leaves more of its own."""
        own = self.geometry.measure(face.expression, face.identity)
        rest = self.resting.of_photo(face.expression, face.identity)
        return TargetFace(face, own.towards(rest, min(strength, 1.0)))

    def reenact(
        self,
        target: np.ndarray | str | os.PathLike,
        source: np.ndarray | str | os.PathLike,
        options: ReenactmentOptions | None = None,
        source_neutral: np.ndarray | None = None,
    ) -> Image | Iterator[Image]:
        """Move a photograph's face; for target videos and sound see `jobs.reenact`.

        Args:
            target: photograph, RGB array or file.
            source: photograph (array or file), video or recorded parameters (file).
            options: see `ReenactmentOptions`.
            source_neutral: a picture of the source's resting face.

        Returns:
            A picture for a photograph as the source, else an iterator of frames.

        Raises:
            InputError: a file cannot be read, or shows no face.
        """
        options = options or ReenactmentOptions()
        image, name = read_picture(target)
        found = self.find(image, options.face, name)
        rested = [self.rested(face, options.strength) for face in found]

        def animator(options: ReenactmentOptions) -> TargetAnimator:
            made = self.target_animator(options)
            made.set(image, rested)
            return made

        if not isinstance(source, (str, os.PathLike)):
            face = self.find(source, name="source")[0]
            frames = drive([(Fraction(0), face)], self.resting, "source", still=True)
            return animator(without_head(options)).render(next(iter(frames)))
        with open_source(source) as opened:
            driver = self.driver(opened, options.smoothing, source_neutral)
            if opened.frame_count == 1:
                return animator(without_head(options)).render(next(iter(driver)))
        return map(animator(options).render, driver)
