# SPDX-License-Identifier: Apache-2.0
"""The task's own metric of the original and of the converted model, where the samples have labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from tinyserve.bundle import Score, TaskScores, TensorInfo
from tinyserve.convert.settings import Record
from tinyserve.convert.tflite.facts import Inspected
from tinyserve.datasets.dataset import Dataset
from tinyserve.errors import DataError, UsageError
from tinyserve.quality.orders import doubt_of
from tinyserve.quality.rows import Tally, Task
from tinyserve.quality.tasks import choose

Array = npt.NDArray[Any]


def task_scores(
    record: Record, converted: Inspected, seen: Dataset, reference: list[Array], real: list[Array]
) -> TaskScores | None:
    """Of the only output; None without labels, or where they fit no task (a note says so)."""
    output = converted.outputs[0]
    task = task_of(record, converted.inputs, converted.outputs, seen)
    if task is None or seen.labels is None:
        return None
    try:
        before = score(task, reference[0], seen)
        tally = _tallied(task, real[0], seen)
    except DataError as error:
        record.notes.append(f"labels were not used: {error.message.splitlines()[0]}")
        return None
    after = tally.scores()
    if not after:
        return None
    return TaskScores(
        task=task.name,
        why=task.why,
        output=output.name,
        samples=len(seen),
        converted=after,
        original=before,
        doubt=doubt_of(task, tally.confusion, record.labels),
    )


def task_of(
    record: Record, inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo], data: Dataset
) -> Task | None:
    """The task that labels give a model of one output."""
    if data.labels is None or len(outputs) != 1:
        return None
    try:
        return choose(outputs[0], inputs, record.labels, data.labels)
    except (DataError, UsageError) as error:
        record.notes.append(f"labels were not used: {error.message.splitlines()[0]}")
        return None


def score(task: Task, outputs: Array, data: Dataset) -> list[Score]:
    """The task's metrics of outputs (N, ...) in real units. Raises DataError for labels that do not fit."""
    return _tallied(task, outputs, data).scores()


def _tallied(task: Task, outputs: Array, data: Dataset) -> Tally:
    tally = task.tally()
    tally.add(task.rows(0, outputs, data.labels, data.inputs))
    return tally
