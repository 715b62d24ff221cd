"""Which landmark is which: iBUG-68 groups, Face Mesh contour points, and their mirror images."""

from __future__ import annotations

import numpy as np

CONTOUR_MEDIAPIPE_INDEX = np.array(
    [
        *(0, 7, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67),
        *(70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144),
        *(145, 146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 172, 173),
        *(176, 178, 181, 185, 191, 234, 246, 249, 251, 263, 267, 269, 270, 276, 282, 283, 284, 285),
        *(288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318, 321, 323, 324, 332),
        *(334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385),
        *(386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471),
        *(472, 473, 474, 475, 476, 477),
    ]
)
"""(138,) MediaPipe Face Mesh index of each contour point, in the order of the packs' `contours`."""

# Found as the nearest neighbour of each mirrored point in the median face of the training packs
# (largest distance 1% of the eye-corner distance, an involution, and unique).
_MIRROR_PAIRS = (
    *((7, 249), (21, 251), (33, 263), (37, 267), (39, 269), (40, 270), (46, 276), (52, 282)),
    *((53, 283), (54, 284), (55, 285), (58, 288), (61, 291), (63, 293), (65, 295), (66, 296)),
    *((67, 297), (70, 300), (78, 308), (80, 310), (81, 311), (82, 312), (84, 314), (87, 317)),
    *((88, 318), (91, 321), (93, 323), (95, 324), (103, 332), (105, 334), (107, 336), (109, 338)),
    *((127, 356), (132, 361), (133, 362), (136, 365), (144, 373), (145, 374), (146, 375)),
    *((148, 377), (149, 378), (150, 379), (153, 380), (154, 381), (155, 382), (157, 384)),
    *((158, 385), (159, 386), (160, 387), (161, 388), (162, 389), (163, 390), (172, 397)),
    *((173, 398), (176, 400), (178, 402), (181, 405), (185, 409), (191, 415), (234, 454)),
    *((246, 466), (468, 473), (469, 476), (470, 475), (471, 474), (472, 477)),
)


def _mirror_contours() -> np.ndarray:
    partner = {a: b for pair in _MIRROR_PAIRS for a, b in (pair, pair[::-1])}
    row = {int(index): i for i, index in enumerate(CONTOUR_MEDIAPIPE_INDEX)}
    return np.array([row[partner.get(int(i), int(i))] for i in CONTOUR_MEDIAPIPE_INDEX])


MIRROR_CONTOURS = _mirror_contours()
"""(138,) row of each contour point's mirror image: `mirrored = flipped_points[MIRROR_CONTOURS]`."""

MIRROR_68 = np.array(
    [
        *range(16, -1, -1),  # jaw
        *range(26, 16, -1),  # brows
        *range(27, 31),  # nose bridge
        *range(35, 30, -1),  # nostrils
        *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),  # eyes
        *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),  # outer lips
        *(64, 63, 62, 61, 60, 67, 66, 65),  # inner lips
    ]
)
"""(68,) row of each iBUG-68 point's mirror image."""
