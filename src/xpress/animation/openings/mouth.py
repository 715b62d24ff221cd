"""The mouth's inside: the target's own pixels where it shows them, the face model's elsewhere."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from xpress.animation.openings.anatomy import MOUTH_PARTS, OTHER, Anatomy
from xpress.animation.openings.close_up import CloseUp, CloseUpFragments, paint_interior
from xpress.animation.openings.opening import Interior, Opening, color_share, tinted
from xpress.animation.warping.inpainting import ellipse, extend_colors, opening_mask
from xpress.animation.warping.relighting import LUMA

MARGINS = (0.35, 0.3, 0.85)
"""Room beside, above and below the target's lips for the new mouth, over the mouth's width."""
CELLS = 180
"""Resolution of the close-up; see `CloseUp`."""
LIP_LINE = 0.012
"""Half width, over the mouth's width, of the dark line between lips that is not lip colour."""
LIP_EDGE = 0.035
"""As far from the opening nothing is brighter than the lips further out, over the width."""
MARGIN = 0.02
"""How far from the lips the target's own interior is trusted, over the mouth's width."""
CLOSED, OPEN = 0.002, 0.008
"""Area of a hole over the mouth's width squared: none below, fully shown above."""
LEVEL = (0.5, 1.0)
"""Limits of the light's level inside the mouth."""
TINT = 0.15
"""Share of a colour cast (its logarithm) that is believed: the skin's own colour mixes in."""
LIFT = 0.5
"""Exponent on the model's brightness: light that bounces about inside the mouth."""
DARKEST = np.array([0.055, 0.025, 0.025], np.float32)
"""Albedo that is added everywhere: no mouth is black inside."""
OCCLUSION, OCCLUSION_REACH = 0.5, 0.045
"""Darkening next to the lips, and its reach over the mouth's width."""
REACH = 3
"""Cells by which the interior is continued under its edge."""
TEETH_RATIO = (0.75, 1.6)
"""Limits of the target's teeth over the model's in brightness."""
TEETH = (2, 3)
"""Numbers of the teeth in `MOUTH_PARTS`, upper first."""


class MouthOpening(Opening):
    """Prepares a target's mouth and paints the inside of new ones.

    Args:
        anatomy: of the face model.
        albedo: (V, 3) colours of the face model in [0, 1].
    """

    def __init__(self, anatomy: Anatomy, albedo: Float32[np.ndarray, "V 3"]) -> None:
        super().__init__(CloseUp(anatomy.mouth, MARGINS, CELLS))
        albedo = albedo[self.close_up.vertices].clip(1e-3, 1)
        vivid = albedo * (albedo @ LUMA)[:, None] ** (LIFT - 1)
        self.albedo = (vivid + albedo**LIFT) / 2 + DARKEST

    def _prepare_lips(self, own, projected, fragments: CloseUpFragments) -> None:
        rim = self.close_up.surroundings.rim(projected) - np.array(self.grid.box[:2])
        self.skin = self._lip_skin(own, rim, fragments)

    def _prepare(self, own, projected, light) -> None:
        self.layer = cv2.resize(own, self.grid.size[::-1], interpolation=cv2.INTER_LINEAR)
        fragments = self.close_up.draw(projected)
        self.trusted = self._trusted(fragments.part)
        self.source = self.grid.to_cells(projected[self.close_up.vertices])[:, :2].copy()
        colors = self.albedo * _soft_light(light) * 255
        self.colors = self._match_teeth(tinted(colors, color_share(own)), fragments)
        self._prepare_lips(own, projected, fragments)

    def _lip_skin(self, own, rim, fragments: CloseUpFragments) -> UInt8[np.ndarray, "h w 3"]:
        """Lips where the opening is.

        A mesh meets the opening's edge only roughly. Teeth that are left over there are brighter
        than lips, and would be drawn out into a white line.
        """
        width = self.close_up.width
        shown = self.grid.to_pixels((fragments.part >= 0).astype(np.float32)) > 0
        thickness = max(width * LIP_LINE, 0.5)
        masks = []
        for reach in (thickness, max(width * LIP_EDGE, 1.0)):
            grown = cv2.dilate(shown.astype(np.uint8), ellipse(reach)) > 0
            masks.append((opening_mask(own.shape[:2], rim, reach) > 0) | grown)
        core, wide = masks
        lips = extend_colors(own, ~wide, max(width * LIP_EDGE, 1.0)).astype(np.float32)
        depth = cv2.distanceTransform(wide.astype(np.uint8), cv2.DIST_L2, 3)
        share = (depth / max(width * (LIP_EDGE - LIP_LINE), 1.0)).clip(0, 1)[..., None]
        darker = own + share * (np.minimum(own, lips) - own)
        return extend_colors(darker.round().astype(np.uint8), ~core, max(2 * thickness, 1.0))

    def _trusted(self, part: np.ndarray) -> Float32[np.ndarray, "P h w"]:
        """Where the target shows each interior part, away from the lips."""
        margin = self.close_up.cell_width * MARGIN
        inside = cv2.erode((part >= 0).astype(np.uint8), ellipse(margin))
        masks = [(part == p).astype(np.float32) * inside for p in range(len(MOUTH_PARTS))]
        size = 2 * max(int(margin), 1) + 1
        return np.stack([cv2.blur(m, (size, size)) * (m > 0) for m in masks])

    def _match_teeth(
        self, colors: np.ndarray, fragments: CloseUpFragments
    ) -> Float32[np.ndarray, "V 3"]:
        """Give the model's teeth the brightness and tint of those that the target shows."""
        weight = self.trusted[list(TEETH)].sum(0)
        if weight.sum() < 0.002 * self.close_up.cell_width**2:
            return colors
        # The brighter half: the rest of what is seen lies in the lips' shade.
        own = self.layer[weight > 0.5].astype(np.float32)
        shown = np.unique(self.close_up.triangles[fragments.face_index[weight > 0.5]])
        if len(own) < 8 or not len(shown):
            return colors
        own = own[own.sum(1) >= np.median(own.sum(1))].mean(0)
        model = np.percentile(colors[shown], 75, axis=0)
        level = float(own.mean() / model.mean())
        ratio = np.clip(level * (own / model / level) ** TINT, *TEETH_RATIO)
        for part in TEETH:
            rows = np.unique(self.close_up.triangles[self.close_up.part == part])
            colors[rows] *= ratio
        return colors.clip(0, 250).astype(np.float32)

    def hole(self, fragments: CloseUpFragments) -> tuple[UInt8[np.ndarray, "h w"], float]:
        """One in cells that show the mouth's inside, and how far it is shown: 0 where closed."""
        hole = cv2.morphologyEx(
            (fragments.part >= 0).astype(np.uint8), cv2.MORPH_OPEN, ellipse(1.0)
        )
        area = float(hole.sum()) / self.close_up.cell_width**2
        return hole, min(max((area - CLOSED) / (OPEN - CLOSED), 0.0), 1.0)

    def interior(
        self, fragments: CloseUpFragments, projected: Float32[np.ndarray, "V 3"]
    ) -> Interior | None:
        """Teeth, gums, tongue and the dark behind them; None where the mouth is closed."""
        hole, share = self.hole(fragments)
        if share == 0:
            return None
        color = np.zeros((*hole.shape, 3), np.float32)
        paint_interior(
            fragments.face_index,
            fragments.barycentrics,
            np.where(hole, fragments.part, np.int32(OTHER)),
            self.close_up.triangles,
            self.colors,
            self.source,
            self.layer,
            self.trusted,
            cv2.distanceTransform(hole, cv2.DIST_L2, 3),
            OCCLUSION,
            self.close_up.cell_width * OCCLUSION_REACH,
            color,
        )
        continue_outwards(color, hole)
        return Interior(color, hole * np.float32(share))


def continue_outwards(color: Float32[np.ndarray, "h w 3"], hole: UInt8[np.ndarray, "h w"]) -> None:
    """Continue colours in place a little over the hole's edge, where the feather wants them."""
    x, y, width, height = cv2.boundingRect(hole)
    box = slice(max(y - REACH, 0), y + height + REACH), slice(max(x - REACH, 0), x + width + REACH)
    color, hole = color[box], hole[box]
    size = (2 * REACH + 1,) * 2
    weight = cv2.blur(hole.astype(np.float32), size)
    edge = (hole == 0) & (weight > 0)
    color[edge] = cv2.blur(color, size)[edge] / weight[edge][:, None]


def _soft_light(light: Float32[np.ndarray, " 3"]) -> Float32[np.ndarray, " 3"]:
    """Hardly as coloured as the skin's light, and never so bright that teeth glare."""
    mean = max(float(light.mean()), 1e-3)
    return (np.clip(mean, *LEVEL) * np.clip(light / mean, 0.5, 2) ** TINT).astype(np.float32)
