# SPDX-License-Identifier: Apache-2.0
"""In a worker process's place: ``python -I -S warm_client.py SOCKET SETTINGS``.

Hands its streams, environment and directory to a fork of the process that listens at SOCKET
(``warm_worker``), and ends as that fork does, which ends with it. Where the environment differs from
SETTINGS, which libraries read as they are imported, it becomes a worker process as users have it."""

import json
import os
import signal
import socket
import sys
from pathlib import Path


def main() -> None:
    """Returns only with the fork's exit status."""
    place, settings = sys.argv[1], json.loads(sys.argv[2])
    if any(os.environ.get(name) != value for name, value in settings.items()):
        os.execv(sys.executable, [sys.executable, "-m", "tinyserve.convert.server"])
    about = json.dumps({"environment": dict(os.environ), "directory": str(Path.cwd())}).encode()
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(place)
        socket.send_fds(line, [len(about).to_bytes(4, "little")], [0, 1, 2])
        line.sendall(about)
        status = int.from_bytes(line.recv(4), "little", signed=True)
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


main()
