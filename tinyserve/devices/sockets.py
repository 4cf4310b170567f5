# SPDX-License-Identifier: Apache-2.0
"""A link over a TCP socket on this machine, as emulators offer it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Protocol

from tinyserve.devices.link import Link, LinkClosed, NoAnswer

SEND_TIMEOUT_S = 30.0
RECEIVE_BYTES = 1 << 16


class Listener:
    """A port of 127.0.0.1 that the system chose, for an emulator to connect to: no race for a free number."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=1)

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def accept(self, timeout_s: float, is_alive: Callable[[], bool]) -> socket.socket | None:
        """The first connection, None if none came in time or ``is_alive`` said that none will."""
        deadline = time.monotonic() + timeout_s
        self._socket.settimeout(0.05)
        while time.monotonic() < deadline:
            try:
                connection, _ = self._socket.accept()
            except TimeoutError:
                if not is_alive():
                    return None
                continue
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
        return None

    def close(self) -> None:
        self._socket.close()


class Peer(Protocol):
    """What a socket link asks of the emulator at its other end."""

    def ended(self) -> str:
        """Why it is gone, once it is."""
        ...

    def where(self) -> str:
        """What it is doing, while it is not; '' if that is not known."""
        ...


class SocketLink(Link):
    """A link over a connected socket."""

    def __init__(self, name: str, connection: socket.socket, peer: Peer) -> None:
        super().__init__(name)
        self._socket = connection
        self._peer = peer

    def whereabouts(self) -> str:
        return self._peer.where()

    def close(self) -> None:
        super().close()
        self._socket.close()

    def _send(self, data: bytes) -> None:
        self._socket.settimeout(SEND_TIMEOUT_S)
        try:
            self._socket.sendall(data)
        except TimeoutError as error:
            raise NoAnswer(self.describe(f"it took no bytes for {SEND_TIMEOUT_S:g} s")) from error
        except OSError as error:
            raise self._gone() from error

    def _receive(self, timeout_s: float) -> bytes:
        self._socket.settimeout(max(timeout_s, 0.001))
        try:
            data = self._socket.recv(RECEIVE_BYTES)
        except TimeoutError:
            return b""
        except OSError as error:
            raise self._gone() from error
        if not data:
            raise self._gone()
        return data

    def _gone(self) -> LinkClosed:
        last = self.transcript.last_received()
        heard = f"; received last: {last!r}" if last else "; nothing was ever received"
        return LinkClosed(f"{self.name}: {self._peer.ended()}{heard}")
