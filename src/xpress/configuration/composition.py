"""Arguments become Hydra's configuration; nothing is checked here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from hydra import compose, initialize_config_module
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from xpress.configuration import infer_options, prepare_options  # noqa: F401  (stored with Hydra)

CONFIG_MODULE = "xpress.conf"
VERSION_BASE = "1.3"
CONFIG_ERRORS = (HydraException, OmegaConfBaseException)

_PATH_OPTIONS = (
    "input",
    "source",
    "target",
    "output",
    "source_neutral",
    "weights",
    "ckpt",
    "export",
    "certificate",
    "signing_key",
    "morphable.path",
    "morphable.landmarks",
)

OmegaConf.register_new_resolver("optuna_direction", {"min": "minimize", "max": "maximize"}.get)


def tasks(command: str) -> list[str]:
    """The choices of `task` for the command `train` or `infer`, in alphabetical order."""
    return sorted(name for name, job in _jobs().items() if (job is None) == (command == "train"))


@cache
def _jobs() -> dict[str, str | None]:
    """The function behind each task of `infer`, None for one of `train`.

    Found in the text: to parse every task would take longer than to compose one.
    """
    jobs = {}
    for entry in (files(CONFIG_MODULE) / "task").iterdir():
        if entry.name.endswith(".yaml"):
            text = entry.read_text(encoding="utf-8")
            job = re.search(r"^job:\n  _target_: (\S+)$", text, re.MULTILINE)
            jobs[entry.name.removesuffix(".yaml")] = job and job[1]
    return jobs


def job_functions() -> tuple[str, ...]:
    """The functions behind the tasks of `infer`."""
    return tuple(job for job in _jobs().values() if job is not None)


def quote_paths(arguments: Sequence[str]) -> list[str]:
    """Quote the values of path options, so that any file name passes Hydra's grammar.

    Values that are quoted already, lists of `input`, `null`, and interpolations stay as they are.
    """
    quoted = []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        listed = name == "input" and value[:1] == "["  # elsewhere a bracket begins a file's name
        bare = value not in ("", "null") and value[:1] not in "'\"" and "${" not in value
        if name in _PATH_OPTIONS and equals and bare and not listed:
            value = re.sub(r"(\\*)('|$)", lambda m: m[1] * 2 + ("\\'" if m[2] else ""), value)
            argument = f"{name}='{value}'"
        quoted.append(argument)
    return quoted


def added_units(arguments: Sequence[str]) -> list[str]:
    """Let `aus.AU12=0.8` name what the configuration does not list: seventeen units and sides."""
    return [f"++{text}" if re.match(r"aus(\.[^=]*)?=", text) else text for text in arguments]


def composed(command: str, overrides: Sequence[str], **options: bool) -> DictConfig:
    """The configuration of a command."""
    with initialize_config_module(CONFIG_MODULE, job_name=command, version_base=VERSION_BASE):
        return compose(command, added_units(overrides), **options)


def parsed(overrides: Sequence[str]) -> list[Override]:
    """Overrides in Hydra's grammar."""
    return OverridesParser.create().parse_overrides(list(overrides))


def taken_options(config: DictConfig) -> list[str]:
    """The options that the chosen task of `infer` refers to."""
    job = OmegaConf.to_container(config.job, resolve=False)
    assert isinstance(job, dict)
    values = [
        v
        for value in job.values()
        for v in (value.values() if isinstance(value, dict) else [value])
    ]
    return [n for v in values if isinstance(v, str) for n in re.findall(r"\$\{(\w+)\}", v)]
