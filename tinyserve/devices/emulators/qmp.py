# SPDX-License-Identifier: Apache-2.0
"""A client of QEMU's monitor protocol (QMP): one JSON object per line."""

from __future__ import annotations

import json
import socket
from typing import Any

from tinyserve.errors import DeviceError

TIMEOUT_S = 10.0
"""A busy machine gives QEMU seconds of pause."""


class Qmp:
    """Talks QMP over a connected socket. Raises DeviceError when QEMU gives no answer."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(TIMEOUT_S)
        self._socket = connection
        self._file = connection.makefile("rb")
        self._read()  # the greeting
        self._execute("qmp_capabilities")

    def human(self, command: str) -> str:
        """The answer of the human monitor to one of its commands."""
        return str(self._execute("human-monitor-command", {"command-line": command}))

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def _execute(self, command: str, arguments: dict[str, str] | None = None) -> Any:
        request = {"execute": command, "arguments": arguments or {}}
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
            while True:
                answer = self._read()
                if "return" in answer:
                    return answer["return"]
                if "error" in answer:
                    raise DeviceError(f"QEMU's monitor refused {command}: {answer['error']}")
        except (OSError, ValueError) as error:
            raise DeviceError(f"QEMU's monitor gives no answer: {error}") from error

    def _read(self) -> dict[str, Any]:
        try:
            line = self._file.readline()
        except (OSError, ValueError) as error:
            raise DeviceError(f"QEMU's monitor gives no answer: {error}") from error
        if not line:
            raise DeviceError("QEMU's monitor is closed")
        answer = json.loads(line)
        return answer if isinstance(answer, dict) else {}
