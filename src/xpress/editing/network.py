"""Editors that are networks: a face crop goes through ONNX Runtime and back into the picture."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from xpress.animation.warping.compositing import NOTHING, clip_box
from xpress.editing.action_unit_values import unit_vector
from xpress.editing.editor import EditedPicture
from xpress.editing.expressions import SAME
from xpress.errors import InputError
from xpress.extraction.face_sample import FaceSample, upright_crop
from xpress.extraction.onnx_sessions import open_session
from xpress.media.crop import Crop
from xpress.morphable.action_units import ACTION_UNITS, ActionUnits

OUTPUTS = {"ganimation": ("color", "attention"), "dft_net": ("flow", "attention", "texture")}
"""Maps that each kind of network gives, see `NetworkEditor`."""
FEATHER = 0.08
"""Share of the crop's side over which an edit fades towards its border."""
STILL = 0.02
"""Pixels of motion that count as none."""


@dataclass(frozen=True)
class EditorCard:
    """What the JSON card beside an exported network says.

    Attributes:
        kind: ganimation or dft_net.
        size: pixels of the crop's side.
        crop_ratio: side of the crop over the longer side of the landmarks' box.
        relative: where positive, the network takes so many times the difference of the wanted
            units from the face's own; see `ExpressionEditor`.
    """

    kind: str
    size: int
    crop_ratio: float
    relative: float = 0.0


class NetworkEditor:
    """An exported GANimation or DFT-Net.

    The network sees the canonical crop, "image" (B, 3, size, size), RGB in [0, 1], and the wanted
    "units" (B, 17), or their difference from the face's own as the card says. GANimation gives
    "color" and "attention", the weight of the input; DFT-Net "flow", a backward flow (x, y) in
    pixels of the crop, "attention", the weight of what the flow moves, and "texture". These maps
    are brought to the pixels of the picture, and the flow moves the picture itself, so that skin
    stays as sharp as it is. Towards the crop's border the edit fades; where nothing is edited, the
    picture stays bit by bit.

    Args:
        path: the `.onnx` file, with its `.json` card beside it.
        action_units: reads a face's own units.
        threads: of ONNX Runtime.

    Attributes:
        name: of the editor, ganimation or dft_net.

    Raises:
        InputError: one of the two files is missing or is none.
    """

    def __init__(
        self, path: str | os.PathLike, action_units: ActionUnits, threads: int = 1
    ) -> None:
        path = Path(path)
        self.card = read_editor_card(path.with_suffix(".json"))
        self.name = self.card.kind
        self.action_units = action_units
        self._session = open_session(path, threads, self.name)
        shapes = {i.name: list(i.shape[1:]) for i in self._session.get_inputs()}
        size = self.card.size
        names = {output.name for output in self._session.get_outputs()}
        wanted = {"image": [3, size, size], "units": [len(ACTION_UNITS)]}
        if shapes != wanted or not names.issuperset(OUTPUTS[self.name]):
            raise InputError(
                f"{path}: is no {self.name} for pictures of {size} pixels, as its card says; "
                "export both together"
            )

    def edit(
        self,
        image: UInt8[np.ndarray, "H W 3"],
        face: FaceSample,
        units: Mapping[str, float],
        share: float = 1.0,
    ) -> EditedPicture:
        """As `Editor.edit`.

        Raises:
            InputError: one side of a unit is wanted.
        """
        own = self._own(face)
        return self.edit_units(image, face, own + share * (unit_vector(units, own) - own))

    def towards(
        self, image: UInt8[np.ndarray, "H W 3"], face: FaceSample, other: FaceSample, step: float
    ) -> EditedPicture:
        """As `Editor.towards`; the seventeen units are interpolated."""
        own = self._own(face)
        mixed = own + step * (self._own(other) - own)
        return self.edit_units(image, face, np.clip(mixed, 0, 1))

    def edit_units(
        self, image: UInt8[np.ndarray, "H W 3"], face: FaceSample, units: Float[np.ndarray, "17"]
    ) -> EditedPicture:
        """The picture with all units of a face set, in the order of `ACTION_UNITS`."""
        crop = upright_crop(face.landmarks68, self.card.size, self.card.crop_ratio)
        box = _box(crop, image.shape[:2])
        if np.abs(units - self._own(face)).max() < SAME or box[2] <= box[0] or box[3] <= box[1]:
            return EditedPicture.nothing(image)
        relative = self.card.relative
        asked = relative * (units - self._own(face)) if relative else units
        maps = _Pasting(crop, box, self._run(crop.cut(image), asked))
        drawn, changed = maps.ganimation(image) if "color" in maps.names else maps.dft_net(image)
        x0, y0, x1, y1 = box
        edited = EditedPicture.nothing(image)
        edited.changed[y0:y1, x0:x1] = changed
        own = image[y0:y1, x0:x1]
        shown = drawn.clip(0, 255).round().astype(np.uint8)
        edited.image[y0:y1, x0:x1] = np.where(changed[..., None] > 0, shown, own)
        return edited

    def _own(self, face: FaceSample) -> Float[np.ndarray, "17"]:
        return self.action_units(face.expression)

    def _run(
        self, picture: UInt8[np.ndarray, "S S 3"], units: Float[np.ndarray, "17"]
    ) -> dict[str, Float32[np.ndarray, "S S C"]]:
        scaled = picture.transpose(2, 0, 1)[None].astype(np.float32) / 255
        given = {"image": scaled, "units": units.astype(np.float32)[None]}
        names = OUTPUTS[self.name]
        found = self._session.run(list(names), given)
        return {
            n: np.ascontiguousarray(m[0].transpose(1, 2, 0))
            for n, m in zip(names, found, strict=True)
        }


class _Pasting:
    """A network's maps at the pixels of a box of the picture."""

    def __init__(self, crop: Crop, box: tuple[int, int, int, int], maps: dict) -> None:
        self.names = tuple(maps)
        self._crop, self._box, self._maps = crop, box, maps
        self._fade = self._at_pixels(_fade(crop.size))

    def ganimation(self, image: UInt8[np.ndarray, "H W 3"]):
        """Colours 0 to 255 and how far each pixel is edited."""
        x0, y0, x1, y1 = self._box
        own = image[y0:y1, x0:x1].astype(np.float32)
        share = self._share()
        color = 255 * self._at_pixels(self._maps["color"])
        return own + share[..., None] * (color - own), share

    def dft_net(self, image: UInt8[np.ndarray, "H W 3"]):
        """As `ganimation`."""
        back = np.linalg.inv(self._crop.matrix[:, :2])
        flow = self._at_pixels(self._maps["flow"]) @ back.T * self._fade[..., None]
        x0, y0, x1, y1 = self._box
        rows, columns = np.mgrid[y0:y1, x0:x1]
        moved = cv2.remap(
            image,
            (columns + flow[..., 0]).astype(np.float32),
            (rows + flow[..., 1]).astype(np.float32),
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        ).astype(np.float32)
        share = self._share()
        texture = 255 * self._at_pixels(self._maps["texture"])
        motion = np.hypot(flow[..., 0], flow[..., 1])
        changed = np.maximum(share, np.where(motion < STILL, 0, motion.clip(0, 1)))
        return moved + share[..., None] * (texture - moved), changed.astype(np.float32)

    def _share(self) -> Float32[np.ndarray, "h w"]:
        """Of what the network paints; what no pixel shows counts as none."""
        share = self._fade * (1 - self._at_pixels(self._maps["attention"])).clip(0, 1)
        return np.where(share < NOTHING, 0, share).astype(np.float32)

    def _at_pixels(self, maps: np.ndarray) -> np.ndarray:
        zoom = self._crop.zoom
        if zoom > 1:  # the picture is coarser than the crop
            maps = cv2.GaussianBlur(maps, (0, 0), 0.5 * float(np.sqrt(zoom**2 - 1)) + 1e-3)
        matrix = self._crop.matrix
        x0, y0, x1, y1 = self._box
        matrix[:, 2] += matrix[:, :2] @ (x0, y0)
        return cv2.warpAffine(
            maps, matrix, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )


def read_editor_card(card: Path) -> EditorCard:
    """What the card beside an exported network says.

    Raises:
        InputError: no such card, or it is of no editor.
    """
    try:
        details = json.loads(card.read_text(encoding="utf-8"))
        found = EditorCard(
            str(details["kind"]),
            int(details["size"]),
            float(details["crop_ratio"]),
            float(details.get("relative", 0)),
        )
    except FileNotFoundError as error:
        raise InputError(f"{card}: no such card; it belongs beside the network") from error
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{card}: states no kind, size and crop_ratio; export again") from error
    if found.kind not in OUTPUTS or found.size < 1 or not found.crop_ratio > 0:
        raise InputError(f"{card}: is of no expression editor; export again")
    return found


def _box(crop: Crop, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Pixels of a picture of (height, width) that a crop covers."""
    end = crop.size - 0.5
    corners = np.array([[-0.5, -0.5], [end, -0.5], [end, end], [-0.5, end]])
    points = crop.to_image(corners)
    low, high = np.floor(points.min(0)).astype(int), np.ceil(points.max(0)).astype(int) + 1
    return clip_box((int(low[0]), int(low[1]), int(high[0]), int(high[1])), *size)


def _fade(size: int) -> Float32[np.ndarray, "S S"]:
    """One inside a crop, falling to zero at its border."""
    position = np.arange(size, dtype=np.float32)
    ramp = (np.minimum(position, size - 1 - position) / (FEATHER * size)).clip(0, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)
    return ramp[:, None] * ramp[None]
