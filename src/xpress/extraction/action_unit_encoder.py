"""Action units of faces as the package's encoder, or another one, reads them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import islice

import numpy as np
from jaxtyping import Float32, UInt8

from xpress.errors import InputError
from xpress.extraction.face_reader import FaceReader, load_encoder
from xpress.extraction.weight_files import ENCODER, check_used, encoder_digest
from xpress.media.crop import Crop
from xpress.morphable.action_units import ACTION_UNITS, ActionUnits

BATCH = 64
"""Crops that are encoded together."""

Face = tuple[np.ndarray | None, np.ndarray | None]
"""A picture (RGB uint8), None where it cannot be decoded, and its 68 landmarks where known."""


class UnitEncoder:
    """Reads action units of face pictures.

    Args:
        weights: see `load_pretrained`.
        threads: of the network.

    Attributes:
        digest: hash of the network; other networks read other units.
    """

    def __init__(self, weights: str | os.PathLike = "default", threads: int = 1) -> None:
        check_used(weights, ENCODER)
        self._loaded = load_encoder(weights, threads)
        self.size = self._loaded.encoder.layout.size
        self.digest = encoder_digest(weights)
        self._units = ActionUnits(self._loaded.model.expression_names)

    @cached_property
    def finder(self) -> FaceReader:
        """Finds faces that have no landmarks, with the same network."""
        return FaceReader(self._loaded.model, self._loaded.extractor, size=self.size)

    def read(self, crops: UInt8[np.ndarray, "B S S 3"]) -> Float32[np.ndarray, "B 17"]:
        """Action units in [0, 1] of canonical crops."""
        codes = self._loaded.encoder(crops)
        expression = self._loaded.encoder.layout.parameters(codes).expression
        return self._units(expression).astype(np.float32)

    def read_faces(self, faces: Iterable[Face]) -> Float32[np.ndarray, "N 17"]:
        """Action units of faces, from crops around their landmarks, or else of the largest face.

        Rows whose picture cannot be decoded, or shows no face, are not-a-number.
        """
        rows = []
        remaining: Iterator[Face] = iter(faces)
        while batch := list(islice(remaining, BATCH)):
            units = np.full((len(batch), len(ACTION_UNITS)), np.nan, np.float32)
            cut = [
                (row, Crop.around(points, size=self.size).cut(image))
                for row, (image, points) in enumerate(batch)
                if image is not None and points is not None
            ]
            if cut:
                numbers, crops = zip(*cut, strict=True)
                units[list(numbers)] = self.read(np.stack(crops))
            for row, (image, points) in enumerate(batch):
                if image is not None and points is None:
                    units[row] = self._searched(image)
            rows.append(units)
        return np.concatenate(rows) if rows else np.zeros((0, len(ACTION_UNITS)), np.float32)

    def _searched(self, image: np.ndarray) -> np.ndarray | float:
        try:
            return self._units(self.finder.find(image)[0].expression)
        except InputError:
            return np.nan
