"""Which pixels belong to a person: the face's mesh says where to look, colours the rest.

Rother, Kolmogorov and Blake, "GrabCut: Interactive Foreground Extraction using Iterated Graph
Cuts", SIGGRAPH 2004; He, Sun and Tang, "Guided Image Filtering", ECCV 2010.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from xpress.animation.head.background import run_on
from xpress.animation.warping.inpainting import ellipse

LONGEST = 144
"""Longer side of the picture that is cut; the edge is refined in full size."""
ROUNDS = 4
"""Iterations of GrabCut."""
SPREAD, PLACE = 50.0, 12.0
"""Levels of a feature per standard deviation of the colours, and per centimetre of place."""
ALIKE, GROWTHS = 9.0, 3
"""Distance in CIELAB (0 to 255) of a colour that still is the background's, and how often the
background that is known then is taken further in."""
CLOSE = 1.2
"""Radius (cm) of the gaps that are closed."""
ROOM = 0.2
"""Centimetres by which what is cut out reaches over its edge: better some background that moves
than hair that stays."""
RADIUS, EPSILON = 0.45, 2e-4
"""Radius (cm) and regularisation of the guided filter that finds single hairs at the edge."""
NONE, ALL = 0.06, 0.94
"""Alpha that counts as none and as all."""


def person_matte(
    image: UInt8[np.ndarray, "H W 3"],
    seeds: UInt8[np.ndarray, "h w"],
    outside: Float32[np.ndarray, "h w"],
    unit: float,
    end: int,
) -> UInt8[np.ndarray, "H W"]:
    """How far each pixel belongs to the person, 0 to 255.

    Args:
        image: RGB.
        seeds: `cv2.GC_*` of a coarser raster over the same box; see `head_lattice`.
        outside: likewise, distance from where a head without hair ends, centimetres.
        unit: pixels of the image per centimetre.
        end: row from which on all counts as the person, whose hair and clothes would spoil what
            is learned of the background.
    """
    height, width = image.shape[:2]
    zoom = min(LONGEST / max(height, width), 1.0)
    size = max(round(width * zoom), 8), max(round(height * zoom), 8)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    mask = cv2.resize(seeds, size, interpolation=cv2.INTER_NEAREST)
    far = cv2.resize(outside, size, interpolation=cv2.INTER_LINEAR)
    whole, rows = mask, round(end * zoom)
    small, mask, far = small[:rows], np.ascontiguousarray(mask[:rows]), far[:rows]
    colors, place = _features(small, far)
    # What only one of them takes for hair moves too: hair that stays behind would be seen twice.
    shown = _cut(place, mask) | _cut(colors, mask)
    shown = _largest(shown, mask == cv2.GC_FGD)
    shown = _shrunk(shown, colors, (mask != cv2.GC_FGD) & (far > 0))
    shown = cv2.morphologyEx(shown.astype(np.uint8), cv2.MORPH_CLOSE, ellipse(CLOSE * unit * zoom))
    shown = np.concatenate([shown, np.ones_like(whole[rows:])])
    rough = cv2.resize(shown.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    reach = ROOM * unit
    if reach >= 0.5:
        rough = cv2.dilate(rough, ellipse(reach))
    alpha = _guided(image, rough, max(RADIUS * unit, 2.0))
    alpha = ((alpha - NONE) / (ALL - NONE)).clip(0, 1)
    return np.round(255 * alpha).astype(np.uint8)


def _features(
    small: UInt8[np.ndarray, "h w 3"], outside: Float32[np.ndarray, "h w"]
) -> tuple[UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w 3"]]:
    """The colours; and the two in which they vary most with the place relative to the head.

    Hair of its background's colour is told by its place, long hair by its colour.
    """
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    flat = lab.reshape(-1, 3).astype(np.float32)
    mean, axes = cv2.PCACompute(flat, None, maxComponents=2)  # type: ignore[call-overload]
    shown = (flat - mean) @ axes.T
    shown = 128 + SPREAD * shown / max(float(shown[:, 0].std()), 1.0)
    place = 128 + PLACE * outside.reshape(-1, 1)
    features = np.concatenate([shown, place], axis=1).clip(0, 255).astype(np.uint8)
    return lab, np.ascontiguousarray(features.reshape(small.shape))


def _cut(features: UInt8[np.ndarray, "h w 3"], mask: UInt8[np.ndarray, "h w"]) -> np.ndarray:
    """GrabCut from the seeds; what they guess where one of both sides has no seed."""
    sides = [np.isin(mask, kinds).any() for kinds in ((0, 2), (1, 3))]
    mask = mask.copy()
    if all(sides):
        cv2.setRNGSeed(0)  # its first clusters are drawn by lot
        models = np.zeros((1, 65)), np.zeros((1, 65))
        whole = 0, 0, mask.shape[1], mask.shape[0]  # not read where there is a mask
        cv2.grabCut(features, mask, whole, *models, ROUNDS, cv2.GC_INIT_WITH_MASK)
    return np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD))


def _shrunk(
    shown: Bool[np.ndarray, "h w"], colors: UInt8[np.ndarray, "h w 3"], doubtful: np.ndarray
) -> Bool[np.ndarray, "h w"]:
    """What has the colour that the background runs on with, from its edge inwards, is background.

    GrabCut counts an even wall to the head where the head leaves little of it for sure.
    """
    for _ in range(GROWTHS):
        if shown.all() or not shown.any():
            break
        beyond = run_on(colors, ~shown)
        alike = np.linalg.norm(colors - beyond, axis=-1) < ALIKE
        alike = cv2.erode((alike & doubtful).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        free = ~shown | alike
        _, labels = cv2.connectedComponents(free.astype(np.uint8), connectivity=4)
        kept = np.unique(labels[~shown])
        shown = ~(free & np.isin(labels, kept[kept > 0]))
    return shown


def _largest(shown: Bool[np.ndarray, "h w"], sure: Bool[np.ndarray, "h w"]) -> np.ndarray:
    """What hangs together with the face, without holes."""
    opened = cv2.morphologyEx(shown.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    shown = (opened > 0) | sure
    _, labels = cv2.connectedComponents(shown.astype(np.uint8), connectivity=4)
    kept = np.isin(labels, np.unique(labels[sure])) & shown
    _, labels = cv2.connectedComponents((~kept).astype(np.uint8), connectivity=4)
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    return kept | ~np.isin(labels, np.unique(border))


def _guided(
    image: UInt8[np.ndarray, "H W 3"], mask: Float32[np.ndarray, "H W"], radius: float
) -> Float32[np.ndarray, "H W"]:
    """The mask with the picture's own edges: equations 5 to 8 of the paper, a grey guide."""
    guide = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    size = (2 * round(radius) + 1,) * 2

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.blur(values, size)

    guide_mean, mask_mean = mean(guide), mean(mask)
    covariance = mean(guide * mask) - guide_mean * mask_mean
    slope = covariance / (mean(guide * guide) - guide_mean**2 + EPSILON)
    return mean(slope) * guide + mean(mask_mean - slope * guide_mean)
