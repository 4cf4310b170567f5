# SPDX-License-Identifier: Apache-2.0
"""Where a broker is, what is sent or received there, and what waits on this computer meanwhile."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from tinyserve.errors import UsageError
from tinyserve.escapes import visible
from tinyserve.serve.config import Mqtt, is_broker

_PASSWORD = re.compile(r"(?<=:)(?!//)[^@]*(?=@)")
SPOOL = "tinyserve.spool"
_SCHEMES = ("mqtt://", "mqtts://")
_URL = re.compile(r"(?!.*[\ud800-\udfff])(mqtts?)://(?:([^/@:\s]+)@)?([^/@\s]+)/([^\x00-\x1f\x7f]{1,1000})")


@dataclass(frozen=True)
class Messages:
    """How a broker is reached. ``spool``: the directory that holds what has come and is not predicted yet,
    and what is predicted and not sent yet."""

    password_file: Path | None = None
    authority: Path | None = None
    spool: Path = Path(SPOOL)


PLAIN = Messages()


@dataclass(frozen=True)
class Address:
    """mqtt[s]://[USER@]HOST[:PORT]/TOPIC."""

    url: str
    broker: str
    user: str
    topic: str

    @property
    def short(self) -> str:
        """For names of files."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:12]

    def settings(self, messages: Messages) -> Mqtt:
        """For ``Broker``."""
        return Mqtt(
            broker=self.broker,
            user=self.user,
            password_file=str(messages.password_file.absolute()) if messages.password_file else "",
            authority=str(messages.authority.absolute()) if messages.authority else "",
        )


def is_mqtt(place: str) -> bool:
    """Whether it names a broker."""
    return place.startswith(_SCHEMES)


def parse(url: str, option: str, *, wildcards: bool = False) -> Address:
    """Raises UsageError where it is no broker's URL with a topic; ``wildcards``: a filter of topics."""
    match = _URL.fullmatch(url)
    if match is None or not is_broker(f"{match[1]}://{match[3]}") or not _is_topic(match[4], wildcards):
        shown = _PASSWORD.sub("…", visible(url))
        raise UsageError(
            f"{option} {shown}: no topic of a broker",
            "mqtt://USER@HOST:PORT/TOPIC, or mqtts:// with TLS; the password is in --broker-password FILE",
        )
    return Address(url, f"{match[1]}://{match[3]}", match[2] or "", match[4])


def _is_topic(text: str, wildcards: bool) -> bool:
    """Wildcards are whole levels, and # is the last one."""
    if not wildcards:
        return not re.search(r"[+#]", text)
    return re.fullmatch(r"(([^/+#]*|\+)/)*([^/+#]*|[+#])", text) is not None
