"""Known or fitted face parameters by row, and how a crop moves their pose."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Float32
from safetensors import SafetensorError, safe_open

from xpress.errors import InputError
from xpress.morphable.face_model import LinearFaceModel

FITTED_WITH = "face_model"
"""Entry of a file's metadata: the fingerprint of the model that it was fitted with."""


@dataclass(frozen=True)
class ParameterTable:
    """Parameters of N pictures in their own pixels, as `FaceParameters` but in numpy.

    Attributes:
        valid: rows that may be used as targets; the others are zero.
    """

    identity: Float32[np.ndarray, "N Ki"]
    expression: Float32[np.ndarray, "N Ke"]
    color: Float32[np.ndarray, "N Kc"]
    illumination: Float32[np.ndarray, "N 9 3"]
    rotation: Float32[np.ndarray, "N 3"]
    translation: Float32[np.ndarray, "N 2"]
    scale: Float32[np.ndarray, " N"]
    valid: Bool[np.ndarray, " N"]

    def __len__(self) -> int:
        return len(self.scale)

    def select(self, rows: np.ndarray) -> ParameterTable:
        """The rows of an index array."""
        return ParameterTable(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    @staticmethod
    def zeros(count: int, identity: int, expression: int, color: int) -> ParameterTable:
        """No row valid."""
        return ParameterTable(
            identity=np.zeros((count, identity), np.float32),
            expression=np.zeros((count, expression), np.float32),
            color=np.zeros((count, color), np.float32),
            illumination=np.zeros((count, 9, 3), np.float32),
            rotation=np.zeros((count, 3), np.float32),
            translation=np.zeros((count, 2), np.float32),
            scale=np.zeros(count, np.float32),
            valid=np.zeros(count, bool),
        )

    @staticmethod
    def cat(tables: list[ParameterTable]) -> ParameterTable:
        """Below each other. Colour may be absent (no columns) in some.

        Raises:
            InputError: they belong to models with different numbers of coefficients.
        """
        colors = max(table.color.shape[1] for table in tables)
        widened = []
        for table in tables:
            if table.color.shape[1] == 0:
                table = replace(table, color=np.zeros((len(table), colors), np.float32))
            widened.append(table)
        for name in ("identity", "expression", "color"):
            widths = sorted({getattr(table, name).shape[1] for table in widened})
            if len(widths) > 1:
                raise InputError(
                    f"fits: {name} has {' and '.join(map(str, widths))} coefficients in different "
                    "sources; fit and render with one model"
                )
        names = [f.name for f in fields(ParameterTable)]
        return ParameterTable(
            **{n: np.concatenate([getattr(t, n) for t in widened]) for n in names}
        )


def load_fits(
    path: str | os.PathLike, keys: list[str]
) -> tuple[ParameterTable, ParameterTable | None]:
    """Read fitted parameters for rows.

    The file is a safetensors with `identity (M, Ki)`, `expression (M, 53)`, `rotation (M, 3)`,
    `translation (M, 2)`, `scale (M,)` in pixels of the pack's pictures, `ok (M,)`, the same with
    `_flipped` for the mirrored picture (x becomes W-1-x), and a JSON list `keys` in its metadata.

    Args:
        path: of the file.
        keys: of the wanted rows, "<source name>/<key>"; the file may leave the source name out.

    Returns:
        Tables in the order of `keys`, for the pictures and for their mirror images (None where
        the file has none). Rows the file does not know are not valid.

    Raises:
        InputError: missing, not such a file, or of quite other rows.
    """
    path = Path(path)
    arrays, names = _read(path)
    known: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        known.setdefault(name, []).append(row)
    rows = np.full(len(keys), -1)
    for i, key in enumerate(keys):
        found = known.get(key) or known.get(key.split("/", 1)[-1])
        if found:  # a key that stands twice in a pack names its rows in order
            rows[i] = found.pop(0) if len(found) > 1 else found[0]
    if not (rows >= 0).any():
        raise InputError(f"{path}: names none of the {len(keys)} rows; fit these packs anew")
    table = _table(path, arrays, rows, "")
    flipped = _table(path, arrays, rows, "_flipped") if "scale_flipped" in arrays else None
    return table, flipped


def load_expressions(path: str | os.PathLike, shapes: int) -> Float32[np.ndarray, "N Ke"]:
    """All usable fitted expressions of a file (see `load_fits`).

    Raises:
        InputError: not such a file, none usable, or of a model with other shapes.
    """
    path = Path(path)
    arrays, _ = _read(path)
    if "expression" not in arrays or arrays["expression"].shape[1] != shapes:
        raise InputError(f"{path}: has no expressions of {shapes} shapes; fit with this model")
    expression = arrays["expression"].astype(np.float32)
    good = arrays["ok"].astype(bool) if "ok" in arrays else np.ones(len(expression), bool)
    good &= np.isfinite(expression).all(1)
    if not good.any():
        raise InputError(f"{path}: not one of its {len(good)} fits is usable")
    return expression[good]


def check_fitted_with(path: str | os.PathLike, model: LinearFaceModel) -> None:
    """Check that fits are of a face model; files that do not say what they are of pass.

    Raises:
        InputError: missing, not such a file, or of another model.
    """
    path = Path(path)
    _read(path)
    with safe_open(path, framework="np") as file:
        told = file.metadata().get(FITTED_WITH)
    if told is not None and told != model.fingerprint():
        raise InputError(
            f"{path}: fitted with another face model; fit with this one, "
            "python -m xpress.preparation.fit_packs --model FILE"
        )


def _read(path: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    if not path.is_file():
        raise InputError(f"{path}: no such file of fitted parameters")
    try:
        with safe_open(path, framework="np") as file:
            names = json.loads((file.metadata() or {}).get("keys", "[]"))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError) as error:
        raise InputError(f"{path}: not a file of fitted parameters ({error})") from error
    if "scale" not in arrays or len(names) != len(arrays["scale"]):
        raise InputError(f"{path}: its list of keys does not match its rows; fit the packs anew")
    return arrays, names


def _table(
    path: Path, arrays: dict[str, np.ndarray], rows: np.ndarray, suffix: str
) -> ParameterTable:
    try:
        valid = arrays["ok" + suffix].astype(bool)[rows] & (rows >= 0)
        names = ("identity", "expression", "rotation", "translation", "scale")
        picked = {n: arrays[n + suffix].astype(np.float32)[rows] for n in names}
    except KeyError as error:
        raise InputError(f"{path}: holds no {error.args[0]!r}; fit the packs anew") from error
    for value in picked.values():
        valid &= np.isfinite(value).reshape(len(rows), -1).all(1)
    for value in picked.values():
        value[~valid] = 0
    return ParameterTable(
        color=np.zeros((len(rows), 0), np.float32),
        illumination=np.zeros((len(rows), 9, 3), np.float32),
        valid=valid,
        **picked,
    )


def moved(table: ParameterTable, matrices: Float[np.ndarray, "N 2 3"]) -> ParameterTable:
    """The parameters in other pixels, see `move_pose`."""
    pose = move_pose(table.rotation, table.translation, table.scale, matrices)
    rotation, translation, scale = (values.astype(np.float32) for values in pose)
    return replace(table, rotation=rotation, translation=translation, scale=scale)


def move_pose(
    rotation: Float[np.ndarray, "B 3"],
    translation: Float[np.ndarray, "B 2"],
    scale: Float[np.ndarray, " B"],
    matrices: Float[np.ndarray, "B 2 3"],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pose seen after similarities of the image plane.

    With the camera `x = s·D·(R·X)_xy + t`, D = diag(1, -1), and a similarity `x' = z·Q·x + o`:
    `s' = z·s`, `t' = z·Q·t + o`, and `D·Q·D` turns about the viewing axis, so
    `R' = Rz(angle)·R` where `Q = [[cos, sin], [-sin, cos]](angle)`.

    Args:
        rotation: axis-angle, radians.
        translation: pixels.
        scale: pixels per model unit.
        matrices: rotation, uniform zoom and offset; no mirroring.

    Returns:
        rotation, translation and scale in the new pixels.
    """
    linear = matrices[:, :, :2]
    zoom = np.sqrt(np.linalg.det(linear))
    half = 0.5 * np.arctan2(linear[:, 0, 1], linear[:, 0, 0])
    moved = np.einsum("bij,bj->bi", linear, translation) + matrices[:, :, 2]
    return _turn(rotation, half), moved, scale * zoom


def _turn(rotation: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Axis-angle of Rz(2·half)·R by quaternions, its angle in [0, pi]."""
    angle = np.linalg.norm(rotation, axis=1)
    # sin(a/2)/a tends to 1/2
    w = np.cos(angle / 2)
    x, y, z = (rotation * (0.5 * np.sinc(angle / (2 * np.pi)))[:, None]).T
    c, s = np.cos(half), np.sin(half)
    w, x, y, z = c * w - s * z, c * x - s * y, c * y + s * x, c * z + s * w
    sign = np.where(w < 0, -1.0, 1.0)
    vector = np.stack([x, y, z], 1) * sign[:, None]
    length = np.linalg.norm(vector, axis=1)
    angle = 2 * np.arctan2(length, w * sign)
    factor = np.where(length > 1e-12, angle / np.maximum(length, 1e-12), 2.0)
    return vector * factor[:, None]
