"""How well an editor of expressions does what it is asked, and what else it changes.

Edited faces are read back by a frozen encoder, so all figures are in its units: they compare
editors with each other and with doing nothing, and say nothing about faces that it misreads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from jaxtyping import Float
from kornia.metrics import ssim
from torch import Tensor, nn

from xpress.batches import ExpressionBatch, ExpressionEdit
from xpress.models.expression_editing.emotions import EMOTIONS, emotion_units
from xpress.models.gather import gather_rows
from xpress.morphable.action_units import ACTION_UNIT_NAMES, ACTION_UNITS

Edit = Callable[[Tensor, Tensor], ExpressionEdit]
"""From crops (B, 3, H, W) and wanted action units (B, 17) to edited crops."""

UNTOUCHED = 0.1
"""Pixels that are changed less than this count as outside the edit."""
OPEN_EYES = 0.2
"""Lid distance over eye width from which eyes are asked to close; closed ones read 0.06 to 0.1."""
SSIM_WINDOW = 7
_BLINK = ACTION_UNITS.index(45)
_COLUMNS = {"errors": 17, "nothing": 17, "kept": 4, "cycle": 1, "lids": 2}
_EMOTIONS = {"emotions": len(EMOTIONS), "emotions_nothing": len(EMOTIONS)}


def kept_figures(
    source: Float[Tensor, "B 3 H W"],
    edited: Float[Tensor, "B 3 H W"],
    changed: Float[Tensor, "B 1 H W"],
) -> Float[Tensor, "B 4"]:
    """What happens where nothing should: sums over the pixels outside the edit.

    Returns:
        Absolute difference (mean of the channels), SSIM (Wang et al., 2004), how many pixels lie
        outside, and how many there are.
    """
    outside = (changed < UNTOUCHED).to(source.dtype)
    difference = (edited - source).abs().mean(1, keepdim=True)
    likeness = ssim(source, edited, SSIM_WINDOW).mean(1, keepdim=True)
    parts = difference * outside, likeness * outside, outside, torch.ones_like(outside)
    return torch.stack([part.sum((1, 2, 3)) for part in parts], dim=1)


def cycle_error(
    edit: Edit,
    source: Float[Tensor, "B 3 H W"],
    edited: Float[Tensor, "B 3 H W"],
    units: Float[Tensor, "B 17"],
) -> Float[Tensor, " B"]:
    """Mean absolute difference to the source after editing back to its action units."""
    return (edit(edited, units).image - source).abs().mean((1, 2, 3))


def lid_figures(
    edit: Edit, reader: nn.Module, batch: ExpressionBatch, opening: Float[Tensor, " B"]
) -> Float[Tensor, "B 2"]:
    """Eye opening before and after asking for AU45 = 1; not-a-number where eyes are not open."""
    figures = batch.image.new_full((len(batch), 2), torch.nan)
    rows = (opening >= OPEN_EYES).nonzero()[:, 0]
    if len(rows):
        target = batch.action_units[rows].clone()
        target[:, _BLINK] = 1
        closed = reader(edit(batch.image[rows], target).image).opening
        figures[rows] = torch.stack([opening[rows], closed], dim=1)
    return figures


def emotion_errors(
    edit: Edit, reader: nn.Module, image: Float[Tensor, "B 3 H W"]
) -> Float[Tensor, "B E"]:
    """Mean error of all action units after asking for each of `EMOTIONS`."""
    columns = []
    for name in EMOTIONS:
        target = emotion_units(name).to(image).expand(len(image), -1)
        columns.append((reader(edit(image, target).image).units - target).abs().mean(1))
    return torch.stack(columns, dim=1)


class EditEvaluation:
    """Gathers figures of edited faces over sets.

    >>> evaluation.update(module.edit, batch, "video")
    >>> evaluation.figures("video")["au_error_ratio"]

    Args:
        reader: an `ActionUnitReader`, which reads edited faces.
        thorough: also edit back, close eyes and show emotions: nine edits a face instead of one.
    """

    def __init__(self, reader: nn.Module, thorough: bool = True) -> None:
        self.reader, self.thorough = reader, thorough
        self._numbers: dict[str, list[Tensor]] = {}
        self._rows: dict[str, list[dict[str, Tensor]]] = {}

    def reset(self) -> None:
        """Forget all sets."""
        self._numbers, self._rows = {}, {}

    @torch.no_grad()
    def update(self, edit: Edit, batch: ExpressionBatch, set_name: str) -> None:
        """Edit a batch of a set and keep its figures."""
        source, target = batch.image, batch.target_units
        before, edited = self.reader(source), edit(source, target)
        rows = {
            "errors": (self.reader(edited.image).units - target).abs(),
            "nothing": (before.units - target).abs(),
            "kept": kept_figures(source, edited.image, edited.changed),
        }
        if self.thorough:
            back = cycle_error(edit, source, edited.image, batch.action_units)
            emotions = torch.stack([emotion_units(name) for name in EMOTIONS]).to(source)
            apart = (before.units[:, None] - emotions).abs().mean(2)
            rows |= {
                "cycle": back[:, None],
                "lids": lid_figures(edit, self.reader, batch, before.opening),
                "emotions": emotion_errors(edit, self.reader, source),
                "emotions_nothing": apart,
            }
        self._numbers.setdefault(set_name, []).append(batch.row)
        self._rows.setdefault(set_name, []).append(rows)

    def figures(self, set_name: str) -> dict[str, float]:
        """Means over a set; a row that came twice counts once.

        With several processes, every one has to ask for the same sets in the same order.

        Returns:
            See `summarize`.
        """
        device = next(self.reader.buffers()).device
        none = torch.zeros(0, dtype=torch.long, device=device)
        number = gather_rows(torch.cat([none, *self._numbers.get(set_name, [])]))
        _, first = np.unique(number.cpu().numpy(), return_index=True)
        columns = _COLUMNS | _EMOTIONS if self.thorough else dict(list(_COLUMNS.items())[:3])
        rows = {}
        for name, width in columns.items():
            parts = [part[name] for part in self._rows.get(set_name, [])]
            column = gather_rows(torch.cat([torch.zeros(0, width, device=device), *parts]))
            rows[name] = column.double().cpu().numpy()[first]
        return summarize(rows)


def summarize(rows: Mapping[str, Float[np.ndarray, "N K"]]) -> dict[str, float]:
    """Figures of a set from those of its rows, see `EditEvaluation.update`.

    Returns:
        `rows`; `au_error` and `au_error_nothing` (mean absolute error of the action units after
        the edit, and of the face as it was), `au_error_ratio` of the two and `ratio/AU…` of each
        unit; `kept/l1`, `kept/ssim` and `kept/share` outside the edit; and of a thorough
        evaluation `cycle` (L1), `lids/before`, `lids/after`, `lids/fall` in percent and
        `lids/rows`, and `emotion/…`: each emotion's error over that of doing nothing.
    """
    errors, nothing, kept = rows["errors"], rows["nothing"], rows["kept"]
    if not len(errors):
        return {"rows": 0.0}
    sums = kept.sum(0)
    figures = {
        "rows": float(len(errors)),
        "au_error": float(errors.mean()),
        "au_error_nothing": float(nothing.mean()),
        "au_error_ratio": _ratio(errors.mean(), nothing.mean()),
        "kept/l1": _ratio(sums[0], sums[2]),
        "kept/ssim": _ratio(sums[1], sums[2]),
        "kept/share": _ratio(sums[2], sums[3]),
    }
    for name, after, before in zip(ACTION_UNIT_NAMES, errors.mean(0), nothing.mean(0), strict=True):
        figures[f"ratio/{name}"] = _ratio(after, before)
    if "lids" in rows:
        figures["cycle"] = float(rows["cycle"].mean())
        lids = rows["lids"][np.isfinite(rows["lids"]).all(1)]
        figures["lids/rows"] = float(len(lids))
        if len(lids):
            before, after = lids.mean(0)
            fall = 100 * (1 - _ratio(after, before))
            figures |= {"lids/before": before, "lids/after": after, "lids/fall": fall}
        emotions = rows["emotions"].mean(0), rows["emotions_nothing"].mean(0)
        for name, after, before in zip(EMOTIONS, *emotions, strict=True):
            figures[f"emotion/{name}"] = _ratio(after, before)
    return {name: float(value) for name, value in figures.items()}


def _ratio(a: float, b: float) -> float:
    return float(a) / max(float(b), 1e-9)


def figure_table(metrics: Mapping[str, Tensor | float], stage: str) -> str:
    """Logged figures `<stage>/<set>/<name>` of every set as lines for people."""
    sets = sorted({n.split("/")[1] for n in metrics if n.startswith(f"{stage}/") and "/au_" in n})
    blocks = []
    for name in sets:
        prefix = f"{stage}/{name}/"
        found = {n.removeprefix(prefix): float(v) for n, v in metrics.items() if prefix in n}
        blocks.append(_block(name, found))
    return "\n".join(blocks)


def _block(name: str, f: Mapping[str, float]) -> str:
    lines = [
        f"{name}, {f['rows']:.0f} faces, action units read back",
        f"  error {f['au_error']:.4f}, doing nothing {f['au_error_nothing']:.4f}, "
        f"ratio {f['au_error_ratio']:.3f}",
        f"  outside the edit ({100 * f['kept/share']:.0f}% of the crop): "
        f"L1 {f['kept/l1']:.4f}, SSIM {f['kept/ssim']:.3f}",
    ]
    if "cycle" in f:
        lines.append(f"  there and back: L1 {f['cycle']:.4f}")
    if "lids/fall" in f:
        lines.append(
            f"  AU45 = 1 on {f['lids/rows']:.0f} open-eyed faces: opening {f['lids/before']:.3f} "
            f"to {f['lids/after']:.3f}, falls by {f['lids/fall']:.0f}%"
        )
    units = [f"{unit} {f[f'ratio/{unit}']:.2f}" for unit in ACTION_UNIT_NAMES]
    lines += ["  ratio of each: " + ", ".join(units[:9]), "    " + ", ".join(units[9:])]
    shown = [f"{e} {f[f'emotion/{e}']:.2f}" for e in EMOTIONS if f"emotion/{e}" in f]
    return "\n".join(lines + (["  ratio of emotions: " + ", ".join(shown)] if shown else []))
