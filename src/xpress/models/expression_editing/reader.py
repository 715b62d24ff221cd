"""A frozen encoder that reads action units of pictures, differentiable in the pictures."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from xpress.errors import InputError
from xpress.models.expression_editing.action_unit_layer import ActionUnitLayer
from xpress.models.face_autoencoder.code import CodeLayout
from xpress.models.face_autoencoder.networks import FaceEncoder
from xpress.models.face_autoencoder.weights import load_encoder_weights
from xpress.morphable.landmarks.landmark_model import LandmarkModel
from xpress.morphable.model import MorphableModel
from xpress.rendering.camera import project
from xpress.structures import ArrayStruct

ENCODER, MODEL = "encoder.safetensors", "morphable.safetensors"
LIDS = ((37, 41), (38, 40), (43, 47), (44, 46))
"""Pairs of upper and lower lids among the 68 landmarks."""
CORNERS = ((36, 39), (42, 45))
"""Corners of the right and the left eye."""


@dataclass(frozen=True)
class FaceReading(ArrayStruct):
    """What the encoder sees in face crops.

    Attributes:
        units: action units in [0, 1], in the order of `ACTION_UNITS`.
        expression: activations in [0, 1] of the face model's expression basis.
        landmarks68: iBUG-68 order, pixels of the pictures.
        opening: distance of the lids over the eye's width, mean of both eyes.
    """

    units: Float[Tensor, "B 17"]
    expression: Float[Tensor, "B Ke"]
    landmarks68: Float[Tensor, "B 68 2"]
    opening: Float[Tensor, " B"]


class ActionUnitReader(nn.Module):
    """Reads canonical face crops of any size; never trained, always in evaluation mode.

    Args:
        weights: "default" for the package's encoder, a `.safetensors` file of an encoder with its
            `.json` card beside it, or a folder with `encoder.safetensors`; the face model is the
            `morphable.safetensors` beside them, or else the package's.

    Raises:
        InputError: no such weights, or they are of no encoder.
    """

    def __init__(self, weights: str | os.PathLike = "default") -> None:
        super().__init__()
        with as_file(files("xpress") / "assets" / ENCODER) as own:
            path = own if weights == "default" else Path(weights)
            path = path / ENCODER if path.is_dir() else path
            self.encoder, self.layout = _load(path)
            other = path.with_name(MODEL)
            model = MorphableModel.load(other) if other.exists() else MorphableModel.default()
        self.landmark_model = LandmarkModel.of(model).select(torch.arange(68))
        self.action_units = ActionUnitLayer(model.expression_names)
        self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> ActionUnitReader:
        """Stays in evaluation mode, also inside a network that is trained."""
        del mode
        return super().train(False)

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> FaceReading:
        """Read RGB crops in [0, 1]; they are resampled to the encoder's size."""
        size = self.layout.size
        height, width = image.shape[-2:]
        if (height, width) != (size, size):
            image = functional.interpolate(
                image, (size, size), mode="bilinear", align_corners=False, antialias=height > size
            )
        code = self.encoder(image.contiguous(memory_format=torch.channels_last))
        found = self.layout.parameters(code)
        points = self.landmark_model.points(found.identity, found.expression)
        points = project(points, found.rotation, found.translation, found.scale)[..., :2]
        zoom = points.new_tensor([width / size, height / size])
        landmarks = (points + 0.5) * zoom - 0.5
        units = self.action_units(found.expression)
        return FaceReading(units, found.expression, landmarks, eye_opening(points))


def eye_opening(landmarks68: Float[Tensor, "B 68 2"]) -> Float[Tensor, " B"]:
    """Mean distance of the lids over the mean width of the eyes."""

    def lengths(pairs: tuple[tuple[int, int], ...]) -> Tensor:
        first, second = zip(*pairs, strict=True)
        ends = landmarks68[:, list(first)] - landmarks68[:, list(second)]
        return ends.square().sum(-1).clamp_min(1e-12).sqrt().mean(1)  # finite slope at zero

    return lengths(LIDS) / lengths(CORNERS).clamp_min(1e-3)


def _load(path: Path) -> tuple[FaceEncoder, CodeLayout]:
    card = path.with_suffix(".json")
    try:
        details = json.loads(card.read_text(encoding="utf-8"))
        layout, network = CodeLayout(**details["layout"]), details["network"]
        heads = tuple(network["head_channels"])
        eyes = {"gaze": layout.gaze_outputs, "gaze_channels": network.get("gaze_channels", 0)}
        encoder = FaceEncoder(layout.outputs, network["width"], network["size"], heads, **eyes)
    except FileNotFoundError as error:
        raise InputError(f"{card}: no such card; it belongs beside the encoder") from error
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{card}: not the card of an encoder; export it again") from error
    load_encoder_weights(encoder, str(path))
    encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return encoder, layout
