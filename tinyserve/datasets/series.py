# SPDX-License-Identifier: Apache-2.0
"""Windows over rows that have a time, of several entities one among the other: what fleets of sensors record.

Parquet and CSV, a batch of rows at a time: memory is that of a batch, and of a window per entity.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from tinyserve.bundle import TensorInfo, sample_shape
from tinyserve.datasets import columns
from tinyserve.datasets.named import (
    TIME_UNITS,
    Array,
    Named,
    Reading,
    folders_of,
    is_number,
    label_columns,
    only_input,
)
from tinyserve.errors import DataError
from tinyserve.escapes import visible
from tinyserve.files import with_ending
from tinyserve.words import counted

SUFFIXES = frozenset({".parquet", ".csv"})
_ROWS = 1 << 14  # of CSV at a time
_NS = TIME_UNITS["s"]
_MOST_NS = 1 << 62
_TIME_UNIT = "seconds, unless --time-unit says ms, us or ns"
_GAP = 1.5  # periods: more than that between two rows, and the window begins anew
_OFF = 0.02  # how far the rate of a file may be from the model's
_MOST_ENTITIES = 1 << 20
_ALL = ""


@dataclass(frozen=True)
class Rows:
    """Consecutive rows: times in nanoseconds, entities, values (rows, columns), labels where there are any.
    ``first``: the number of the first, from 1."""

    first: int
    times: Array
    entities: Array
    values: Array
    labels: Array | None


@dataclass
class _Entity:
    """The rows of an entity that no window has taken yet, or that the next one takes again."""

    values: list[Array] = field(default_factory=list)
    labels: list[Array] = field(default_factory=list)
    rows: int = 0
    skip: int = 0  # rows to pass over, where windows lie apart
    last_ns: int | None = None
    steps: int = 0
    span_ns: int = 0


@dataclass(frozen=True)
class Series:
    """A file of rows in time. ``rows`` goes through it anew, with the columns of values or without."""

    path: Path
    info: TensorInfo
    reading: Reading
    length: int
    is_labelled: bool
    rows: Callable[[bool], Iterator[Rows]]

    def total(self) -> int:
        """How many windows there are; a pass over times and entities alone. Raises DataError."""
        return sum(len(windows) for windows, _ in self._windows(False))

    def pieces(self, piece: int) -> Iterator[Named]:
        """Windows, ``piece`` at a time, as they become complete."""
        waiting: list[Array] = []
        labels: list[Any] = []
        first = 0
        for windows, known in self._windows(True):
            waiting += windows
            labels += known
            while len(waiting) >= piece:
                yield self._named(waiting[:piece], labels[:piece], first)
                del waiting[:piece], labels[:piece]
                first += piece
        if waiting:
            yield self._named(waiting, labels, first)

    def _named(self, windows: list[Array], labels: list[Any], first: int) -> Named:
        shaped = np.stack(windows).reshape(len(windows), *sample_shape(self.info))
        known = np.array(labels) if labels and labels[0] is not None else None
        origin = f"{self.path} (windows {first} to {first + len(windows) - 1})"
        return Named({self.info.name: shaped}, known, origin)

    def _windows(self, with_values: bool) -> Iterator[tuple[list[Array], list[Any]]]:
        entities: dict[Any, _Entity] = {}
        for rows in self.rows(with_values):
            names, places = np.unique(rows.entities, return_inverse=True)
            found: list[tuple[int, Array, Any]] = []
            for number, name in enumerate(names.tolist()):
                entity = entities.setdefault(name, _Entity())
                if len(entities) > _MOST_ENTITIES:
                    raise DataError(f"{self.path}: over {_MOST_ENTITIES:,} entities", "name another column")
                found += self._of_entity(rows, np.flatnonzero(places == number), entity, name)
            found.sort(key=lambda one: one[0])  # in the order in which they became complete
            yield [window for _, window, _ in found], [label for _, _, label in found]
        self._check_rates(entities)

    def _of_entity(
        self, rows: Rows, chosen: Array, entity: _Entity, name: Any
    ) -> list[tuple[int, Array, Any]]:
        times = rows.times[chosen]
        before = entity.last_ns if entity.last_ns is not None else int(times[0]) - 1
        steps = np.diff(times, prepend=before)
        if (steps <= 0).any():
            row = rows.first + int(chosen[int(np.argmax(steps <= 0))])
            whose = f" of {visible(str(name))}" if name != _ALL else ""
            raise DataError(
                f"{self.path}, row {row}: its time{whose} is not after the one before it",
                f"sort by '{self.reading.time}'; --entity names the column that tells series apart",
            )
        breaks = self._breaks(steps, entity.last_ns is None)
        entity.last_ns = int(times[-1])
        smooth = ~breaks
        entity.steps += int(smooth.sum())
        entity.span_ns += int(steps[smooth].sum())
        found = []
        for part in np.split(np.arange(len(chosen)), np.flatnonzero(breaks)):
            if len(part) and breaks[part[0]]:
                entity.values, entity.labels, entity.rows, entity.skip = [], [], 0, 0
            found += self._cut(rows, chosen[part], entity)
        return found

    def _breaks(self, steps: Array, is_first: bool) -> Array:
        """Where a window may not go on: behind a gap."""
        rate = self.reading.sample_rate
        breaks = np.zeros(len(steps), bool)
        if rate:
            breaks = steps > _GAP * _NS / rate
        breaks[0] = breaks[0] or is_first
        return breaks

    def _cut(self, rows: Rows, chosen: Array, entity: _Entity) -> list[tuple[int, Array, Any]]:
        """Takes rows in, and windows out as they become complete."""
        found = []
        stride = self.reading.stride or self.length
        at = 0
        while at < len(chosen):
            if entity.skip:
                passed = min(entity.skip, len(chosen) - at)
                entity.skip -= passed
                at += passed
                continue
            taken = chosen[at : at + self.length - entity.rows]
            entity.values.append(rows.values[taken])
            entity.labels.append(taken if rows.labels is None else rows.labels[taken])
            entity.rows += len(taken)
            at += len(taken)
            if entity.rows == self.length:
                whole, labels = np.concatenate(entity.values), np.concatenate(entity.labels)
                label = None if rows.labels is None else labels[-1]
                found.append((int(taken[-1]), whole, label))
                kept = max(0, self.length - stride)
                entity.values, entity.labels = [whole[self.length - kept :]], [labels[self.length - kept :]]
                entity.rows, entity.skip = kept, max(0, stride - self.length)
        return found

    def _check_rates(self, entities: dict[Any, _Entity]) -> None:
        """Raises DataError where the times are of another sampling rate than the model's."""
        rate = self.reading.sample_rate
        steps, span = (sum(getattr(one, name) for one in entities.values()) for name in ("steps", "span_ns"))
        if rate and not steps and any(one.last_ns is not None for one in entities.values()):
            raise DataError(
                f"{self.path}: no two rows are within {_GAP:g} periods of {rate} Hz",
                f"the times are of another rate or unit: {_TIME_UNIT}",
            )
        if rate and span and abs(steps * _NS / span / rate - 1) > _OFF:
            raise DataError(
                f"{self.path}: its rows are {steps * _NS / span:.4g} per second, the model takes {rate}",
                "resample the data, or convert the model with features of this rate",
            )


@dataclass(frozen=True)
class Recordings:
    """Files whose rows have times of their own: no window spans two. ``classes``: of the directories that
    they lie in, where they have no labels."""

    files: list[Series]
    classes: tuple[str, ...]

    def total(self) -> int:
        """How many windows there are. Raises DataError."""
        return sum(one.total() for one in self.files)

    def pieces(self, piece: int) -> Iterator[Named]:
        """Windows, up to ``piece`` at a time."""
        for one in self.files:
            for named in one.pieces(piece):
                if not self.classes:
                    yield named
                    continue
                (windows,) = named.arrays.values()
                labels = np.full(len(windows), self.classes.index(one.path.parent.name))
                yield replace(named, labels=labels, classes=self.classes)


def opened(path: Path, inputs: Sequence[TensorInfo], reading: Reading) -> Recordings:
    """A file, or all of a directory. Raises DataError where one lacks columns, or they do not fit."""
    paths = with_ending(path.rglob("*"), SUFFIXES) if path.is_dir() else [path]
    if not paths or any(one.suffix.lower() not in SUFFIXES for one in paths):
        raise DataError(
            f"{path}: a time column is of .parquet or .csv, or of a directory of them", "leave --time out"
        )
    files = [_opened(one, inputs, reading) for one in paths]
    labelled = {one.is_labelled for one in files}
    if len(labelled) > 1:
        raise DataError(f"{path}: only some of its files have labels", "labels in all of them, or none")
    return Recordings(files, () if True in labelled else tuple(folders_of(path, paths)))


def _opened(path: Path, inputs: Sequence[TensorInfo], reading: Reading) -> Series:
    info = only_input(path, inputs)
    names = columns.names(path) if path.suffix.lower() == ".parquet" else _header(path)
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise DataError(f"{path}: two columns are called '{visible(twice)}'", "names that differ")
    for name in (reading.time, reading.entity):
        if name and name not in names:
            raise DataError(
                f"{path}: has no column '{visible(name)}'", f"it has: {', '.join(map(visible, names))}"
            )
    label = next(iter(label_columns(names)), None)
    values = [name for name in names if name not in (reading.time, reading.entity, label)]
    elements = math.prod(sample_shape(info))
    if not values or elements % len(values):
        raise DataError(
            f"{path}: {counted(len(values), 'column of values does', 'columns of values do')} "
            f"not fit the input "
            f"'{info.name}' {info.shape}",
            "keep the columns that the model was trained with, in that order; name a label column 'label'",
        )
    if path.suffix.lower() == ".parquet":

        def rows(with_values: bool) -> Iterator[Rows]:
            return _parquet_rows(path, reading, values if with_values else [], label if with_values else None)
    else:

        def rows(with_values: bool) -> Iterator[Rows]:
            return _csv_rows(path, reading, values if with_values else [], label if with_values else None)

    return Series(path, info, reading, elements // len(values), label is not None, rows)


def _parquet_rows(path: Path, reading: Reading, values: list[str], label: str | None) -> Iterator[Rows]:
    wanted = [
        reading.time,
        *([reading.entity] if reading.entity else []),
        *values,
        *([label] if label else []),
    ]
    first = 1
    for batch in columns.batches(path, _ROWS, wanted):
        count = len(batch)
        entities = np.full(count, _ALL)
        if reading.entity:
            entities = np.array(batch.column(reading.entity).to_pylist(), dtype=object).astype(str)
        table = np.zeros((count, len(values)))
        for place, name in enumerate(values):
            table[:, place] = _numbers(columns.values_of(batch.column(name), str(path), name), path, name)
        labels = batch.column(label).to_numpy(zero_copy_only=False) if label else None
        times = _times(batch.column(reading.time), path, first, TIME_UNITS[reading.time_unit])
        yield Rows(first, times, entities, table, labels)
        first += count


def _numbers(found: Array, path: Path, name: str) -> Array:
    if found.dtype.kind not in "fiub" or found.ndim > 1:
        raise DataError(f"{path}: the column '{visible(name)}' holds no numbers", "leave it out of the file")
    return found


def _times(column: Any, path: Path, first: int, unit: int) -> Array:
    """In nanoseconds: timestamps as they are, numbers in units of so many."""
    if column.null_count:
        raise DataError(f"{path}, rows from {first}: a time is missing", "remove such rows")
    found: Array = column.to_numpy(zero_copy_only=False)
    if found.dtype.kind == "M":
        made: Array = found.astype("datetime64[ns]").astype(np.int64)
        return made
    if found.dtype.kind not in "iuf" or not (np.abs(found.astype(np.float64)) < _MOST_NS / unit).all():
        raise DataError(
            f"{path}, rows from {first}: the times are no times", f"timestamps, or numbers: {_TIME_UNIT}"
        )
    if found.dtype.kind in "iu":
        made = found.astype(np.int64) * unit
        return made
    made = np.round(found * unit).astype(np.int64)
    return made


def _header(path: Path) -> list[str]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as CSV: {error}", "save it as UTF-8 text") from error


@dataclass(frozen=True)
class _Cells:
    """Where in a line of CSV what stands; -1: nowhere. ``unit``: of times, in nanoseconds. ``width``: cells
    of a line. ``named``: labels are names."""

    time: int
    entity: int
    values: list[int]
    label: int
    unit: int
    width: int
    named: bool = False


def _csv_rows(path: Path, reading: Reading, values: list[str], label: str | None) -> Iterator[Rows]:
    header = _header(path)
    places = {name: place for place, name in enumerate(header)} | {"": -1}
    cells = _Cells(
        places[reading.time], places[reading.entity], [places[name] for name in values], places[label or ""],
        TIME_UNITS[reading.time_unit], len(header),
    )  # fmt: skip
    gathered: list[list[str]] = []
    first = 1
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = csv.reader(file)
            next(lines)
            for line in lines:
                if line and label and first == 1 and not gathered:
                    cells = replace(cells, named=not all(map(is_number, line[cells.label :][:1])))
                gathered += [line] if line else []
                if len(gathered) == _ROWS:
                    yield _csv_batch(path, gathered, first, cells)
                    first, gathered = first + len(gathered), []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as CSV: {error}", "save it as UTF-8 text") from error
    if gathered:
        yield _csv_batch(path, gathered, first, cells)


def _csv_batch(path: Path, lines: list[list[str]], first: int, cells: _Cells) -> Rows:
    row = first
    labels: list[str | float] = []
    times, table = np.empty(len(lines), np.int64), np.empty((len(lines), len(cells.values)))
    try:
        for row, line in enumerate(lines, first):
            if len(line) != cells.width:
                raise ValueError(f"{counted(len(line), 'cell')}, and the header has {cells.width}")
            times[row - first] = _nanoseconds(line[cells.time], cells.unit)
            table[row - first] = [float(line[place].strip() or "nan") for place in cells.values]
            if cells.label >= 0:
                labels.append(_label(line[cells.label], cells.named))
        names = np.array([line[cells.entity] if cells.entity >= 0 else _ALL for line in lines])
    except (ValueError, IndexError, OverflowError) as error:
        raise DataError(
            f"{path}, row {row}: {visible(str(error))[:120]}",
            f"numbers (labels: all numbers, or all names), and times as ISO 8601 or {_TIME_UNIT}",
        ) from error
    return Rows(first, times, names, table, np.array(labels) if labels else None)


def _label(cell: str, named: bool) -> str | float:
    """A name or a number, as in the first row: raises ValueError for a name among numbers, and for none."""
    if not cell.strip():
        raise ValueError("its label is missing")
    return cell.strip() if named else float(cell)


def _plain(text: str) -> str:
    """ISO 8601 as Python 3.10 reads it, too: no Z, and six digits behind the point."""
    text = re.sub(r"[Zz]$", "+00:00", text)
    return re.sub(r"[.,](\d{1,6})\d*", lambda digits: f".{digits[1]:0<6}", text)


def _nanoseconds(text: str, unit: int) -> int:
    """A number in units of so many, or a date and time (UTC where it names no zone)."""
    try:
        return round(float(text) * unit)
    except ValueError:
        found = datetime.fromisoformat(_plain(text.strip()))
        aware = found if found.tzinfo else found.replace(tzinfo=timezone.utc)
        passed = aware - datetime(1970, 1, 1, tzinfo=timezone.utc)
        return ((passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds) * 1000
