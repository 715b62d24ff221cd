"""Errors that a user can mend."""

import unicodedata

_ESCAPED = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode's categories of what would break a line or a terminal."""


class InputError(Exception):
    """Bad input: the message names the file or option and the mend, in one line.

    The command line prints the message alone and exits with status 2; anything else that is
    raised is a defect of ours and keeps its traceback.
    """

    def __init__(self, message: str = "") -> None:
        """Take a message; control characters in it, as of an odd file name, are escaped."""
        shown = (repr(c)[1:-1] if unicodedata.category(c) in _ESCAPED else c for c in str(message))
        super().__init__("".join(shown))
