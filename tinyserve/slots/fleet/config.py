# SPDX-License-Identifier: Apache-2.0
"""fleet.toml of devices in the field: which there are, and how each is reached.

::

    [devices.kitchen]
    port = "/dev/ttyACM0"        # or "auto", or a URL
    board = "nano33"
    baud = 921600                # optional
    line_key = "line.pem"        # optional: firmware that was built with --secure

    [devices.bench]
    twin = "twins/one"           # a directory of tinyserve build --slots
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from tinyserve import boards, platforms
from tinyserve.documents import from_toml
from tinyserve.errors import FileSystemError, UsageError
from tinyserve.firmware.render import BAUD
from tinyserve.slots.connection import Target

_MOST_BYTES = 4 << 20
_HINT = 'for example [devices.kitchen] port = "/dev/ttyACM0", board = "nano33"'
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\Z")]
Text = Annotated[str, Meta(min_length=1, max_length=1024)]


class DeviceTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[devices.NAME]. Paths are relative to the file."""

    port: Text | None = None
    twin: Text | None = None
    board: Text | None = None
    baud: Annotated[int, Meta(ge=9600, le=10_000_000)] = BAUD
    line_key: Text | None = None


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    devices: dict[Name, DeviceTable] = {}


@dataclass(frozen=True)
class Device:
    """A device of a fleet."""

    name: str
    target: Target


def load(path: Path) -> list[Device]:
    """The devices in the file's order. Raises FileSystemError, and UsageError that names the table."""
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
        if len(raw) > _MOST_BYTES:
            raise UsageError(f"{path}: over {_MOST_BYTES:,} bytes", _HINT)
        read = msgspec.convert(from_toml(raw), _File)
    except OSError as error:
        raise FileSystemError(f"{path}: {error.strerror}", "check the path") from error
    except msgspec.ValidationError as error:
        raise UsageError(f"{path}: {error}", _HINT) from error
    except ValueError as error:
        raise UsageError(f"{path}: not valid TOML: {error}", "correct the line that it names") from error
    if not read.devices:
        raise UsageError(f"{path}: there is no device in it", _HINT)
    found = [Device(name, _target(path, name, table)) for name, table in read.devices.items()]
    _refuse_twice(path, found)
    return found


def _target(path: Path, name: str, table: DeviceTable) -> Target:
    where = f"{path}: devices.{name}"
    if (table.port is None) == (table.twin is None):
        raise UsageError(f"{where}: either port or twin", _HINT)
    if table.port is not None and table.board is None:
        raise UsageError(f"{where}: which board is at the port?", 'board = "nano33"')
    if table.board is not None:
        try:
            boards.load(table.board)
        except UsageError as error:
            raise UsageError(f"{where}: {error.message}", error.hint) from error
    beside = path.parent
    return Target(
        port=table.port,
        twin=beside / table.twin if table.twin is not None else None,
        board=table.board,
        baud=table.baud,
        line_key=beside / table.line_key if table.line_key is not None else None,
    )


def _refuse_twice(path: Path, devices: list[Device]) -> None:
    seen: dict[str, str] = {}
    folded = platforms.here().folded
    for device in devices:
        target = device.target
        place = folded(target.twin.resolve() if target.twin else Path(target.port or ""))
        if place in seen:
            raise UsageError(
                f"{path}: devices.{device.name} is devices.{seen[place]}", "name each device once"
            )
        seen[place] = device.name
