"""What both halves of the package hand each other: face parameters, of numpy or of torch."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32
from safetensors.numpy import load_file as read_safetensors
from safetensors.numpy import save as safetensors_of

from xpress.arrays import Array, is_array, library, to_numpy
from xpress.errors import InputError
from xpress.whole_files import written_beside


class ArrayStruct:
    """Indexing, moving and mapping shared by dataclasses of arrays."""

    def map(self, function: Callable[[Array], Array]):
        """Apply `function` to every array; `None` and what is no array stay as they are."""
        changes = {}
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, ArrayStruct):
                changes[field.name] = value.map(function)
            elif is_array(value):
                changes[field.name] = function(value)
        return replace(self, **changes)  # type: ignore[type-var]

    def to(self, *args, **kwargs):
        """`torch.Tensor.to` on every tensor."""
        return self.map(lambda tensor: tensor.to(*args, **kwargs))

    def detach(self):
        """The same tensors without gradient history."""
        return self.map(lambda tensor: tensor.detach())

    def numpy(self):
        """The same values as numpy arrays, without gradient history."""
        return self.map(to_numpy)

    def torch(self):
        """The same values as torch tensors; memory is shared."""
        import torch

        return self.map(torch.as_tensor)

    def __getitem__(self, index):
        """Select along the batch axis; an integer keeps the axis with length one."""
        if isinstance(index, int):
            index = slice(index, index + 1 or None)
        return self.map(lambda array: array[index])

    def replace(self, **changes):
        """A copy with some fields changed."""
        return replace(self, **changes)  # type: ignore[type-var]


@dataclass(frozen=True)
class FaceParameters(ArrayStruct):
    """Parameters of a 3D morphable model for a batch of faces.

    What reads faces from pictures or files gives numpy arrays; `torch` turns them into tensors,
    which `MorphableModel` takes, and `numpy` turns tensors back.

    Attributes:
        identity: coefficients in standard deviations of the identity basis.
        expression: blendshape activations in [0, 1], ARKit/FACS meaning.
        color: coefficients in standard deviations of the colour (albedo) basis.
        illumination: second-order spherical harmonics, one column a colour channel.
        rotation: axis-angle, radians; model space to camera space.
        translation: pixels of the image they were extracted from, (x, y).
        scale: pixels of that image per unit of model space.
    """

    identity: Float[Array, "B Ki"]
    expression: Float[Array, "B Ke"]
    color: Float[Array, "B Kc"]
    illumination: Float[Array, "B 9 3"]
    rotation: Float[Array, "B 3"]
    translation: Float[Array, "B 2"]
    scale: Float[Array, " B"]

    def __len__(self) -> int:
        return self.scale.shape[0]

    @staticmethod
    def resting(sizes: tuple[int, int, int], frames: int) -> FaceParameters:
        """The mean face at rest, in the dark, at one pixel a unit.

        Args:
            sizes: identity, expression and colour coefficients, as `FaceModel.sizes`.
            frames: rows.
        """
        widths = dict(zip(("identity", "expression", "color"), sizes, strict=True))
        coefficients = {
            name: np.zeros((frames, width), np.float32) for name, width in widths.items()
        }
        return FaceParameters(
            **coefficients,
            illumination=np.zeros((frames, 9, 3), np.float32),
            rotation=np.zeros((frames, 3), np.float32),
            translation=np.zeros((frames, 2), np.float32),
            scale=np.ones(frames, np.float32),
        )

    @staticmethod
    def cat(items: Sequence[FaceParameters]) -> FaceParameters:
        """Concatenate along the batch axis."""
        names = [field.name for field in fields(FaceParameters)]
        joined = library(items[0].scale).concatenate
        return FaceParameters(**{n: joined([getattr(i, n) for i in items]) for n in names})

    def save(self, path: str | os.PathLike, **extra: np.ndarray) -> None:
        """Write as `.npz` or `.safetensors`; `extra` arrays go into the `.npz` beside them.

        Raises:
            InputError: the suffix is neither, or the folder cannot be written.
        """
        path = Path(path)
        arrays = {n: np.ascontiguousarray(a) for n, a in (vars(self.numpy()) | extra).items()}
        if path.suffix not in (".npz", ".safetensors"):
            raise InputError(f"{path}: face parameters are saved as .npz or .safetensors")
        with written_beside(path) as partial:
            if path.suffix == ".npz":
                np.savez_compressed(partial, allow_pickle=False, **arrays)
            else:
                partial.write_bytes(safetensors_of(arrays))

    @staticmethod
    def load(path: str | os.PathLike) -> FaceParameters:
        """Read what `save` wrote, as numpy arrays.

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
        checked = {n: _checked(path, n, arrays.get(n)) for n in _LIMITS}
        lengths = {n: len(array) for n, array in checked.items()}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{length} of {name}" for name, length in lengths.items())
            raise InputError(f"{path}: differs in its frames ({told}); extract it again")
        return FaceParameters(**checked)


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
    with np.errstate(over="ignore"):
        wide = array.astype(np.float64)  # half precision does not hold every limit
    good = (wide >= low - _ROUNDING) & (wide <= high + _ROUNDING)
    if not good.all():
        value = array[~good][0]
        raise InputError(
            f"{path}: its {name} has {value}, not {low:g} to {high:g}; extract it again"
        )
    return np.clip(wide, low, high).astype(np.float32, order="C")
