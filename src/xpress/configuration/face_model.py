"""`morphable=READER morphable.path=FILE`: another face model for a call."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from xpress.errors import InputError

_TAKEN_BY = ("model.morphable", "data.morphable", "data.synthetic.morphable")
"""Where training takes the file of a face model."""


def chosen_face_model(config: DictConfig) -> Path | None:
    """The file of the model that a call chooses, registered to the default mesh if it was not yet.

    Raises:
        InputError: no path, or the model cannot be read; the message says which file is needed.
    """
    chosen = config.morphable
    if chosen.reader is None:
        if chosen.path is not None:
            raise InputError(
                f"morphable.path={chosen.path}: say what it is, as morphable=bfm2019; see "
                "docs/face_models.md"
            )
        return None
    from xpress.face_models.readers.registry import needed
    from xpress.face_models.registered_file import registered_file

    if chosen.path is None:
        raise InputError(
            f"morphable={chosen.reader}: give morphable.path=…, {needed(chosen.reader)}"
        )
    return registered_file(chosen.reader, chosen.path, chosen.landmarks)


def train_with_face_model(config: DictConfig) -> None:
    """Put the chosen model where network and data take it.

    Raises:
        InputError: as `chosen_face_model`, the task has no face model, or `data.fits` are of
            another one.
    """
    names = [name for name in _TAKEN_BY if _has(config, name)]
    if config.morphable.reader is not None and not names:
        raise InputError(f"morphable={config.morphable.reader}: task={config.task_name} has none")
    file = chosen_face_model(config)
    if file is not None:
        for name in names:
            OmegaConf.update(config, name, str(file))
        fits = OmegaConf.select(config, "data.fits")
        if fits is not None:
            from xpress.morphable.face_model import FaceModel
            from xpress.packs.fitted_parameters import check_fitted_with

            check_fitted_with(fits, FaceModel.load(file))


def weights_with_face_model(config: DictConfig, weights: str | None) -> str | None:
    """The folder of weights in which the chosen model lies.

    Args:
        config: of `infer`.
        weights: the user's.

    Raises:
        InputError: as `chosen_face_model`, or `weights` have a face model of their own.
    """
    file = chosen_face_model(config)
    if file is None:
        return weights
    if weights is None:
        return str(file.parent)
    own = Path(weights) / file.name
    if not own.is_file() or own.read_bytes() != file.read_bytes():
        raise InputError(
            f"weights={weights}: trained for another face model than morphable="
            f"{config.morphable.reader}; leave out one of the two"
        )
    return weights


def _has(config: DictConfig, name: str) -> bool:
    parent, _, key = name.rpartition(".")
    node = OmegaConf.select(config, parent)
    return isinstance(node, DictConfig) and key in node
