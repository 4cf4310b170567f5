# SPDX-License-Identifier: Apache-2.0
"""Starts the runner as a program of its own and waits for it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tinyserve import programs
from tinyserve.errors import FileSystemError, ToolError, UsageError

_SHIM = Path(__file__).with_name("offer_port.py")
MAIN = "main.py"
DEVICES = "devices.yaml"
END_TIMEOUT_S = 10.0
CHECK_TIMEOUT_S = 60.0


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
        """Raises FileSystemError for a directory that is not the runner's, ToolError without its packages,
        and UsageError for a list of devices that can't be read or has no device under test."""
        for name in (MAIN, DEVICES):
            if not (self.directory / name).is_file():
                raise FileSystemError(
                    f"{self.directory}: no {name} here",
                    "name benchmark/runner of a checkout of github.com/mlcommons/tiny",
                )
        wrong = self._complaint("-c", "import serial, yaml, numpy, sklearn")
        if wrong:
            raise ToolError(
                f"the runner's packages are not there for {self.python}: {wrong}",
                f"{self.python} -m pip install pyserial pyyaml numpy scikit-learn matplotlib pyusb;"
                " or another interpreter: --python",
            )

        wrong = self._complaint(str(_SHIM), "--check", *self.arguments)
        if wrong:
            raise UsageError(
                f"{self.directory}: {wrong}", f"correct the runner's list of devices ({DEVICES})"
            )

    def _complaint(self, *arguments: str) -> str:
        """The last line that the interpreter says with these arguments where it fails; else ""."""
        try:
            done = programs.ask([self.python, *arguments], CHECK_TIMEOUT_S, directory=self.directory)
        except subprocess.TimeoutExpired as error:
            raise ToolError(
                f"{self.python}: nothing after {CHECK_TIMEOUT_S:g} s",
                "name another interpreter with --python",
            ) from error
        except OSError as error:
            raise ToolError(
                f"{self.python}: {error.strerror}", "name a Python interpreter with --python"
            ) from error
        if not done.returncode:
            return ""
        return (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]

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
        """Its exit status; 128 and the signal's number where one ended it, as a shell has it."""
        assert self._process is not None
        status = self._process.wait()
        return status if status >= 0 else 128 - status

    def stop(self) -> None:
        """Ends it where it still runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
