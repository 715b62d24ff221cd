"""Between the command line and Hydra: the options' types, the checks, and one-line errors."""

from xpress.configuration.checks import check, check_choices, compose_config
from xpress.configuration.composition import (
    CONFIG_ERRORS,
    CONFIG_MODULE,
    VERSION_BASE,
    added_units,
    quote_paths,
    tasks,
)
from xpress.configuration.messages import explain

__all__ = [
    "CONFIG_ERRORS",
    "CONFIG_MODULE",
    "VERSION_BASE",
    "added_units",
    "check",
    "check_choices",
    "compose_config",
    "explain",
    "quote_paths",
    "tasks",
]
