"""Eyes that turn between their lids, and lids that move over them."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from xpress.animation.openings.anatomy import Anatomy
from xpress.animation.openings.close_up import CloseUp, CloseUpFragments, paint_interior
from xpress.animation.openings.opening import Interior, Opening, color_share, tinted
from xpress.animation.warping.inpainting import ellipse, extend_colors, opening_mask

CELLS = 120
"""Resolution of the close-up; see `CloseUp`."""
MARGINS = (0.25, 0.4, 0.3)
"""Room beside, above and below the target's lids, over the eye's width."""
RECESS = 0.06
"""How far the eyeball is pushed back under the lids, over the eye's width."""
LASHES = 0.05
"""Width of the lid's rim that carries the lashes, over the eye's width."""
LASH_LINE = 0.04
"""Width of the line of lashes where the lids have met, over the eye's width."""
LASH_QUANTILE, LASH_STRENGTH = 0.1, 0.9
"""The darkest share of the lids' rim gives that line's colour; how far it covers the skin."""
FRINGE = 0.18
"""How far outside the fitted rim lashes, make-up or a bit of the eyeball may still show, over the
eye's width: a closing lid is made of the skin beyond, or it would be drawn out dark."""
FRINGE_FADE = 0.08
"""Width over which that skin passes into the picture's own, over the eye's width."""
EDGE = 0.02
"""How far from the lids the target's own eyeball is trusted, over the eye's width."""
MEETING = 0.6
"""Share of the opening that must have shut before that line appears."""
HIGHLIGHT = 0.06
"""Radius of the largest reflection that is kept out of the eyeball's extension."""
CLOSED, OPEN = 0.03, 0.09
"""Visible area over the eye's width squared: model eyeball below, the target's own above."""
SHUT, AJAR = 0.005, 0.05
"""The same for new lids: no eyeball below (lids that fit badly leave a slit), unshaded above."""
SLIT = 0.3
"""Brightness of the eyeball in the thinnest slit."""
TURN = (0.22, 0.1)
"""Limits of the iris's shift along x and y, over the eye's width."""
LEVEL = (0.4, 0.95)
"""Limits of the light's level on a model eyeball."""
LID_SHADE, LID_SHADE_REACH = 0.45, 0.06
"""Darkening of a model eyeball next to the lids, and its reach over the eye's width."""


class EyeOpening(Opening):
    """Prepares one eye of a target and shows it through new lids.

    Args:
        anatomy: of the face model.
        side: 0 for the face owner's left eye, 1 for the right.
        albedo: (V, 3) colours of the face model in [0, 1].
    """

    def __init__(self, anatomy: Anatomy, side: int, albedo: Float32[np.ndarray, "V 3"]) -> None:
        super().__init__(CloseUp(anatomy.eyes[side], MARGINS, CELLS, RECESS), anatomy.mean)
        self.albedo = albedo[self.close_up.vertices]
        self.turn = np.zeros(2, np.float32)

    turn: Float32[np.ndarray, " 2"]
    """How far the iris has left the target's, pixels along x and y; see `look`."""

    def look(self, turn: Float32[np.ndarray, " 2"]) -> None:
        """Shift the iris from where the target has it, pixels; far shifts are bent to `TURN`."""
        limit = self.close_up.width * np.array(TURN, np.float32)
        self.turn = limit * np.tanh(turn / limit)

    def turned(self) -> tuple[Float32[np.ndarray, "h w 3"], Float32[np.ndarray, "h w"]]:
        """The turned eyeball between the target's own lids.

        Returns:
            Colours 0 to 255 in pixels of the box and how far they hold.
        """
        return _shifted(self._eyeball, self.turn), self._between

    def _prepare(self, own, projected, light) -> None:
        width = self.close_up.width
        fragments = self.close_up.draw(projected)
        ball = self.grid.to_pixels((fragments.part >= 0).astype(np.float32)) > 0.5
        rim = self.close_up.surroundings.rim(projected) - np.array(self.grid.box[:2])
        self.lashes = max(width * LASHES, 0.5)
        edge = max(width * EDGE, 0.5)
        opened = opening_mask(own.shape[:2], rim) > 0
        inner = cv2.erode((opened & ball).astype(np.uint8), ellipse(edge)) > 0
        # A highlight at the rim would be drawn out into a streak.
        calm = cv2.morphologyEx(own, cv2.MORPH_OPEN, ellipse(width * HIGHLIGHT))
        extended = extend_colors(calm, inner, max(2 * edge, 1.0)).astype(np.float32)
        share = cv2.GaussianBlur(inner.astype(np.float32), (0, 0), max(edge, 0.7))
        self._between = (2 * share).clip(0, 1)
        extended += self._between[..., None] * (own - extended)
        self._eyeball = extended
        size = self.grid.size[::-1]
        self.ball = cv2.resize(extended, size, interpolation=cv2.INTER_LINEAR)
        self.skin = self._lid_skin(own, rim, ball)
        area = float((fragments.part >= 0).sum()) / self.close_up.cell_width**2
        self.own_share = float(np.clip((area - CLOSED) / (OPEN - CLOSED), 0, 1))
        level = np.clip(light.mean(), *LEVEL) / max(float(light.mean()), 1e-3)
        around = opening_mask(own.shape[:2], rim, 2 * self.lashes) > 0
        self.lash_color = _darkest(own, around & ~opened)
        self.colors = tinted(self.albedo * light * level * 255, color_share(own))

    def _lid_skin(self, own, rim, ball) -> UInt8[np.ndarray, "h w 3"]:
        """Skin where the eye is, and in place of what else its fringe shows."""
        width = self.close_up.width
        core = (opening_mask(own.shape[:2], rim, self.lashes) > 0) | ball
        wide = (opening_mask(own.shape[:2], rim, width * FRINGE) > 0) | ball
        filled = extend_colors(own, ~wide, max(width * FRINGE / 2, 1.0)).astype(np.float32)
        depth = cv2.distanceTransform(wide.astype(np.uint8), cv2.DIST_L2, 3)
        share = (depth / max(width * FRINGE_FADE, 1.0)).clip(0, 1)
        share = np.maximum(share, core)[..., None]
        return (own + share * (filled - own)).round().astype(np.uint8)

    def closed(self, projected: Float32[np.ndarray, "V 3"]) -> float:
        """One less the area between the new lids over that between the target's."""
        new = _area(self.close_up.surroundings.rim(projected))
        return 1 - min(new / max(_area(self._own_rim), 1e-3), 1.0)

    def _keep_rim(
        self, fragments: CloseUpFragments, projected, points, skin, closed: float
    ) -> None:
        """As `Opening._keep_rim`; where lids meet, a line of lashes is drawn over it.

        What the target shows at its rim may be iris where the lids fit badly.
        """
        super()._keep_rim(fragments, projected, points, skin, closed)
        shut = (closed - MEETING) / (1 - MEETING)
        if shut <= 0:
            return
        zoom_x, shift_x, zoom_y, shift_y = self.grid.affine
        rim = self.close_up.surroundings.rim(projected) * (zoom_x, zoom_y) + (shift_x, shift_y)
        thickness = LASH_LINE * self.close_up.cell_width
        line = opening_mask(self.grid.size, rim, thickness / 2).astype(np.float32)
        soft = cv2.GaussianBlur(line, (0, 0), max(thickness / 2, 0.5))
        strength = np.float32(LASH_STRENGTH * shut * self.own_share)
        share = strength * soft * _between_corners(rim, self.grid.size)
        skin[:] = (skin + share[..., None] * np.minimum(self.lash_color - skin, 0)).round()

    def interior(
        self, fragments: CloseUpFragments, projected: Float32[np.ndarray, "V 3"]
    ) -> Interior | None:
        """The eyeball seen between new lids."""
        opening = cv2.morphologyEx(
            (fragments.part >= 0).astype(np.uint8), cv2.MORPH_OPEN, ellipse(1.0)
        )
        area = float(opening.sum()) / self.close_up.cell_width**2
        if area < SHUT:
            return None
        color = _shifted(self.ball, self.turn * np.array(self.grid.zoom, np.float32))
        if self.own_share < 1:
            color = self.own_share * color + (1 - self.own_share) * self._model_ball(
                fragments, opening
            )
        # Between lids that hardly part, lashes shade what little is seen.
        share = min((area - SHUT) / (AJAR - SHUT), 1.0)
        shade = np.float32(SLIT + (1 - SLIT) * share)
        return Interior(color * shade, opening.astype(np.float32))

    def _model_ball(
        self, fragments: CloseUpFragments, opening: np.ndarray
    ) -> Float32[np.ndarray, "h w 3"]:
        """The face model's eyeball, for a target whose eyes are closed."""
        color = np.zeros((*opening.shape, 3), np.float32)
        nowhere = np.full((len(self.albedo), 2), -1, np.float32)
        paint_interior(
            fragments.face_index,
            fragments.barycentrics,
            fragments.part,
            self.close_up.triangles,
            self.colors,
            nowhere,
            np.zeros((1, 1, 3), np.uint8),
            np.zeros((2, 1, 1), np.float32),
            cv2.distanceTransform(opening, cv2.DIST_L2, 3),
            LID_SHADE,
            self.close_up.cell_width * LID_SHADE_REACH,
            color,
        )
        return color


def _shifted(
    image: Float32[np.ndarray, "h w 3"], shift: Float32[np.ndarray, " 2"]
) -> Float32[np.ndarray, "h w 3"]:
    """A picture moved along x and y; its border is repeated."""
    if not shift.any():
        return image
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
    size = image.shape[1::-1]
    return cv2.warpAffine(
        image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def _area(contour: Float[np.ndarray, "N 2"]) -> float:
    """Of a closed contour; parts that run the other way round count against it."""
    x, y = contour.T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


def _darkest(own: UInt8[np.ndarray, "h w 3"], chosen: np.ndarray) -> Float32[np.ndarray, "3"]:
    """Mean colour of the darkest of the chosen pixels."""
    pixels = own[chosen] if chosen.any() else own.reshape(-1, 3)
    luma = pixels.astype(np.float32).mean(1)
    return pixels[luma <= np.quantile(luma, LASH_QUANTILE)].mean(0).astype(np.float32)


def _between_corners(
    rim: Float[np.ndarray, "N 2"], size: tuple[int, int]
) -> Float32[np.ndarray, "h w"]:
    """One along the lids, falling to zero at both corners, where no lashes grow."""
    left, right = rim[rim[:, 0].argmin()], rim[rim[:, 0].argmax()]
    along = (right - left) / max(float((right - left) @ (right - left)), 1e-6)
    rows, columns = np.indices(size, np.float32)
    share = (columns - left[0]) * along[0] + (rows - left[1]) * along[1]
    return (8 * share * (1 - share)).clip(0, 1).astype(np.float32)
