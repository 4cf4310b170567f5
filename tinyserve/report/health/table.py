# SPDX-License-Identifier: Apache-2.0
"""Histograms as a Parquet table: a row for each bin of the reference and of the devices."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from typing import Any

from tinyserve.health.counters import Counters
from tinyserve.report.health.series import Series

COLUMNS = ("data", "feature", "bin", "low", "high", "label", "count")


def as_parquet(series: Sequence[Series], seen: Counters) -> bytes:
    """Columns: data ("reference", "devices"), feature, bin, low and high (real values; null for classes),
    label (of a class), count. The file's metadata name the model and count inferences.

    Raises ModuleNotFoundError without pyarrow.
    """
    arrow: Any = importlib.import_module("pyarrow")
    parquet: Any = importlib.import_module("pyarrow.parquet")
    rows = [row for one in series for row in _rows(one)]
    kinds = (
        arrow.string(), arrow.string(), arrow.int32(), arrow.float64(), arrow.float64(), arrow.string(),
        arrow.int64(),
    )  # fmt: skip
    schema = arrow.schema(list(zip(COLUMNS, kinds, strict=True)))
    schema = schema.with_metadata(
        {
            "model_sha256": seen.model_sha256,
            "inferences": str(seen.inferences),
            "looked_at": str(seen.looked_at),
        }
    )
    table = arrow.Table.from_pylist([dict(zip(COLUMNS, row, strict=True)) for row in rows], schema=schema)
    buffer = arrow.BufferOutputStream()
    parquet.write_table(table, buffer)
    return bytes(buffer.getvalue().to_pybytes())


def _rows(one: Series) -> Iterator[tuple[object, ...]]:
    for data, counts in (("reference", one.reference), ("devices", one.seen)):
        for index, count in enumerate(counts):
            low, high = one.edges[index : index + 2] if one.edges else (None, None)
            yield data, one.what, index, low, high, one.labels[index] if one.labels else None, count
