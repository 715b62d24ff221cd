"""What the page is told when something is not done."""

from __future__ import annotations


class Refusal(Exception):
    """Becomes an answer of that status with a sentence for the user.

    Args:
        status: of HTTP.
        message: what is wrong and what to do.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


CRASHED = (
    "Reading this file ended unexpectedly, so it was given up; nothing else was harmed. "
    "Try another file, or save this one again in another format."
)
CROWDED = "Too many others are waiting at the moment. Please try again shortly."
