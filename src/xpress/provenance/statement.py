"""What an output says about how it was made, in the words of IPTC's vocabulary."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version

SOFTWARE = "xpress"
DIGITAL_SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
"""IPTC's vocabulary of how media came to be; the EU's and C2PA's marking use it."""


@dataclass(frozen=True)
class Statement:
    """How an output was made.

    Attributes:
        digital_source_type: address of the term in IPTC's vocabulary.
        description: one sentence for people.
        action: of C2PA, what was done to the target.
    """

    digital_source_type: str
    description: str
    action: str


CHANGED_FACE = Statement(
    DIGITAL_SOURCE_TYPES + "compositeWithTrainedAlgorithmicMedia",
    "Synthetic: the expression of a face was changed by a trained algorithm.",
    "c2pa.edited",
)
"""Of reenacted, edited and interpolated pictures and videos."""

DRAWN_OVERLAY = Statement(
    DIGITAL_SOURCE_TYPES + "composite",
    "A measured face model and its landmarks are drawn over the picture.",
    "c2pa.drawing",
)
"""Of overlays: nobody takes them for a recording, and the face's expression is its own."""


@cache
def software_version() -> str:
    """Of this package; `unknown` where it is not installed."""
    try:
        return version(SOFTWARE)
    except PackageNotFoundError:
        return "unknown"
