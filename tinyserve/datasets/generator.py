# SPDX-License-Identifier: Apache-2.0
"""Samples from a Python function of the user's: "module:function"."""

from __future__ import annotations

import importlib
import itertools
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinyserve.bundle import TensorInfo
from tinyserve.datasets.named import Named
from tinyserve.errors import DataError
from tinyserve.words import counted

MOST = 10_000


def is_name(where: str) -> bool:
    """Whether this is module:function and not a path."""
    return re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", where) is not None and not Path(where).exists()


def read(where: str, inputs: Sequence[TensorInfo]) -> Named:
    """Calls the function without arguments and takes up to 10,000 samples of what it yields.

    A sample is an array (one input), a tuple or list of arrays in the order of the inputs, or a dict by input
    name; without a batch axis. Raises DataError, naming the sample that is wrong.
    """
    rows: list[dict[str, Any]] = []
    try:
        for index, sample in enumerate(itertools.islice(_call(where), MOST)):
            rows.append(_row(where, index, sample, inputs))
    except DataError:
        raise
    except Exception as error:  # whatever the user's code raises
        raise DataError(
            f"{where}: failed after {counted(len(rows), 'sample')}: {type(error).__name__}: {error}",
            "fix the function",
        ) from error
    if not rows:
        raise DataError(f"{where}: yielded no sample", "yield at least 100 typical inputs")
    columns = {info.name: [np.asarray(row[info.name]) for row in rows] for info in inputs}
    for name, values in columns.items():
        odd = next((i for i, value in enumerate(values) if value.shape != values[0].shape), None)
        if odd is not None:
            raise DataError(
                f"{where}: sample {odd} of '{name}' is {values[odd].shape}, the first is {values[0].shape}",
                "yield samples of one shape",
            )
    return Named({name: np.stack(values) for name, values in columns.items()}, None, where)


def _call(where: str) -> Iterable[Any]:
    module, _, name = where.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        function = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise DataError(
            f"{where}: {error}", "name a function of a module that is importable from the current directory"
        ) from error
    made: Iterable[Any] = function() if callable(function) else function
    return made


def _row(where: str, index: int, sample: Any, inputs: Sequence[TensorInfo]) -> dict[str, Any]:
    if isinstance(sample, dict):
        missing = [info.name for info in inputs if info.name not in sample]
        if missing:
            raise DataError(f"{where}: sample {index} lacks the input '{missing[0]}'", "yield every input")
        return sample
    values = list(sample) if isinstance(sample, tuple | list) else [sample]
    if len(values) != len(inputs):
        raise DataError(
            f"{where}: sample {index} has {len(values)} arrays, the model {counted(len(inputs), 'input')}",
            "yield one array per input, without labels",
        )
    return {info.name: value for info, value in zip(inputs, values, strict=True)}
