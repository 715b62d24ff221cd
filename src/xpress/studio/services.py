"""What the server holds while it runs: worker processes, sessions, the queue and the examples."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

from xpress.errors import InputError
from xpress.studio.bodies import CRASHED, CROWDED, Refusal
from xpress.studio.jobs import Jobs
from xpress.studio.limits import Limits
from xpress.studio.sessions import Session, Sessions, StoredFile
from xpress.studio.workers import Busy, Worker, WorkerDied
from xpress.whole_files import scratch_folder

EXPIRY = 30.0
"""Seconds between two looks for pages that nobody uses any more."""


class Studio:
    """What the server holds while it runs.

    Args:
        limits: of uploads.

    Attributes:
        root: folder of all temporary files.
        desk: answers what does not take long.
        jobs: does what does.
        nobody: stands for the server itself where a session is asked for.
        clip: what moves when a page opens, once it is made.
        clip_frame: JPEG, the newest picture of it while it is being made.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._scratch = scratch_folder()
        self.root = self._scratch.path
        demo = Path(str(files("xpress") / "assets" / "demo"))
        self.examples = {
            "example-portrait": StoredFile(
                "example-portrait", demo / "target.jpg", "Example portrait", "photo"
            ),
            "example-performance": StoredFile(
                "example-performance", demo / "performance.npz", "Example performance", "recording"
            ),
        }
        self.desk, self.bench = Worker(self.root), Worker(self.root)
        self.jobs = Jobs(self.bench)
        self.sessions = Sessions(self.root, self.examples, self.jobs.close)
        self.clip = self.root / "example.mp4"
        self.clip_frame = b""
        self.nobody = Session(self.root, {})
        self._tasks: list[asyncio.Task] = []

    async def start(self) -> None:
        """Begin what runs as long as the server."""
        await asyncio.to_thread(self._copy_examples)
        work = (self.jobs.run(), self._expire(), self._warm(), self._make_clip())
        self._tasks = [asyncio.create_task(item) for item in work]

    async def stop(self) -> None:
        """End it, and remove all temporary files."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for worker in (self.desk, self.bench):
            await asyncio.to_thread(worker.close)
        self._scratch.discard()

    def _copy_examples(self) -> None:
        """Into the root, where posters may lie beside them."""
        for id, file in list(self.examples.items()):
            place = self.root / f"{id}{file.path.suffix}"
            place.write_bytes(file.path.read_bytes())
            self.examples[id] = StoredFile(id, place, file.name, file.kind)

    async def _warm(self) -> None:
        """Find the examples' faces, which loads the networks."""
        for id, file in list(self.examples.items()):
            with suppress(WorkerDied, Busy, InputError):
                details = await self.inspected(file.path)
                self.examples[id] = StoredFile(id, file.path, file.name, file.kind, details)

    async def _make_clip(self) -> None:
        with suppress(WorkerDied, Busy, InputError):
            arguments = {"output": str(self.clip), "folder": str(self.root)}
            await self.bench("example", arguments, self._hear, limit=180.0)

    def _hear(self, news: dict[str, Any]) -> None:
        self.clip_frame = news["frame"]

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(EXPIRY)
            self.sessions.expire()

    async def called(self, session: Session, name: str, **arguments: Any) -> Any:
        """Call the desk; what goes wrong becomes a sentence for the user.

        Raises:
            Refusal: it was not done.
        """
        try:
            return await self.desk(name, arguments)
        except InputError as error:
            raise Refusal(422, session.named(str(error))) from error
        except WorkerDied as error:
            raise Refusal(500, CRASHED) from error
        except Busy as error:
            raise Refusal(503, CROWDED) from error

    async def inspected(self, path: Path) -> dict[str, Any]:
        """See `desk.Desk.inspect`."""
        return await self.desk("inspect", {"path": str(path), "limits": self.limits})
