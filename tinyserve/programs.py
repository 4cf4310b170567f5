# SPDX-License-Identifier: Apache-2.0
"""Asks other programs: one at a time, with a time-out, whatever bytes they write."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path


def ask(
    command: Sequence[str], timeout_s: float, *, directory: Path | None = None, text: str = ""
) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end with ``text`` as its input. What it writes is text: bytes that are none in
    the locale's encoding are replaced.

    Raises OSError where it can't be started, and TimeoutExpired, which ends it.
    """
    return subprocess.run(
        command, input=text, cwd=directory, capture_output=True, text=True, errors="replace",
        timeout=timeout_s, check=False,
    )  # fmt: skip
