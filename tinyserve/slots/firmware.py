# SPDX-License-Identifier: Apache-2.0
"""Firmware without a model of its own: it serves what lies in its slots, and takes signed images for them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tinyserve.boards.types import Board
from tinyserve.compiler.compile import Compiled
from tinyserve.devices.emulators.controller import controller_address
from tinyserve.documents import from_json
from tinyserve.errors import FileSystemError, ModelError, UsageError
from tinyserve.firmware.interface import interface_of
from tinyserve.firmware.mlperf import Exchange
from tinyserve.firmware.render import (
    BAUD,
    LINKER_SCRIPT,
    SHIM,
    Contents,
    Port,
    Project,
    firmware_context,
    linker_script,
    port_of,
    write_project,
)
from tinyserve.resources import data_directory
from tinyserve.slots.body import memory_bytes
from tinyserve.slots.image import core_id, key_bytes
from tinyserve.slots.layout import STACK_BYTES, Layout, layout_of

DEVICE_FILE = "device.json"
WATCHDOG_S = 5
"""Longer than any inference; on a twin in instructions, one per clock."""
SESSION_S = 600
"""A line that was opened and is not used any more is closed after it; on a twin in instructions."""
MOST_BAUD = 1_000_000
_SAMPLES_A_BIT = 16
_ROOM = 1.25
_COMMON = (
    "config.h", "frame_stream.c", "frame_stream.h", "mlperf.c", "mlperf.h", "port.h", "row_feed.h",
    "serial_text.c", "serial_text.h", "tensor_io.h", "wide_counter.h", "protocol.c", "protocol.h",
)  # fmt: skip
_PORTS: dict[Port, tuple[str, ...]] = {
    "cortex_m": ("cortex_m/port.c", "cortex_m/startup.c"),
    "riscv": ("riscv/port.c", "riscv/startup.c"),
}
_REAL_PORTS = {"mbed": "slots_ports/mbed.cpp", "rp2": "slots_ports/rp2.c"}
_SLOTS = (
    "slots/ed25519.c", "slots/ed25519.h", "slots/image.c", "slots/image.h", "slots/sha2.c", "slots/sha2.h",
    "slots/slots.c", "slots/slots.h",
    "serve/cbor.c", "serve/cbor.h", "serve/health.c", "serve/health.h",
    "serve/line_rate.c", "serve/line_rate.h", "serve/model_io.h", "serve/model_table.h",
    "serve/secure.c", "serve/secure.h", "serve/serving.c", "serve/serving.h", "serve/slots_config.h",
    "serve/slots_port.h", "serve/smp.c", "serve/smp.h", "serve/smp_frame.c", "serve/smp_frame.h",
    "serve/smp_image.c", "serve/smp_line.c", "serve/smp_model.c",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What firmware is built with. ``key``: whom images must be signed by. ``memory``: RAM for a model's
    arena and inputs, in bytes. ``least_counter``: of the first image. ``line_key``: whose signature opens the
    line to more than questions what the device is; None: it is open to all."""

    key: Ed25519PublicKey
    memory: int
    least_counter: int = 0
    health: bool = True
    line_key: Ed25519PublicKey | None = None


class DeviceFacts(msgspec.Struct, frozen=True):
    """device.json beside a twin's firmware: what a command needs to start it. ``board``: a name or a path."""

    board: str


def memory_for(compiled: Compiled) -> int:
    """RAM that a firmware keeps for models like this one: a quarter more, as the next one may be larger."""
    needed = round(memory_bytes(interface_of(compiled)) * _ROOM)
    return -(-needed // 256) * 256


def render_slots(
    compiled: Compiled,
    board: Board,
    settings: Settings,
    directory: Path,
    *,
    board_name: str = "",
    emulate: bool = True,
) -> Project:
    """Writes the firmware project with slots for models like ``compiled`` into ``directory``: the board's
    twin's, or PlatformIO's for the board itself.

    ``board_name``: by which commands find the board again. Raises UsageError for a board without a twin or
    without a port, FitError for one with too little flash.
    """
    layout = layout_of(board)
    port = _port(board) if emulate else _real_port(board)
    placed = msgspec.structs.replace(board, flash=layout.firmware)
    model = interface_of(compiled)
    base = firmware_context(
        placed, port, engine="aot", model_id="slots", firmware_id=firmware_id(settings.key), mlperf=Exchange()
    )
    tick_hz = base["tick_hz"]
    assert isinstance(tick_hz, int)
    context = base | _slots_context(board, layout, settings, tick_hz or board.clock_hz)
    contents = Contents(context)
    for name in _COMMON:
        contents.add_part(f"common/{name}", "firmware")
    for name in _SLOTS:
        contents.add_part(name, "firmware")
    contents.add_event_type()
    for template in _port_files(board, port):
        contents.add_part(template, "startup" if template.endswith("startup.c") else "firmware")
    if port == "arduino":
        contents.add_platformio(defines={}, lib_deps="", baud=BAUD)
    else:
        contents.add_runtime(SHIM)
        contents.files[LINKER_SCRIPT] = linker_script(placed, STACK_BYTES)
        contents.files[DEVICE_FILE] = msgspec.json.encode(DeviceFacts(board_name or board.id))
    write_project(directory, contents.files)
    return Project(
        directory=directory,
        board=placed,
        port=port,
        engine="aot",
        model=model,
        compiled=compiled,
        sources=tuple(contents.sources),
        stack_bytes=STACK_BYTES,
    )


def device_facts(directory: Path) -> DeviceFacts:
    """What ``render_slots`` left beside the firmware. Raises FileSystemError and ModelError."""
    path = directory / DEVICE_FILE
    try:
        return from_json(path.read_bytes(), DeviceFacts)
    except OSError as error:
        raise FileSystemError(
            f"{directory} holds no firmware with slots: {error.strerror}: {path}",
            "tinyserve build BUNDLE --board NAME --emulate --slots KEY.pub",
        ) from error
    except msgspec.DecodeError as error:
        raise ModelError(f"{path}: {error}", "build the firmware again") from error


def firmware_id(key: Ed25519PublicKey) -> str:
    """16 hex digits that tell this firmware from one of other code or for another key."""
    total = hashlib.sha256(key_bytes(key))
    for folder in ("common", "serve", "slots", "slots_ports"):
        for path in sorted((data_directory("firmware_templates") / folder).iterdir()):
            total.update(path.name.encode() + b"\0" + path.read_bytes())
    return total.hexdigest()[:16]


def _slots_context(board: Board, layout: Layout, settings: Settings, ticks_s: int) -> dict[str, object]:
    """``ticks_s``: of the port in a second; on a twin an instruction is taken for a clock."""
    return {
        "slots": True,
        "layout": layout,
        "core_id": core_id(board.core.name),
        "memory_bytes": settings.memory,
        "least_counter": settings.least_counter,
        "key_bytes": _bytes(settings.key),
        "watchdog_ticks": min(ticks_s * WATCHDOG_S, 0xFFFFFFFF),
        "health": settings.health,
        "controller": controller_address(board.core),
        "baud": BAUD,
        "most_baud": most_baud(board),
        "secure": settings.line_key is not None,
        "line_key_bytes": _bytes(settings.line_key) if settings.line_key else [],
        "session_ticks": min(ticks_s * SESSION_S, 0xFFFFFFFF),
    }


def most_baud(board: Board) -> int:
    """The fastest line that a UART which samples sixteen times a bit has on this board; bit/s."""
    return max(BAUD, min(MOST_BAUD, board.clock_hz // _SAMPLES_A_BIT))


def _bytes(key: Ed25519PublicKey) -> list[str]:
    return [f"0x{byte:02x}" for byte in key_bytes(key)]


def _port_files(board: Board, port: Port) -> tuple[str, ...]:
    if port != "arduino":
        return ("serve/main_slots.c", "serve/port_twin.c", *_PORTS[port])
    assert board.slots is not None
    return ("slots_ports/sketch.cpp", "arduino/port.cpp", _REAL_PORTS[board.slots.port])


def _real_port(board: Board) -> Port:
    if board.slots is None or board.platformio is None:
        raise UsageError(
            f"{board.id}: there is no port of firmware with slots for it",
            "add --emulate for its twin; docs/guide/update.md says what a port of your own needs",
        )
    return "arduino"


def _port(board: Board) -> Port:
    port = port_of(board, emulate=True)
    if port not in _PORTS or not board.core.unicorn_cpu:
        raise UsageError(
            f"{board.id}: firmware with slots is built for twins in Unicorn, which has no {board.core.name}",
            "take a board of another core: tinyserve boards",
        )
    return port
