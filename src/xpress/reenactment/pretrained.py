"""Weights that the frame loop needs: the package's, or those of a folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from xpress.animation.openings.eye_generator import EyeGeneratorSession
from xpress.animation.openings.generated_mouth import MouthPainter
from xpress.animation.openings.mouth_generator import MouthGeneratorSession
from xpress.animation.openings.painted_eyes import EyePainter
from xpress.errors import InputError
from xpress.extraction.face_reader import PretrainedEncoder, load_encoder
from xpress.extraction.weight_files import (
    ENCODER,
    EYE_LANDMARKS,
    EYES,
    LIP_LANDMARKS,
    MOUTH,
    check_used,
    weight_files,
)
from xpress.morphable.face_model import FaceModel
from xpress.once import once
from xpress.reenactment.target_video import Animator

MOUTHS = ("generator", "model", "none")


@dataclass(frozen=True)
class Pretrained(PretrainedEncoder):
    """All loaded weights.

    Attributes:
        mouth: what fills an opened mouth; see `FaceAnimator`.
        eyes: what moves lids and irises; see `FaceAnimator`.
    """

    mouth: Literal["model", "none"] | MouthPainter
    eyes: EyePainter

    def animators(self) -> Callable[[], Animator]:
        """What makes the animators; they share the generators and what is known of the model."""
        return twins(self.model, self.mouth, self.eyes)


def load_pretrained(
    name: str | os.PathLike = "default", mouth: str = "generator", threads: int = 1
) -> Pretrained:
    """Load face model, encoder and generators.

    Args:
        name: see `weight_files`.
        mouth: `generator`, `model` or `none`; without a generator anywhere `generator` is `model`.
        threads: of each network.

    Raises:
        InputError: no such folder, nothing in it that would be used, or a file of it cannot be
            read.
    """
    check_used(
        name,
        ENCODER,
        EYE_LANDMARKS,
        LIP_LANDMARKS,
        EYES,
        *([MOUTH] if mouth == "generator" else []),
    )
    loaded = load_encoder(name, threads)
    filling = load_mouth(name, mouth, threads)
    return Pretrained(**vars(loaded), mouth=filling, eyes=load_eyes(name, threads))


def twins(
    model: FaceModel,
    mouth: Literal["model", "none"] | MouthPainter,
    eyes: EyePainter | None = None,
) -> Callable[[], Animator]:
    """What makes animators of the model's faces; the first makes what all share."""

    @once
    def first() -> Animator:
        from xpress.animation.animator import FaceAnimator

        return FaceAnimator(model, mouth, eyes)

    return lambda: first().twin()


def load_eyes(name: str | os.PathLike = "default", threads: int = 1) -> EyePainter:
    """What moves lids and irises; see `load_pretrained`."""
    with weight_files(name) as found:
        return EyeGeneratorSession(found[EYES], threads)


def load_mouth(
    name: str | os.PathLike = "default", mouth: str = "generator", threads: int = 1
) -> Literal["model", "none"] | MouthPainter:
    """What fills an opened mouth; see `load_pretrained`."""
    if mouth not in MOUTHS:
        raise InputError(f"mouth={mouth}: choose {', '.join(MOUTHS[:-1])} or {MOUTHS[-1]}")
    if mouth == "none":
        return "none"
    with weight_files(name) as found:
        if mouth == "model" or not found.has(MOUTH):
            return "model"
        return MouthGeneratorSession(found[MOUTH], threads)
