# SPDX-License-Identifier: Apache-2.0
"""A current trace: what a meter recorded, and its CSV form."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.errors import DataError, FileSystemError
from tinyserve.files import write

Array = npt.NDArray[Any]
FORMAT = "tinyserve current trace 1"


@dataclass(frozen=True, eq=False)
class Trace:
    """Samples in order of time. ``marker`` is 1 while the firmware's energy marker was set; None where the
    meter has no input for it.

    ``dropped``: samples that the meter lost on the way. ``overrange``: samples beyond what it can measure.
    """

    time_us: npt.NDArray[np.float64]
    current_ua: npt.NDArray[np.float64]
    marker: npt.NDArray[np.uint8] | None
    supply_v: float
    meter: str
    calibration: str = ""
    dropped: int = 0
    overrange: int = 0

    def __len__(self) -> int:
        return len(self.time_us)


def save(trace: Trace, path: Path) -> None:
    """Writes the trace as CSV: comment lines with what the columns don't say, a header, a row per sample."""
    text = io.StringIO()
    text.write(f"# {FORMAT}\n# meter={trace.meter}\n# supply_v={trace.supply_v!r}\n")
    text.write(
        f"# calibration={trace.calibration}\n# dropped={trace.dropped}\n# overrange={trace.overrange}\n"
    )
    columns = [trace.time_us, trace.current_ua]
    header, formats = "timestamp_us,current_ua", ["%.3f", "%.6g"]
    if trace.marker is not None:
        columns.append(trace.marker.astype(np.float64))
        header, formats = f"{header},marker", [*formats, "%d"]
    text.write(f"{header}\n")
    np.savetxt(text, np.column_stack(columns), fmt=formats, delimiter=",")
    write(path, text.getvalue().encode())


def load(path: Path, supply_v: float | None = None) -> Trace:
    """Reads a trace: one that ``save`` wrote, or any CSV with ``timestamp_us,current_ua[,marker]`` rows.

    ``supply_v`` is needed where the file does not say it. Raises FileSystemError and DataError.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise FileSystemError(f"{path}: {error.strerror}", "check the path of the trace") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a CSV file", "record one with `tinyserve energy record`") from error
    notes = dict(
        line[1:].strip().partition("=")[::2]
        for line in text.splitlines()
        if line.startswith("#") and "=" in line
    )
    rows = _rows(path, [line for line in text.splitlines() if line and not line.startswith("#")])
    voltage = supply_v or _number(notes.get("supply_v"))
    if not voltage:
        raise DataError(f"{path}: the supply voltage is not known", "add --supply-v 3.3")
    return Trace(
        time_us=rows[:, 0],
        current_ua=rows[:, 1],
        marker=(rows[:, 2] != 0).astype(np.uint8) if rows.shape[1] > 2 else None,
        supply_v=voltage,
        meter=notes.get("meter") or f"file {path.name}",
        calibration=notes.get("calibration", ""),
        dropped=int(_number(notes.get("dropped"))),
        overrange=int(_number(notes.get("overrange"))),
    )


def _rows(path: Path, lines: list[str]) -> Array:
    if lines and not _is_number(lines[0].split(",")[0]):
        lines = lines[1:]  # the header
    if len(lines) < 2:
        raise DataError(f"{path}: holds no trace", "rows are timestamp_us,current_ua[,marker]")
    try:
        rows: Array = np.loadtxt(lines, delimiter=",", ndmin=2, dtype=np.float64)
    except ValueError as error:
        raise DataError(f"{path}: {error}", "rows are timestamp_us,current_ua[,marker]") from error
    if rows.shape[1] < 2:
        raise DataError(f"{path}: holds no trace", "rows are timestamp_us,current_ua[,marker]")
    if not np.isfinite(rows).all():
        raise DataError(f"{path}: holds values that are not finite", "record the trace again")
    if (np.diff(rows[:, 0]) < 0).any():
        raise DataError(f"{path}: time runs backwards", "sort the rows by timestamp_us")
    return rows


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(text: str | None) -> float:
    return float(text) if text and _is_number(text) else 0.0
