"""Which checkpoint a run starts from, and what it brings along besides weights."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from xpress.configuration import CONFIG_MODULE
from xpress.errors import InputError

_log = logging.getLogger(__name__)

RESTORED = ("model", "data", "seed")
"""Sections of the configuration that a checkpoint brings along."""

CONTINUED = ("trainer", "callbacks", "monitor")
"""Sections that it brings along as well where the training goes on: epochs, schedule, averaging."""

_OF_THE_CALL = {
    "trainer": (
        *("accelerator", "devices", "num_nodes", "strategy", "sync_batchnorm", "plugins"),
        *("default_root_dir", "profiler", "enable_progress_bar", "enable_model_summary"),
    ),
    "callbacks": ("wandb", "pruning"),  # they come with the logger and with the search
}
"""What of these sections is the machine's or the call's, not the training's."""


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
    references, such as that to the folder of packs, which another machine answers in its own way,
    and so do those of the training, whose files lie in the folder of the run.
    """
    training = {name: config[name] for name in CONTINUED if name in config}
    return {
        **{name: OmegaConf.to_container(node, resolve=False) for name, node in training.items()},
        "task": config.task_name,
        "seed": config.seed,
        "model": OmegaConf.to_container(config.model, resolve=True),
        "data": OmegaConf.to_container(config.data, resolve=False),
    }


def with_settings(
    config: DictConfig, record: dict[str, Any] | None, overrides: Sequence[str], path: str
) -> DictConfig:
    """The configuration with model, data and seed of a checkpoint; the command line wins.

    Where the training goes on (`mode=fit`), its epochs, callbacks and monitored metric are the
    checkpoint's, too; machine and loggers are this call's.

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
    restored = (*RESTORED, *CONTINUED) if config.get("mode") == "fit" else RESTORED
    for name in restored:
        if name in record:
            merged[name] = _restored(record[name], config.get(name), _OF_THE_CALL.get(name, ()))
    # It was the start of the run that wrote the checkpoint; the file may be gone.
    if "init_from" in record["model"]:
        merged.model.init_from = None
    for key in given_keys(overrides):
        value = OmegaConf.select(config, key)
        before = OmegaConf.select(merged, key)
        if before != value:
            _log.info("%s=%s as given; it was %s in %s", key, value, before, path)
            key = _first_missing(merged, key)
            OmegaConf.update(
                merged, key, OmegaConf.select(config, key), merge=False, force_add=True
            )
    _tell_differences(config, merged, path, restored)
    return merged


def _restored(before: Any, now: Any, of_the_call: Sequence[str]) -> Any:
    """A section as it was, but for the names that are this call's."""
    if not of_the_call:
        return before
    kept = {name: value for name, value in before.items() if name not in of_the_call}
    now = {} if now is None else OmegaConf.to_container(now, resolve=False)
    return kept | {name: value for name, value in now.items() if name in of_the_call}


def _first_missing(config: DictConfig, key: str) -> str:
    """The key, or that of the node around it that the configuration lacks altogether."""
    parts = key.split(".")
    names = [".".join(parts[:end]) for end in range(1, len(parts))]
    return next((name for name in names if OmegaConf.select(config, name) is None), key)


def given_keys(overrides: Sequence[str]) -> list[str]:
    """Keys of what a checkpoint brings along that a command line names.

    Those that a chosen `ablation` sets are among them: it exists to change a given network. Of a
    chosen `trainer` those count that its own file sets: `trainer=cpu` says nothing about epochs.
    """
    keys: list[str] = []
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        name, chosen = override.key_or_group, override.value()
        if name == "ablation":
            for choice in chosen if isinstance(chosen, list) else [chosen] if chosen else []:
                keys += _set_by(name, choice, "") or []
        elif name == "trainer":
            found = _set_by(name, chosen, "trainer.")
            keys += ["trainer"] if found is None else found
        else:
            keys.append(name)
    return [key for key in keys if key.partition(".")[0] in (*RESTORED, *CONTINUED)]


def _set_by(group: str, choice: Any, prefix: str) -> list[str] | None:
    """The keys that a choice's own file sets; None where there is no such file.

    It is the package's or one of `--config-dir`, looked for in Hydra's order.
    """
    folders: list[Any] = [files(CONFIG_MODULE)]
    if HydraConfig.initialized():
        sources = HydraConfig.get().runtime.config_sources
        folders += [Path(source.path) for source in sources if source.schema == "file"]
    found = (folder / group / f"{choice}.yaml" for folder in folders)
    file = next((path for path in found if path.is_file()), None)
    if file is None:
        return None
    node = OmegaConf.create(file.read_text(encoding="utf-8"))
    assert isinstance(node, DictConfig)
    node.pop("defaults", None)
    return _leaves(node, prefix)


def _leaves(node: Any, prefix: str = "") -> list[str]:
    if not isinstance(node, DictConfig):
        return [prefix.rstrip(".")]
    return [leaf for key in node for leaf in _leaves(node[key], f"{prefix}{key!s}.")]


def _tell_differences(
    config: DictConfig, merged: DictConfig, path: str, sections: Sequence[str]
) -> None:
    here, there = _flat(config, sections), _flat(merged, sections)
    changed = [
        f"{key}={there.get(key)} (not {here.get(key)})"
        for key in sorted(here.keys() | there.keys())
        if here.get(key) != there.get(key) and key != "model.init_from"
    ]
    if changed:
        _log.info("as in %s: %s; name them to change them", path, ", ".join(changed))


def _flat(config: DictConfig, sections: Sequence[str]) -> dict[str, Any]:
    flat: dict[str, Any] = {}

    def visit(node: Any, key: str) -> None:
        if isinstance(node, dict):
            for name, value in node.items():
                visit(value, f"{key}.{name}")
        else:
            flat[key] = node

    for section in sections:
        node, resolve = config.get(section), section in RESTORED
        plain = OmegaConf.to_container(node, resolve=resolve) if OmegaConf.is_config(node) else node
        visit(plain, section)
    return flat
