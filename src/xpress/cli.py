"""The two commands, `train` and `infer`: Hydra configurations become calls."""

from __future__ import annotations

import logging
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import hydra
from hydra._internal.utils import get_args_parser
from omegaconf import DictConfig, OmegaConf

from xpress import configuration
from xpress.errors import InputError

if TYPE_CHECKING:
    from pytorch_lightning import Callback, LightningModule, Trainer
    from pytorch_lightning.loggers import Logger

_log = logging.getLogger(__name__)


def infer() -> None:
    """Run `infer.py` or `xpress-infer` with the arguments of the process."""
    _command("infer", run_infer)


def train() -> None:
    """Run `train.py` or `xpress-train` with the arguments of the process."""
    _command("train", run_train)


def run_infer(config: DictConfig) -> None:
    """Call the function behind the chosen task with the options that it takes."""
    job: Any = OmegaConf.to_container(config.job, resolve=True, enum_to_str=True)
    function = hydra.utils.get_method(job.pop("_target_"))
    function(**job)


def run_train(config: DictConfig) -> float | None:
    """Fit, validate or test a network.

    Returns:
        The monitored metric, for sweeps that optimise it; None if it was not logged.

    Raises:
        InputError: unknown mode, or a checkpoint that is missing or is none.
    """
    # --help and errors answer at once, without the seconds that torch takes to load
    from pytorch_lightning import seed_everything

    from xpress.loggers.recording import recorded

    if config.mode not in ("fit", "validate", "test"):
        raise InputError(f"mode={config.mode}: no such mode; choose fit, validate or test")
    checkpoint = find_checkpoint(config)
    seed_everything(config.seed, workers=True)
    data = _instantiate(config.data)
    model = _instantiate(config.model)
    trainer = build_trainer(config)
    with recorded(trainer, config, checkpoint):
        if config.mode == "fit":
            _fit(config, trainer, model, data, checkpoint)
        else:
            if checkpoint is None:
                _log.warning("mode=%s without ckpt=: the network as it is built", config.mode)
            step = trainer.validate if config.mode == "validate" else trainer.test
            step(model, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    metric = trainer.callback_metrics.get(config.monitor.metric)
    return None if metric is None else float(metric)


def build_trainer(config: DictConfig) -> Trainer:
    """The trainer with its callbacks and loggers.

    The learning rate is monitored only where a logger takes it.

    Raises:
        InputError: this machine lacks what the trainer asks for, or its options contradict.
    """
    from lightning_fabric.utilities.exceptions import MisconfigurationException
    from pytorch_lightning.callbacks import LearningRateMonitor

    loggers: list[Logger] = _instantiate_group(config.get("logger"))
    callbacks: list[Callback] = _instantiate_group(config.get("callbacks"))
    if not loggers:
        callbacks = [c for c in callbacks if not isinstance(c, LearningRateMonitor)]
    try:
        return _instantiate(config.trainer, callbacks=callbacks, logger=loggers or False)
    except hydra.errors.InstantiationException as error:
        if isinstance(error.__cause__, (MisconfigurationException, ValueError)):
            raise InputError(f"trainer: {' '.join(str(error.__cause__).split())}") from error
        raise


def find_checkpoint(config: DictConfig) -> str | None:
    """The path behind `ckpt`; `last` is the newest run of the task.

    Raises:
        InputError: there is none, or the file is no checkpoint.
    """
    if config.ckpt is None:
        return None
    path = Path(config.ckpt)
    if config.ckpt == "last":
        folder = Path(config.paths.log_dir) / config.task_name
        found = folder.glob("**/checkpoints/last.ckpt")
        path = max(found, key=lambda file: file.stat().st_mtime, default=folder)
        if path == folder:
            raise InputError(f"{folder}: no run to resume; give ckpt=<path> or leave it out")
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint")
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path}: not a checkpoint; give a .ckpt that training wrote")
    return str(path)


def _fit(
    config: DictConfig, trainer: Trainer, model: LightningModule, data: Any, checkpoint: str | None
) -> None:
    trainer.fit(model, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    if config.test:
        saved = trainer.checkpoint_callback
        best = getattr(saved, "best_model_path", "") or None
        metrics = dict(trainer.callback_metrics)
        trainer.test(model, datamodule=data, ckpt_path=best, weights_only=True)
        trainer.callback_metrics.update(metrics)


def _instantiate(node: DictConfig, **arguments: Any) -> Any:
    try:
        return hydra.utils.instantiate(node, **arguments, _convert_="all")
    except hydra.errors.InstantiationException as error:
        if isinstance(error.__cause__, InputError):
            raise error.__cause__ from None
        raise


def _instantiate_group(group: DictConfig | None) -> list[Any]:
    return [_instantiate(node) for node in (group or {}).values() if node is not None]


def _command(name: str, run: Callable[[DictConfig], Any]) -> None:
    """Hand the process over to Hydra; what the user can mend becomes one line and status 2.

    Hydra prints its own shortened tracebacks and exits; with HYDRA_FULL_ERROR it lets exceptions
    pass, so that errors of the configuration are told here and defects keep their traceback.
    """
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    started = False

    def job(config: DictConfig) -> Any:
        nonlocal started
        try:
            # the options of a sweep over tasks need not concern every one of them
            relevant = [] if arguments.multirun else arguments.overrides
            configuration.check(name, config, relevant)
            started = True
            return run(config)
        except InputError as error:
            _fail(error)

    sys.argv[1:] = configuration.quote_paths(sys.argv[1:])
    arguments = get_args_parser().parse_args()
    try:
        if _is_plain_run(arguments):
            config = configuration.compose_config(name, arguments.overrides)
            configuration.check(name, config, arguments.overrides)
        main = hydra.main(
            config_path=f"pkg://{configuration.CONFIG_MODULE}",
            config_name=name,
            version_base=configuration.VERSION_BASE,
        )
        main(job)()
    except InputError as error:
        _fail(error)
    except (*configuration.CONFIG_ERRORS, ValueError) as error:
        if started:
            raise
        _fail(configuration.explain(error, name, arguments.overrides))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


def _is_plain_run(arguments: Any) -> bool:
    shown = ("help", "hydra_help", "cfg", "info", "shell_completion")
    elsewhere = ("config_name", "config_path", "config_dir", "experimental_rerun")
    return not any(getattr(arguments, name) for name in (*shown, *elsewhere, "multirun"))


def _fail(message: object) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)
