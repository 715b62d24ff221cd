"""Which checkpoint a run starts from, and what it brings along besides weights."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from xpress.configuration import CONFIG_MODULE
from xpress.errors import InputError

_log = logging.getLogger(__name__)

RESTORED = ("model", "data", "seed")
"""Sections of the configuration that a checkpoint brings along."""


def find_checkpoint(config: DictConfig) -> str | None:
    """The path behind `ckpt`.

    `last` is the newest whole checkpoint of the task's runs, `auto` that of this run's own
    folder if there is one: a job that is queued again with the same `hydra.run.dir`.

    Raises:
        InputError: there is none, or the file is no checkpoint.
    """
    if config.ckpt is None:
        return None
    if config.ckpt == "auto":
        return newest_whole(checkpoints_below(Path(config.paths.output_dir)))
    if config.ckpt != "last":
        read_checkpoint_quickly(config.ckpt)
        return str(config.ckpt)
    folder = Path(config.paths.log_dir) / config.task_name
    found = newest_whole(checkpoints_below(folder))
    if found is None:
        raise InputError(f"{folder}: no run to resume; give ckpt=<path> or leave it out")
    return found


def checkpoints_below(folder: Path) -> list[Path]:
    """Checkpoints of all runs below a folder, newest first; `last.ckpt` before its twins."""
    names = "**/checkpoints/*.ckpt", "**/hpc_ckpt_*.ckpt"
    files = [path for name in names for path in folder.glob(name) if path.name[0] != "."]
    return sorted(files, key=lambda f: (f.stat().st_mtime_ns, f.stem == "last"), reverse=True)


def newest_whole(paths: Iterable[Path]) -> str | None:
    """The first that can be read; those before it are named in a line each."""
    for path in paths:
        try:
            read_checkpoint_quickly(path)
        except InputError as error:
            reason = str(error).partition(";")[0]
            _log.warning("%s; taking the newest one that is whole", reason)
        else:
            return str(path)
    return None


def read_checkpoint_quickly(path: str | Path) -> dict[str, Any]:
    """`files.read_checkpoint`, which needs torch, once the cheap reasons to refuse are out."""
    if not Path(path).is_file():
        raise InputError(f"{path}: no such checkpoint")
    from xpress.checkpoints.files import read_checkpoint

    return read_checkpoint(path)


def settings_of(config: DictConfig) -> dict[str, Any]:
    """What is stored of a configuration: plain values.

    The model's are resolved, because the network has to be the same anywhere. The data's keep
    references, such as that to the folder of packs, which another machine answers in its own way.
    """
    return {
        "task": config.task_name,
        "seed": config.seed,
        "model": OmegaConf.to_container(config.model, resolve=True),
        "data": OmegaConf.to_container(config.data, resolve=False),
    }


def with_settings(
    config: DictConfig, record: dict[str, Any] | None, overrides: Sequence[str], path: str
) -> DictConfig:
    """The configuration with model, data and seed of a checkpoint; the command line wins.

    Args:
        config: of this call.
        record: what `settings_of` stored; None in checkpoints of other programs.
        overrides: the arguments of the command line.
        path: of the checkpoint, for messages.

    Raises:
        InputError: the checkpoint is of another task.
    """
    if not record:
        return config
    if record["task"] != config.task_name:
        raise InputError(f"{path}: a checkpoint of task={record['task']}, not {config.task_name}")
    merged = config.copy()
    OmegaConf.set_readonly(merged, False)
    OmegaConf.set_struct(merged, False)
    for name in RESTORED:
        merged[name] = record[name]
    # It was the start of the run that wrote the checkpoint; the file may be gone.
    if "init_from" in record["model"]:
        merged.model.init_from = None
    for key in given_keys(overrides):
        value = OmegaConf.select(config, key)
        before = OmegaConf.select(merged, key)
        if before != value:
            _log.info("%s=%s as given; it was %s in %s", key, value, before, path)
            OmegaConf.update(merged, key, value, merge=False, force_add=True)
    _tell_differences(config, merged, path)
    return merged


def given_keys(overrides: Sequence[str]) -> list[str]:
    """Keys of model, data and seed that a command line names.

    Those that a chosen `ablation` sets are among them: it exists to change a given network.
    """
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    keys = [override.key_or_group for override in parsed]
    for override in parsed:
        if override.key_or_group == "ablation":
            chosen = override.value() or []
            for name in chosen if isinstance(chosen, list) else [chosen]:
                keys += _set_by_ablation(name)
    return [key for key in keys if key.partition(".")[0] in RESTORED]


def _set_by_ablation(name: str) -> list[str]:
    text = files(CONFIG_MODULE) / "ablation" / f"{name}.yaml"
    return _leaves(OmegaConf.create(text.read_text(encoding="utf-8")))


def _leaves(node: Any, prefix: str = "") -> list[str]:
    if not isinstance(node, DictConfig):
        return [prefix.rstrip(".")]
    return [leaf for key in node for leaf in _leaves(node[key], f"{prefix}{key!s}.")]


def _tell_differences(config: DictConfig, merged: DictConfig, path: str) -> None:
    here, there = _flat(config), _flat(merged)
    changed = [
        f"{key}={there.get(key)} (not {here.get(key)})"
        for key in sorted(here.keys() | there.keys())
        if here.get(key) != there.get(key) and key != "model.init_from"
    ]
    if changed:
        _log.info("as in %s: %s; name them to change them", path, ", ".join(changed))


def _flat(config: DictConfig) -> dict[str, Any]:
    flat: dict[str, Any] = {}

    def visit(node: Any, key: str) -> None:
        if isinstance(node, dict):
            for name, value in node.items():
                visit(value, f"{key}.{name}")
        else:
            flat[key] = node

    for section in RESTORED:
        node = config.get(section)
        plain = OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
        visit(plain, section)
    return flat
