"""Crop to face parameters through ONNX Runtime, without torch in the loop."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from xpress.errors import InputError
from xpress.extraction.eye_reader import EyeReader
from xpress.extraction.face_sample import FaceSample, turn_light, turn_rotation, upright_crop
from xpress.extraction.lip_reader import LipReader
from xpress.extraction.onnx_sessions import open_session
from xpress.face_models.conversion import ModelConversion
from xpress.media.crop import Crop
from xpress.models.face_autoencoder.code import CodeLayout, sigmoid
from xpress.morphable.landmarks.face_landmarks import LinearLandmarks
from xpress.morphable.signals import SIGNALS

SETTLED = 0.01
"""Crop sides by which a still's crop may move before it counts as settled."""


class EncoderSession:
    """An exported encoder: crops in, codes out.

    Args:
        path: the `.onnx` file; its card, with the code's layout, is the `.json` beside it.
        threads: of ONNX Runtime inside one call; more than one pays only for batches.

    Attributes:
        layout: of the code.
        signal_gain: share of each signal's motion that the encoder reads; see `calibrate`.

    Raises:
        InputError: one of the two files is missing or is none.
    """

    def __init__(self, path: str | os.PathLike, threads: int = 1) -> None:
        path = Path(path)
        self.layout = read_layout(path.with_suffix(".json"))
        self.signal_gain = read_signal_gain(path.with_suffix(".json"))
        self._session = open_session(path, threads, "encoder")
        outputs = self._session.get_outputs()[0].shape[-1]
        if outputs != self.layout.outputs:
            raise InputError(
                f"{path}: its code has {outputs} numbers, its card says {self.layout.outputs}; "
                "export both together"
            )

    def __call__(self, crops: UInt8[np.ndarray, "B S S 3"]) -> Float32[np.ndarray, "B K"]:
        """Codes of RGB crops."""
        # one pass that scales and orders the channels; ONNX Runtime wants them contiguous
        image = np.empty((len(crops), 3, *crops.shape[1:3]), np.float32)
        np.multiply(crops.transpose(0, 3, 1, 2), np.float32(1 / 255), out=image)
        return self._session.run(["code"], {"image": image})[0]


def read_layout(card: Path) -> CodeLayout:
    """The code's layout from an encoder's JSON card.

    Raises:
        InputError: no such card, or it states no layout.
    """
    try:
        return CodeLayout(**json.loads(card.read_text(encoding="utf-8"))["layout"])
    except FileNotFoundError as error:
        raise InputError(f"{card}: no such card; it belongs beside the encoder") from error
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{card}: states no layout of the code; export it again") from error


def read_signal_gain(card: Path) -> Float[np.ndarray, " S"]:
    """What `calibrate` has written into an encoder's card; ones without it."""
    gains = json.loads(card.read_text(encoding="utf-8")).get("signal_gain", {})
    return np.array([float(gains.get(name, 1.0)) for name in SIGNALS])


class CodeDecoder:
    """A code's face in the picture that its crop was cut from, with its landmarks.

    Args:
        layout: of the code.
        model: the face model reduced to its landmarks.
        conversion: from the face model that the code is of, where that is another one.
    """

    def __init__(
        self,
        layout: CodeLayout,
        model: LinearLandmarks,
        conversion: ModelConversion | None = None,
    ) -> None:
        self.layout, self._conversion = layout, conversion
        marks = model.numpy()
        self._mean = marks.mean
        bases = (marks.identity_basis, marks.expression_basis)
        self._bases = tuple(b.reshape(len(b), -1) for b in bases)
        sizes = tuple(map(len, bases)) if conversion is None else conversion.source_sizes[:2]
        if (layout.identity, layout.expression) != sizes:
            raise InputError(
                f"the encoder gives {layout.identity} identity and {layout.expression} expression "
                f"coefficients, the face model takes {sizes[0]} and {sizes[1]}; "
                "use the pair that was trained together"
            )

    def __call__(self, code: Float32[np.ndarray, " K"], crop: Crop) -> FaceSample:
        """The face in pixels of the picture that `crop` was cut from."""
        codes = code[None].astype(np.float64)
        in_crop = {name: values[0] for name, values in vars(self.layout.parameters(codes)).items()}
        identity, expression = in_crop["identity"], in_crop["expression"]
        color = in_crop["color"]
        if self._conversion is not None:
            identity = self._conversion.identity(identity)
            color = self._conversion.color(color)
        rotation, light = in_crop["rotation"], in_crop["illumination"]
        if crop.angle:
            rotation, light = turn_rotation(rotation, crop.angle), turn_light(light, crop.angle)
        translation = crop.to_image(in_crop["translation"])
        scale = float(in_crop["scale"]) / crop.zoom
        points = self.points(identity, expression, rotation, translation, scale)
        return FaceSample(
            identity=identity,
            expression=expression,
            color=color,
            illumination=light,
            rotation=rotation,
            translation=translation,
            scale=scale,
            landmarks68=points[:68],
            contours=points[68:],
            presence=float(sigmoid(self.layout.presence(codes))[0]),
        )

    def points(
        self,
        identity: Float[np.ndarray, " Ki"],
        expression: Float[np.ndarray, " Ke"],
        rotation: Float[np.ndarray, "3"],
        translation: Float[np.ndarray, "2"],
        scale: float,
    ) -> Float[np.ndarray, "206 2"]:
        """The 68 landmarks, then the contour points, projected into the picture."""
        offsets = identity @ self._bases[0] + expression @ self._bases[1]
        points = self._mean + offsets.reshape(-1, 3)
        camera = cv2.Rodrigues(rotation)[0][:2] * np.array([[scale], [-scale]])
        return points @ camera.T + translation

    def update(self, face: FaceSample, **changes) -> FaceSample:
        """The face with some parameters changed and its landmarks to match."""
        face = face.replace(**changes)
        points = self.points(
            face.identity, face.expression, face.rotation, face.translation, face.scale
        )
        return face.replace(landmarks68=points[:68], contours=points[68:])


@runtime_checkable
class Extractor(Protocol):
    """What the tracker and the reenactor ask of an extractor; see `FaceExtractor`."""

    def __call__(self, image: UInt8[np.ndarray, "H W 3"], crop: Crop) -> FaceSample:
        """The face inside `crop` of a picture."""

    def settled(self, image: UInt8[np.ndarray, "H W 3"], crop: Crop) -> FaceSample:
        """The face that `crop` shows at least in part."""

    def update(self, face: FaceSample, **changes) -> FaceSample:
        """The face with some parameters changed and its landmarks to match."""


class FaceExtractor:
    """Cuts a crop, encodes it and decodes the code.

    Args:
        encoder: `EncoderSession`, or any function from uint8 crops to codes.
        decoder: turns a code into parameters and landmarks.
        eyes: reads the gaze from the picture itself; None leaves what the encoder reads.
        lips: reads the mouth likewise.
    """

    def __init__(
        self,
        encoder: Callable[[np.ndarray], np.ndarray],
        decoder: CodeDecoder,
        eyes: EyeReader | None = None,
        lips: LipReader | None = None,
    ) -> None:
        self.encoder = encoder
        self.decoder = decoder
        self.readers = [reader for reader in (eyes, lips) if reader is not None]

    def __call__(self, image: UInt8[np.ndarray, "H W 3"], crop: Crop) -> FaceSample:
        """The face inside `crop` of a picture."""
        face = self.decoder(self.encoder(crop.cut(image)[None])[0], crop)
        for reader in self.readers:
            face = reader(image, face)  # which leaves landmarks as found, for the next one
        return self.update(face) if self.readers else face

    def update(self, face: FaceSample, **changes) -> FaceSample:
        """As `CodeDecoder.update`."""
        return self.decoder.update(face, **changes)

    def settled(self, image: UInt8[np.ndarray, "H W 3"], crop: Crop, rounds: int = 4) -> FaceSample:
        """Encode, crop anew around the landmarks found, and repeat until the crop stays."""
        face = self(image, crop)
        for _ in range(rounds - 1):
            following = upright_crop(face.landmarks68, crop.size)
            moved = np.hypot(*np.subtract(following.center, crop.center)) / crop.side
            if moved < SETTLED and abs(following.side / crop.side - 1) < SETTLED:
                break
            crop = following
            face = self(image, crop)
        return face
