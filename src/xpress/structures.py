"""What the stages hand each other: frozen dataclasses of tensors, never dicts."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from safetensors.numpy import load_file as read_safetensors
from safetensors.torch import save_file
from torch import Tensor

from xpress.errors import InputError


class _TensorStruct:
    """Indexing, moving and mapping shared by the dataclasses below."""

    def map(self, function: Callable[[Tensor], Tensor]):
        """Apply `function` to every tensor; `None` and non-tensors stay as they are."""
        changes = {}
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, (Tensor, _TensorStruct)):
                changes[field.name] = (
                    value.map(function) if isinstance(value, _TensorStruct) else function(value)
                )
        return replace(self, **changes)  # type: ignore[type-var]

    def to(self, *args, **kwargs):
        """`torch.Tensor.to` on every tensor."""
        return self.map(lambda tensor: tensor.to(*args, **kwargs))

    def detach(self):
        """The same values without gradient history."""
        return self.map(torch.Tensor.detach)

    def __getitem__(self, index):
        """Select along the batch axis; an integer keeps the axis with length one."""
        if isinstance(index, int):
            index = slice(index, index + 1 or None)
        return self.map(lambda tensor: tensor[index])

    def replace(self, **changes):
        """A copy with some fields changed."""
        return replace(self, **changes)  # type: ignore[type-var]


@dataclass(frozen=True)
class FaceParameters(_TensorStruct):
    """Parameters of a 3D morphable model for a batch of faces.

    Attributes:
        identity: coefficients in standard deviations of the identity basis.
        expression: blendshape activations in [0, 1], ARKit/FACS meaning.
        color: coefficients in standard deviations of the colour (albedo) basis.
        illumination: second-order spherical harmonics, one column a colour channel.
        rotation: axis-angle, radians; model space to camera space.
        translation: pixels of the image they were extracted from, (x, y).
        scale: pixels of that image per unit of model space.
    """

    identity: Float[Tensor, "B Ki"]
    expression: Float[Tensor, "B Ke"]
    color: Float[Tensor, "B Kc"]
    illumination: Float[Tensor, "B 9 3"]
    rotation: Float[Tensor, "B 3"]
    translation: Float[Tensor, "B 2"]
    scale: Float[Tensor, " B"]

    def __len__(self) -> int:
        return self.scale.shape[0]

    @staticmethod
    def cat(items: Sequence[FaceParameters]) -> FaceParameters:
        """Concatenate along the batch axis."""
        names = [field.name for field in fields(FaceParameters)]
        return FaceParameters(**{n: torch.cat([getattr(i, n) for i in items]) for n in names})

    def save(self, path: str | os.PathLike, **extra: np.ndarray) -> None:
        """Write as `.npz` or `.safetensors`; `extra` arrays go into the `.npz` beside them.

        Raises:
            InputError: the suffix is neither, or the folder cannot be written.
        """
        path = Path(path)
        arrays = {f.name: getattr(self, f.name).detach().cpu().contiguous() for f in fields(self)}
        beside = path.with_name(f".{path.stem}.partial{path.suffix}")
        try:
            if path.suffix == ".safetensors":
                tensors = {n: torch.as_tensor(a) for n, a in extra.items()}
                save_file({**arrays, **tensors}, beside)
            elif path.suffix == ".npz":
                named = {n: a.numpy() for n, a in arrays.items()} | extra
                np.savez_compressed(beside, allow_pickle=False, **named)
            else:
                raise InputError(f"{path}: face parameters are saved as .npz or .safetensors")
            beside.replace(path)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error

    @staticmethod
    def load(path: str | os.PathLike) -> FaceParameters:
        """Read what `save` wrote.

        Raises:
            InputError: missing, unreadable, not face parameters, or of shapes or values that no
                face has, see `_LIMITS`.
        """
        path = Path(path)
        try:
            if path.suffix == ".safetensors":
                arrays: dict[str, np.ndarray] = read_safetensors(path)
            else:
                # opened here because numpy leaves files of broken archives open
                with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
                    arrays = {n: archive[n] for n in _LIMITS if n in archive}
        except FileNotFoundError as error:
            raise InputError(f"{path}: no such file") from error
        except Exception as error:  # zip, header and dtype errors have no common base
            reason = " ".join(str(error).split())
            raise InputError(f"{path}: not a face parameter file ({reason})") from error
        tensors = {n: torch.from_numpy(_checked(path, n, arrays.get(n))) for n in _LIMITS}
        lengths = {n: len(t) for n, t in tensors.items()}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{length} of {name}" for name, length in lengths.items())
            raise InputError(f"{path}: differs in its frames ({told}); extract it again")
        return FaceParameters(**tensors)


_LIMITS: dict[str, tuple[tuple[int | None, ...], float, float]] = {
    "identity": ((None,), -100, 100),
    "expression": ((None,), 0, 1),
    "color": ((None,), -100, 100),
    "illumination": ((9, 3), -1e4, 1e4),
    "rotation": ((3,), -100, 100),
    "translation": ((2,), -1e6, 1e6),
    "scale": ((), 0.01, 1e6),
}
"""Shape behind the frames, least and greatest value of each field of a recording."""
_ROUNDING = 1e-3
"""By which a stored value may miss its limits."""


def _checked(path: Path, name: str, array: np.ndarray | None) -> Float32[np.ndarray, "T ..."]:
    """A field of a recording, once its shape and values are those of faces."""
    shape, low, high = _LIMITS[name]
    if array is None:
        raise InputError(f"{path}: holds no {name!r}; give a file that `task=extract` wrote")
    given = array.shape[1:]
    fits = len(given) == len(shape) and all(
        n in (None, g) for n, g in zip(shape, given, strict=True)
    )
    if array.ndim == 0 or not fits or array.dtype.kind not in "fiu":
        wanted = ", ".join(["frames", *(str(n or "coefficients") for n in shape)])
        raise InputError(
            f"{path}: its {name} is {array.dtype} of shape {array.shape}, not numbers of "
            f"({wanted}); give a file that `task=extract` wrote"
        )
    # written so that NaN is none of them
    good = (array >= low - _ROUNDING) & (array <= high + _ROUNDING)
    if not good.all():
        value = array[~good][0]
        raise InputError(
            f"{path}: its {name} has {value}, not {low:g} to {high:g}; extract it again"
        )
    return np.clip(array, low, high).astype(np.float32, order="C")


@dataclass(frozen=True)
class Fragments(_TensorStruct):
    """What a rasteriser saw at each pixel centre.

    Attributes:
        face_index: triangle seen, -1 where none.
        barycentrics: weights of that triangle's corners, zero where none; differentiable with
            respect to the vertices.
        depth: interpolated z in the vertices' units (larger is nearer), zero where none.
    """

    face_index: Int[Tensor, "B H W"]
    barycentrics: Float[Tensor, "B H W 3"]
    depth: Float[Tensor, "B H W"]


@dataclass(frozen=True)
class FaceBatch(_TensorStruct):
    """A batch of face crops with landmarks, as every face data module yields it.

    Attributes:
        image: RGB in [0, 1].
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
    """

    image: Float[Tensor, "B 3 H W"]
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

    def __len__(self) -> int:
        return self.image.shape[0]


@dataclass(frozen=True)
class MouthBatch(_TensorStruct):
    """A batch of mouth crops with the hole that is to be painted.

    Attributes:
        image: RGB in [0, 1], the truth.
        hole: one inside the inner lips.
        distance: to the hole's edge, pixels.
        box: x0, y0, x1, y1 tight around the hole, edges of pixels' areas, for the local
            discriminator.
        row: number of the row in its set.
    """

    image: Float[Tensor, "B 3 H W"]
    hole: Float[Tensor, "B 1 H W"]
    distance: Float[Tensor, "B 1 H W"]
    box: Float[Tensor, "B 4"]
    row: Int[Tensor, " B"]

    def __len__(self) -> int:
        return self.image.shape[0]

    @property
    def filled(self) -> Float[Tensor, "B 3 H W"]:
        """The picture with a white hole, as the generator takes it."""
        return self.image * (1 - self.hole) + self.hole

    def composite(self, painted: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 H W"]:
        """Painted inside, the picture itself outside."""
        return self.image + self.hole * (painted - self.image)


@dataclass(frozen=True)
class ExpressionBatch(_TensorStruct):
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
class ExpressionEdit(_TensorStruct):
    """An edited face crop.

    Attributes:
        image: RGB in [0, 1].
        changed: how far each pixel was edited, in [0, 1]; zero keeps the input's.
    """

    image: Float[Tensor, "B 3 H W"]
    changed: Float[Tensor, "B 1 H W"]

    def __len__(self) -> int:
        return self.image.shape[0]
