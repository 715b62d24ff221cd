"""How every command of the package ends: done, told in one line, or interrupted without traces."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NoReturn

from xpress.errors import InputError

TOLD, INTERRUPTED = 2, 130
"""Status of a process whose user can mend something, and of one that Ctrl-C ended."""


class Terminated(KeyboardInterrupt):
    """What a signal raises; the first argument is the process's status."""


@contextmanager
def one_line_errors(terminated: bool = True) -> Iterator[None]:
    """End the process with one line and a status, as what happens in the block asks for.

    It decorates functions, too: `@one_line_errors()`.

    Args:
        terminated: whether SIGTERM ends the work as Ctrl-C does.
    """
    try:
        with ExitStack() as stack:
            if terminated:
                stack.enter_context(interrupted_by(signal.SIGTERM))
            yield
    except InputError as error:
        fail(error)
    except KeyboardInterrupt as error:
        print("interrupted", file=sys.stderr)
        sys.exit(error.args[0] if isinstance(error, Terminated) else INTERRUPTED)


@contextmanager
def interrupted_by(number: signal.Signals) -> Iterator[None]:
    """Let a signal end the work as Ctrl-C does: outputs in the making are taken away.

    The process then ends with the status that shells give to that signal.
    """

    def interrupt(*_: object) -> NoReturn:
        signal.signal(number, signal.SIG_IGN)  # once: nothing may disturb the tidying up
        raise Terminated(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may take signals
        return
    before = signal.signal(number, interrupt)
    try:
        yield
    finally:
        signal.signal(number, before)


def fail(message: object) -> NoReturn:
    """End the process with a line that names what is wrong and how to mend it."""
    print(f"error: {message}", file=sys.stderr)
    sys.exit(TOLD)
