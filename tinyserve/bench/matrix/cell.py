# SPDX-License-Identifier: Apache-2.0
"""One cell of a bench: a model on a board with options."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from tinyserve import workflow
from tinyserve.bench.result import Scenario
from tinyserve.datasets.named import AS_IT_IS, Reading
from tinyserve.quality.tasks import ANY, Wanted


@dataclass(frozen=True)
class Cell:
    """What to run. ``emulator`` None and ``port`` None: what `workflow.choose_emulator` chooses."""

    source: Path
    board: str
    _: KW_ONLY
    conversion: workflow.Conversion = field(default_factory=workflow.Conversion)
    build: workflow.Build = field(default_factory=workflow.Build)
    runs: int = 10
    warmup: int = 1
    emulator: str | None = None
    port: str | None = None
    scenario: Scenario = "single-stream"
    latency_bound_ms: float | None = None
    dataset: Path | None = None
    limit: int | None = None
    output: str = ""
    wanted: Wanted = ANY
    meter: str | None = None
    supply_v: float | None = None
    use_cache: bool = False

    @property
    def reading(self) -> Reading:
        """How samples are made of a data set that is no arrays."""
        return self.conversion.options.reading if self.conversion.options else AS_IT_IS

    @property
    def model(self) -> str:
        return self.source.stem
