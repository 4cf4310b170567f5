# SPDX-License-Identifier: Apache-2.0
"""What is known to fail before any work is done: better at once than after minutes of conversion."""

from __future__ import annotations

from collections.abc import Sequence

from tinyserve import boards, workflow
from tinyserve.bench import energy
from tinyserve.bench.accuracy import dataset
from tinyserve.bench.matrix.cell import Cell
from tinyserve.bench.scenarios import run as scenarios
from tinyserve.errors import UsageError
from tinyserve.firmware.tflm_library import check_engine


def check_options(cells: Sequence[Cell]) -> None:
    """Checks what all cells of a bench share: options against each other, and the files that they name.

    Raises UsageError, DataError, FileSystemError, and DeviceError for a meter's port that is not there.
    """
    first = cells[0]
    if len(cells) > 1 and (first.meter is not None or first.port is not None):
        given = "--energy" if first.meter is not None else "--port"
        raise UsageError(
            f"{given} takes one cell, and there are {len(cells)}",
            f"bench one source on one board with {given}",
        )
    if first.limit is not None and first.dataset is None:
        raise UsageError("--limit is about a data set", "add --dataset, or leave --limit out")
    if first.supply_v is not None and first.meter is None:
        raise UsageError("--supply-v is about a meter", "add --energy, or leave --supply-v out")
    scenarios.check_bound(first.scenario, first.latency_bound_ms)
    if first.dataset is not None:
        dataset.check_file(first.dataset)
    if first.meter is not None:
        energy.check_meter(first.meter, first.supply_v)
    _check_interpreter([cell for cell in cells if cell.build.engine == "tflm" and cell.port is None])


def _check_interpreter(cells: Sequence[Cell]) -> None:
    """Raises UsageError where no cell of the engine tflm can be built, before those of the other are run."""
    refused: list[UsageError] = []
    for cell in cells:
        try:
            _check_engine(cell)
            return
        except UsageError as error:
            refused.append(error)
    if refused:
        raise refused[0]


def _check_engine(cell: Cell) -> None:
    board = boards.load(cell.board)
    check_engine(cell.build.engine, board, cell.build.toolchain, emulate=True, tflm=cell.build.tflm)


def check_cell(cell: Cell) -> None:
    """Checks a cell's board against what is asked of it. Raises UsageError, ToolError and DeviceError."""
    board = boards.load(cell.board)
    emulator = workflow.choose_emulator(board, cell.build.emulate, cell.emulator, cell.port)
    scenarios.check_time(cell.scenario, board, emulator)
    if cell.port is None:
        _check_engine(cell)
    else:
        from tinyserve.devices.serial import require_port

        require_port(board, cell.port)
