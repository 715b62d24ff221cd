"""The options of `python -m xpress.prepare` with their types."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from xpress.preparation.faces.settings import PrepareSettings, QualityLimits


@dataclass
class LimitOptions:
    """See `QualityLimits`."""

    min_size: float = QualityLimits.min_size
    min_sharpness: float = QualityLimits.min_sharpness
    max_yaw: float = QualityLimits.max_yaw
    max_pitch: float = QualityLimits.max_pitch
    min_presence: float = QualityLimits.min_presence
    min_visible: float = QualityLimits.min_visible
    max_uncertainty: float = QualityLimits.max_uncertainty


@dataclass
class PrepareOptions:
    """Every option of `python -m xpress.prepare`; those not told here are of `PrepareSettings`.

    Attributes:
        task_name: names the jobs of a cluster.
        input: folder, file or pattern, or a list of such.
        output: `.parquet`; the report is written beside it.
        processes: that read files at the same time; 0 takes one for each processor.
        shards: jobs that make one pack together; with -m each gets one.
        shard: number of this job, null for all of the work.
        report: write the page about the pack.
        progress: show a progress bar.
    """

    task_name: str = "prepare"
    input: Any = MISSING
    output: str = MISSING
    every: int = PrepareSettings.every
    size: int = PrepareSettings.size
    faces: str = PrepareSettings.faces
    limits: LimitOptions = field(default_factory=LimitOptions)
    refine: int = PrepareSettings.refine
    annotations: str = PrepareSettings.annotations
    annotator: Optional[str] = None  # noqa: UP045  (OmegaConf reads this form alone)
    weights: str = PrepareSettings.weights
    duplicates: bool = PrepareSettings.duplicates
    identities: str = PrepareSettings.identities
    alike: float = PrepareSettings.alike
    val: float = PrepareSettings.val
    processes: int = 0
    shards: int = 1
    shard: Optional[int] = None  # noqa: UP045
    report: bool = True
    progress: bool = True


ConfigStore.instance().store(name="prepare_options", node=PrepareOptions)
