"""One call of `train.py`: fit, validate, test or export a network."""

from __future__ import annotations

import logging
import math
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from xpress import configuration
from xpress.errors import InputError
from xpress.training.resume import (
    find_checkpoint,
    read_checkpoint_quickly,
    settings_of,
    with_settings,
)

# Nothing here loads torch before it is needed: errors answer without the seconds that takes.
if TYPE_CHECKING:
    from pytorch_lightning import Callback, LightningModule, Trainer
    from pytorch_lightning.loggers import Logger

_log = logging.getLogger(__name__)

MODES = ("fit", "validate", "test", "export")


def run_train(config: DictConfig) -> float | None:
    """Fit, validate, test or export a network.

    With a checkpoint, model and data are those of the checkpoint, and where the training goes on
    its epochs and callbacks, too, except for what the command line names.

    Returns:
        The monitored metric, for sweeps that optimise it; None if it was not logged or diverged.

    Raises:
        InputError: unknown mode, an export without its packages, or a checkpoint that is missing,
            is none, or does not fit.
    """
    config = config.copy()
    config.mode = mode = _mode(config)
    _check_export(config)
    checkpoint = find_checkpoint(config)
    if mode == "export" and checkpoint is None:
        raise InputError("mode=export: give the checkpoint, ckpt=<path> or ckpt=last")
    if checkpoint is not None:
        from xpress.checkpoints.run_record import KEY

        record = read_checkpoint_quickly(checkpoint).get(KEY)
        config = with_settings(config, record, _overrides(), checkpoint)
        configuration.check("train", config, [])
    configuration.train_with_face_model(config)

    from pytorch_lightning import seed_everything

    seed_everything(config.seed, workers=True)
    model = _instantiate(config.model)
    if checkpoint is not None:
        _check_fits(model, checkpoint)
    if mode == "export":
        _export(config, model, str(checkpoint))
        return None
    return _run(config, model, checkpoint)


def _run(config: DictConfig, model: LightningModule, checkpoint: str | None) -> float | None:
    from xpress.loggers.recording import recorded

    data = _instantiate(config.data)
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
    return None if metric is None or math.isnan(metric) else float(metric)


def build_trainer(config: DictConfig) -> Trainer:
    """The trainer with its callbacks and loggers, and what makes its checkpoints resumable.

    The learning rate is monitored only where a logger takes it.

    Raises:
        InputError: this machine lacks what the trainer asks for, or its options contradict.
    """
    from lightning_fabric.utilities.exceptions import MisconfigurationException
    from pytorch_lightning.callbacks import LearningRateMonitor
    from pytorch_lightning.plugins.io import CheckpointIO

    from xpress.callbacks.exact_resume import ExactResume
    from xpress.checkpoints.files import CheckpointFiles
    from xpress.checkpoints.run_record import RunRecord

    loggers: list[Logger] = _instantiate_group(config.get("logger"))
    callbacks: list[Callback] = _instantiate_group(config.get("callbacks"))
    if not loggers:
        callbacks = [c for c in callbacks if not isinstance(c, LearningRateMonitor)]
    callbacks.append(ExactResume())
    if config.get("model") is not None:
        callbacks.append(RunRecord(settings_of(config)))
    plugins: list[Any] = [_instantiate(plugin) for plugin in config.trainer.get("plugins") or []]
    if not any(isinstance(plugin, CheckpointIO) for plugin in plugins):
        plugins.append(CheckpointFiles())
    given = {"callbacks": callbacks, "logger": loggers or False, "plugins": plugins}
    try:
        return _instantiate(config.trainer, **given)
    except hydra.errors.InstantiationException as error:
        if isinstance(error.__cause__, (MisconfigurationException, ValueError)):
            raise InputError(f"trainer: {' '.join(str(error.__cause__).split())}") from error
        raise


def _mode(config: DictConfig) -> str:
    mode = config.mode or ("export" if config.export and config.ckpt else "fit")
    if mode not in MODES:
        names = f"{', '.join(MODES[:-1])} or {MODES[-1]}"
        raise InputError(f"mode={mode}: no such mode; choose {names}")
    if mode == "export" and not config.export:
        raise InputError("mode=export: give the file to write, export=<name>.safetensors")
    return mode


def _check_export(config: DictConfig) -> None:
    """Hours of training must not end in the lack of a package."""
    lacking = [name for name in ("onnx", "onnxscript") if find_spec(name) is None]
    if config.export and lacking:
        raise InputError(
            f"export={config.export}: needs {' and '.join(lacking)}, of the extra: "
            "pip install 'xpress[export]'"
        )


def _overrides() -> list[str]:
    return list(HydraConfig.get().overrides.task) if HydraConfig.initialized() else []


def _check_fits(model: LightningModule, checkpoint: str) -> None:
    """Raise where the network is not the checkpoint's: options given contradict it."""
    if not model.strict_loading:
        return
    state = read_checkpoint_quickly(checkpoint)["state_dict"]
    own = model.state_dict()
    different = sorted(own.keys() ^ state.keys())
    shared = sorted(own.keys() & state.keys())
    different += [name for name in shared if own[name].shape != state[name].shape]
    if different:
        raise InputError(
            f"{checkpoint}: of another network (it differs in {different[0]}"
            f"{f' and {len(different) - 1} others' if len(different) > 1 else ''}); leave out the "
            "options of model that it was not trained with"
        )


def _fit(
    config: DictConfig, trainer: Trainer, model: LightningModule, data: Any, checkpoint: str | None
) -> None:
    trainer.fit(model, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    saved = trainer.checkpoint_callback
    best = getattr(saved, "best_model_path", "") or getattr(saved, "last_model_path", "") or None
    metrics = dict(trainer.callback_metrics)
    if config.test:
        trainer.test(model, datamodule=data, ckpt_path=best, weights_only=True)
        trainer.callback_metrics.update(metrics)
    if config.export and trainer.is_global_zero:
        if best is None:
            raise InputError("export: no checkpoint was saved; leave out callbacks=none")
        _export(config, model, best)


def _export(config: DictConfig, model: LightningModule, checkpoint: str) -> None:
    from xpress.export.weights import export_checkpoint

    written = export_checkpoint(model, checkpoint, config.export)
    _log.info("%s: exported %s", checkpoint, ", ".join(map(str, written)))


def _instantiate(node: DictConfig, **arguments: Any) -> Any:
    try:
        return hydra.utils.instantiate(node, **arguments, _convert_="all")
    except hydra.errors.InstantiationException as error:
        if isinstance(error.__cause__, InputError):
            raise error.__cause__ from None
        raise


def _instantiate_group(group: DictConfig | None) -> list[Any]:
    return [_instantiate(node) for node in (group or {}).values() if node is not None]
