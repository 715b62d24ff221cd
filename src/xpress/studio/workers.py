"""Processes in which files of users are read: one that crashes or hangs takes nothing else down."""

from __future__ import annotations

import asyncio
import multiprocessing
import shutil
import signal
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from xpress.errors import InputError

PATIENCE = 3.0
"""Seconds that cancelled work is given to end by itself."""
_POLL = 0.1

Told = Callable[[dict[str, Any]], object]
"""Is given what work says of itself while it runs."""


class WorkerDied(Exception):
    """The process ended, or was ended, in the middle of the work."""


class Cancelled(Exception):
    """The work was called off."""


class Busy(Exception):
    """Too much is waiting already."""


class Worker:
    """A process that does one thing after another, and is replaced when it dies.

    Args:
        root: folder of temporary files, which the process removes when its parent is gone.
        waiting: calls that may wait at the same time.
    """

    def __init__(self, root: Path, waiting: int = 32) -> None:
        self._root, self._bound, self._waiting = root, waiting, 0
        self._lock = asyncio.Lock()
        self._cancelled: set[object] = set()
        self._closed = False
        self._start()

    async def __call__(
        self,
        name: str,
        arguments: dict[str, Any],
        told: Told | None = None,
        limit: float = 60.0,
        ticket: object = None,
    ) -> Any:
        """Call a method of `desk.Desk` there.

        Args:
            name: of the method.
            arguments: what it takes.
            told: hears of the progress; such methods take it as `told`.
            limit: seconds after which the process is ended.
            ticket: what `cancel` names the call by.

        Raises:
            InputError: what the user can mend.
            WorkerDied: the process did not survive it.
            Cancelled: `cancel` was called.
            Busy: too many calls are waiting.
        """
        if self._waiting >= self._bound:
            raise Busy
        self._waiting += 1
        try:
            async with self._lock:
                work = asyncio.to_thread(self._exchange, name, arguments, told, limit, ticket)
                task = asyncio.create_task(work)
                task.add_done_callback(lambda done: done.cancelled() or done.exception())
                return await asyncio.shield(task)  # the thread goes on whoever stops waiting
        finally:
            self._waiting -= 1
            self._cancelled.discard(ticket)

    def cancel(self, ticket: object) -> None:
        """Call the work of that ticket off."""
        self._cancelled.add(ticket)

    def close(self) -> None:
        """End the process for good."""
        self._closed = True
        self._end()

    def _end(self) -> None:
        self._process.terminate()
        self._process.join(PATIENCE)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._connection.close()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        arguments = (theirs, str(self._root))
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()

    def _exchange(
        self, name: str, arguments: dict, told: Told | None, limit: float, ticket: object
    ) -> Any:
        """On a thread: hand the call over and wait for its end."""
        if not self._process.is_alive():
            self._start()
        end = time.monotonic() + limit
        asked = False
        try:
            self._connection.send((name, arguments, told is not None))
            while True:
                if self._connection.poll(_POLL):
                    kind, content = self._connection.recv()
                    if kind != "told":
                        return _result(kind, content)
                    if told is not None:
                        told(content)
                if ticket in self._cancelled and not asked:
                    asked, end = True, time.monotonic() + PATIENCE
                    self._connection.send("cancel")
                if time.monotonic() > end:
                    raise EOFError
        except (EOFError, OSError) as error:
            self._end()
            if not self._closed:
                self._start()
            raise Cancelled if asked else WorkerDied from error


def _result(kind: str, content: Any) -> Any:
    if kind == "input_error":
        raise InputError(content)
    if kind == "cancelled":
        raise Cancelled
    if kind == "failed":
        print(content)
        raise WorkerDied
    return content


def _serve(connection: Connection, root: str) -> None:
    """The process: calls come in, results go out, until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    from xpress.commands.pipeline import threads_limited
    from xpress.studio.desk import Desk

    desk = Desk()
    with threads_limited(1):
        while True:
            try:
                message = connection.recv()
                if message != "cancel":  # of work that had ended by then
                    connection.send(_answer(desk, connection, *message))
            except (EOFError, OSError):
                break
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join(PATIENCE)
    if not parent.is_alive():  # it was killed, else it goes on or has tidied up itself
        shutil.rmtree(root, ignore_errors=True)


def _answer(desk: Any, connection: Connection, name: str, arguments: dict, tells: bool):
    def told(**news: Any) -> None:
        if connection.poll():
            with suppress(EOFError):
                connection.recv()
            raise Cancelled
        connection.send(("told", news))

    try:
        extra = {"told": told} if tells else {}
        return "done", getattr(desk, name)(**arguments, **extra)
    except InputError as error:
        return "input_error", str(error)
    except Cancelled:
        return "cancelled", None
    except (BrokenPipeError, ConnectionError):
        raise
    except Exception:
        return "failed", traceback.format_exc()
