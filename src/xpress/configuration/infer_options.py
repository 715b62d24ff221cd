"""The options of `infer` with their types."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Optional

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from xpress.face_models.options import MorphableOptions


class Motion(Enum):
    """How the source's expression reaches the target."""

    relative = "relative"
    absolute = "absolute"


class Region(Enum):
    """Parts of the face that may be moved on their own."""

    mouth = "mouth"
    eyes = "eyes"
    brows = "brows"


class Mouth(Enum):
    """What fills the opened mouth."""

    generator = "generator"
    model = "model"
    none = "none"


class Gaze(Enum):
    """Whose eyes look."""

    source = "source"
    target = "target"
    viewer = "viewer"


class EditorName(Enum):
    """What changes an expression."""

    morphable = "morphable"
    ganimation = "ganimation"
    dft_net = "dft_net"


class RecordingFormat(Enum):
    """What `task=convert` writes."""

    params = "params"
    flame = "flame"
    live_link = "live_link"
    open_face = "open_face"
    gltf = "gltf"
    obj = "obj"


@dataclass
class InferOptions:
    """Every option of `infer`; the chosen task's file says which ones it takes.

    Attributes:
        job: `_target_` and arguments of the function behind the task.
        task_name: the chosen task.
        source: video, image, camera index, `params.npz` or CSV of Live Link Face that gives the
            expression.
        target: image or video that receives it; for task=live an image or a folder of them.
        output: file or folder to write; for task=live window, virtualcam, a file, osc://HOST:PORT
            or livelink://HOST:PORT.
        motion: relative to the source's neutral face, or the source's expression as it is.
        strength: factor on the expression's change, 1 is the source's own.
        regions: what may move; all of the face without it.
        face: `largest`, `all` or an index from left to right.
        mouth: what fills the opened mouth: the network trained for it, the face model's teeth and
            tongue, or nothing.
        gaze: whose eyes look: the source's, with whom the target's turn, the target's own, or
            its own kept on the viewer while the head turns.
        head: `auto` moves the heads of photographs as the source's moves and leaves videos their
            own, `source` moves both, `target` none, a number is a factor on the motion.
        idle: share of a mild motion of its own (breath, blinks, sway) for photographs, 1 is usual.
        seed: of that motion.
        seconds: length of an idle video.
        aus: wanted action units, each in [0, 1] (aus.AU12=0.8, one side as aus.AU45_L=1), or
            aus.random=7; the others stay as they are.
        editor: `morphable` moves the face model's shapes, the others are networks.
        steps: of the interpolation, from 0 (the target's expression) to 1 (the source's).
        source_neutral: picture of the source's neutral face; the first frames without it.
        smoothing: filter pose and expression over time.
        overwrite: replace an output that exists.
        progress: show a progress bar.
        threads: CPU threads.
        format: of a converted performance: params, flame, live_link, open_face, gltf or obj; by the
            output's suffix without it.
        refine: Gauss-Newton steps that improve a photograph's face parameters.
        morphable: another face model, as morphable=bfm2019 morphable.path=model2019_face12.h5.
        weights: folder of own networks that `train … export=DIR` has written; what it lacks, and
            all without it, comes from the package.
        mark: outputs say in their metadata that they are synthetic.
        watermark: the changed region carries an invisible mark as well.
        certificate: PEM chain, the signer's first, for a signed C2PA manifest.
        signing_key: PEM key of the certificate.
    """

    job: Optional[dict[str, Any]] = None  # noqa: UP045  (OmegaConf reads this form alone)
    task_name: Optional[str] = None  # noqa: UP045
    source: str = MISSING
    target: Optional[str] = MISSING  # noqa: UP045
    output: str = MISSING
    motion: Motion = Motion.relative
    strength: float = 1.0
    regions: Optional[list[Region]] = None  # noqa: UP045
    face: str = "largest"
    mouth: Mouth = Mouth.generator
    gaze: Gaze = Gaze.target
    head: str = "auto"
    idle: float = 0.0
    seed: int = 0
    seconds: float = 8.0
    aus: dict[str, Any] = field(default_factory=dict)
    editor: EditorName = EditorName.morphable
    steps: list[float] = field(default_factory=lambda: [0.5, 0.75, 1.0])
    source_neutral: Optional[str] = None  # noqa: UP045
    smoothing: bool = True
    overwrite: bool = True
    progress: bool = True
    threads: int = field(default=2)
    format: Optional[RecordingFormat] = None  # noqa: UP045
    refine: int = 0
    morphable: MorphableOptions = field(default_factory=MorphableOptions)
    weights: Optional[str] = None  # noqa: UP045
    mark: bool = True
    watermark: bool = False
    certificate: Optional[str] = None  # noqa: UP045
    signing_key: Optional[str] = None  # noqa: UP045


ConfigStore.instance().store(name="infer_options", node=InferOptions)
