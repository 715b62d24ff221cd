"""Who uses the page: a folder each, known by a secret, and gone when they go."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from xpress.studio.bodies import Refusal

IDLE = 15 * 60.0
"""Seconds without a sign of life after which a session is closed."""
SESSIONS = 32
DISK = 600 << 20
"""Bytes of all files of a session."""


@dataclass(frozen=True)
class StoredFile:
    """A file that one user may use.

    Attributes:
        id: names it in addresses.
        path: where it lies.
        name: what the user calls it.
        kind: photo, video, recording, or other for results.
        details: size, length and faces, as `desk.Desk.inspect` found them.
    """

    id: str
    path: Path
    name: str
    kind: str
    details: dict[str, Any] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """What the page is told of it."""
        return {"id": self.id, "name": self.name, "kind": self.kind} | self.details


class Session:
    """One open page.

    Args:
        folder: its own, which exists.
        examples: files that everybody may use.
    """

    def __init__(self, folder: Path, examples: dict[str, StoredFile]) -> None:
        self.token = secrets.token_urlsafe(24)
        self.folder = folder
        self.seen = time.monotonic()
        self.closed = False
        self._examples = examples
        self._files: dict[str, StoredFile] = {}

    def file(self, id: str) -> StoredFile:
        """A file of this user, or an example.

        Raises:
            Refusal: there is no such file.
        """
        found = self._files.get(id) or self._examples.get(id)
        if found is None:
            raise Refusal(404, "This file is not here any more. Please choose it again.")
        return found

    def place(self, suffix: str) -> Path:
        """A path for a new file, whose stem is to be its id.

        Raises:
            Refusal: the session holds too much already.
        """
        if sum(p.stat().st_size for p in self.folder.rglob("*") if p.is_file()) > DISK:
            raise Refusal(413, "This page holds too many files. Remove some, or reload the page.")
        return self.folder / (secrets.token_hex(12) + suffix)

    def keep(
        self, path: Path, name: str, kind: str = "other", details: dict[str, Any] | None = None
    ) -> StoredFile:
        """Let the user have a file in the session's folder."""
        kept = StoredFile(secrets.token_hex(12), path, name, kind, details or {})
        self._files[kept.id] = kept
        return kept

    def described(self, file: StoredFile, kind: str, details: dict[str, Any]) -> StoredFile:
        """The same file, now that it is known what it holds."""
        self._files[file.id] = replace(file, kind=kind, details=details)
        return self._files[file.id]

    def drop(self, id: str) -> None:
        """Remove a file, if it is the user's own."""
        dropped = self._files.pop(id, None)
        if dropped is not None:
            for path in self.folder.glob(f"{dropped.path.stem}*"):
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)

    def named(self, text: str) -> str:
        """A message with the user's names of files instead of ours."""
        for file in (*self._files.values(), *self._examples.values()):
            text = text.replace(str(file.path), file.name)
        return text.replace(f"{self.folder}/", "")


class Sessions:
    """All open pages.

    Args:
        root: their folders are made in it.
        examples: files that everybody may use.
        closed: is called with a session that ends.
    """

    def __init__(
        self,
        root: Path,
        examples: dict[str, StoredFile],
        closed: Callable[[Session], object] = lambda session: None,
    ) -> None:
        self._root, self._examples, self._closed = root, examples, closed
        self._open: dict[str, Session] = {}

    def __len__(self) -> int:
        return len(self._open)

    def create(self) -> Session:
        """A new session.

        Raises:
            Refusal: too many pages are open.
        """
        self.expire()
        if len(self._open) >= SESSIONS:
            raise Refusal(503, "Too many pages are open here. Please try again later.")
        folder = self._root / secrets.token_hex(12)
        folder.mkdir(0o700)
        session = Session(folder, self._examples)
        self._open[session.token] = session
        return session

    def get(self, token: str) -> Session:
        """The session of a secret.

        Raises:
            Refusal: there is none.
        """
        session = self._open.get(token)
        if session is None:
            raise Refusal(410, "This page was closed after a while. Please reload it.")
        session.seen = time.monotonic()
        return session

    def close(self, token: str) -> None:
        """End a session and remove its files."""
        session = self._open.pop(token, None)
        if session is not None:
            session.closed = True
            self._closed(session)
            shutil.rmtree(session.folder, ignore_errors=True)

    def expire(self) -> None:
        """End the sessions that nobody has used for a while."""
        now = time.monotonic()
        for session in list(self._open.values()):
            if now - session.seen > IDLE:
                self.close(session.token)
