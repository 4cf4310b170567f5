# SPDX-License-Identifier: Apache-2.0
"""Starts the runner as a program of its own and waits for it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tinyserve.errors import FileSystemError, ToolError

_SHIM = Path(__file__).with_name("offer_port.py")
MAIN = "main.py"
DEVICES = "devices.yaml"
END_TIMEOUT_S = 10.0


@dataclass
class Runner:
    """``directory`` holds main.py and devices.yaml, as benchmark/runner of mlcommons/tiny does; ``python`` is
    an interpreter with what its requirements name. ``arguments`` are passed on as they are.
    """

    directory: Path
    arguments: tuple[str, ...] = ()
    python: str = sys.executable
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def check(self) -> None:
        """Raises FileSystemError for a directory that is not the runner's, ToolError without its packages."""
        for name in (MAIN, DEVICES):
            if not (self.directory / name).is_file():
                raise FileSystemError(
                    f"{self.directory}: no {name} here",
                    "name benchmark/runner of a checkout of github.com/mlcommons/tiny",
                )
        wanted = "import serial, yaml, numpy, sklearn"
        try:
            done = subprocess.run(
                [self.python, "-c", wanted],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=60,
                check=False,
            )
        except OSError as error:
            raise ToolError(
                f"{self.python}: {error.strerror}", "name a Python interpreter with --python"
            ) from error
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:] or [f"status {done.returncode}"]
            raise ToolError(
                f"the runner's packages are not there for {self.python}: {last[0]}",
                f"{self.python} -m pip install pyserial pyyaml numpy scikit-learn matplotlib pyusb;"
                " or another interpreter: --python",
            )

    def start(self, port: str, interface: str = "") -> None:
        """Runs it with ``port`` offered as the device, and ``interface`` as the interface board, where there
        is one. Raises ToolError where it can't be started."""
        command = [self.python, str(_SHIM), port, interface, MAIN, *self.arguments]
        try:
            self._process = subprocess.Popen(command, cwd=self.directory)
        except OSError as error:
            raise ToolError(f"{self.python}: {error.strerror}", "name another --python") from error

    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._process is not None and self._process.poll() is not None

    def wait(self) -> int:
        """Its exit status."""
        assert self._process is not None
        return self._process.wait()

    def stop(self) -> None:
        """Ends it where it still runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
