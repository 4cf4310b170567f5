# SPDX-License-Identifier: Apache-2.0
"""What every device has: a link, a tick unit, a description, and an explanation when something went wrong."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from tinyserve.devices.link import Link
from tinyserve.devices.symbols import Symbols
from tinyserve.errors import ToolError


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

    def function_counts(self) -> dict[str, int]:
        """Instructions of the model's last invoke, by the function that executed them itself, largest first.

        Raises ToolError, which says what does count, where this device was not opened for it or can't.
        """
        raise ToolError("this device counts no functions", "--emulator unicorn")

    def layer_counts(self, names: Sequence[str]) -> list[int] | None:
        """Instructions of each layer in the last inference, by the names of their functions; layers of one
        function have equal parts of it. None where only their ticks are known."""
        return None

    def keep(self) -> None:  # noqa: B027 (a board's flash does so by itself)
        """What it would hold without power is on this computer's disk, for a twin that keeps that at all."""

    @abstractmethod
    def close(self) -> None:
        """Ends the device and everything that was started for it; may be called twice."""
