# SPDX-License-Identifier: Apache-2.0
"""A real board's PlatformIO packages: looked for before a build, since PlatformIO itself takes minutes to
fail without a network, and then says nothing."""

from __future__ import annotations

import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import msgspec

from tinyserve.boards.types import Board
from tinyserve.errors import ToolError
from tinyserve.firmware.platformio.pio import INSTALL_TIMEOUT_S, Pio

PROBE_TIMEOUT_S = 30.0
REGISTRY_TIMEOUT_S = 0.6


def missing_packages(directory: Path, environment: str, pio: Pio) -> list[str]:
    """What a project's environment needs and the core directory does not hold ("platform nordicnrf52").

    Raises ToolError where PlatformIO can't tell.
    """
    command = Pio(pio.core, (sys.executable, "-m", "tinyserve.firmware.platformio.installed"))
    done = command.run(environment, directory=directory, timeout_s=PROBE_TIMEOUT_S)
    lines = done.output.strip().splitlines()
    if done.status or not lines:
        raise ToolError(
            "PlatformIO can't tell what is installed: " + (lines[-1] if lines else f"status {done.status}"),
            f"look into the core directory {pio.core}, or remove it: it is made again",
        )
    try:
        return msgspec.json.decode(lines[-1], type=list[str])
    except msgspec.MsgspecError as error:
        raise ToolError(f"PlatformIO answered {lines[-1]!r}", "python -m platformio --version") from error


def install(directory: Path, environment: str, lacking: list[str], board: Board, pio: Pio) -> None:
    """Has PlatformIO install what is missing. Raises ToolError, at once when it is offline."""
    names = ", ".join(lacking)
    if not registry_is_reachable():
        raise ToolError(
            f"{board.id}: not installed: {names}; and PlatformIO's registry can't be reached",
            "run it again on a network, or name a directory that has the library"
            if all(name.startswith("library ") for name in lacking)
            else f"tinyserve setup --board {board.id} on a network (HTTPS_PROXY is heeded), or set"
            " PLATFORMIO_CORE_DIR to a core directory that has them; meanwhile --emulate runs its twin",
        )
    done = pio.run("pkg", "install", "-e", environment, directory=directory, timeout_s=INSTALL_TIMEOUT_S)
    if done.status:
        said = "\n".join(f"  {line}" for line in done.output.strip().splitlines()[-5:])
        raise ToolError(
            f"{board.id}: PlatformIO could not install {names}:\n{said or '  (it said nothing)'}",
            f"run it again; by hand: PLATFORMIO_CORE_DIR={pio.core} pio pkg install -d {directory}",
        )


def registry_is_reachable(timeout_s: float = REGISTRY_TIMEOUT_S) -> bool:
    """Whether one of PlatformIO's registry hosts answers HTTPS within ``timeout_s``."""
    from platformio import __registry_mirror_hosts__

    answered = threading.Event()

    def ask(host: str) -> None:
        try:
            urllib.request.urlopen(f"https://api.{host}/", timeout=timeout_s).close()
        except urllib.error.HTTPError as error:
            # The registry itself answers its root with "not found"; a proxy that refuses answers otherwise.
            if error.code != 404:
                return
        except (OSError, ValueError):
            return
        answered.set()

    # Threads, because looking up a name has no time-out of its own.
    for host in __registry_mirror_hosts__:
        threading.Thread(target=ask, args=(host,), daemon=True).start()
    return answered.wait(timeout_s)
