# SPDX-License-Identifier: Apache-2.0
"""Which board stands at a serial port: its firmware says so."""

from __future__ import annotations

import msgspec

from tinyserve import boards
from tinyserve.devices import open_device
from tinyserve.devices.client import Client
from tinyserve.errors import UsageError


def board_at(port: str) -> str:
    """The id of the board at a port ("auto": the only port with a USB id), whatever model it runs.

    Raises DeviceError where there is no port, no answer or another firmware, UsageError for a board that is
    none of ours.
    """
    any_board = msgspec.structs.replace(boards.load("host"), id="board", name="Board", usb=[])
    with open_device(None, any_board, port=port) as device:
        found = Client(device.link).identify().board
    try:
        boards.packaged(found)
    except UsageError as error:
        raise UsageError(
            f"the firmware at {port} was built for {found[:40]}, which is no known board",
            "name its file: --board my_board.toml",
        ) from error
    return found
