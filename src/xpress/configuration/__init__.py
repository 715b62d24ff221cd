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
from xpress.configuration.face_model import train_with_face_model, weights_with_face_model
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
    "train_with_face_model",
    "weights_with_face_model",
]
