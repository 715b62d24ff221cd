"""What data modules hand to networks: frozen dataclasses of tensors, never dicts."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int
from torch import Tensor

from xpress.structures import ArrayStruct, FaceParameters


@dataclass(frozen=True, kw_only=True)
class FaceLabels(ArrayStruct):
    """What is known of a batch of face crops.

    Attributes:
        landmarks68: iBUG-68 order, pixels of the crop; zero where `has_landmarks` is False.
        contours: Face Mesh contour points in the packs' order, likewise with `has_contours`.
        has_landmarks: whether `landmarks68` is labelled.
        has_contours: whether `contours` is labelled.
        color: False for grey pictures, which train geometry only.
        present: False for crops that miss the face; nothing but presence is learned there.
        identity_index: a number per person, -1 where unknown.
        parameters: known or fitted parameters in pixels of the crop, or None.
        has_parameters: which rows of `parameters` may be used as targets.
        exact: rows whose parameters are exact (rendered), colour and light among them.
        scores: of `blendshapes.TAUGHT_SHAPES` by another network, NaN where unknown, or None.
    """

    landmarks68: Float[Tensor, "B 68 2"]
    contours: Float[Tensor, "B 138 2"]
    has_landmarks: Bool[Tensor, " B"]
    has_contours: Bool[Tensor, " B"]
    color: Bool[Tensor, " B"]
    present: Bool[Tensor, " B"]
    identity_index: Int[Tensor, " B"]
    parameters: FaceParameters | None
    has_parameters: Bool[Tensor, " B"]
    exact: Bool[Tensor, " B"]
    scores: Float[Tensor, "B S"] | None = None

    def __len__(self) -> int:
        return len(self.landmarks68)


@dataclass(frozen=True, kw_only=True)
class FaceBatch(FaceLabels):
    """A batch of face crops with landmarks, as every face data module yields it.

    Attributes:
        image: RGB in [0, 1].
    """

    image: Float[Tensor, "B 3 H W"]


@dataclass(frozen=True)
class MouthBatch(ArrayStruct):
    """A batch of mouth crops with the hole that is to be painted.

    Attributes:
        image: RGB in [0, 1], the truth.
        hole: one inside the inner lips.
        distance: to the hole's edge, pixels.
        box: x0, y0, x1, y1 tight around the hole, edges of pixels' areas, for the local
            discriminator.
        teeth: one where the upper and the lower row of teeth are, whatever hides them; zero
            where that is not known.
        reference: what another picture of the person shows between the lips, laid so that its
            upper teeth lie on the upper row (RGB times how much is shown, and how much), then so
            that its lower teeth lie on the lower row; zero without one.
        row: number of the row in its set.
    """

    image: Float[Tensor, "B 3 H W"]
    hole: Float[Tensor, "B 1 H W"]
    distance: Float[Tensor, "B 1 H W"]
    box: Float[Tensor, "B 4"]
    teeth: Float[Tensor, "B 2 H W"]
    reference: Float[Tensor, "B 8 H W"]
    row: Int[Tensor, " B"]

    def __len__(self) -> int:
        return self.image.shape[0]

    @property
    def filled(self) -> Float[Tensor, "B 3 H W"]:
        """The picture with a white hole, as the generator takes it."""
        return self.image * (1 - self.hole) + self.hole

    @property
    def given(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What the generator takes, in its order."""
        return self.filled, self.hole, self.teeth, self.reference

    def composite(self, painted: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 H W"]:
        """Painted inside, the picture itself outside."""
        return self.image + self.hole * (painted - self.image)


@dataclass(frozen=True)
class EyeBatch(ArrayStruct):
    """A batch of pairs of crops of one eye: how it is wanted, and another picture of it.

    Attributes:
        image: RGB in [0, 1], the truth; see `xpress.media.eye_crop`.
        reference: RGB in [0, 1].
        maps: lids and iris of the reference, lids and iris of the truth, in [-1, 1].
        flow: from the truth into the reference as lids and iris tell, pixels; see `lid_flow`.
        region: how far each pixel is painted, in [0, 1].
        row: number of the row in its set.
    """

    image: Float[Tensor, "B 3 H W"]
    reference: Float[Tensor, "B 3 H W"]
    maps: Float[Tensor, "B 4 H W"]
    flow: Float[Tensor, "B 2 H W"]
    region: Float[Tensor, "B 1 H W"]
    row: Int[Tensor, " B"]

    def __len__(self) -> int:
        return self.image.shape[0]

    @property
    def around(self) -> Float[Tensor, "B 3 H W"]:
        """The truth with the region grey, as the generator takes it."""
        return self.image.masked_fill(self.region > 0, 0.5)

    def composite(self, painted: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 H W"]:
        """Painted in the region, the truth outside."""
        return self.image + self.region * (painted - self.image)


@dataclass(frozen=True)
class LandmarkBatch(ArrayStruct):
    """A batch of crops of eyes or mouths with the points that they show.

    Attributes:
        image: RGB in [0, 1]; see `xpress.media.eye_crop` and `lip_crop`.
        points: from the crop's middle, in widths of the eye or the lips.
        group: rows of one number are pictures of one eye or of one person's mouth.
    """

    image: Float[Tensor, "B 3 H W"]
    points: Float[Tensor, "B P 2"]
    group: Int[Tensor, " B"]

    def __len__(self) -> int:
        return self.image.shape[0]


@dataclass(frozen=True)
class ExpressionBatch(ArrayStruct):
    """Face crops with action units, and the action units that they are to be given.

    Attributes:
        image: RGB in [0, 1], the encoder's canonical crop at the editor's size.
        action_units: of the picture, in [0, 1], in the order of `action_units.ACTION_UNITS`.
        target_units: of the wanted picture; the teacher's where `has_teacher` is True.
        row: number of the row in its set.
        edited: what the morphable warp makes of the picture, or None.
        flow: the warp's backward flow (x, y), pixels of the crop: `edited(p) ≈ image(p + flow(p))`
            wherever skin is shown; or None.
        has_teacher: which rows of `edited` and `flow` may be learned from.
    """

    image: Float[Tensor, "B 3 H W"]
    action_units: Float[Tensor, "B 17"]
    target_units: Float[Tensor, "B 17"]
    row: Int[Tensor, " B"]
    edited: Float[Tensor, "B 3 H W"] | None
    flow: Float[Tensor, "B 2 H W"] | None
    has_teacher: Bool[Tensor, " B"]

    def __len__(self) -> int:
        return self.image.shape[0]


@dataclass(frozen=True)
class ExpressionEdit(ArrayStruct):
    """An edited face crop.

    Attributes:
        image: RGB in [0, 1].
        changed: how far each pixel was edited, in [0, 1]; zero keeps the input's.
    """

    image: Float[Tensor, "B 3 H W"]
    changed: Float[Tensor, "B 1 H W"]

    def __len__(self) -> int:
        return self.image.shape[0]
