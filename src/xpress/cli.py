"""The commands `train`, `infer` and `prepare`: Hydra configurations become calls."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import hydra
from hydra._internal.utils import get_args_parser
from omegaconf import DictConfig, OmegaConf

from xpress import configuration
from xpress.command_line import fail, one_line_errors
from xpress.errors import InputError


def infer() -> None:
    """Run `infer.py` or `xpress-infer` with the arguments of the process."""
    with one_line_errors():
        _command("infer", run_infer)


def train() -> None:
    """Run `train.py` or `xpress-train` with the arguments of the process."""
    # training has ways of its own to end at a signal: it writes a checkpoint
    with one_line_errors(terminated=False):
        _command("train", _run_train)


def prepare() -> None:
    """Run `python -m xpress.prepare` with the arguments of the process."""
    with one_line_errors():
        _command("prepare", _run_prepare)


def run_infer(config: DictConfig) -> None:
    """Call the function behind the chosen task with the options that it takes."""
    job: Any = OmegaConf.to_container(config.job, resolve=True, enum_to_str=True)
    if "weights" in job:
        job["weights"] = configuration.weights_with_face_model(config, job["weights"])
    if "provenance" in job:
        from xpress.provenance.provenance import Provenance

        job["provenance"] = Provenance(**job["provenance"])
    function = hydra.utils.get_method(job.pop("_target_"))
    function(**job)


def _run_prepare(config: DictConfig) -> None:
    from xpress.preparation.faces.prepare import Spread, prepare
    from xpress.preparation.faces.settings import PrepareSettings, QualityLimits

    options: Any = OmegaConf.to_container(config, resolve=True)
    del options["task_name"]
    inputs, output = options.pop("input"), options.pop("output")
    shard, shards = options.pop("shard"), options.pop("shards")
    share = (0, 1) if shard is None else (shard, shards)
    spread = Spread(options.pop("processes"), *share)
    shown = {name: options.pop(name) for name in ("report", "progress")}
    settings = PrepareSettings(limits=QualityLimits(**options.pop("limits")), **options)
    inputs = inputs if isinstance(inputs, list) else [inputs]
    print(prepare([str(path) for path in inputs], output, settings, spread, **shown))


def _run_train(config: DictConfig) -> float | None:
    # --help and errors answer at once, without the seconds that torch takes to load
    from xpress.training.run import run_train

    return run_train(config)


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
            fail(error)

    sys.argv[1:] = configuration.added_units(configuration.quote_paths(sys.argv[1:]))
    arguments = get_args_parser().parse_args()
    try:
        for option in ("config_name", "config_path", "experimental_rerun"):
            if getattr(arguments, option):
                told = option.replace("_", "-")
                raise InputError(f"--{told}: not taken; own settings come from --config-dir")
        given = arguments.overrides, arguments.config_dir
        configuration.check_choices(arguments.overrides)
        if _is_plain_run(arguments):
            config = configuration.compose_config(name, *given)
            if name != "train" and not any(text.startswith("hydra") for text in given[0]):
                job(config)  # no folder, no log, no second composition: nothing is left to Hydra
                return
            configuration.check(name, config, given[0])
        elif arguments.multirun:
            configuration.compose_config(name, *given, sweep=True)
        main = hydra.main(
            config_path=f"pkg://{configuration.CONFIG_MODULE}",
            config_name=name,
            version_base=configuration.VERSION_BASE,
        )
        main(job)()
    except (*configuration.CONFIG_ERRORS, ValueError) as error:
        if started:
            raise
        fail(configuration.explain(error, name, arguments.overrides))
    except (ImportError, RuntimeError) as error:
        if started or "plugin" not in str(error):
            raise
        fail(f"{str(error).splitlines()[0]}; install the extra: pip install 'xpress[sweeps]'")


def _is_plain_run(arguments: Any) -> bool:
    shown = ("help", "hydra_help", "cfg", "info", "shell_completion")
    return not any(getattr(arguments, name) for name in (*shown, "config_dir", "multirun"))
