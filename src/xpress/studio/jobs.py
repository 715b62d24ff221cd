"""Work that takes longer than a moment: a bounded queue in which everybody sees their place."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from xpress.errors import InputError
from xpress.studio.bodies import CRASHED, CROWDED, Refusal
from xpress.studio.sessions import Session
from xpress.studio.workers import Busy, Cancelled, Worker, WorkerDied

WAITING = 12
"""Jobs in the queue, and of one user."""
WAITING_EACH = 3
LIMIT = 15 * 60.0
"""Seconds after which a job is ended."""
KEPT = 20
"""Ended jobs of a session that can still be asked about."""

Finish = Callable[[Any], list[dict[str, Any]]]
"""Turns what the work gives into what the page is told of its files."""


@dataclass(eq=False)
class Job:
    """One piece of work.

    Attributes:
        state: waiting, working, done, failed or cancelled.
        done: frames that are done.
        total: frames there are, as far as that is known.
        frame: the newest picture, JPEG.
        message: what is said of the end.
        files: what came of it.
    """

    session: Session
    name: str
    arguments: dict[str, Any]
    finish: Finish
    id: str = field(default_factory=lambda: secrets.token_hex(12))
    state: str = "waiting"
    done: int = 0
    total: int | None = None
    frame: bytes = b""
    message: str = ""
    files: list[dict[str, Any]] = field(default_factory=list)
    started: float = 0.0
    seconds: float = 0.0

    def hear(self, news: dict[str, Any]) -> None:
        """Take over what the work says of itself."""
        for name, value in news.items():
            setattr(self, name, value)
        self.seconds = time.monotonic() - self.started


class Jobs:
    """The queue, worked off by one process.

    Args:
        worker: does the work.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._jobs: dict[str, Job] = {}
        self._queue: list[Job] = []
        self._changed = asyncio.Event()

    def add(self, session: Session, name: str, arguments: dict[str, Any], finish: Finish) -> Job:
        """Put work at the end of the queue.

        Raises:
            Refusal: the queue is full, or the user has too much in it.
        """
        if len(self._queue) >= WAITING:
            raise Refusal(503, CROWDED)
        if sum(job.session is session for job in self._queue) >= WAITING_EACH:
            raise Refusal(429, "Three of your jobs are waiting already; cancel one, or wait.")
        job = Job(session, name, arguments, finish)
        self._forget(session)
        self._jobs[job.id] = job
        self._queue.append(job)
        self._changed.set()
        return job

    def get(self, session: Session, id: str) -> Job:
        """A job of this user.

        Raises:
            Refusal: there is none.
        """
        job = self._jobs.get(id)
        if job is None or job.session is not session:
            raise Refusal(404, "There is no such job any more.")
        return job

    def told(self, job: Job) -> dict[str, Any]:
        """What the page is told of a job."""
        place = self._queue.index(job) + 1 if job in self._queue else 0
        names = ("id", "state", "done", "total", "message", "files", "seconds")
        return {name: getattr(job, name) for name in names} | {"place": place}

    def cancel(self, job: Job) -> None:
        """Call a job off, wherever it is."""
        if job in self._queue:
            self._queue.remove(job)
            job.state = "cancelled"
        elif job.state == "working":
            self._worker.cancel(job.id)

    def close(self, session: Session) -> None:
        """Call all jobs of a user off and forget them."""
        for job in [job for job in self._jobs.values() if job.session is session]:
            self.cancel(job)
            del self._jobs[job.id]

    async def run(self) -> None:
        """Work the queue off, for ever."""
        while True:
            await self._changed.wait()
            while self._queue:
                await self._do(self._queue.pop(0))
            self._changed.clear()

    async def _do(self, job: Job) -> None:
        job.state, job.started = "working", time.monotonic()
        try:
            result = await self._worker(job.name, job.arguments, job.hear, LIMIT, job.id)
            job.files = job.finish(result)
            job.state = "done"
        except InputError as error:
            job.state, job.message = "failed", job.session.named(str(error))
        except Cancelled:
            job.state = "cancelled"
        except WorkerDied:
            job.state, job.message = "failed", CRASHED
        except Busy:
            job.state, job.message = "failed", CROWDED
        except Refusal as error:
            job.state, job.message = "failed", error.message
        except OSError:  # the session's folder went while its work ended
            job.state = "cancelled"
        job.seconds = time.monotonic() - job.started
        if job.session.closed:  # what was being written may have made its folder anew
            shutil.rmtree(job.session.folder, ignore_errors=True)

    def _forget(self, session: Session) -> None:
        """Drop what a user ended long ago; results in the middle of a session stay as files."""
        ended = [j for j in self._jobs.values() if j.session is session and j not in self._queue]
        for job in [job for job in ended if job.state != "working"][:-KEPT]:
            del self._jobs[job.id]
