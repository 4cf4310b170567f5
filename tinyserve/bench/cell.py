"""One cell of a bench: a model on a board with options. A pure function of its inputs, so that it may run in
another process or on another machine."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from tinyserve import boards, road
from tinyserve.bench import dataset, preflight, scenarios, single_stream
from tinyserve.bench.result import BenchResult, FailedCell, Scenario
from tinyserve.bench.setup import board_digest, tool_versions
from tinyserve.boards.types import Board
from tinyserve.bundle import SAMPLES_FILE, Bundle
from tinyserve.cache import cache_directory, keep_newest
from tinyserve.errors import TinyserveError
from tinyserve.files import write
from tinyserve.firmware.toolchain import toolchain_for
from tinyserve.progress import Progress

CACHED_RESULTS = 2000


@dataclass(frozen=True)
class Cell:
    """What to run. ``emulator`` None and ``port`` None: what `road.choose_emulator` chooses."""

    source: Path
    board: str
    conversion: road.Conversion = field(default_factory=road.Conversion)
    build: road.Build = field(default_factory=road.Build)
    runs: int = 10
    warmup: int = 1
    emulator: str | None = None
    port: str | None = None
    scenario: Scenario = "single-stream"
    latency_bound_ms: float | None = None
    dataset: Path | None = None
    limit: int | None = None
    meter: str | None = None
    supply_v: float | None = None
    use_cache: bool = False

    @property
    def model(self) -> str:
        return self.source.stem


def run(cell: Cell, progress: Progress) -> BenchResult:
    """Does all steps of a cell, or takes the result of an equal one from the cache. Raises TinyserveError."""
    preflight.check_cell(cell)
    board = boards.load(cell.board)
    emulator = road.choose_emulator(board, cell.build.emulate, cell.emulator, cell.port)
    made = road.to_bundle(cell.source, cell.conversion, progress)
    cached = _cache_path(cell, made, board, emulator) if _is_exact(cell, emulator) else None
    found = _kept(cached) if cached is not None else None
    if found is not None:
        return found
    data = dataset.load(cell.dataset, made.manifest, cell.limit) if cell.dataset else None
    build = replace(cell.build, emulate=road.is_twin(board))
    compiled = road.to_compiled(
        made, board, build.optimize, progress, engine=build.engine, choices=build.choices
    )
    if road.has_twin(board):
        firmware = road.to_firmware(made, compiled, board, build, progress)
    else:
        firmware = road.as_flashed(made, compiled, board, build)
    options = single_stream.Options(
        cell.runs,
        cell.warmup,
        emulator,
        cell.port,
        data,
        cell.meter,
        cell.supply_v,
        optimize=build.optimize,
    )
    result = single_stream.run(made, firmware, options, progress)
    if cell.scenario != "single-stream":
        progress(cell.scenario)
        result = scenarios.add(result, cell.scenario, cell.latency_bound_ms, made, compiled)
    if cached is not None:
        write(cached, msgspec.json.encode(result))
        keep_newest(cached.parent, CACHED_RESULTS)
    return result


def attempt(cell: Cell, progress: Progress) -> BenchResult | FailedCell:
    """A cell's result, or why there is none."""
    try:
        return run(cell, progress)
    except TinyserveError as error:
        return FailedCell(cell.model, cell.board, str(error), error.exit_status)


def _is_exact(cell: Cell, emulator: str | None) -> bool:
    """Whether the result may be taken from and kept in the cache: it depends on nothing but the cell.

    With the engine tflm it depends on a library that the cell does not know.
    """
    repeats = cell.build.engine == "aot" and emulator in ("unicorn", "qemu")
    return repeats and cell.use_cache and cell.meter is None


def _kept(path: Path) -> BenchResult | None:
    """The result that is kept there; None where there is none, or one that is damaged."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=BenchResult)
    except (OSError, msgspec.DecodeError):
        return None


def _cache_path(cell: Cell, made: Bundle, board: Board, emulator: str | None) -> Path:
    """Where the result of an equal cell is kept: named by everything that it depends on."""
    inputs = [
        road.package_digest(),
        made.manifest.model_sha256,
        road.digest([made.path / SAMPLES_FILE]),
        board_digest(board),
        f"{emulator} {cell.runs} {cell.warmup} {cell.limit} {made.manifest.name}",
        f"{cell.scenario} {cell.latency_bound_ms}",
        f"{cell.build.optimize} {cell.build.engine} {cell.build.toolchain} {cell.build.choices}",
        road.digest([cell.dataset]) if cell.dataset else "",
        toolchain_for(board.core, cell.build.toolchain).identity,
        repr(tool_versions(str(emulator), board)),
    ]
    return cache_directory() / "bench" / f"{hashlib.sha256(chr(0).join(inputs).encode()).hexdigest()}.json"
