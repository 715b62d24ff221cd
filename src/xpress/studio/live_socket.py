"""Pictures of a browser's camera come in over a WebSocket, a moved photograph goes out."""

from __future__ import annotations

import asyncio
import secrets
import struct
from contextlib import suppress
from typing import Any

from fastapi import WebSocket, WebSocketDisconnect
from pydantic import ValidationError

from xpress.studio.bodies import LiveRequest, Refusal
from xpress.studio.services import Studio
from xpress.studio.sessions import Session

TIME = struct.Struct("<d")
"""Before each picture that comes in: seconds by the browser's clock."""
ANSWER = struct.Struct("<dIB")
"""Before each that goes out: the same, pictures dropped so far, whether a face was seen."""


async def live(socket: WebSocket, token: str) -> None:
    """One live session, from a first message with a `LiveRequest` to the end of the connection."""
    studio: Studio = socket.app.state.studio
    origin = socket.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != socket.headers.get("host"):
        await socket.close(4403)
        return
    await socket.accept()
    id = secrets.token_hex(8)
    try:
        session = studio.sessions.get(token)
        wish = LiveRequest.model_validate_json(await socket.receive_text())
        target = session.file(wish.target)
        arguments = wish.arguments() | {"id": id, "path": str(target.path)}
        state = await studio.called(session, "live_open", **arguments)
        await socket.send_json({"state": state})
        await _Exchange(socket, studio, session, id).run()
    except Refusal as refusal:
        await _told(socket, refusal.message)
    except ValidationError:
        await _told(socket, "This was not understood. Please reload the page.")
    except (WebSocketDisconnect, RuntimeError, asyncio.CancelledError):
        pass  # the page is gone, or the server ends
    finally:
        with suppress(Refusal, RuntimeError, asyncio.CancelledError):
            await studio.called(studio.nobody, "live_close", id=id)


async def _told(socket: WebSocket, message: str) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):
        await socket.send_json({"error": message})
        await socket.close()


class _Exchange:
    """The newest picture is worked on; what comes meanwhile replaces the one that waits."""

    def __init__(self, socket: WebSocket, studio: Studio, session: Session, id: str) -> None:
        self._socket, self._studio, self._session, self._id = socket, studio, session, id
        self._newest: bytes | None = None
        self._keys: list[str] = []
        self._changed = asyncio.Event()
        self._dropped = 0
        self._start: float | None = None

    async def run(self) -> None:
        """Until the page goes; raises `Refusal` where a picture is not taken."""
        listening = asyncio.create_task(self._listen())
        answering = asyncio.create_task(self._answer())
        done, waiting = await asyncio.wait(
            (listening, answering), return_when=asyncio.FIRST_COMPLETED
        )
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for task in done:
            task.result()

    async def _listen(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if (picture := message.get("bytes")) is not None:
                self._dropped += self._newest is not None
                self._newest = picture
            elif len(self._keys) < 16:
                self._keys.append(str(message.get("text"))[:10])
            self._changed.set()

    async def _answer(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            while self._keys:
                key = self._keys.pop(0)
                state = await self._called("live_press", key=key)
                await self._socket.send_json({"state": state})
            if self._newest is None or len(self._newest) <= TIME.size:
                continue
            picture, self._newest = self._newest, None
            (moment,) = TIME.unpack_from(picture)
            self._start = moment if self._start is None else self._start
            since = min(max(moment - self._start, 0.0), 1e6)
            drawn, seen = await self._called(
                "live_frame", moment=since, picture=picture[TIME.size :]
            )
            await self._socket.send_bytes(ANSWER.pack(moment, self._dropped, seen) + drawn)

    async def _called(self, name: str, **arguments: Any) -> Any:
        self._studio.sessions.get(self._session.token)  # tells that the page is in use
        return await self._studio.called(self._session, name, id=self._id, **arguments)
