# SPDX-License-Identifier: Apache-2.0
"""A real board's PlatformIO packages: looked for before a build, since PlatformIO itself takes minutes to
fail without a network, and then says nothing."""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import msgspec

from tinyserve.boards.types import Board
from tinyserve.errors import ToolError
from tinyserve.firmware.platformio.pio import INSTALL_TIMEOUT_S, Pio

PROBE_TIMEOUT_S = 30.0
REGISTRY_TIMEOUT_S = 0.6
_ELSEWHERE = "PLATFORMIO_PLATFORMS_DIR"
_MOST_METADATA = 1 << 20


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


def install(
    directory: Path,
    environment: str,
    lacking: list[str],
    board: Board,
    pio: Pio,
) -> None:
    """Has PlatformIO install what is missing. Raises ToolError, within ``REGISTRY_TIMEOUT_S`` when it is
    offline."""
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
    """Whether one of PlatformIO's registry hosts answers HTTPS within ``timeout_s``; no is known as soon as
    all have refused."""
    from platformio import __registry_mirror_hosts__

    answers: queue.SimpleQueue[bool] = queue.SimpleQueue()
    deadline = time.monotonic() + timeout_s
    # Threads, because looking up a name has no time-out of its own.
    for host in __registry_mirror_hosts__:
        threading.Thread(target=lambda at=host: answers.put(_answers(at, timeout_s)), daemon=True).start()
    for _ in __registry_mirror_hosts__:
        try:
            if answers.get(timeout=max(0.0, deadline - time.monotonic())):
                return True
        except queue.Empty:
            return False
    return False


def _answers(host: str, timeout_s: float) -> bool:
    try:
        urllib.request.urlopen(f"https://api.{host}/", timeout=timeout_s).close()
    except urllib.error.HTTPError as error:
        # The registry itself answers its root with "not found"; a proxy that refuses answers otherwise.
        return error.code == 404
    except (OSError, ValueError):
        return False
    return True


def may_have_platform(board: Board, core: Path) -> bool:
    """Whether a development platform of the board's may lie in the core directory; False: certainly not.

    PlatformIO itself, asked in vain, takes longer than the registry: where nothing installed bears the
    platform's name or address it is not asked. A directory of platforms elsewhere, which the user's
    environment names, is not looked into.
    """
    assert board.platformio is not None
    if os.environ.get(_ELSEWHERE):
        return True
    name = platform_key(board.platformio.platform)
    return any(name in _about(installed) for installed in (core / "platforms").glob("*"))


def platform_key(spec: str) -> str:
    """Of what ``platform =`` names (a name with or without owner and version, an address of a repository or
    an archive) the part that an installed platform's directory or metadata has, in lower case."""
    last = spec.strip().rstrip("/").rpartition("/")[2].partition("@")[0].strip()
    return last.removesuffix(".git").removesuffix(".zip").removeprefix("platform-").lower()


def _about(installed: Path) -> str:
    """What names an installed platform: its directory's or link's name, what it was installed from, its own
    name; in lower case."""
    said = [installed.name]
    for file in (installed, installed / ".piopm", installed / "platform.json"):
        with contextlib.suppress(OSError):
            if file.is_file():
                said.append(file.read_bytes()[:_MOST_METADATA].decode("utf-8", "replace"))
    return " ".join(said).lower()
