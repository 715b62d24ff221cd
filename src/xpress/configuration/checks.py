"""Between the command line and Hydra: what is checked of a call before it runs."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from omegaconf import DictConfig, OmegaConf, open_dict

from xpress.allowed_targets import check_hydra_targets, check_targets
from xpress.configuration.composition import (
    CONFIG_MODULE,
    added_units,
    composed,
    job_functions,
    parsed,
    taken_options,
    tasks,
)
from xpress.configuration.messages import explain, nearest
from xpress.errors import InputError

_ADDITIVE = ("experiment", "ablation", "hparams_search")
_ROUTING = ("task", "job", "task_name", "hydra")


def compose_config(
    command: str,
    overrides: Sequence[str],
    config_dir: str | None = None,
    sweep: bool = False,
) -> DictConfig:
    """Compose the configuration of a call without running it; Hydra's own part is checked.

    Args:
        command: `train`, `infer` or `prepare`.
        overrides: `name=value` arguments in Hydra's grammar.
        config_dir: folder of further settings.
        sweep: leave out what varies, and let Hydra tell of it.

    Raises:
        InputError: they do not compose, or Hydra would build what is not allowed; the message
            names the argument and the nearest names.
    """
    try:
        if config_dir is None:
            _check_task_choice(command, overrides)
        fixed = _fixed(overrides) if sweep else list(overrides)
        if config_dir is not None:
            fixed += _search_path(overrides, config_dir)
        config = composed(command, fixed, return_hydra_config=True)
    except InputError:
        raise
    except Exception as error:  # OmegaConf stumbles over some values with Python's own errors
        raise InputError(" ".join(explain(error, command, overrides).split())) from error
    check_hydra_targets(config.hydra)
    with open_dict(config):
        del config["hydra"]
    return config


def _fixed(overrides: Sequence[str]) -> list[str]:
    """The overrides that a sweep does not vary; what Hydra builds it may not vary."""
    fixed = []
    for text, override in zip(overrides, parsed(added_units(overrides)), strict=True):
        name = override.key_or_group
        if not override.is_sweep_override():
            fixed.append(text)
        elif name.startswith("hydra") or "_target_" in name:
            raise InputError(f"{name}: takes one value, also in a sweep")
    return fixed


def _search_path(overrides: Sequence[str], config_dir: str) -> list[str]:
    """The folder of `--config-dir` as composing takes it."""
    if not Path(config_dir).is_dir():
        raise InputError(f"--config-dir {config_dir}: no such folder; check the path")
    if any(override.key_or_group == "hydra.searchpath" for override in parsed(overrides)):
        raise InputError("--config-dir and hydra.searchpath: give one of the two")
    return [f"hydra.searchpath=['file://{Path(config_dir).resolve()}']"]


def check_choices(overrides: Sequence[str]) -> None:
    """Check that no group is chosen from twice, of which the last choice alone would count.

    Raises:
        InputError: one is; `experiment=[a,b]` takes both.
        OverrideParseException: an argument is not in Hydra's grammar.
    """
    chosen: dict[str, str] = {}
    for override in parsed(overrides):
        group, choice = override.key_or_group, str(override.value())
        if not (files(CONFIG_MODULE) / group).is_dir():
            continue
        if group in chosen:
            both = f"{chosen[group]},{choice}"
            hint = f"{group}=[{both}] takes both" if group in _ADDITIVE else "choose one"
            raise InputError(f"{group}={both}: chosen twice; {hint}")
        chosen[group] = choice


def check(command: str, config: DictConfig, overrides: Sequence[str]) -> None:
    """Check what composing alone does not see.

    Args:
        command: `train`, `infer` or `prepare`.
        config: the composed configuration.
        overrides: the arguments that have to mean something to the task.

    Raises:
        InputError: a target that is not allowed, no task, options that the task does not take,
            missing ones, or, for `train`, values of the wrong type.
    """
    if command == "prepare":
        return _check_prepare(config)
    choices = tasks(command)
    check_targets(config, job_functions() if command == "infer" else None)
    if config.task_name is None:
        raise InputError(f"no task given; choose task={'|'.join(choices)}")
    if command == "train":
        # loads what is trained, and with it torch, which --help does without
        from xpress.validation import check_training

        return check_training(config)
    if OmegaConf.is_missing(config, "job") or not OmegaConf.is_dict(config.job):
        raise InputError(f"job: task={config.task_name} sets it; leave it out")
    taken = taken_options(config)
    if "weights" in taken:
        taken.append("morphable")
    for name in (override.key_or_group for override in parsed(overrides)):
        if name.partition(".")[0] not in (*taken, *_ROUTING):
            raise InputError(
                f"{name}: task={config.task_name} has no such option; it takes {', '.join(taken)}"
            )
    missing = [name for name in taken if OmegaConf.is_missing(config, name)]
    if missing:
        needs = " and ".join(f"{name}=…" for name in missing)
        raise InputError(f"task={config.task_name} needs {needs}")


def _check_prepare(config: DictConfig) -> None:
    check_targets(config, ())
    missing = [f"{name}=…" for name in ("input", "output") if OmegaConf.is_missing(config, name)]
    if missing:
        raise InputError(f"python -m xpress.prepare needs {' and '.join(missing)}")


def _check_task_choice(command: str, overrides: Sequence[str]) -> None:
    choices = tasks(command)
    for override in parsed(overrides):
        if override.key_or_group == "task" and not override.is_sweep_override():
            task = override.value()
            if task is not None and task not in choices:
                raise InputError(f"task={task}: no such task{nearest(str(task), choices)}")
