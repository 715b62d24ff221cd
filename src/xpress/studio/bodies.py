"""What the page may ask for, and what it is told when something is not done."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

FaceChoice = Literal["largest", "all"] | int


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


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ReenactRequest(_Request):
    """See `commands.reenact.reenact`; files by their ids."""

    source: str
    target: str
    motion: Literal["relative", "absolute"] = "relative"
    strength: float = Field(1.0, ge=0, le=2)
    regions: list[Literal["mouth", "eyes", "brows"]] | None = None
    gaze: Literal["source", "target", "viewer"] = "source"
    head: Literal["auto", "source", "target"] = "auto"
    smoothing: bool = True
    idle: bool = False
    face: FaceChoice = "largest"
    watermark: bool = False

    def options(self) -> dict:
        """What is handed on as it is."""
        given = self.model_dump(exclude={"source", "target", "watermark", "idle"})
        return given | {"idle": float(self.idle)}


class LiveRequest(_Request):
    """A photograph that a camera is to move."""

    target: str
    face: FaceChoice = "largest"

    def arguments(self) -> dict:
        """What `desk.Desk.live_open` takes beside id and path."""
        return {"face": self.face}


class LookRequest(_Request):
    """A photograph or video of which everything that is read is to be shown."""

    file: str
    face: Literal["largest"] | int = "largest"


class RecordingRequest(_Request):
    """A driver whose movement is wanted as a file."""

    source: str


class FaceRequest(_Request):
    """A face of a photograph."""

    file: str
    face: Literal["largest"] | int = "largest"


class WishRequest(FaceRequest):
    """Another expression for it; see `retouch.Wish`."""

    editor: Literal["morphable", "dft_net", "ganimation"] = "morphable"
    units: dict[str, float] = Field(default={}, max_length=60)
    gaze: tuple[float, float] | None = None

    def arguments(self) -> dict:
        """What `desk.Desk.preview` takes beside the path."""
        gaze = None if self.gaze is None else [min(max(v, -1), 1) for v in self.gaze]
        return self.model_dump(exclude={"file"}) | {"gaze": gaze}


class ExportRequest(WishRequest):
    """What of it is wanted as a file."""

    what: Literal["picture", "strip", "mesh"]
    watermark: bool = False

    def arguments(self) -> dict:
        """What `desk.Desk.export` takes beside the paths."""
        kept = super().arguments()
        return {name: value for name, value in kept.items() if name != "what"}
