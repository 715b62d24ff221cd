"""Weights & Biases, online where there is an account and a network, otherwise on this machine."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytorch_lightning.loggers as pl_loggers
import torch
from pytorch_lightning.loggers.logger import rank_zero_experiment
from pytorch_lightning.utilities import rank_zero_only

import xpress
from xpress.errors import InputError

if TYPE_CHECKING:
    from wandb import Run

_log = logging.getLogger(__name__)

CHECKPOINT_KEY = "wandb"
"""Where a checkpoint holds the id of the run that wrote it, see `xpress.callbacks.wandb_run`."""

INIT_TIMEOUT, FINISH_TIMEOUT = 30.0, 600.0
"""Seconds that a server may take to begin a run, and uploads to end it; what has not gone up by
then lies in the run's folder for `wandb sync`."""

_MEND = (
    "the run is kept in {folder} for `wandb sync`; to go online run `wandb login` or set "
    "WANDB_API_KEY, to stay offline give logger.wandb.offline=true"
)


class WandbLogger(pl_loggers.WandbLogger):
    """Lightning's logger, which neither asks, hangs nor stops where W&B cannot be reached.

    A run that was asked to be online but finds no account, no network or a server that refuses
    the key says so in one line and goes on offline.

    Args:
        project: W&B's name for a set of runs.
        save_dir: the run's files lie in `<save_dir>/wandb`.
        offline: upload nothing; `wandb sync` does it later.
        log_model: add the best checkpoint with its card as artifact, offline as well.
        **options: further arguments of Lightning's logger and of `wandb.init`.
    """

    def __init__(
        self,
        project: str = "xpress",
        save_dir: str = ".",
        offline: bool = False,
        log_model: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(project=project, save_dir=save_dir, log_model=False, **options)
        self._wandb_init.pop("anonymous", None)  # wandb warns of it, whatever it is
        # Lightning's own switch would set WANDB_MODE for whatever runs later in this process
        if offline:
            self._wandb_init["mode"] = "offline"
        self.log_model = log_model

    @property
    @rank_zero_experiment
    def experiment(self) -> Run:
        """The run; begun at the first use, in the first process.

        Raises:
            InputError: W&B refuses the logger's own options.
        """
        if self._experiment is None and getattr(self, "_attach_id", None) is None:
            self._begin()
        return super().experiment

    def _begin(self) -> None:
        import wandb

        # the commit is that of the code that trains, wherever the command was started
        settings = wandb.Settings(
            git_root=str(Path(xpress.__file__).parent),
            init_timeout=INIT_TIMEOUT,
            finish_timeout=FINISH_TIMEOUT,
        )
        self._wandb_init.setdefault("settings", settings)
        mode = self._wandb_init.get("mode") or wandb.setup().settings.mode
        try:
            wanted = mode not in ("offline", "dryrun", "disabled")
            # asks nothing, as `wandb.init` would
            if wanted and not wandb.login(prompt=False, verify=True):
                self._stay_offline("no account is logged in on this machine")
            _ = super().experiment
        except (wandb.errors.CommError, wandb.errors.UsageError) as error:
            if self._wandb_init.get("mode") == "offline":
                raise InputError(f"logger.wandb: {_one_line(error)}") from error
            self._stay_offline(_one_line(error))
            _ = super().experiment

    def _stay_offline(self, reason: str) -> None:
        self._wandb_init["mode"] = "offline"
        folder = Path(self.save_dir or ".") / "wandb"
        _log.warning("W&B: %s; %s", reason.rstrip("."), _MEND.format(folder=folder))

    def continue_from(self, checkpoint: str) -> None:
        """Go on with the run that wrote a checkpoint, unless an id was given.

        Checkpoints of runs without W&B, or broken ones, leave the id to W&B.
        """
        if self._id is None and self._experiment is None:
            self._id = self._wandb_init["id"] = run_id(checkpoint)

    @rank_zero_only
    def close(self, exit_code: int = 0) -> None:
        """End the run, so that another may follow in this process."""
        if self._experiment is not None:
            self._experiment.finish(exit_code=exit_code)
            self._experiment = None


def run_id(checkpoint: str) -> str | None:
    """The id of the W&B run that wrote a checkpoint, if any did."""
    try:
        loaded = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
    except Exception:  # the trainer reads it next, and tells
        return None
    return loaded.get(CHECKPOINT_KEY, {}).get("id")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
