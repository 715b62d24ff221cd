"""What a pack of faces depends on besides the files it is made of."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields

from xpress.errors import InputError

FACES = ("all", "largest")
IDENTITIES = ("folder", "track", "cluster")
ANNOTATIONS = ("auto", "none", "mediapipe")
VERSION = 1
"""Changed when the same settings make another pack."""


@dataclass(frozen=True)
class QualityLimits:
    """Faces beyond them are left out.

    Attributes:
        min_size: longer side of the box of the 68 landmarks, pixels of the picture.
        min_sharpness: see `quality.sharpness`.
        max_yaw: turn of the head to either side, degrees.
        max_pitch: up or down, degrees.
        min_presence: probability that it is a face, as the encoder says.
        min_visible: share of the landmarks inside the picture.
        max_uncertainty: see `quality.uncertainty`.
    """

    min_size: float = 48.0
    min_sharpness: float = 0.01
    max_yaw: float = 75.0
    max_pitch: float = 50.0
    min_presence: float = 0.8
    min_visible: float = 0.9
    max_uncertainty: float = 0.15


@dataclass(frozen=True)
class PrepareSettings:
    """How faces are taken out of videos and pictures.

    Attributes:
        every: each how manieth frame of a video is taken.
        size: pixels of the side of the stored crop of a face.
        faces: "all" of a picture, or the "largest".
        limits: of quality.
        refine: Gauss-Newton steps on each face, see `FaceReader.refine`.
        annotations: "auto" takes landmarks from files beside the media, "none" does not,
            "mediapipe" reads all of them with MediaPipe's face landmarker.
        annotator: MediaPipe's `.task` file.
        weights: of the encoder that finds and reads the faces, see `load_encoder`.
        duplicates: keep faces that look and are placed like one before.
        identities: "folder" (a sub-folder is a person with all its files, else a file is), "track"
            (every track of a video is), or "cluster" (tracks of faces that are alike are).
        alike: distance of clustered faces at most, see `identities.clusters`.
        val: share of the people whose rows are marked `val` in the column `split`.

    Raises:
        InputError: a value is out of range.
    """

    every: int = 5
    size: int = 192
    faces: str = "all"
    limits: QualityLimits = field(default_factory=QualityLimits)
    refine: int = 0
    annotations: str = "auto"
    annotator: str | None = None
    weights: str = "default"
    duplicates: bool = False
    identities: str = "folder"
    alike: float = 0.2
    val: float = 0.1

    def __post_init__(self) -> None:
        if self.every < 1 or self.size < 64 or self.refine < 0:
            raise InputError("prepare: give every=1 or more, size=64 or more, refine=0 or more")
        for name, choices in (
            ("faces", FACES),
            ("identities", IDENTITIES),
            ("annotations", ANNOTATIONS),
        ):
            if getattr(self, name) not in choices:
                raise InputError(f"{name}={getattr(self, name)}: choose {', '.join(choices)}")
        if not 0 <= self.val < 1:
            raise InputError(f"val={self.val}: give a share of the people below 1")

    def of_files(self) -> dict:
        """What the faces of one file depend on; the rest concerns all files together."""
        later = ("duplicates", "identities", "alike", "val")
        return {f.name: asdict(self)[f.name] for f in fields(self) if f.name not in later}
