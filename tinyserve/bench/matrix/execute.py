# SPDX-License-Identifier: Apache-2.0
"""Runs one cell: a pure function of its inputs, so that it may run in another process or machine."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import msgspec

from tinyserve import boards, workflow
from tinyserve.bench.accuracy import dataset
from tinyserve.bench.counts import rival
from tinyserve.bench.matrix import preflight
from tinyserve.bench.matrix.cell import Cell
from tinyserve.bench.result import BenchResult, FailedCell
from tinyserve.bench.scenarios import run as scenarios
from tinyserve.bench.scenarios import single_stream
from tinyserve.bench.setup import board_digest, tool_versions
from tinyserve.boards.types import Board
from tinyserve.bundle import MODEL_FILE, SAMPLES_FILE, Bundle
from tinyserve.cache import cache_directory, keep_newest
from tinyserve.documents import from_json
from tinyserve.errors import FileSystemError, TinyserveError
from tinyserve.files import write
from tinyserve.firmware.toolchain import toolchain_for
from tinyserve.progress import Progress

CACHED_RESULTS = 2000
_COUNTING = ("unicorn", "qemu")
"""Emulators whose counts are exact."""


def run(cell: Cell, progress: Progress) -> BenchResult:
    """Does all steps of a cell, or takes the result of an equal one from the cache. Raises TinyserveError."""
    preflight.check_cell(cell)
    board = boards.load(cell.board)
    emulator = workflow.choose_emulator(board, cell.build.emulate, cell.emulator, cell.port)
    made = workflow.to_bundle(cell.source, cell.conversion, progress)
    cached = _cache_path(cell, made, board, emulator) if _is_exact(cell, emulator) else None
    found = _kept(cached) if cached is not None else None
    if found is not None:
        return found
    data = None
    if cell.dataset:
        data = dataset.load(
            cell.dataset, made.manifest, cell.limit, cell.output, cell.wanted, reading=cell.reading
        )
    build = replace(cell.build, emulate=workflow.is_twin(board))
    with workflow.at_work(made, board, build, progress):
        compiled = workflow.to_compiled(made, board, build, progress)
        if workflow.has_twin(board):
            firmware = workflow.to_firmware(made, compiled, board, build, progress)
        else:
            firmware = workflow.as_flashed(made, compiled, board, build)
        options = single_stream.Options(
            runs=cell.runs,
            warmup=cell.warmup,
            emulator=emulator,
            port=cell.port,
            data=data,
            meter=cell.meter,
            supply_v=cell.supply_v,
            optimize=build.optimize,
        )
        result = single_stream.run(made, firmware, options, progress)
        if result.pipeline is not None and emulator in _COUNTING:
            progress("count the pipeline's bound")
            asked = rival.Asked(data, cell.dataset, cell.limit, cell.wanted, reading=cell.reading)
            result = rival.held_against(result, made, board, _baseline(cell), asked)
        if cell.scenario != "single-stream":
            progress(cell.scenario)
            result = scenarios.add(result, cell.scenario, cell.latency_bound_ms, made, compiled)
    if cached is not None:
        with suppress(FileSystemError):  # a cache that can't be written costs time, not the result
            write(cached, msgspec.json.encode(result))
            keep_newest(cached.parent, CACHED_RESULTS)
    return result


def _baseline(cell: Cell) -> Path | None:
    return rival.baseline_of(cell.source) if workflow.is_pipeline(cell.source) else None


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
    repeats = cell.build.engine == "aot" and emulator in _COUNTING
    return repeats and cell.use_cache and cell.meter is None


def _kept(path: Path) -> BenchResult | None:
    """The result that is kept there; None where there is none, or one that is damaged."""
    try:
        return from_json(path.read_bytes(), BenchResult)
    except (OSError, msgspec.DecodeError):
        return None


def _cache_path(cell: Cell, made: Bundle, board: Board, emulator: str | None) -> Path:
    """Where the result of an equal cell is kept: named by everything that it depends on."""
    inputs = [
        workflow.package_digest(cell.build.operators),
        hashlib.sha256(made.model_bytes()).hexdigest(),
        workflow.digest([made.path / SAMPLES_FILE]),
        board_digest(board),
        f"{emulator} {cell.runs} {cell.warmup} {cell.limit} {made.manifest.name}",
        f"{cell.scenario} {cell.latency_bound_ms} {cell.output} {cell.wanted}",
        hashlib.sha256(msgspec.json.encode(made.manifest)).hexdigest(),
        f"{cell.build.optimize} {cell.build.engine} {cell.build.toolchain} {cell.build.choices}",
        cell.build.feed,
        workflow.digest([cell.dataset]) if cell.dataset else "",
        repr(cell.reading),
        workflow.digest([path / MODEL_FILE]) if (path := _baseline(cell)) is not None else "",
        toolchain_for(board.core, cell.build.toolchain).identity,
        repr(tool_versions(str(emulator), board)),
    ]
    return cache_directory() / "bench" / f"{hashlib.sha256(chr(0).join(inputs).encode()).hexdigest()}.json"
