# SPDX-License-Identifier: Apache-2.0
"""How long a client may take to say what it wants: uvicorn waits for ever for a request's head, so that idle
connections would take all places."""

from __future__ import annotations

import asyncio
import logging

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tinyserve.serve.observe.log import Seldom

_log = logging.getLogger(__name__)
_log.addFilter(Seldom())


class PatientProtocol(HttpToolsProtocol):
    """Closes a connection whose request's head is not whole within ``head_s`` of the connection, or of its
    own first byte."""

    head_s: float = 10.0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.logger = _log
        super().connection_made(transport)
        self._arm()

    def on_message_begin(self) -> None:
        self._arm()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._disarm()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def _arm(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.head_s, self.transport.close)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def protocol(head_s: float) -> type[PatientProtocol]:
    """The protocol with a limit, as uvicorn takes it."""
    return type("Protocol", (PatientProtocol,), {"head_s": head_s})
