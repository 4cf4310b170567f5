# SPDX-License-Identifier: Apache-2.0
"""Where predictions go: by the suffix of what --out names."""

from __future__ import annotations

from pathlib import Path

from tinyserve.errors import UsageError
from tinyserve.predict.sinks.base import Sink
from tinyserve.predict.sinks.parquet import ParquetSink
from tinyserve.predict.sinks.sqlite import SqliteSink

_DATABASES = (".sqlite", ".sqlite3", ".db")


def sink_for(out: Path) -> type[Sink]:
    """A database for .sqlite, .sqlite3 and .db; a directory of Parquet files for .parquet, and for no suffix.

    Raises UsageError for other suffixes.
    """
    if out.suffix.lower() in _DATABASES:
        return SqliteSink
    if out.suffix.lower() in ("", ".parquet"):
        return ParquetSink
    raise UsageError(
        f"--out {out}: no kind of sink that is known", "name a .sqlite, or a directory for Parquet"
    )


__all__ = ["ParquetSink", "Sink", "SqliteSink", "sink_for"]
