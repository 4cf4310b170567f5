# SPDX-License-Identifier: Apache-2.0
"""Asks other programs: one at a time, with a time-out, whatever bytes they write."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tinyserve import platforms
from tinyserve.cache import cache_directory

_ZIG_CACHE = "ZIG_GLOBAL_CACHE_DIR"
_HOMES = ("XDG_CACHE_HOME", "HOME", "LOCALAPPDATA")


def ask(
    command: Sequence[str], timeout_s: float, *, directory: Path | None = None, text: str = ""
) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end with ``text`` as its input. What it writes is text: bytes that are none in
    the locale's encoding are replaced.

    Raises OSError where it can't be started, and TimeoutExpired, which ends it.
    """
    return subprocess.run(
        command, input=text, cwd=directory, capture_output=True, text=True, errors="replace",
        timeout=timeout_s, check=False, env=environment(),
    )  # fmt: skip


def environment() -> dict[str, str]:
    """What programs find in their environment: ours, and a place that zig can write to, which wants one of
    its own in the user's home directory. A container has none, or one that is read only."""
    found = dict(os.environ)
    if _ZIG_CACHE not in found and not _can_write(_zig_cache()):
        found[_ZIG_CACHE] = str(cache_directory() / "zig")
    return found


def _zig_cache() -> Path | None:
    """Where zig keeps what it builds, unless it is named another place. It finds a home in its environment
    alone: what Python looks up in the system's list of users (a service, a cron job), zig does not."""
    if not any(os.environ.get(name) for name in _HOMES):
        return None
    return platforms.here().cache_base() / "zig"


def _can_write(place: Path | None) -> bool:
    """Whether files can be made in a directory that may have to be made first."""
    while place is not None and not place.exists():
        place = place.parent if place.parent != place else None
    return place is not None and place.is_dir() and os.access(place, os.W_OK | os.X_OK)
