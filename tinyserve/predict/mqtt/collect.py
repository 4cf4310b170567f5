# SPDX-License-Identifier: Apache-2.0
"""Topics as a source: what has come in a while is a job of its own."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from tinyserve.bundle import Bundle
from tinyserve.errors import DataError, TinyserveError
from tinyserve.escapes import visible
from tinyserve.locks import alone
from tinyserve.predict.mqtt.address import Messages, parse
from tinyserve.predict.mqtt.payload import Values, decode
from tinyserve.predict.mqtt.spool import Spool
from tinyserve.predict.mqtt.subscription import Arrived, Subscription, opened
from tinyserve.predict.watch import Outcome, Predict, outcome
from tinyserve.words import counted

_AT_ONCE = 500
_LOOK_S = 0.5
_PATIENCE_S = 5.0
"""For another process that receives the same and is about to end."""
_TOLD = 20
"""Bad messages of one cut that are named."""


def collect(
    url: str, out: str, made: Bundle, predict: Predict, *, every_s: float, messages: Messages,
    say: Callable[[str], None],
) -> Iterator[Outcome]:  # fmt: skip
    """Predictions of what comes under a filter of topics, by ``predict``, every ``every_s`` seconds; without
    an end. What came and was not predicted before something ended it comes first. ``say`` gets a line for
    what is no sample.

    Raises UsageError, DeviceError where the broker is not reached, FileSystemError.
    """
    address = parse(url, "DATA", wildcards=True)
    folder = messages.spool / key_of(url, made)
    with (
        alone(folder, wait_s=_PATIENCE_S),
        closing(Spool(folder, made.manifest.inputs)) as spool,
        opened(address, messages, spool.client_id()) as subscription,
    ):
        for left in spool.left():
            yield _predicted(left, out, predict)
        while True:
            _receive(subscription, spool, made, every_s, say)
            while (path := spool.cut()) is not None:
                yield _predicted(path, out, predict)


def key_of(url: str, made: Bundle) -> str:
    """Of a model and a filter of topics: their directory in the spool."""
    return "receiving-" + hashlib.sha256(f"{url} {made.manifest.model_sha256}".encode()).hexdigest()[:16]


def _predicted(path: Path, out: str, predict: Predict) -> Outcome:
    """The file goes once its predictions are published."""
    found = outcome(path, out, predict)
    if not isinstance(found, TinyserveError):
        path.unlink()
    return path, found


def _receive(
    subscription: Subscription, spool: Spool, made: Bundle, every_s: float, say: Callable[[str], None]
) -> None:
    end_s = time.monotonic() + every_s
    bad = 0
    while (left_s := end_s - time.monotonic()) > 0:
        arrived = subscription.take(_AT_ONCE, min(left_s, _LOOK_S))
        samples, refused = _decoded(arrived, made)
        if samples:
            spool.add(samples)
        subscription.confirm(arrived)
        for line in refused[: max(0, _TOLD - bad)]:
            say(line)
        bad += len(refused)
    if bad > _TOLD:
        say(f"and {bad - _TOLD} more messages that are no samples")
    lost, trouble = subscription.news()
    if lost:
        say(f"{counted(lost, 'message')} of QoS 0 came faster than they were taken, and are lost")
    if trouble:
        say(f"{subscription.where}: {trouble}")


def _decoded(arrived: Sequence[Arrived], made: Bundle) -> tuple[list[Values], list[str]]:
    """Samples, and what is wrong with messages that are none."""
    samples, refused = [], []
    for message in (one.message for one in arrived):
        content_type = getattr(message.properties, "ContentType", "")
        try:
            samples.append(decode(bytes(message.payload), content_type, made.manifest.inputs))
        except DataError as error:
            refused.append(f"{visible(message.topic)[:200]}: {error}")
    return samples, refused
