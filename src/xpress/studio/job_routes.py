"""What the page asks for that takes longer than a moment: jobs, and what came of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import Response

from xpress.studio.bodies import LookRequest, RecordingRequest, ReenactRequest, Refusal
from xpress.studio.routes import MINE, Here, Mine
from xpress.studio.services import Studio
from xpress.studio.sessions import Session


async def start_reenactment(
    body: ReenactRequest, session: Session = Mine, studio: Studio = Here
) -> dict[str, Any]:
    """Queue a reenactment."""
    source, target = session.file(body.source), session.file(body.target)
    if target.kind == "recording":
        raise Refusal(422, "A recording holds no pictures; choose a photo or video to be moved.")
    stills = source.kind == target.kind == "photo"
    output = session.place("-moved.png" if stills else "-moved.mp4")
    arguments = {
        "source": str(source.path),
        "target": str(target.path),
        "output": str(output),
        "options": body.options(),
        "watermark": body.watermark,
    }

    def finish(words: str) -> list[dict[str, Any]]:
        name = f"{Path(target.name).stem} moved{output.suffix}"
        kind = "photo" if stills else "video"
        return [session.keep(output, name, kind, {"words": words}).told()]

    return studio.jobs.told(studio.jobs.add(session, "reenact", arguments, finish))


async def start_recording(
    body: RecordingRequest, session: Session = Mine, studio: Studio = Here
) -> dict[str, Any]:
    """Queue the reading of a movement."""
    source = session.file(body.source)
    output = session.place("-movement.npz")
    arguments = {"source": str(source.path), "output": str(output)}

    def finish(_: None) -> list[dict[str, Any]]:
        return [session.keep(output, f"{Path(source.name).stem} params.npz", "recording").told()]

    return studio.jobs.told(studio.jobs.add(session, "record", arguments, finish))


async def start_look(
    body: LookRequest, session: Session = Mine, studio: Studio = Here
) -> dict[str, Any]:
    """Queue the reading of a photo or video, from which all is shown."""
    file = session.file(body.file)
    folder = session.place("-inside")
    arguments = {"target": str(file.path), "output": str(folder), "face": body.face}

    def finish(_: None) -> list[dict[str, Any]]:
        kinds = {".npz": "recording", ".png": "photo", ".mp4": "video"}
        return [
            session.keep(path, path.name, kinds.get(path.suffix, "other")).told()
            for path in sorted(folder.iterdir())
        ]

    return studio.jobs.told(studio.jobs.add(session, "look", arguments, finish))


async def values(id: str, session: Session = Mine, studio: Studio = Here) -> dict[str, Any]:
    """Action units over time of what was read."""
    return await studio.called(session, "values", path=str(session.file(id).path))


async def mesh(
    id: str, frame: int = 0, whole: bool = False, session: Session = Mine, studio: Studio = Here
) -> Response:
    """The face's shape in a frame."""
    path = str(session.file(id).path)
    content = await studio.called(session, "mesh", path=path, frame=frame, whole=whole)
    return Response(content, media_type="application/octet-stream")


async def job(id: str, session: Session = Mine, studio: Studio = Here) -> dict[str, Any]:
    """How far a job is."""
    return studio.jobs.told(studio.jobs.get(session, id))


async def job_frame(id: str, session: Session = Mine, studio: Studio = Here) -> Response:
    """Its newest picture."""
    frame = studio.jobs.get(session, id).frame
    return Response(frame, media_type="image/jpeg", status_code=200 if frame else 204)


async def cancel_job(id: str, session: Session = Mine, studio: Studio = Here) -> Response:
    """Call a job off."""
    studio.jobs.cancel(studio.jobs.get(session, id))
    return Response(status_code=204)


JOB_ROUTES: tuple[tuple[str, Any, str], ...] = (
    (f"{MINE}/reenactments", start_reenactment, "POST"),
    (f"{MINE}/looks", start_look, "POST"),
    (f"{MINE}/looks/{{id}}/values", values, "GET"),
    (f"{MINE}/looks/{{id}}/mesh", mesh, "GET"),
    (f"{MINE}/recordings", start_recording, "POST"),
    (f"{MINE}/jobs/{{id}}", job, "GET"),
    (f"{MINE}/jobs/{{id}}", cancel_job, "DELETE"),
    (f"{MINE}/jobs/{{id}}/frame", job_frame, "GET"),
)
