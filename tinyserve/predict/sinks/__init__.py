# SPDX-License-Identifier: Apache-2.0
"""Where predictions go: by what --out names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path

from tinyserve.databases import is_url
from tinyserve.errors import UsageError
from tinyserve.locks import alone
from tinyserve.predict.mqtt.address import PLAIN, Messages, is_mqtt
from tinyserve.predict.sinks.base import Job, Sink
from tinyserve.predict.sinks.database import DatabaseSink
from tinyserve.predict.sinks.mqtt import MqttSink, spool_of
from tinyserve.predict.sinks.parquet import ParquetSink
from tinyserve.progress import Progress

_DATABASES = (".sqlite", ".sqlite3", ".db")


@contextmanager
def open_sink(
    out: str, job_id: str, job: Job, progress: Progress, messages: Messages = PLAIN
) -> Iterator[Sink]:
    """The sink that ``out`` names, held against other processes: a database for .sqlite, .sqlite3, .db and
    postgresql:// URLs; a topic for mqtt:// ones; a directory of Parquet files for .parquet and for
    no suffix.

    Raises UsageError for other suffixes, and what opening the sink raises.
    """
    kind = kind_of(out)
    held: AbstractContextManager[object] = nullcontext()  # the server holds the job
    if kind is MqttSink:
        messages.spool.mkdir(parents=True, exist_ok=True)
        held = alone(spool_of(out, messages), progress)
    elif not is_url(out):
        held = alone(Path(out), progress)
    with held, closing(_made(kind, out, job_id, job, messages)) as sink:
        yield sink


def _made(kind: type[Sink], out: str, job_id: str, job: Job, messages: Messages) -> Sink:
    return MqttSink(out, job_id, job, messages) if kind is MqttSink else kind(out, job_id, job)


def kind_of(out: str) -> type[Sink]:
    """What ``out`` names. Raises UsageError for other suffixes and URLs."""
    suffix = Path(out).suffix.lower()
    if is_mqtt(out):
        return MqttSink
    if is_url(out) or suffix in _DATABASES:
        return DatabaseSink
    if suffix in ("", ".parquet") and "://" not in out:
        return ParquetSink
    raise UsageError(
        f"--out {out}: no kind of sink that is known",
        "name a .sqlite, a directory for Parquet, postgresql://USER@HOST/DATABASE, or mqtt://HOST/TOPIC",
    )


__all__ = ["DatabaseSink", "MqttSink", "ParquetSink", "Sink", "kind_of", "open_sink"]
