# SPDX-License-Identifier: Apache-2.0
"""Arrays as a file or directory has them, before they are matched with a model's inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy.typing as npt

from tinyserve.bundle import TensorInfo
from tinyserve.errors import DataError
from tinyserve.words import counted

Array = npt.NDArray[Any]

_LABELS = frozenset({"y", "y_test", "y_train", "label", "labels", "class", "target", "targets"})


TIME_UNITS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1000, "ns": 1}
"""Nanoseconds of each."""


def is_label(name: str) -> bool:
    """Whether an array or column of this name holds labels."""
    return name.strip().lower() in _LABELS


def label_columns(names: Sequence[str]) -> list[str]:
    """Those of a table's columns that hold labels. ``y`` beside ``x`` and ``z``, or beside a column that says
    what it is, is an axis of a sensor."""
    plain = {name.strip().lower() for name in names}
    axes = {"x", "y", "z"}
    found = [
        name for name in names if is_label(name) and not (axes <= plain and name.strip().lower() in axes)
    ]
    return [name for name in found if name.strip().lower() != "y"] or found


def is_number(cell: str) -> bool:
    """Whether a table's cell is a number, NaN and infinity among them."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def folders_of(path: Path, files: Sequence[Path]) -> list[str]:
    """The classes of recordings: the directories that they are in below ``path``; none where that is one."""
    found = sorted({file.parent.name for file in files}) if path.is_dir() else []
    return found if len(found) > 1 else []


def only_input(path: Path, inputs: Sequence[TensorInfo]) -> TensorInfo:
    """The input of a model that has one. Raises DataError for others: such files can't tell inputs apart."""
    if len(inputs) != 1:
        raise DataError(
            f"{path}: one kind of sample for a model with {counted(len(inputs), 'input')}",
            "give a .npz with an array each",
        )
    return inputs[0]


@dataclass(frozen=True)
class Named:
    """Arrays by name, samples first; ``labels`` (N,) where there are any; ``origin`` for messages.

    ``classes`` are the names behind the labels, where the source has names; ``notes`` are for the manifest.
    """

    arrays: dict[str, Array]
    labels: Array | None
    origin: str
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """How samples are to be made of what is no array yet.

    ``pixel_range``: what pixel values 0 and 255 become; images are refused without it, since a wrong guess
    ruins calibration silently. ``stride``: rows (CSV) or audio samples (WAV) from one window to the next; 0
    is a window's length. ``sample_rate``: that the model was trained with, in Hz; 0 takes any.
    ``missing``: values may be NaN, since the model knows what to take instead. ``time``: the column of a
    table that says when; windows are then of rows that follow one another. ``time_unit``: of times that are
    numbers, one of ``TIME_UNITS``. ``entity``: the column that says whose rows they are. ``labels``: an
    array of this name holds them, where there is one; of a model of several outputs, that output's.
    """

    pixel_range: tuple[float, float] | None = None
    stride: int = 0
    sample_rate: int = 0
    missing: bool = False
    time: str = ""
    time_unit: str = "s"
    entity: str = ""
    labels: str = ""

    def labelled(self, named: Named, inputs: Sequence[TensorInfo]) -> Named:
        """The arrays with the labels that are asked for."""
        found = named.arrays.get(self.labels)
        if found is None or self.labels in {info.name for info in inputs}:
            return named
        rest = {name: array for name, array in named.arrays.items() if name != self.labels}
        return replace(named, arrays=rest, labels=found)

    def at(self, rate_hz: float) -> Reading:
        """With this sampling rate, where none was given."""
        return self if self.sample_rate else replace(self, sample_rate=round(rate_hz))

    def in_front_of_features(self, rate_hz: float) -> Reading:
        """At the rate of the features that take the samples, and know what to take for a missing value."""
        return replace(self.at(rate_hz), missing=True)


AS_IT_IS = Reading()
