# SPDX-License-Identifier: Apache-2.0
"""The same matrix on a Dask cluster: a cell is sent with its files, workers share nothing but the code."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tinyserve.bench.matrix import transport
from tinyserve.bench.matrix.cell import Cell
from tinyserve.bench.matrix.execute import attempt
from tinyserve.bench.matrix.run import Outcome, collect, say_done, stopped
from tinyserve.bench.matrix.transport import Packed
from tinyserve.bench.result import BenchReport, FailedCell
from tinyserve.bundle import MANIFEST_FILE, MODEL_FILE, SAMPLES_FILE
from tinyserve.errors import FileSystemError, Terminated, UsageError
from tinyserve.progress import Progress, silent

if TYPE_CHECKING:
    from distributed import Client, Future

_BUNDLE = (MANIFEST_FILE, MODEL_FILE, SAMPLES_FILE)


@dataclass(frozen=True)
class Parcel:
    """A cell whose source is a bundle, with the contents of every file and directory that it names."""

    cell: Cell
    bundle: dict[str, bytes]
    dataset: bytes | None
    board_file: bytes | None
    operators: tuple[Packed, ...] = ()
    tflm: Packed | None = None


def pack(cell: Cell) -> Parcel:
    """The cell as a parcel. Its source must be a bundle already.

    Raises OSError for unreadable files, UsageError for a TFLM tree that is too large to send.
    """
    tflm = Path(cell.build.tflm)
    return Parcel(
        cell,
        {name: (cell.source / name).read_bytes() for name in _BUNDLE},
        cell.dataset.read_bytes() if cell.dataset else None,
        Path(cell.board).read_bytes() if cell.board.endswith(".toml") else None,
        tuple(transport.pack(directory) for directory in cell.build.operators),
        transport.pack(tflm) if cell.build.engine == "tflm" and tflm.is_dir() else None,
    )


def deliver(parcel: Parcel) -> Outcome:
    """Unpacks a parcel in a directory of its own, runs its cell there, and removes it all."""
    with tempfile.TemporaryDirectory(prefix="tinyserve-cell-") as name:
        folder = Path(name)
        cell = parcel.cell
        source = folder / cell.source.name
        source.mkdir()
        for file, content in parcel.bundle.items():
            (source / file).write_bytes(content)
        cell = replace(cell, source=source, build=replace(cell.build, directory=folder / "firmware"))
        if parcel.dataset is not None and cell.dataset is not None:
            data = folder / cell.dataset.name
            data.write_bytes(parcel.dataset)
            cell = replace(cell, dataset=data)
        if parcel.board_file is not None:
            board = folder / Path(cell.board).name
            board.write_bytes(parcel.board_file)
            cell = replace(cell, board=str(board))
        operators = tuple(transport.unpack(directory) for directory in parcel.operators)
        tflm = cell.build.tflm if parcel.tflm is None else str(transport.unpack(parcel.tflm))
        return attempt(replace(cell, build=replace(cell.build, operators=operators, tflm=tflm)), silent)


def run(cells: Sequence[Cell], client: Client, progress: Progress) -> BenchReport:
    """Runs the cells on a client's cluster. Results keep the cells' order.

    A cell whose worker dies, or whose files can't be read here, is a failure; no other is lost.
    """
    from distributed import as_completed

    outcomes: dict[int, Outcome] = {}
    index: dict[Future, int] = {}
    with client.as_current():
        try:
            for number, cell in enumerate(cells):
                try:
                    # pure=False: what is asked for again is run again; our own cache decides otherwise.
                    index[client.submit(deliver, pack(cell), pure=False, retries=0)] = number
                except OSError as error:
                    said = f"{error.filename}: {error.strerror}"
                    outcomes[number] = FailedCell(cell.model, cell.board, said, FileSystemError.exit_status)
                except UsageError as error:
                    outcomes[number] = FailedCell(cell.model, cell.board, str(error), error.exit_status)
            for future in as_completed(list(index)):
                number = index[future]
                outcomes[number] = _outcome(future, cells[number])
                say_done(progress, cells[number], len(outcomes), len(cells))
        except (KeyboardInterrupt, Terminated) as stop:
            for number, cell in enumerate(cells):
                outcomes.setdefault(number, stopped(cell, stop))
        finally:
            client.cancel(list(index))
    return collect([outcomes[number] for number in range(len(cells))])


def _outcome(future: Future, cell: Cell) -> Outcome:
    try:
        result: Outcome = future.result()
    except Exception as error:  # whatever ended the worker, this cell alone has failed
        said = f"{type(error).__name__}: {error}"
        return FailedCell(cell.model, cell.board, f"its worker failed: {said}\n  try: this cell alone", 8)
    return result
