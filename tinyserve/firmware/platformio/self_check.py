# SPDX-License-Identifier: Apache-2.0
"""What "upload" is on an emulated board: the firmware starts, says what it is, and infers twice alike.

Run by the development platform: ``python -m tinyserve.firmware.platformio.self_check firmware.elf BOARD``.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from tinyserve import boards
from tinyserve.devices import open_device
from tinyserve.devices.client import Client
from tinyserve.errors import DeviceError, TinyserveError


@dataclass(frozen=True)
class _Elf:
    elf: Path


def self_check(elf: Path, board_name: str) -> list[str]:
    """Runs the firmware on the board's first emulator; lines that say what was seen.

    Raises UsageError, ToolError, and DeviceError where it does not start, crashes, or two inferences on the
    same input differ.
    """
    board = boards.load(board_name)
    with open_device(_Elf(elf), board) as device:
        client = Client(device.link)
        info = client.identify()
        ticks, outputs = [], []
        for _ in range(2):
            client.reset()
            for index, size in enumerate(info.input_bytes):
                client.load(bytes((i * 31 + 7) & 0xFF for i in range(size)), index)
            ticks += client.infer(1)
            outputs.append(client.outputs())
    if outputs[0] != outputs[1]:
        raise DeviceError(f"{board.id}: two inferences on one input gave different outputs", "report this")
    return [
        f"{device.description}: m-ready",
        f"model {info.model_sha256[:12]}, engine {info.engine}, board {info.board}",
        f"inference: {ticks[0]:,} {info.tick_unit}, twice the same output",
    ]


def main() -> int:
    """Prints the lines of the check; the exit status is tinyserve's."""
    try:
        for line in self_check(Path(sys.argv[1]), sys.argv[2]):
            print(line)
    except TinyserveError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
