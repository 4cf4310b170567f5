# SPDX-License-Identifier: Apache-2.0
"""What a result depends on, gathered so that it can be repeated: hashes, versions, flags."""

from __future__ import annotations

import hashlib
import importlib.metadata
from pathlib import Path, PurePath

import msgspec

from tinyserve import __version__
from tinyserve.bench.clock import Clock
from tinyserve.bench.result import ModelIdentity, Setup
from tinyserve.boards.types import Board
from tinyserve.bundle import Bundle
from tinyserve.compiler.compile import Compiled
from tinyserve.devices.client import DeviceInfo
from tinyserve.devices.emulators import qemu_program
from tinyserve.devices.symbols import Symbols
from tinyserve.errors import ToolError
from tinyserve.firmware.build import Firmware

_PACKAGES = {"unicorn": ("unicorn", "capstone"), "qemu": (), "host": (), "serial": ("pyserial",)}


def model_identity(bundle: Bundle, compiled: Compiled) -> ModelIdentity:
    """The model that is run."""
    manifest = bundle.manifest
    return ModelIdentity(
        name=manifest.name,
        sha256=manifest.model_sha256,
        source=manifest.source.name,
        source_sha256=manifest.source.sha256,
        framework=manifest.source.framework,
        quantize=manifest.quantize,
        macs=compiled.report.macs_after,
        model_macs=compiled.report.macs_before,
        mlperf_id=manifest.mlperf_id,
    )


def setup_of(firmware: Firmware, board: Board, device: str, optimize: str, seed: int) -> Setup:
    """Board, device and tools. ``device``: unicorn, qemu, renode, host or serial."""
    return Setup(
        board=board.id,
        board_name=board.name,
        board_sha256=board_digest(board),
        core=board.core.name,
        clock_hz=board.clock_hz,
        device=device,
        emulated=device in ("unicorn", "qemu", "renode"),
        engine=firmware.project.engine,
        optimize=optimize,
        toolchain=toolchain_text(firmware),
        flags=list(firmware.flags),
        firmware_sha256=image_digest(firmware.elf) if firmware.elf.is_file() else "",
        tinyserve=__version__,
        tools=tool_versions(device, board) | ({"tflm": firmware.library} if firmware.library else {}),
        seed=seed,
        feed=firmware.project.compiled.program.target.feed,
    )


def as_flashed(setup: Setup, info: DeviceInfo, clock: Clock, *, emulated: bool) -> Setup:
    """The setup of a board at a port: what it runs was built and flashed before, so only it can tell.

    ``emulated``: it says that it is a twin.
    """
    return msgspec.structs.replace(
        setup,
        emulated=emulated,
        clock_hz=clock.hz,
        clock_source=clock.source,
        engine=info.engine,
        toolchain="as flashed",
        flags=[],
        firmware_sha256="",
        tinyserve=info.version,
    )


def board_digest(board: Board) -> str:
    """SHA-256 over all that the board and core files say."""
    return hashlib.sha256(msgspec.json.encode(board)).hexdigest()


def toolchain_text(firmware: Firmware) -> str:
    """'zig 0.17.1': the compiler's own words without the directory it lies in."""
    first, _, rest = firmware.toolchain.splitlines()[0].partition(" ")
    return f"{PurePath(first).name} {rest}".strip()


def image_digest(elf: Path) -> str:
    """SHA-256 of what the device loads: debug information names directories, and is left out."""
    total = hashlib.sha256()
    try:
        segments = Symbols(elf).segments
    except ToolError:  # no ELF: a program of macOS or Windows
        return hashlib.sha256(elf.read_bytes()).hexdigest()
    for segment in segments:
        total.update(segment.address.to_bytes(8, "little") + segment.data)
    return total.hexdigest()


def tool_versions(device: str, board: Board) -> dict[str, str]:
    """The versions of the packages and programs that run a device."""
    found = {}
    if device == "qemu":
        found["qemu"] = qemu_program.version(qemu_program.find(board))
    for package in _PACKAGES.get(device, ()):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
