"""The two commands, `train` and `infer`: Hydra configurations become calls."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import hydra
from hydra._internal.utils import get_args_parser
from omegaconf import DictConfig, OmegaConf

from xpress import configuration
from xpress.errors import InputError


def infer() -> None:
    """Run `infer.py` or `xpress-infer` with the arguments of the process."""
    _command("infer", run_infer)


def train() -> None:
    """Run `train.py` or `xpress-train` with the arguments of the process."""
    _command("train", _run_train)


def run_infer(config: DictConfig) -> None:
    """Call the function behind the chosen task with the options that it takes."""
    job: Any = OmegaConf.to_container(config.job, resolve=True, enum_to_str=True)
    function = hydra.utils.get_method(job.pop("_target_"))
    function(**job)


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
            _fail(error)

    sys.argv[1:] = configuration.added_units(configuration.quote_paths(sys.argv[1:]))
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
    except (ImportError, RuntimeError) as error:
        if started or "plugin" not in str(error):
            raise
        _fail(f"{str(error).splitlines()[0]}; install the extra: pip install 'xpress[sweeps]'")
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
