# SPDX-License-Identifier: Apache-2.0
"""What a bench run found, and all that is needed to repeat it. The JSON form is docs/bench-schema.md.

Measured and estimated figures are different types: nothing that is an ``Estimate`` can end in a column of
measurements. But for ``created_utc`` and the wall-clock figures of real devices, the same bundle, board and
version give the same bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from tinyserve.bench.scenarios.statistics import Statistics
from tinyserve.bundle import TaskScores
from tinyserve.documents import from_json
from tinyserve.errors import DataError, FileSystemError
from tinyserve.quality.limits import Quality

SCHEMA = 1

Scenario = Literal["single-stream", "multi-stream", "server", "offline"]


class ModelIdentity(msgspec.Struct, frozen=True):
    """The model. ``macs`` are of the compiled program, ``model_macs`` of the model as it came."""

    name: str
    sha256: str
    source: str
    source_sha256: str
    framework: str
    quantize: str
    macs: int
    model_macs: int
    mlperf_id: str = ""


class Setup(msgspec.Struct, frozen=True):
    """Everything else that the figures depend on. ``device``: unicorn, qemu, host or serial.

    ``clock_source`` says whose word ``clock_hz`` is on a real board; "" stands for the board file. ``feed``:
    how the input is handed over, "whole" or by "rows".
    """

    board: str
    board_name: str
    board_sha256: str
    core: str
    clock_hz: int
    device: str
    emulated: bool
    engine: str
    optimize: str
    toolchain: str
    flags: list[str]
    firmware_sha256: str
    tinyserve: str
    tools: dict[str, str]
    seed: int
    clock_source: str = ""
    feed: str = "whole"


class Estimate(msgspec.Struct, frozen=True):
    """A figure from a model, not from a measurement: a range, the unit, and the model's name."""

    low: float
    high: float
    unit: str
    model: str


class Part(msgspec.Struct, frozen=True):
    """A named part of flash or RAM."""

    name: str
    bytes: int


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Flash and RAM of the whole firmware against the board's; limits are None where there is no limit.

    ``ram_bytes`` counts the arena, all other static data, and the stack that is reserved.
    ``stack_used_bytes`` is the high-water mark that the device reported, ``invoke_stack_bytes`` the invoke's
    own worst case as computed from the ELF file; where ``invoke_stack_is_bound`` is false, calls were met
    whose targets are not known, and the stack is at least that deep. ``elsewhere_parts`` are parts of the
    arena in further memories of the board, by their names: no part of ``ram_bytes``.
    """

    flash_bytes: int
    ram_bytes: int
    arena_bytes: int
    flash_limit_bytes: int | None = None
    ram_limit_bytes: int | None = None
    stack_used_bytes: int | None = None
    stack_size_bytes: int | None = None
    invoke_stack_bytes: int | None = None
    invoke_stack_is_bound: bool = True
    flash_parts: list[Part] = []
    ram_parts: list[Part] = []
    elsewhere_parts: list[Part] = []


class Check(msgspec.Struct, frozen=True):
    """The device's outputs against the bundle's expected ones, which ``expected_from`` made.

    Integers are equal byte for byte. ``float_tolerance`` is 0.0 for them, else how far float32 values may be
    off, as a part of the largest expected value: fused multiply-adds round otherwise than a PC does.
    """

    samples: int
    equal: int
    expected_from: str
    first_difference: str = ""
    float_tolerance: float = 0.0

    @property
    def passed(self) -> bool:
        return self.equal == self.samples


class Accuracy(msgspec.Struct, frozen=True):
    """The task's metrics on the device.

    ``scores``: the task, its metrics on the device and of the float original.
    ``confusion[label][prediction]`` counts samples (places of masks), with the ``classes``' names where they
    are known; ``correct`` is of classification. Both are empty for other tasks.
    """

    dataset: str
    dataset_sha256: str
    samples: int
    correct: int
    confusion: list[list[int]]
    scores: TaskScores | None = None
    classes: list[str] = []

    @property
    def top1(self) -> float | None:
        """Share of right classes; None for other tasks."""
        is_other = self.scores is not None and self.scores.task != "classification"
        return None if is_other else self.correct / self.samples


class Layer(msgspec.Struct, frozen=True):
    """One layer's part of an inference; ``ticks`` in the latency's unit."""

    index: int
    name: str
    op: str
    ticks: int
    macs: int
    variant: str = ""
    reason: str = ""
    bytes_read: int = 0
    bytes_written: int = 0


class ArenaBlock(msgspec.Struct, frozen=True):
    """A buffer's place in the arena (bytes) and the layers from which to which it is kept (inclusive)."""

    name: str
    kind: str
    offset: int
    bytes: int
    first: int
    last: int


class EnergyTrace(msgspec.Struct, frozen=True):
    """A current trace thinned for drawing, with the windows of inference that were cut from it."""

    time_us: list[float]
    current_ua: list[float]
    windows: list[tuple[float, float]]


class Energy(msgspec.Struct, frozen=True, kw_only=True):
    """Energy as a meter measured it: per inference above idle, with idle shown."""

    meter: str
    per_inference_uj: float
    per_inference_with_idle_uj: float
    average_mw: float
    idle_mw: float
    supply_v: float
    inferences: int
    samples: int
    dropped_samples: int = 0
    calibration: str = ""
    trace: EnergyTrace | None = None


class ScenarioResult(msgspec.Struct, frozen=True, kw_only=True):
    """The metric of a scenario. ``method``: ``measured`` (single-stream), ``loadgen``, or ``simulated``
    (discrete events over the measured latencies). Latencies are in us: queue time plus compute time."""

    name: Scenario
    method: str
    metric: str
    value: float
    unit: str
    queries: int
    latency_bound_us: float | None = None
    latency: Statistics | None = None
    queue: Statistics | None = None
    compute: Statistics | None = None
    valid: bool = True
    note: str = ""


class EventCount(msgspec.Struct, frozen=True):
    """How often an event of this name and class happened. ``label``: what the class is called, if known."""

    name: str
    class_number: int
    count: int
    label: str = ""


class Events(msgspec.Struct, frozen=True):
    """What happened in ``inferences`` on the device, those of the data set where one was run, else those of
    the held-out samples."""

    inferences: int
    counts: list[EventCount] = []


class PathCost(msgspec.Struct, frozen=True):
    """A path through a pipeline: the nodes that ran (on a gateway: were asked for), in how many samples, and
    what an inference took."""

    nodes: list[str]
    samples: int
    least: float
    mean: float
    most: float


class Rival(msgspec.Struct, frozen=True):
    """The single model that a pipeline stands for: ``ticks`` of an inference, and its metrics on the same
    data."""

    name: str
    ticks: float
    scores: TaskScores | None = None


class PipelineCost(msgspec.Struct, frozen=True, kw_only=True):
    """What a pipeline's inferences took, those of the data set where one was run, else of the held-out
    samples. ``mean``: by the share of each path; ``bound``: where all conditions hold, which no inference
    exceeds but for what kernels take for other values; ``energy_uj``: of the average inference."""

    unit: str
    samples: int
    paths: list[PathCost]
    mean: float
    bound: float | None = None
    energy_uj: Estimate | None = None
    rival: Rival | None = None


class BenchResult(msgspec.Struct, frozen=True, kw_only=True):
    """One cell: one model on one board in one scenario. ``quality``: against the float original, where the
    bundle has figures of that; ``check`` says that the device gives the model's own bytes."""

    schema: int = SCHEMA
    created_utc: str
    model: ModelIdentity
    setup: Setup
    memory: Memory
    latency: Statistics
    latencies: list[float]
    scenario: ScenarioResult | None = None
    latency_ms: Estimate | None = None
    energy_uj: Estimate | None = None
    energy: Energy | None = None
    check: Check | None = None
    accuracy: Accuracy | None = None
    quality: Quality | None = None
    events: Events | None = None
    pipeline: PipelineCost | None = None
    layers: list[Layer] = []
    arena: list[ArenaBlock] = []
    notes: list[str] = []

    @property
    def title(self) -> str:
        return f"{self.model.name} on {self.place}"

    @property
    def place(self) -> str:
        """The board, and the options that are not the defaults: 'nano33 (speed)'. No two cells of a matrix
        have the same model and place."""
        options = [self.setup.optimize, self.setup.engine]
        options += ["fed by rows"] * (self.setup.feed == "rows")
        chosen = ", ".join(option for option in options if option not in ("balanced", "aot"))
        return f"{self.setup.board} ({chosen})" if chosen else self.setup.board


class FailedCell(msgspec.Struct, frozen=True):
    """A cell of a matrix that ended in an error."""

    model: str
    board: str
    error: str
    exit_status: int


class BenchReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `bench --json` writes: the cells of a matrix, or the only one."""

    schema: int = SCHEMA
    results: list[BenchResult]
    failures: list[FailedCell] = []


def encode(report: BenchReport) -> bytes:
    """The report as indented JSON, keys in schema order: equal reports are equal bytes."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def load(path: Path) -> BenchReport:
    """Reads a report that `bench --json` wrote. Raises FileSystemError or DataError."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise FileSystemError(f"{path}: {error.strerror}", "check the path of the bench result") from error
    hint = "write it with `tinyserve bench --json`"
    try:
        schema = from_json(raw, _Versioned).schema
        if schema != SCHEMA:
            raise DataError(
                f"{path}: schema {schema}, but this version reads {SCHEMA}",
                "run the bench again with this version",
            )
        return from_json(raw, BenchReport)
    except msgspec.DecodeError as error:
        raise DataError(f"{path} is not a bench result: {error}", hint) from error


class _Versioned(msgspec.Struct):
    schema: int
