# SPDX-License-Identifier: Apache-2.0
"""What every device has: a link, a tick unit, a description, and an explanation when something went wrong."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence

from tinyserve.devices.link import Link
from tinyserve.devices.symbols import Symbols
from tinyserve.errors import ToolError

_FAULT_LINE = re.compile(r"e-\[fault pc=0x([0-9a-fA-F]+)")


class Device(ABC):
    """Runs a firmware and talks through ``link``.

    ``tick_unit`` is what the firmware's ticks mean on this device ("instructions", "cycles", "us", "ns");
    ``None`` where only the firmware knows (ask it: ``ts-info%``).
    """

    def __init__(
        self, link: Link, description: str, tick_unit: str | None, symbols: Symbols | None = None
    ) -> None:
        self.link = link
        self.description = description
        self.tick_unit = tick_unit
        self.symbols = symbols
        link.symbols = symbols

    def explain_failure(self) -> str:
        """Why the device stopped answering, as far as it is known: the place of a crash, the emulator's own
        words, the last lines received. Several lines, '' if there is nothing to say."""
        parts = [self._fault(), self._own_words()]
        received = self.link.transcript.received_lines()[-3:]
        if received:
            parts.append("received last:\n" + "\n".join(f"  {line}" for line in received))
        return "\n".join(part for part in parts if part)

    def function_counts(self) -> dict[str, int]:
        """Instructions of the model's last invoke, by the function that executed them itself, largest first.

        Raises ToolError, which says what does count, where this device was not opened for it or can't.
        """
        raise ToolError("this device counts no functions", "--emulator unicorn")

    def layer_counts(self, names: Sequence[str]) -> list[int] | None:
        """Instructions of each layer in the last inference, by the names of their functions; one that the
        compiler has merged with an equal one counts there. None where only its ticks are known."""
        return None

    @abstractmethod
    def close(self) -> None:
        """Ends the device and everything that was started for it; may be called twice."""

    def _own_words(self) -> str:
        """What the device or its emulator says about its end."""
        return ""

    def _fault(self) -> str:
        """The place of a fault that the firmware's own handler reported."""
        for line in reversed(self.link.transcript.received_lines()):
            match = _FAULT_LINE.search(line)
            if match and self.symbols:
                return f"the firmware faulted in {self.symbols.place(int(match[1], 16))}"
        return ""
