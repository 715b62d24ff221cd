"""Who is who: by folder, by track, or by faces that are alike."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np
from jaxtyping import Float
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

STEADY = 0.1
"""Weight of a person's own spread in `clusters`."""


@dataclass(frozen=True)
class Track:
    """A face of one file.

    Attributes:
        file: name of the file.
        number: of the track in the file.
        first: its first frame.
        last: its last frame.
        weight: area of the face, summed over its frames.
        appearance: mean of `rows.appearance` over its frames.
        person: who it is, where an annotation says so.
        frames: in which it was seen.
    """

    file: str
    number: int
    first: int
    last: int
    weight: float
    appearance: Float[np.ndarray, " K"]
    person: str = ""
    frames: int = 1

    def continued(self, other: Track) -> Track:
        """With what was seen of it later."""
        frames = self.frames + other.frames
        seen = (self.frames * self.appearance + other.frames * other.appearance) / frames
        return replace(
            self,
            last=other.last,
            weight=round(self.weight + other.weight, 1),
            appearance=seen.astype(np.float32),
            frames=frames,
        )

    def meets(self, other: Track) -> bool:
        """Whether some frame shows both, so that they are two people."""
        same = self.file == other.file
        return same and self.first <= other.last and other.first <= self.last


def folder_name(file: str) -> str:
    """A sub-folder is a person with all its files, else each file is."""
    path = PurePosixPath(file)
    person = path.parent if path.parent != PurePosixPath() else path.with_suffix("")
    return person.as_posix()


def main_tracks(tracks: Sequence[Track]) -> set[int]:
    """Numbers of the tracks of one file that can be one person: the largest that never meet."""
    chosen: list[Track] = []
    for track in sorted(tracks, key=lambda t: (-t.weight, t.number)):
        if not any(track.meets(other) for other in chosen):
            chosen.append(track)
    return {track.number for track in chosen}


def named(tracks: Sequence[Track], how: str, alike: float) -> list[str]:
    """A name for the person of each track, by annotation where one says it.

    Args:
        tracks: of all files.
        how: "folder", "track" or "cluster".
        alike: see `clusters`.
    """
    found = _found(tracks, how, alike)
    return [track.person or name for track, name in zip(tracks, found, strict=True)]


def _found(tracks: Sequence[Track], how: str, alike: float) -> list[str]:
    if how == "cluster":
        return [f"person-{number:05}" for number in clusters(tracks, alike)]
    if how == "track":
        return [f"{track.file}#{track.number}" for track in tracks]
    files: dict[str, list[Track]] = {}
    for track in tracks:
        files.setdefault(track.file, []).append(track)
    main = {file: main_tracks(members) for file, members in files.items()}
    return [
        folder_name(t.file) if t.number in main[t.file] else f"{t.file}#{t.number}" for t in tracks
    ]


def clusters(tracks: Sequence[Track], alike: float) -> list[int]:
    """Number of each track's person, counted by first appearance.

    Average linkage of the cosine distances of what the encoder reads of shape and colour, each
    number over its spread; tracks that meet in a frame are never joined directly.

    Args:
        tracks: of all files.
        alike: distance at which faces still are one person's.
    """
    if len(tracks) < 2:
        return [0] * len(tracks)
    seen = np.stack([track.appearance for track in tracks]).astype(np.float64)
    seen = (seen - seen.mean(0)) / (seen.std(0) + STEADY)
    seen /= np.maximum(np.linalg.norm(seen, axis=1, keepdims=True), 1e-6)
    apart = np.clip(1 - seen @ seen.T, 0, 2)
    for i, track in enumerate(tracks):
        for j in range(i):
            if track.meets(tracks[j]):
                apart[i, j] = apart[j, i] = 10.0
    np.fill_diagonal(apart, 0)
    labels = fcluster(linkage(squareform(apart, checks=False), "average"), alike, "distance")
    order: dict[int, int] = {}
    return [order.setdefault(int(label), len(order)) for label in labels]


def validation_people(rows: dict[str, int], share: float) -> set[str]:
    """People that are not to be trained on: by a hash of their name.

    Where few people are there, further ones make up the share of the rows; more than half of the
    rows are never held out, and so nobody is where one person has most of them.

    Args:
        rows: of each person.
        share: of the people.
    """
    place = {
        name: int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest()) / 2**64
        for name in rows
    }
    total, chosen, count = sum(rows.values()), set(), 0
    for name in sorted(rows, key=lambda name: place[name]):
        wanted = place[name] < share or count < share * total
        if wanted and count + rows[name] <= total / 2:
            chosen.add(name)
            count += rows[name]
    return chosen
