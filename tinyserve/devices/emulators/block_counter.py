# SPDX-License-Identifier: Apache-2.0
"""Counts basic blocks in QEMU with the plugin block_counter.c: exact, and some 2 % slower than without."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from tinyserve.devices.emulators import qemu_program, shared_library
from tinyserve.errors import ToolError

SOURCE = Path(__file__).with_name("block_counter.c")
_SPOKEN = (1, 2, 7)  # QEMU 4.2 to 8, 9 to 10.2, 11 on
_NONE = 1 << 20
INSTEAD = "--emulator unicorn, where the board has it"


class BlockCounter:
    """Counts within the function at the address ``entry``, in the QEMU that is started with ``options``.

    Raises ToolError where that QEMU takes no plugins, and where the plugin can't be built.
    """

    def __init__(self, program: str, entry: int) -> None:
        library = shared_library.built(SOURCE, f"TS_QEMU_PLUGIN_API={_plugin_api(program)}")
        self._directory = tempfile.TemporaryDirectory(prefix="tinyserve-count-")
        self._log = Path(self._directory.name) / "blocks"
        plugin = f"{qemu_program.escaped(library)},entry={entry:x}"
        self.options = ["-plugin", plugin, "-d", "plugin", "-D", str(self._log)]

    def executed(self) -> list[tuple[int, int]]:
        """(address, instructions executed there) per block, of the function's last run that has ended.

        Raises ToolError where there was none, or more blocks than the plugin has room for.
        """
        text = self._log.read_text(encoding="ascii") if self._log.exists() else ""
        section = text[max(text.rfind("begin\n"), 0) :].splitlines()
        if not section or section[-1] not in ("end", "full"):
            raise ToolError("QEMU has counted no run of the model's invoke", INSTEAD)
        if section[-1] == "full":
            raise ToolError("the firmware has more basic blocks than are counted in QEMU", INSTEAD)
        blocks = [[int(word, 16) for word in line.split()] for line in section[1:-1]]
        return [(address, instructions * count) for address, instructions, count in blocks]

    def close(self) -> None:
        """Forgets the counts; may be called twice."""
        self._directory.cleanup()


@cache
def _plugin_api(program: str) -> int:
    """The version of the plugin interface that this QEMU takes, of those that the plugin speaks. QEMU is
    asked, by a plugin of an impossible version: that the interface changed is not seen in QEMU's own number.

    Raises ToolError where it takes none of them.
    """
    if not qemu_program.takes_plugins(program):
        raise ToolError(f"{program} was built without plugins and counts no functions", INSTEAD)
    newest = qemu_program.newest_plugin_api(
        program, shared_library.built(SOURCE, f"TS_QEMU_PLUGIN_API={_NONE}")
    )
    if newest is None:
        raise ToolError(f"{program} does not say which plugins it takes, and counts no functions", INSTEAD)
    return max((spoken for spoken in _SPOKEN if spoken <= newest), default=_SPOKEN[0])
