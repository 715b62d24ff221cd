"""What the page asks for over HTTP, one function an address."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from fastapi import Depends, Request, Response
from fastapi.responses import FileResponse

from xpress.editing.action_unit_values import MEANINGS, ONE_SIDED, random_action_units
from xpress.editing.presets import EMOTION_PRESETS
from xpress.studio.bodies import (
    ExportRequest,
    FaceRequest,
    Refusal,
    WishRequest,
)
from xpress.studio.limits import SUFFIXES, Limits
from xpress.studio.services import Studio
from xpress.studio.sessions import Session

MEDIA = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".bmp": "image/bmp",
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
}
"""Types by suffix; everything else is only to be saved."""


def _studio(request: Request) -> Studio:
    return request.app.state.studio


def _session(token: str, request: Request) -> Session:
    return _studio(request).sessions.get(token)


Here = Depends(_studio)
Mine = Depends(_session)


async def open_page(studio: Studio = Here) -> dict[str, Any]:
    """A session, and the tables that the page shows."""
    session = studio.sessions.create()
    return {
        "token": session.token,
        "units": [
            {"number": number, "name": name, "sides": number in ONE_SIDED}
            for number, name in MEANINGS.items()
        ],
        "presets": EMOTION_PRESETS,
        "suffixes": SUFFIXES,
        "megabytes": studio.limits.megabytes,
    }


async def close_page(token: str, studio: Studio = Here) -> Response:
    """The page was left."""
    studio.sessions.close(token)
    return Response(status_code=204)


async def stay(session: Session = Mine) -> Response:
    """The page is still open."""
    return Response(status_code=204)


async def examples(session: Session = Mine, studio: Studio = Here) -> dict[str, Any]:
    """The examples, and whether their clip is there already."""
    told = {id: file.told() for id, file in studio.examples.items()}
    return {"files": told, "clip": studio.clip.exists()}


async def example_clip(session: Session = Mine, studio: Studio = Here) -> Response:
    """What moves when the page opens."""
    if not studio.clip.exists():
        raise Refusal(404, "The example is still being made.")
    return FileResponse(studio.clip, media_type="video/mp4")


async def example_frame(session: Session = Mine, studio: Studio = Here) -> Response:
    """Its newest picture while it is being made."""
    frame = studio.clip_frame
    return Response(frame, media_type="image/jpeg", status_code=200 if frame else 204)


async def upload(
    name: str, request: Request, session: Session = Mine, studio: Studio = Here
) -> dict[str, Any]:
    """Take a file, the body as it is, once it is known to be harmless and what it holds."""
    shown = Path(name).name[:80] or "file"
    suffix = Path(shown).suffix.lower()
    if suffix not in SUFFIXES:
        raise Refusal(415, f"{shown}: choose a photo, a video or a recorded performance.")
    path = session.place(suffix)
    file = session.keep(path, shown)
    try:
        await _received(request, path, shown, studio.limits)
        details = await studio.called(session, "inspect", path=str(path), limits=studio.limits)
    except BaseException:
        session.drop(file.id)
        raise
    return session.described(file, details.pop("kind"), details).told()


async def _received(request: Request, path: Path, name: str, limits: Limits) -> None:
    bound, size = limits.megabytes << 20, 0
    too_large = Refusal(413, f"{name}: larger than {limits.megabytes} MB; give a smaller file.")
    if int(request.headers.get("content-length", 0)) > bound:
        raise too_large
    try:
        with path.open("xb") as file:
            async for chunk in request.stream():
                size += len(chunk)
                if size > bound:
                    raise too_large
                file.write(chunk)
    except FileNotFoundError as error:
        raise Refusal(410, "This page was closed. Please reload it.") from error
    except OSError as error:
        raise Refusal(507, f"{name}: there is no room for it here.") from error
    if not size:
        raise Refusal(422, f"{name}: the file is empty.")


async def download(id: str, save: bool = False, session: Session = Mine) -> Response:
    """A file of this user."""
    file = session.file(id)
    kind = MEDIA.get(file.path.suffix)
    how = "attachment" if save or kind is None else "inline"
    return FileResponse(
        file.path,
        media_type=kind or "application/octet-stream",
        filename=file.name,
        content_disposition_type=how,
    )


async def poster(id: str, session: Session = Mine) -> Response:
    """A picture that stands for a file."""
    path = session.file(id).path.with_suffix(".poster.jpg")
    if not path.exists():
        return await download(id, session=session)
    return FileResponse(path, media_type="image/jpeg")


async def remove(id: str, session: Session = Mine) -> Response:
    """Remove a file."""
    session.drop(id)
    return Response(status_code=204)


async def own_units(
    body: FaceRequest, session: Session = Mine, studio: Studio = Here
) -> dict[str, float]:
    """What a face of a photograph shows itself."""
    path = str(session.file(body.file).path)
    return await studio.called(session, "own_units", path=path, face=body.face)


async def random_units() -> dict[str, float]:
    """Some that go together."""
    return random_action_units(secrets.randbelow(1 << 31))


async def preview(body: WishRequest, session: Session = Mine, studio: Studio = Here) -> Response:
    """The photograph with another expression."""
    path = str(session.file(body.file).path)
    picture = await studio.called(session, "preview", path=path, **body.arguments())
    return Response(picture, media_type="image/jpeg")


async def export(
    body: ExportRequest, session: Session = Mine, studio: Studio = Here
) -> dict[str, Any]:
    """The same as a file."""
    file = session.file(body.file)
    ending = {"picture": "-edited.png", "strip": "-strip.png", "mesh": ".obj"}[body.what]
    output = session.place(ending)
    arguments = body.arguments() | {"path": str(file.path), "output": str(output)}
    await studio.called(session, "export", **arguments)
    return session.keep(output, Path(file.name).stem + ending).told()


MINE = "/api/{token}"
"""Where a page's own things are; the token is known to it alone."""
ROUTES: tuple[tuple[str, Any, str], ...] = (
    ("/api/open", open_page, "POST"),
    (f"{MINE}/close", close_page, "POST"),
    (f"{MINE}/stay", stay, "POST"),
    (f"{MINE}/examples", examples, "GET"),
    (f"{MINE}/examples/clip", example_clip, "GET"),
    (f"{MINE}/examples/frame", example_frame, "GET"),
    (f"{MINE}/files", upload, "POST"),
    (f"{MINE}/files/{{id}}", download, "GET"),
    (f"{MINE}/files/{{id}}", remove, "DELETE"),
    (f"{MINE}/files/{{id}}/poster", poster, "GET"),
    (f"{MINE}/units", own_units, "POST"),
    (f"{MINE}/units/random", random_units, "GET"),
    (f"{MINE}/preview", preview, "POST"),
    (f"{MINE}/exports", export, "POST"),
)
