"""The reading half: pictures and videos in, face parameters out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import UInt8

from xpress.extraction.detection import (
    STILL_ROTATIONS,
    Detection,
    Detector,
    FaceChoice,
    FaceDetector,
    choose_faces,
)
from xpress.extraction.encoder import CodeDecoder, EncoderSession, Extractor, FaceExtractor
from xpress.extraction.eye_reader import EyeReader
from xpress.extraction.face_analysis import FaceAnalysis, Refinement
from xpress.extraction.face_sample import FaceSample, Timed
from xpress.extraction.lip_reader import LipReader
from xpress.extraction.one_euro_filter import FaceFilter
from xpress.extraction.onnx_sessions import LandmarkSession
from xpress.extraction.tracking import PRESENT, THOROUGH_EVERY, FaceTracker, track_all
from xpress.extraction.weight_files import (
    ENCODER,
    EYE_LANDMARKS,
    LIP_LANDMARKS,
    MODEL,
    check_used,
    weight_files,
)
from xpress.face_models.conversion import ModelConversion
from xpress.media.images import as_rgb, read_image
from xpress.morphable.action_units import ActionUnits
from xpress.morphable.face_model import FaceModel, LinearFaceModel
from xpress.morphable.gaze import gaze_columns
from xpress.morphable.landmarks.face_landmarks import FaceLandmarks

Image = UInt8[np.ndarray, "H W 3"]
TimedFrames = Iterable[tuple[Fraction, np.ndarray]]


@dataclass(frozen=True)
class PretrainedEncoder:
    """A loaded encoder with its face model.

    Attributes:
        model: the face model.
        encoder: the network that reads faces.
        extractor: with the encoder in it.
    """

    model: FaceModel
    encoder: EncoderSession
    extractor: FaceExtractor


def load_encoder(name: str | os.PathLike = "default", threads: int = 1) -> PretrainedEncoder:
    """Load face model and encoder.

    Args:
        name: see `weight_files.weight_files`.
        threads: of the network.

    Raises:
        InputError: no such folder, nothing in it, or a file of it cannot be read.
    """
    with weight_files(name) as found:
        encoder = EncoderSession(found[ENCODER], threads)
        own = MODEL in found.own
        model = FaceModel.load(found[MODEL]) if own else FaceModel.default()
        marks = FaceLandmarks.of(model)
        other = own and ENCODER not in found.own
        conversion = ModelConversion(FaceModel.default(), model) if other else None
        eyes, lips, names = None, None, model.expression_names
        if found.has(EYE_LANDMARKS):
            eyes = EyeReader(LandmarkSession(found[EYE_LANDMARKS], "eye", threads), marks, names)
        if found.has(LIP_LANDMARKS):
            lips = LipReader(LandmarkSession(found[LIP_LANDMARKS], "lip", threads), marks, names)
    extractor = FaceExtractor(encoder, CodeDecoder(encoder.layout, marks, conversion), eyes, lips)
    return PretrainedEncoder(model, encoder, extractor)


class FoundFaces(list[FaceSample]):
    """The wanted faces of a photograph.

    Attributes:
        choice: how many there were, and which these are.
    """

    def __init__(self, faces: Iterable[FaceSample], choice: FaceChoice) -> None:
        super().__init__(faces)
        self.choice = choice


class FaceReader:
    """Finds faces in photographs and videos, and reads their parameters.

    >>> reader = FaceReader.from_pretrained()
    >>> analysis = reader.extract("portrait.jpg")

    Args:
        model: the face model.
        extractor: reads a face's parameters from a crop.
        detector: finds faces.
        size: pixels of the encoder's crop.
    """

    def __init__(
        self,
        model: LinearFaceModel,
        extractor: Extractor,
        detector: Detector | None = None,
        size: int = 128,
    ) -> None:
        self.model = model.numpy()
        self.extractor = extractor
        self.detector = detector or FaceDetector()
        self.size = size
        self.action_units = ActionUnits(model.expression_names)
        self.gaze = gaze_columns(model.expression_names)
        readers = getattr(extractor, "readers", [])
        self.lips = [
            n for reader in readers if isinstance(reader, LipReader) for n in reader.columns
        ]

    @classmethod
    def from_pretrained(cls, name: str | os.PathLike = "default", threads: int = 1) -> FaceReader:
        """Load face model and encoder; see `load_encoder`."""
        check_used(name, ENCODER, EYE_LANDMARKS, LIP_LANDMARKS)
        loaded = load_encoder(name, threads)
        return cls(loaded.model, loaded.extractor, size=loaded.encoder.layout.size)

    def find(
        self, image: np.ndarray, face: str | int = "largest", name: str = "picture"
    ) -> FoundFaces:
        """The wanted faces of a photograph.

        Args:
            image: RGB, uint8, (H, W, 3); see `as_rgb`.
            face: largest, all (left to right), or an index from the left.
            name: for messages.

        Returns:
            `FaceSample`s, in pixels of the picture.

        Raises:
            InputError: there is no such face.
        """
        image = as_rgb(image, name)
        found = self.detector(image, STILL_ROTATIONS, thorough=True)
        samples = {item: self.extractor.settled(image, item.crop(self.size)) for item in found}
        found = [item for item in found if samples[item].presence >= PRESENT]
        chosen = choose_faces(found, face, name)
        return FoundFaces([samples[item] for item in chosen], FaceChoice.of(found, chosen))

    def refine(self, image: Image, faces: Sequence[FaceSample], steps: int) -> list[Refinement]:
        """Faces of a photograph after so many Gauss-Newton steps; see `refinement.FaceRefiner`."""
        # torch takes longer to load than a photograph to be read
        from xpress.extraction.refinement import FaceRefiner

        refiner = FaceRefiner(self.model)
        return [refiner(image, face, steps) for face in faces]

    def extract(
        self, image: np.ndarray | str | os.PathLike, face: str | int = "largest", refine: int = 0
    ) -> FaceAnalysis:
        """Parameters, landmarks and action units of one face of a photograph.

        Args:
            image: RGB array or a file.
            face: largest, or an index from the left.
            refine: Gauss-Newton steps on landmarks and colours.

        Raises:
            InputError: no such file or face.
        """
        array, name = read_picture(image)
        found = self.find(array, face, name)[0]
        return self.analysis(self.refine(array, [found], refine)[0].face if refine else found)

    def analysis(self, face: FaceSample, detected: bool = True) -> FaceAnalysis:
        """A face with its action units."""
        units = self.action_units(face.expression)
        return FaceAnalysis(face.parameters, face.landmarks68, face.contours, detected, units)

    def track(self, frames: TimedFrames, smoothing: bool = True) -> Iterator[Timed]:
        """The largest face of each frame of a video, None where it is out of sight."""
        tracker = FaceTracker(self.detector, self.extractor, size=self.size)
        smooth = FaceFilter(False, self.gaze, self.lips) if smoothing else None
        for time, image in frames:
            yield time, self._smoothed(tracker(as_rgb(image, "frame")), smooth, time)

    def track_faces(
        self,
        frames: TimedFrames,
        face: str | int,
        name: str,
        smoothing: bool = True,
        chose: Callable[[FaceChoice], object] | None = None,
    ) -> Iterator[tuple[Fraction, np.ndarray, list[FaceSample | None]]]:
        """Each frame with the wanted faces, which are chosen in the first frame that shows any.

        Args:
            frames: times and pictures.
            face: largest, all, or an index from the left.
            name: for messages.
            smoothing: filter pose and expression over time.
            chose: is told how many faces there were and which are followed.

        Raises:
            InputError: no face of that number there, or no face in any frame.
        """
        trackers: list[FaceTracker] = []
        filters: list[FaceFilter | None] = []
        for number, (time, image) in enumerate(frames):
            if not trackers and (found := self._first_faces(image, number)):
                chosen = choose_faces(found, face, name)
                if chose is not None:
                    chose(FaceChoice.of(found, chosen))
                trackers = track_all(self.detector, self.extractor, image, chosen, self.size)
                filters = [
                    FaceFilter(True, self.gaze, self.lips) if smoothing else None for _ in trackers
                ]
            faces = [
                self._smoothed(tracker(image), smooth, time)
                for tracker, smooth in zip(trackers, filters, strict=True)
            ]
            yield time, image, faces

    def _first_faces(self, image: Image, number: int) -> list[Detection]:
        """All faces of a frame; most frames without any are searched for large ones only."""
        if number % THOROUGH_EVERY and not self.detector(image):
            return []
        return self.detector(image, thorough=True)

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


def read_picture(image: np.ndarray | str | os.PathLike) -> tuple[np.ndarray, str]:
    """A picture, RGB, and its name for messages.

    Raises:
        InputError: no readable picture, or an array that is none, see `as_rgb`.
    """
    if isinstance(image, (str, os.PathLike)):
        return read_image(image), str(image)
    return as_rgb(image), "picture"
