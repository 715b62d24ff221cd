"""Real-time facial reenactment and expression editing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xpress.editing.expression_editor import ExpressionEditor as ExpressionEditor
    from xpress.reenactment.reenactor import Reenactor as Reenactor

__all__ = ["ExpressionEditor", "Reenactor"]


def __getattr__(name: str):
    # torch takes seconds to load: `import xpress` and the commands' help answer at once
    if name == "Reenactor":
        from xpress.reenactment.reenactor import Reenactor

        return Reenactor
    if name == "ExpressionEditor":
        from xpress.editing.expression_editor import ExpressionEditor

        return ExpressionEditor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
