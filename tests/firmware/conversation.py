# SPDX-License-Identifier: Apache-2.0
"""Talks to the host firmware over pipes."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import TracebackType


class Conversation:
    """Sends commands and reads answers, each up to and without its ``m-ready``."""

    def __init__(self, program: Path) -> None:
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.greeting: list[str] = []

    def __enter__(self) -> Conversation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.communicate()

    def ask(self, command: str | bytes) -> list[str]:
        """The answer to one command (given without its %)."""
        self.write((command.encode() if isinstance(command, str) else command) + b"%")
        return self.read_answer()

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def read_answer(self) -> list[str]:
        assert self.process.stdout is not None
        lines: list[str] = []
        while True:
            line = self.process.stdout.readline()
            assert line.endswith(b"\r\n"), (lines, line)
            text = line.decode("ascii").removesuffix("\r\n")
            if text == "m-ready":
                return lines
            lines.append(text)
