# SPDX-License-Identifier: Apache-2.0
"""The firmware as a program of this computer under valgrind's callgrind: exact counts of its instructions.

Callgrind writes a file at each return from the model's invoke. What the dynamic linker does at first calls
falls into the inference that warms up. The format: https://valgrind.org/docs/manual/cl-format.html
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyserve.boards.types import Board
from tinyserve.devices.emulators.host import HostDevice
from tinyserve.errors import DeviceError

_FILE = "counts"


@dataclass(frozen=True)
class Dump:
    """One file of callgrind's. ``functions``: what each executed itself, largest first. ``calls``: by
    (caller, callee), what the callee and all below it executed for that caller."""

    functions: dict[str, int]
    calls: dict[tuple[str, str], int]


def find() -> str | None:
    """Where valgrind is; None where it is not installed."""
    return shutil.which("valgrind")


class CallgrindDevice(HostDevice):
    """The firmware as a program under the ``valgrind`` that `find` found, counted within the model's
    ``invoke``. Its own clock means nothing here.

    Raises ToolError when it can't be started.
    """

    def __init__(self, program: Path, board: Board, invoke: str, valgrind: str) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="tinyserve-count-")
        self._invoke = invoke
        place = Path(self._directory.name) / _FILE
        wrapper = [
            valgrind, "--quiet", "--vgdb=no",  # whose pipes would stay in the temporary directory
            "--tool=callgrind", f"--callgrind-out-file={place}", "--collect-atstart=no",
            "--compress-strings=no", "--compress-pos=no", "--demangle=no",
            *(f"--{option}={invoke}" for option in ("toggle-collect", "zero-before", "dump-after")),
        ]  # fmt: skip
        try:
            super().__init__(program, board, wrapper)
        except BaseException:
            self._directory.cleanup()
            raise

    def function_counts(self) -> dict[str, int]:
        return self._last().functions

    def layer_counts(self, names: Sequence[str]) -> list[int]:
        calls, times = self._last().calls, Counter(names)
        costs = {name: calls.get((self._invoke, name), 0) for name in times}
        return [costs[name] // times[name] for name in names]

    def close(self) -> None:
        super().close()
        self._directory.cleanup()

    def _last(self) -> Dump:
        """The file of the last inference: they are numbered."""
        numbers = [int(path.suffix[1:]) for path in Path(self._directory.name).glob(f"{_FILE}.*")]
        if not numbers:
            raise DeviceError("valgrind counted no inference", "run one first")
        return parse((Path(self._directory.name) / f"{_FILE}.{max(numbers)}").read_text(encoding="utf-8"))


def parse(text: str) -> Dump:
    """A callgrind file of one event (instructions) with names and positions spelled out."""
    functions: Counter[str] = Counter()
    calls: Counter[tuple[str, str]] = Counter()
    name = callee = ""
    is_call = False
    for line in text.splitlines():
        key, _, value = line.partition("=")
        if key == "fn":
            name = value
        elif key == "cfn":
            callee = value
        elif key == "calls":
            is_call = True  # the next line is what the callee cost
        elif name and line[:1].isdigit():
            cost = int(line.split()[1])
            if is_call:
                calls[name, callee] += cost
            else:
                functions[name] += cost
            is_call = False
    ordered = sorted(functions.items(), key=lambda item: (-item[1], item[0]))
    return Dump({name: count for name, count in ordered if count}, dict(calls))
