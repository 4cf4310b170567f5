# SPDX-License-Identifier: Apache-2.0
"""Runs PlatformIO: always with a time-out, without a terminal, telemetry or update checks."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from tinyserve.firmware.process import Finished, run

PLATFORMIO_FILE = "platformio.ini"
BUILD_TIMEOUT_S = 900.0
INSTALL_TIMEOUT_S = 3600.0
UPLOAD_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Pio:
    """PlatformIO with a core directory. ``command`` starts it."""

    core: Path
    command: tuple[str, ...] = (sys.executable, "-m", "platformio")

    def run(self, *arguments: str, directory: Path, timeout_s: float) -> Finished:
        """Runs a command in ``directory``. Raises ToolError when it can't start or takes too long."""
        return run([*self.command, *arguments], directory, timeout_s, self.environment())

    def environment(self) -> dict[str, str]:
        """Ours, and what keeps PlatformIO in its directory and off the network where it can."""
        return {
            **os.environ,
            "PLATFORMIO_CORE_DIR": str(self.core),
            "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no",
            "PLATFORMIO_DISABLE_UPGRADE_CHECK": "true",
            "PLATFORMIO_NO_ANSI": "true",
            "PLATFORMIO_DISABLE_PROGRESSBAR": "true",
        }
