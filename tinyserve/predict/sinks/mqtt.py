# SPDX-License-Identifier: Apache-2.0
"""Predictions as messages of an MQTT broker, a message each: they are kept on this computer until all are
there and as expected, then sent in their order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np

from tinyserve.predict.mqtt.address import Messages, parse
from tinyserve.predict.sinks.base import Job, Manifest
from tinyserve.predict.sinks.database import DatabaseSink

JSON = "application/json"
_SENT = "CREATE TABLE IF NOT EXISTS prediction_sent (job_id INTEGER PRIMARY KEY, next INTEGER NOT NULL)"
_AT_ONCE = 500


def spool_of(out: str, messages: Messages) -> Path:
    """The database in which predictions for a topic wait."""
    return messages.spool / f"sending-{parse(out, '--out').short}.sqlite"


class MqttSink(DatabaseSink):
    """A message is JSON: job, sample, class, label, score, output. After them the manifest goes to
    TOPIC/manifest. A prediction whose confirmation got lost is sent again: job and sample name it."""

    def __init__(self, out: str, job_id: str, job: Job, messages: Messages) -> None:
        self._address = parse(out, "--out")
        self._messages = messages
        self._job_id = job_id
        super().__init__(str(spool_of(out, messages)), job_id, job)
        self._database.change(_SENT)

    def publish(self, manifest: Manifest) -> None:
        """Raises DeviceError where the broker does not take them; run again, it goes on there."""
        from tinyserve.serve.jobs.mqtt import Broker

        broker = Broker(self._address.settings(self._messages), Path())
        broker.start()
        try:
            for rows in self._unsent():
                broker.publish_all([(self._address.topic, row) for row in rows], JSON)
            last = (f"{self._address.topic}/manifest", msgspec.json.encode(manifest))
            broker.publish_all([last], JSON)
        finally:
            broker.stop()
        super().publish(manifest)

    def _unsent(self) -> Iterator[Sequence[bytes]]:
        """Messages in pieces; a piece counts as sent when the next one is asked for."""
        row = self._database.row("SELECT next FROM prediction_sent WHERE job_id = ?", (self._id,))
        place = row[0] if row else 0
        while True:
            rows = self._database.rows(
                "SELECT sample, class, label, score, output FROM prediction_rows"
                f" WHERE job_id = ? AND sample >= ? ORDER BY sample LIMIT {_AT_ONCE}",
                (self._id, place),
            )
            if not rows:
                return
            yield [self._message(*row) for row in rows]
            place = rows[-1][0] + 1
            with self._database.transaction():
                self._database.change(
                    "INSERT INTO prediction_sent VALUES (?, ?) ON CONFLICT (job_id) DO UPDATE SET next = ?",
                    (self._id, place, place),
                )

    def _message(self, sample: int, place: int | None, label: str | None, score: float, raw: bytes) -> bytes:
        found: dict[str, object] = {"job": self._job_id, "sample": sample}
        if place is not None:
            found["class"] = place
        if label is not None:
            found["label"] = label
        return msgspec.json.encode({**found, "score": score, "output": np.frombuffer(raw, "<f4").tolist()})
