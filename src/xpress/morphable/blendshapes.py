"""Scores of ARKit blendshapes, as face landmarkers give them, for the shapes of the face model."""

from __future__ import annotations

from collections.abc import Sequence

from xpress.morphable.mirror import expression_mirror

_BOTH_SIDES = (
    *("browDown", "browInnerUp", "browOuterUp", "eyeBlink", "eyeSquint", "eyeWide"),
    *("mouthDimple", "mouthFrown", "mouthLowerDown", "mouthPress", "mouthSmile"),
    *("mouthStretch", "mouthUpperUp"),
)
TAUGHT_SHAPES = (
    *(f"{name}_{side}" for name in _BOTH_SIDES for side in ("L", "R")),
    *("jawOpen", "mouthFunnel", "mouthPucker", "mouthRollLower", "mouthRollUpper"),
    *("mouthShrugLower", "mouthShrugUpper"),
)
"""Shapes whose scores by MediaPipe's face landmarker can be learned from: on 300 training faces
they moved by at least 0.02 (standard deviation) and came back in the mirrored, softened, darker
and smaller picture with a correlation of at least 0.7. cheekPuff, cheekSquint, noseSneer and the
jaw's sideways shapes hardly ever get a score, mouthLeft and mouthRight do not come back, and for
gaze there are better labels."""

TAUGHT_MIRROR = expression_mirror(list(TAUGHT_SHAPES))
"""Place of each shape's counterpart on the other side of the face."""


def score_columns(names: Sequence[str]) -> list[int]:
    """Column of the score for each of `TAUGHT_SHAPES`.

    Args:
        names: ARKit names of the scores, which end in Left or Right; a shape of the model that
            has sides where ARKit's has none takes the same score on both.

    Raises:
        ValueError: a score is missing.
    """
    places = {name: i for i, name in enumerate(names)}
    columns = []
    for shape in TAUGHT_SHAPES:
        base, _, side = shape.partition("_")
        sided = base + {"L": "Left", "R": "Right", "": ""}[side]
        if sided not in places and base not in places:
            raise ValueError(f"no score of {sided}")
        columns.append(places[sided] if sided in places else places[base])
    return columns
