# SPDX-License-Identifier: Apache-2.0
"""Reads ``boards/*.toml``. A board file is checked strictly: an error names file, key and reason."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from tinyserve import escapes
from tinyserve.boards.types import Board, Core, Memory, Region, Sources
from tinyserve.documents import from_toml
from tinyserve.errors import FileSystemError, UsageError
from tinyserve.resources import data_directory

CORES_FILE = "cores.toml"
_CLOCK_HZ = (1_000_000, 2_000_000_000)
_WAIT_STATES = (0, 31)
_MOST_BYTES = 1 << 20
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\Z")
_MACHINE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*\Z")
"""What goes into QEMU's -M, where a comma would begin options, and Renode's paths."""
_REGION_BYTES = (1024, 1 << 32)
_MEMORY_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}\Z")
_SECTION = re.compile(r"(\.[A-Za-z0-9_]+)+\Z")
_MOST_WORD_CYCLES = 1000.0


def load(name: str) -> Board:
    """The board of that id or alias; a path to a .toml file loads that file instead.

    Raises UsageError for an unknown name (with the nearest ones) and for a bad file.
    """
    if name.endswith(".toml"):
        return load_file(Path(name))
    return packaged(name)


def packaged(name: str) -> Board:
    """The board of the package with that id or alias: for names that come from outside, which are no paths.

    Raises UsageError for an unknown name.
    """
    wanted = name.lower()
    boards = all_boards()
    for board in boards:
        if wanted == board.id or wanted in board.aliases:
            return board
    names = [known for board in boards for known in (board.id, *board.aliases)]
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise UsageError(
        f'unknown board "{name}"', f"{hint}`tinyserve boards` lists all; a path to your own .toml works too"
    )


def all_boards() -> list[Board]:
    """Every board of the package, by id. Raises UsageError for a bad file."""
    return list(_all_boards(data_directory("boards")))


@cache
def _all_boards(directory: Path) -> tuple[Board, ...]:
    boards = [load_file(path) for path in sorted(directory.glob("*.toml")) if path.name != CORES_FILE]
    owners: dict[str, str] = {}
    for board in boards:
        for name in (board.id, *board.aliases):
            if name in owners:
                raise UsageError(
                    f'{board.id}.toml: aliases: "{name}" is taken by {owners[name]}.toml', "rename one"
                )
            owners[name] = board.id
    return tuple(boards)


def load_file(path: Path) -> Board:
    """One board file. Its stem is the board's id. Raises FileSystemError or UsageError."""
    if not _ID.match(path.stem):
        raise _bad(path, "id", f"{path.stem!r}, the file's name, is none: letters, digits, - and _")
    fields = _read_toml(path)
    known = cores()
    core = fields.get("core")
    if not isinstance(core, str) or core not in known:
        raise _bad(path, "core", f"{core!r} is none of: {', '.join(known)}")
    if "id" in fields:
        raise _bad(path, "id", "is the file's name, it can't be set")
    try:
        board = msgspec.convert(fields | {"id": path.stem, "core": msgspec.to_builtins(known[core])}, Board)
    except msgspec.ValidationError as error:
        raise _bad(path, *_key_and_reason(error)) from error
    _check(path, board)
    return board


@cache
def cores() -> dict[str, Core]:
    """The cores of ``boards/cores.toml`` by name."""
    path = data_directory("boards") / CORES_FILE
    try:
        return {
            name: msgspec.convert({"name": name, **fields}, Core) for name, fields in _read_toml(path).items()
        }
    except msgspec.ValidationError as error:
        raise _bad(path, *_key_and_reason(error)) from error


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        if path.exists() and not path.is_file():
            raise FileSystemError(f"{path} is no file", "name a board's .toml file")
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
        if len(raw) > _MOST_BYTES:
            raise UsageError(f"{path}: over {_MOST_BYTES:,} bytes", "a board's file is a few kilobytes")
        return from_toml(raw)
    except OSError as error:
        raise FileSystemError(f"{path}: {error.strerror}", "check the path") from error
    except ValueError as error:
        raise UsageError(
            f"{path}: not valid TOML: {error}", "correct the line that the message names"
        ) from error


def _key_and_reason(error: msgspec.ValidationError) -> tuple[str, str]:
    """Splits msgspec's "reason - at `$.key`" into the key and the reason."""
    reason, _, place = str(error).partition(" - at `")
    key = place.rstrip("`").removeprefix("$").lstrip(".")
    if key == "platformio.framework":
        reason += "; only Arduino is rendered: tinyserve export --as zephyr or cmake serves others"
    if not key and reason.count("`") >= 2:
        key = reason.split("`")[1]
    return key or "(top level)", reason


def _check(path: Path, board: Board) -> None:
    """What types alone can't say."""
    _check_text(path, board)
    _check_figures(path, board)
    _check_memories(path, board)
    if not (board.sources.all() if isinstance(board.sources, Sources) else board.sources):
        raise _bad(path, "sources", "name at least one document that the figures come from")
    emulated = board.core.port in ("cortex_m", "riscv")
    if emulated and (board.flash is None or board.ram is None):
        raise _bad(path, "flash, ram", "a board that runs without an operating system needs both regions")
    regions: list[tuple[str, Region | Memory | None]] = [
        ("flash", board.flash), ("ram", board.ram), ("vectors", board.vectors),
        *((f"memory.{region.name}", region) for region in board.memory),
    ]  # fmt: skip
    for key, region in regions:
        if region is None:
            continue
        if region.bytes <= 0 or region.origin < 0 or region.origin + region.bytes > 1 << 32:
            raise _bad(path, key, "must be a non-empty part of the 32-bit address space")
        if region.origin % 4 or region.bytes % 4:
            raise _bad(path, key, "origin and bytes must be multiples of 4")
    if board.flash and board.ram and _overlap(board.flash, board.ram):
        raise _bad(path, "ram", "overlaps flash")
    for emulator in board.emulators:
        if emulator.kind == "unicorn" and not board.core.unicorn_cpu:
            raise _bad(path, "emulators", f"Unicorn has no {board.core.name}")
        if (emulator.kind in ("qemu", "renode")) != bool(emulator.machine):
            raise _bad(path, "emulators", "QEMU and Renode need a machine, the others take none")
        if emulator.machine and not _MACHINE.match(emulator.machine):
            raise _bad(path, "emulators", "a machine is a name: letters, digits, - . _ and /")
        if emulator.kind == "renode" and not board.core.renode_cpu:
            raise _bad(path, "emulators", f"Renode has no {board.core.name}")


def _check_memories(path: Path, board: Board) -> None:
    """Names and sections go into linker scripts and C, where each has to be one word."""
    names = [memory.name for memory in board.memory]
    for memory in board.memory:
        key = f"memory.{memory.name}"
        if not _MEMORY_NAME.match(memory.name) or memory.name in ("flash", "ram", "vectors"):
            raise _bad(path, "memory.name", f"{memory.name!r}: small letters, digits and -; not flash or ram")
        if names.count(memory.name) > 1:
            raise _bad(path, key, "there are two of this name")
        if "code" in memory.holds:
            raise _bad(
                path, f"{key}.holds", "code stays where the linker script puts it: name arena or weights"
            )
        for address, bits in memory.enable:
            if not (0 <= address < 1 << 32 and address % 4 == 0 and 0 < bits < 1 << 32):
                raise _bad(path, f"{key}.enable", "pairs of a register's address and the bits to set in it")
    places = [("flash", board.flash), ("ram", board.ram), *((f"memory.{m.name}", m) for m in board.memory)]
    for key, region in places:
        if region is None:
            continue
        if region.section and not _SECTION.match(region.section):
            raise _bad(path, f"{key}.section", f"{region.section!r} is no section of a linker script")
        if not 0 <= region.word_cycles <= _MOST_WORD_CYCLES:
            raise _bad(path, f"{key}.word_cycles", f"is not from 0 to {_MOST_WORD_CYCLES:.0f} cycles")


def _check_figures(path: Path, board: Board) -> None:
    """Figures that no microcontroller has are slips of the pen: a unit, or a digit."""
    if not board.name.strip():
        raise _bad(path, "name", "is empty")
    figures = [
        ("clock_hz", board.clock_hz, _CLOCK_HZ, "Hz"),
        ("flash_wait_states", board.flash_wait_states, _WAIT_STATES, "cycles"),
        *(
            (f"{key}.bytes", region.bytes, _REGION_BYTES, "bytes")
            for key, region in (("flash", board.flash), ("ram", board.ram))
            if region is not None
        ),
    ]
    for key, value, (least, most), unit in figures:
        if not least <= value <= most:
            raise _bad(path, key, f"{value:,} is not from {least:,} to {most:,} {unit}")


def _check_text(path: Path, board: Board) -> None:
    """Fields end up in generated projects: what can't be written there is refused here, where the key is
    known."""
    for key, text in _texts("", msgspec.to_builtins(board)):
        if text != escapes.visible(text):
            raise _bad(path, key, f"{escapes.visible(text)} has control characters")
    words = {
        "id": board.id,
        "zephyr": board.zephyr,
        "arduino": board.arduino,
        "energy_uart": board.energy_uart,
    }
    checks = [(key, text, escapes.word) for key, text in words.items()]
    if board.platformio is not None:
        named = board.platformio
        values = [
            ("platform", named.platform),
            ("board", named.board),
            ("upload_protocol", named.upload_protocol),
        ]
        values += [("build_flags", flag) for flag in named.build_flags]
        checks += [(f"platformio.{key}", text, escapes.ini_value) for key, text in values]
        if not all(flag.startswith("-") for flag in named.build_flags):
            raise _bad(path, "platformio.build_flags", "each begins with -")
        for key in named.whole:
            if getattr(board, key) is None:
                raise _bad(path, "platformio.whole", f"the board has no {key}")
    for key, text, escape in checks:
        try:
            escape(text)
        except ValueError as error:
            raise _bad(path, key, str(error)) from error


def _texts(key: str, value: object) -> Iterator[tuple[str, str]]:
    """Every string in a structure, and its key."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _texts(f"{key}.{name}".lstrip("."), inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(key, inner)


def _overlap(a: Region, b: Region) -> bool:
    return a.origin < b.origin + b.bytes and b.origin < a.origin + a.bytes


def _bad(path: Path, key: str, reason: str) -> UsageError:
    return UsageError(f"{path}: {key}: {reason}", "boards/nano33.toml is a complete example")
