# SPDX-License-Identifier: Apache-2.0
"""Results sent to a URL or under a topic: CloudEvents over HTTP, signed as Standard Webhooks
(standardwebhooks.com), or over MQTT."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import http.client
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from tinyserve import __version__
from tinyserve.errors import FileSystemError, TinyserveError, UsageError
from tinyserve.serve.connecting import connect
from tinyserve.serve.events import cloud_event
from tinyserve.serve.jobs.store import Job

if TYPE_CHECKING:
    from tinyserve.serve.jobs.mqtt import Broker

TIMEOUT_S = 10.0
PREFIX = "whsec_"
TOPIC = "mqtt:"
_LEAST_SECRET = 24
_GONE = 410


class NotDelivered(TinyserveError):
    """The receiver did not take it. ``is_final``: it says that it never will."""

    def __init__(self, message: str, is_final: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final


def load_secret(path: Path) -> bytes:
    """The key in a file: whsec_ and base64 of at least 24 bytes. Raises FileSystemError, UsageError."""
    try:
        text = path.read_text(encoding="ascii").strip()
        secret = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except OSError as error:
        raise FileSystemError(f"{path}: {error.strerror}", "check secret_file in [jobs]") from error
    except (UnicodeDecodeError, binascii.Error):
        secret = b""
    if len(secret) < _LEAST_SECRET:
        raise UsageError(
            f"{path}: no key: {PREFIX} and base64 of {_LEAST_SECRET} bytes or more",
            f'echo "{PREFIX}$(openssl rand -base64 32)" > {path}',
        )
    return secret


def signature(secret: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """The header webhook-signature."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


def event(job: Job, result: bytes) -> bytes:
    """The CloudEvent of a job that is done (``result``: its answer as JSON) or failed. The same for each
    try."""
    data = msgspec.Raw(result) if job.state == "done" else {"error": job.error}
    kind = f"inference.{job.state}"
    return cloud_event.encoded(job.id, job.model, kind, at_s=job.finished or 0.0, data=data)


def publish(job: Job, result: bytes, broker: Broker) -> None:
    """Publishes it once, under the topic that its callback names. Raises NotDelivered."""
    try:
        broker.publish(job.callback.removeprefix(TOPIC), event(job, result), cloud_event.CONTENT_TYPE)
    except TinyserveError as error:
        raise NotDelivered(error.message) from error


def send(job: Job, result: bytes, secret: bytes, now: float) -> None:
    """Sends it once. Redirects are not followed. Raises NotDelivered."""
    body = event(job, result)
    timestamp = int(now)
    headers = {
        "content-type": cloud_event.CONTENT_TYPE,
        "user-agent": f"tinyserve/{__version__}",
        "webhook-id": job.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secret, job.id, timestamp, body),
    }
    try:
        with closing(connect(job.callback, "callback", TIMEOUT_S)) as connection:
            parts = urlsplit(job.callback)
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", path, body, headers)
            status = connection.getresponse().status
    except TinyserveError as error:
        raise NotDelivered(error.message) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotDelivered(f"{type(error).__name__}: {error}"[:300]) from error
    if not 200 <= status < 300:
        raise NotDelivered(f"the receiver answered {status}", is_final=status == _GONE)
