"""What became of a file: counts, tracks and why it could not be read to the end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from xpress.preparation.faces.identities import Track
from xpress.preparation.faces.rows import appearance
from xpress.preparation.faces.tracks import FoundFace


@dataclass
class FileStory:
    """What became of a file.

    Attributes:
        name: see `MediaFile.name`.
        frames: pictures that were looked at.
        empty: those of them without a face.
        shots: of a video.
        faces: that were found.
        kept: of these, the ones within the limits.
        rejected: how many each limit is against, by its name.
        tracks: of the file.
        error: why it could not be read to the end.
        last: whether nothing of the file follows.
        until: number of the last frame that was looked at.
        state: of the tracks after it.
    """

    name: str
    frames: int = 0
    empty: int = 0
    shots: int = 0
    faces: int = 0
    kept: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    tracks: list[Track] = field(default_factory=list)
    error: str = ""
    last: bool = True
    until: int = -1
    state: dict[str, Any] | None = None

    def told(self) -> str:
        """A line about the file."""
        if self.error and not self.frames:
            return self.error
        line = f"{self.kept} of {self.faces} faces in {self.frames} pictures"
        if self.empty == self.frames:
            line = f"no face in {self.frames} pictures"
        elif self.rejected:
            each = ", ".join(f"{name} {n}" for name, n in sorted(self.rejected.items()))
            line += f" (against the others: {each})"
        return f"{line}; {self.error}" if self.error else line

    @staticmethod
    def joined(stretches: Sequence[FileStory]) -> FileStory:
        """Of the whole file."""
        whole = FileStory(stretches[0].name, error=stretches[-1].error)
        tracks: dict[int, Track] = {}
        for story in stretches:
            for name in ("frames", "empty", "faces", "kept"):
                setattr(whole, name, getattr(whole, name) + getattr(story, name))
            whole.shots = max(whole.shots, story.shots)
            for name, count in story.rejected.items():
                whole.rejected[name] = whole.rejected.get(name, 0) + count
            for track in story.tracks:
                before = tracks.get(track.number)
                tracks[track.number] = before.continued(track) if before else track
        whole.tracks = [track for _, track in sorted(tracks.items())]
        return whole

    def to_json(self) -> str:
        """For the part's metadata."""
        content = asdict(self)
        for track in content["tracks"]:
            track["appearance"] = [round(float(v), 4) for v in track["appearance"]]
        return json.dumps(content)

    @staticmethod
    def from_json(text: str | bytes) -> FileStory:
        """As `to_json` wrote it."""
        content = json.loads(text)
        content["tracks"] = [
            Track(**{**track, "appearance": np.array(track["appearance"], np.float32)})
            for track in content["tracks"]
        ]
        return FileStory(**content)


class SeenTrack:
    """Sums over the frames of a track in a stretch of a video."""

    def __init__(self) -> None:
        self.first = self.last = -1
        self.weight, self.count, self.person = 0.0, 0, ""
        self.appearance: Float[np.ndarray, " K"] | float = 0.0

    def add(self, number: int, item: FoundFace) -> None:
        """Count a frame's face."""
        face = item.face
        if not self.count:
            self.first = number
            self.person = item.entry.person if item.entry else ""
        self.last, self.count = number, self.count + 1
        self.weight += float(np.ptp(face.landmarks68, axis=0).prod())
        self.appearance = self.appearance + appearance(face)

    def told(self, file: str, number: int) -> Track:
        """What is kept of them."""
        mean = np.round(np.asarray(self.appearance, np.float64) / self.count, 4)
        return Track(
            file,
            number,
            self.first,
            self.last,
            round(self.weight, 1),
            mean.astype(np.float32),
            self.person,
            self.count,
        )
