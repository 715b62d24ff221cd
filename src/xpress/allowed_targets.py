"""Which `_target_`s a configuration may name: a setting must not become any call at all.

Whoever forwards settings to `infer` or `train`, as a service does, would else forward a shell.
Allowed are this package's own functions and classes, and the kinds of parts of Lightning, PyTorch
and Optuna that a training is put together from. Who runs the process, not who gives the settings,
may allow packages of their own: `XPRESS_TARGETS=my_networks:my_callbacks`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from hydra._internal.utils import _locate
from omegaconf import DictConfig, ListConfig, OmegaConf

from xpress.errors import InputError

VARIABLE = "XPRESS_TARGETS"
"""Environment variable with further packages, separated by colons."""

_OWN = "xpress"
_PARTS = (
    "pytorch_lightning.callbacks",
    "pytorch_lightning.loggers",
    "pytorch_lightning.plugins",
    "pytorch_lightning.profilers",
    "pytorch_lightning.strategies",
    "pytorch_lightning.trainer.trainer",
    "torch.optim",
    "optuna.pruners",
    "optuna.samplers",
)
"""Packages whose classes are such parts."""
_SAME = {"pytorch_lightning.Trainer": "pytorch_lightning.trainer.trainer.Trainer"}
_HYDRA = ("hydra._internal.core_plugins", "hydra.experimental", "hydra_plugins")
"""Where Hydra's own launchers, sweepers and callbacks lie."""
_FACTORY, _CLASS = "()", "class"
"""Keys by which Python's logging makes objects."""
_LOGGING = ("logging", "colorlog")
_NAMED = ("custom_search_space",)
"""Settings of sweepers that name a function without calling it a target."""


def check_targets(config: DictConfig, functions: tuple[str, ...] | None = None) -> None:
    """Check every `_target_` of a composed configuration without `hydra`'s own part.

    Args:
        config: of `infer` or `train`.
        functions: the only ones allowed, where they are known; else what the module says.

    Raises:
        InputError: one that is not allowed; nothing of it has been imported.
    """
    for place, name in _named(config, ""):
        if functions is None:
            _check(place, name, _PARTS)
        elif name not in functions:
            raise InputError(f"{place}={name}: not allowed; choose a task instead")


def check_hydra_targets(config: DictConfig) -> None:
    """Check what Hydra itself would build: its launcher, sweeper, callbacks and logging.

    Raises:
        InputError: as `check_targets`.
    """
    for place, name in _named(config, "hydra"):
        if place.rpartition(".")[2] in (_FACTORY, _CLASS):
            if not name.startswith(tuple(f"{package}." for package in _LOGGING)):
                raise _refusal(place, name)
        else:
            _check(place, name, (*_PARTS, *_HYDRA))
    for name in OmegaConf.select(config, "sweeper.params") or {}:
        if str(name).lstrip("+~").startswith("hydra"):
            raise InputError(
                f"hydra.sweeper.params: {name} is Hydra's own; vary the task's options"
            )


def _named(node: Any, path: str) -> Iterator[tuple[str, str]]:
    """Places and names of all targets below a node; what refers to another place counts there."""
    if isinstance(node, DictConfig):
        raw = OmegaConf.to_container(node, resolve=False) if not node._is_none() else {}
        assert isinstance(raw, dict)
        for key, value in raw.items():
            place = f"{path}.{key!s}" if path else str(key)
            if _names_target(str(key), place) and value is not None:
                yield place, str(value)
            elif not path and key == "hydra":
                continue
            elif isinstance(value, dict | list):
                yield from _named(OmegaConf.create(value), place)
    elif isinstance(node, ListConfig):
        for index, value in enumerate(node._iter_ex(resolve=False)):
            yield from _named(value, f"{path}.{index}")


def _names_target(key: str, place: str) -> bool:
    if key == "_target_" or key in _NAMED:
        return True
    return place.startswith(("hydra.job_logging", "hydra.hydra_logging")) and key in (
        _FACTORY,
        _CLASS,
    )


def _check(place: str, name: str, packages: tuple[str, ...]) -> None:
    full = _SAME.get(name, name)
    own = [package for package in os.environ.get(VARIABLE, "").split(":") if package]
    if any(_below(full, package) for package in own):
        return
    if not any(_below(full, package) for package in (_OWN, *packages)):
        raise _refusal(place, name)
    try:
        found = _locate(name)
    except Exception as error:  # whatever the import of a module raises
        reason = str(error.__cause__ or error).splitlines()[0]
        raise InputError(f"{place}={name}: cannot be imported ({reason})") from error
    # xpress.cli.os.system begins well, too
    home = getattr(found, "__module__", None) or ""
    made = isinstance(found, type) or (_below(full, _OWN) and callable(found))
    if not made or not any(_below(home, package) for package in (_OWN, *packages)):
        raise _refusal(place, name)


def _below(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def _refusal(place: str, name: str) -> InputError:
    return InputError(
        f"{place}={name}: not allowed; packages of your own are named in the environment, "
        f"{VARIABLE}=…"
    )
