# SPDX-License-Identifier: Apache-2.0
"""Exit status 0 where the gateway in this container lives. With TLS a handshake is enough: it may want a
certificate that only clients have."""

from __future__ import annotations

import http.client
import os
import socket
import sys

HOST = "127.0.0.1"
TIMEOUT_S = 4


def is_alive(port: int) -> bool:
    """Whether it answers, or at least takes the connection where it speaks TLS."""
    connection = http.client.HTTPConnection(HOST, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/v2/health/live")
        return connection.getresponse().status == http.client.OK
    except (http.client.HTTPException, ConnectionResetError):
        return _listens(port)
    except OSError:
        return False
    finally:
        connection.close()


def _listens(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), TIMEOUT_S).close()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(not is_alive(int(os.environ.get("TINYSERVE_PORT", "8000"))))
