# SPDX-License-Identifier: Apache-2.0
"""Where predictions go: by what --out names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path

from tinyserve.databases import is_url
from tinyserve.errors import UsageError
from tinyserve.locks import alone
from tinyserve.predict.sinks.base import Job, Sink
from tinyserve.predict.sinks.database import DatabaseSink
from tinyserve.predict.sinks.parquet import ParquetSink
from tinyserve.progress import Progress

_DATABASES = (".sqlite", ".sqlite3", ".db")


@contextmanager
def open_sink(out: str, job_id: str, job: Job, progress: Progress) -> Iterator[Sink]:
    """The sink that ``out`` names, held against other processes: a database for .sqlite, .sqlite3, .db and
    postgresql:// URLs; a directory of Parquet files for .parquet, and for no suffix.

    Raises UsageError for other suffixes, and what opening the sink raises.
    """
    kind = kind_of(out)
    held: AbstractContextManager[object] = nullcontext()  # the server holds the job
    if not is_url(out):
        held = alone(Path(out), progress)
    with held, closing(kind(out, job_id, job)) as sink:
        yield sink


def kind_of(out: str) -> type[Sink]:
    """What ``out`` names. Raises UsageError for other suffixes and URLs."""
    suffix = Path(out).suffix.lower()
    if is_url(out) or suffix in _DATABASES:
        return DatabaseSink
    if suffix in ("", ".parquet") and "://" not in out:
        return ParquetSink
    raise UsageError(
        f"--out {out}: no kind of sink that is known",
        "name a .sqlite, a directory for Parquet, or postgresql://USER@HOST/DATABASE",
    )


__all__ = ["DatabaseSink", "ParquetSink", "Sink", "kind_of", "open_sink"]
