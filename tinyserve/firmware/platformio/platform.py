# SPDX-License-Identifier: Apache-2.0
"""Our PlatformIO development platform: the templates with one board file per emulated board.

PlatformIO's board files are made from ``boards/*.toml``, so that a board is described once.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from tinyserve.boards.types import Board
from tinyserve.firmware.toolchain import Flags, gcc_flags, gcc_names, zig_flags
from tinyserve.resources import data_directory

NAME = "tinyserve"
URL = "https://tinyserve.readthedocs.io"
MANIFEST = "platform.json"
BUILDER = "builder/main.py"


class Compiler(msgspec.Struct, omit_defaults=True):
    """One compiler's flags in a board file; ``names`` are looked for on PATH."""

    target: tuple[str, ...]
    compile: tuple[str, ...]
    link: tuple[str, ...]
    names: tuple[str, ...] = ()


class BuildSection(msgspec.Struct):
    """``build`` of a board file, read by the platform's builder. ``twin`` is the board that runs the ELF."""

    core: str
    mcu: str
    f_cpu: str
    twin: str
    gcc: Compiler
    zig: Compiler


class UploadSection(msgspec.Struct):
    """``upload`` of a board file: what PlatformIO holds the sizes against, bytes."""

    maximum_size: int
    maximum_ram_size: int


class BoardFile(msgspec.Struct):
    """boards/<id>.json as PlatformIO reads it."""

    name: str
    vendor: str
    url: str
    frameworks: list[str]
    build: BuildSection
    upload: UploadSection


def is_emulated(board: Board) -> bool:
    """Whether the platform has the board: a bare-metal core, and memory that an emulator has."""
    return board.core.port in ("cortex_m", "riscv") and bool(board.emulators or board.core.unicorn_cpu)


def platform_files(boards: Iterable[Board], name: str = NAME) -> dict[str, bytes]:
    """The platform's files by path, with a board file for each board. Platforms of one ``name`` in one core
    directory hide each other."""
    root = data_directory("firmware_templates") / "platformio"
    manifest = msgspec.json.decode((root / MANIFEST).read_bytes()) | {"name": name}
    files = {
        MANIFEST: msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n",
        BUILDER: (root / BUILDER).read_bytes(),
    }
    files |= {f"boards/{board.id}.json": _board_file(board) for board in boards if is_emulated(board)}
    return files


def write_platform(directory: Path, boards: Iterable[Board]) -> None:
    """Writes the platform, complete files only. Raises FileSystemError."""
    from tinyserve.files import write

    for name, content in platform_files(boards).items():
        path = directory / name
        if not path.is_file() or path.read_bytes() != content:
            write(path, content)


def _board_file(board: Board) -> bytes:
    assert board.flash is not None and board.ram is not None
    made = BoardFile(
        name=board.name,
        vendor=board.vendor,
        url=URL,
        frameworks=[],
        build=BuildSection(
            core=board.core.name,
            mcu=board.mcu,
            f_cpu=f"{board.clock_hz}L",
            twin=board.id,
            gcc=_compiler(gcc_flags(board.core), gcc_names(board.core)),
            zig=_compiler(zig_flags(board.core)),
        ),
        upload=UploadSection(board.flash.bytes, board.ram.bytes),
    )
    return msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n"


def _compiler(flags: Flags, names: tuple[str, ...] = ()) -> Compiler:
    return Compiler(flags.target, flags.compile, flags.link, names)
