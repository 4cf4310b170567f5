# SPDX-License-Identifier: Apache-2.0
"""What tinyserve needs of this machine, what is there, and the command that installs each missing thing."""

from __future__ import annotations

import importlib.metadata
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from tinyserve import platforms, tool_versions
from tinyserve.boards.types import Board
from tinyserve.errors import TinyserveError
from tinyserve.extras import PACKAGES
from tinyserve.firmware.finding import Finding
from tinyserve.firmware.process import run

VERSION_TIMEOUT_S = 20.0
_ALWAYS = frozenset({"ziglang", "unicorn", "pyelftools"})
_REAL_BOARDS = frozenset({"platformio", "scons", "pyserial"})


def examine(board: Board | None = None, emulate: bool = False) -> list[Finding]:
    """Everything that is looked for; with a board, what that board needs is marked as needed.

    ``emulate``: what its twin needs, not the board itself.
    """
    real = board is not None and board.platformio is not None and not emulate
    return [*_packages(board, real), *_programs(board), *(_board(board) if real else ()), *_frontends()]


def _board(board: Board | None) -> Iterator[Finding]:
    assert board is not None
    try:
        from tinyserve.firmware.platformio.findings import board_findings
    except ImportError:
        return  # pyserial is missing, and found to be so among the packages
    yield from board_findings(board)


def _packages(board: Board | None, real: bool) -> Iterator[Finding]:
    kinds = {emulator.kind for emulator in board.emulators} if board else set()
    needed = set(_ALWAYS | _REAL_BOARDS if real else _ALWAYS)
    if board is not None and board.core.port == "host":
        needed = set()
    elif board is not None and "unicorn" not in kinds and not board.core.unicorn_cpu:
        needed -= {"unicorn"}
    for package in PACKAGES:
        version = _remarked(package.name, _version(package.name))
        yield Finding(package.name, package.purpose, version, package.install, package.name in needed)


def _programs(board: Board | None) -> Iterator[Finding]:
    machines = [emulator for emulator in board.emulators if emulator.kind == "qemu"] if board else []
    only_qemu = bool(machines) and not (board and board.core.unicorn_cpu)
    riscv = board is not None and board.core.port == "riscv"
    host = board is not None and board.core.port == "host"
    how = platforms.here().installs
    yield _program(("cc", "gcc", "clang"), "a C compiler for this computer", how["cc"], host)
    yield _program(
        ("qemu-system-arm",), "emulates Cortex-M55 and MPS2 boards", how["qemu-system-arm"],
        only_qemu and not riscv,
    )  # fmt: skip
    yield _program(
        ("qemu-system-riscv32",), "emulates RV32 boards", how["qemu-system-riscv32"], only_qemu and riscv
    )
    yield _program(("arm-none-eabi-gcc",), "--toolchain gcc", how["arm-none-eabi-gcc"], False)
    yield _program(("valgrind",), "profile --board host", how["valgrind"], False)
    yield _program(
        ("renode",), "--emulator renode",
        "unpack a portable release of https://github.com/renode/renode/releases, put `renode` on the PATH",
        False,
    )  # fmt: skip


def _program(names: Sequence[str], purpose: str, remedy: str, needed: bool) -> Finding:
    path = next((found for name in names if (found := shutil.which(name))), "")
    return Finding(names[0], purpose, _first_line(path) if path else "", remedy, needed)


def _first_line(program: str) -> str:
    """The program's own words on its version; where it lies if it has none."""
    try:
        done = run([program, "--version"], Path.cwd(), VERSION_TIMEOUT_S)
    except TinyserveError:
        return program
    lines = done.output.splitlines()
    remark = tool_versions.remark(done.output)
    first = lines[0].strip() if lines else program
    return f"{first} ({remark})" if remark else first


def _frontends() -> Iterator[Finding]:
    from tinyserve.convert.frameworks import provision

    for frontend in provision.FRONTENDS.values():
        place = provision.find(frontend.name)
        yield Finding(
            f"front end {frontend.name}", frontend.about, str(place) if place else "",
            f"tinyserve setup --frontend {frontend.name}", False,
        )  # fmt: skip


def _remarked(package: str, version: str) -> str:
    """A package that is a compiler: with what is to be known of its version."""
    remark = tool_versions.remark(version) if package == "ziglang" else ""
    return f"{version} ({remark})" if remark else version


def _version(package: str) -> str:
    names = [package, "tensorflow"] if package == "tensorflow-cpu" else [package]
    for name in names:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return ""
