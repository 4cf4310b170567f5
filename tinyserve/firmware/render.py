# SPDX-License-Identifier: Apache-2.0
"""Renders a firmware project: compiled model, board and templates to a readable directory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath, PurePosixPath
from typing import Literal

from tinyserve import __version__
from tinyserve.boards.types import Board, Region
from tinyserve.compiler.compile import Compiled
from tinyserve.compiler.emit.kernel_files import kernel_text
from tinyserve.compiler.program import MemoryPlan
from tinyserve.errors import FileSystemError, UsageError, write_hint
from tinyserve.files import refuse_links
from tinyserve.firmware import log_mel
from tinyserve.firmware.interface import ModelInterface, interface_of
from tinyserve.firmware.mlperf import Exchange, exchange_of
from tinyserve.firmware.platformio.pio import PLATFORMIO_FILE
from tinyserve.firmware.renode import renode_files
from tinyserve.firmware.tflm_library import lib_deps
from tinyserve.resources import data_directory, licence
from tinyserve.templates import render_template

Part = Literal["startup", "firmware", "runtime", "model", "weights"]
Port = Literal["host", "cortex_m", "riscv", "arduino"]

LINKER_SCRIPT = "board.ld"
LINK_TEMPLATE = "common/link.ld"
ELF_FILE = "firmware.elf"
RENDERED_FILE = ".rendered"
DEFAULT_STACK_BYTES = 4096
_APART, _APART_BYTES = 0x8000_0000, 0x0400_0000
BAUD = 115200
ENERGY_BAUD = 9600
"""Of a real board's serial line; MLPerf Tiny's runner speaks at the lower rate in energy mode."""

_COMMON = (
    "config.h",
    "frame_stream.c",
    "frame_stream.h",
    "mlperf.c",
    "mlperf.h",
    "model_io.c",
    "model_io.h",
    "port.h",
    "row_feed.c",
    "row_feed.h",
    "serial_text.c",
    "serial_text.h",
    "tensor_io.h",
    "wide_counter.h",
    "protocol.c",
    "protocol.h",
)
SHIM = ("memory.c", "integer.c")
_EMULATED = ("cortex_m", "riscv")
_PORT_FILES: dict[Port, tuple[str, ...]] = {
    "host": ("common/main.c", "host/port.c"),
    "cortex_m": ("common/main.c", "cortex_m/port.c", "cortex_m/startup.c"),
    "riscv": ("common/main.c", "riscv/port.c", "riscv/startup.c"),
    "arduino": ("arduino/main.cpp", "arduino/port.cpp"),
}


@dataclass(frozen=True)
class SourceFile:
    """A file that the compiler is given. ``path`` is relative to the project."""

    path: str
    part: Part


@dataclass(frozen=True)
class Project:
    """A rendered firmware project. ``sources`` are compiled; headers lie beside them and in ``include``."""

    directory: Path
    board: Board
    port: Port
    engine: str
    model: ModelInterface
    compiled: Compiled
    sources: tuple[SourceFile, ...]
    include: tuple[str, ...] = ("src", "src/model")
    defines: dict[str, str] = field(default_factory=dict)
    stack_bytes: int = 0
    baud: int = BAUD
    tflm: str = ""
    script: str = LINK_TEMPLATE
    hears: bool = False
    """Whether it computes its model's input of sound."""
    roomy: bool = False
    """Whether it is linked only to know its sizes: its memory holds anything."""

    @property
    def firmware_id(self) -> str:
        """What the device must answer for itself when it runs this project's firmware."""
        return firmware_id(self.compiled, self.engine)

    def linker_script(self, roomy: bool = False) -> str:
        """What the project is linked with, as ``linker_script``."""
        places = places_of(self.compiled.plan, self.board)
        return linker_script(self.board, self.stack_bytes, roomy or self.roomy, self.script, places)


def firmware_id(compiled: Compiled, engine: str) -> str:
    """16 hex digits that tell firmware of other kernels, options, protocol or engine from this one's, on a
    board as on its twin: over the generated C, and the templates that every port has."""
    total = hashlib.sha256(f"{__version__} {engine}".encode())
    shared = data_directory("firmware_templates") / "common"
    pieces: dict[str, bytes] = {
        path.name: path.read_bytes() for path in sorted(shared.iterdir()) if path.is_file()
    }
    pieces |= {
        f"model/{name}": content.encode() if isinstance(content, str) else content
        for name, content in sorted(compiled.sources.files.items())
    }
    for name, content in pieces.items():
        total.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    return total.hexdigest()[:16]


def port_of(board: Board, emulate: bool) -> Port:
    """The port that a build for the board uses. Raises UsageError where there is none."""
    core_port = board.core.port
    if core_port == "host":
        return "host"
    if (board.platformio is not None or board.arduino) and not emulate:
        return "arduino"
    if core_port == "":
        raise UsageError(
            f"{board.id}: a {board.core.name} can't be emulated",
            f"for the board itself: tinyserve flash --board {board.id}",
        )
    return core_port


def render(
    compiled: Compiled,
    board: Board,
    directory: Path,
    engine: str = "aot",
    *,
    emulate: bool = False,
    model_id: str = "",
    stack_bytes: int | None = None,
    energy_mode: bool = False,
    timestamp_pin: int | None = None,
    cycles_per_instruction: float = 1.0,
    tflm: str = "",
    roomy: bool = False,
) -> Project:
    """Writes the firmware project of a compiled model for a board into ``directory``.

    ``emulate`` renders the board's twin (same core and memory, the emulated port) instead of the Arduino
    port; boards that exist only in an emulator have no other. ``model_id`` is what the ``profile`` command
    answers. ``energy_mode`` is MLPerf Tiny's: time stamps are edges of ``timestamp_pin`` (a real board's; a
    twin has none), and the line runs at 9600 baud. ``cycles_per_instruction``: what an emulated board's time
    stamps take one for on average. ``tflm`` names the library of the engine tflm. ``roomy``: to be
    linked whatever its size, never to be run. Files that did not change are not touched. Raises UsageError
    and FileSystemError.
    """
    port = port_of(board, emulate)
    if energy_mode and port == "arduino" and timestamp_pin is None:
        raise UsageError(
            f"{board.id}: energy mode needs a pin for its time stamps", "name it: --energy-pin 7"
        )
    model, places = interface_of(compiled), places_of(compiled.plan, board)
    stack = stack_bytes or _default_stack(board)
    baud = ENERGY_BAUD if energy_mode and port == "arduino" else BAUD
    exchange = exchange_of(model, model_id)
    defines = {f"TS_{model.name.upper()}_PROFILE": "1"}
    context = {
        "model": model,
        **firmware_context(
            board,
            port,
            engine=engine,
            model_id=model_id or model.name,
            firmware_id=firmware_id(compiled, engine),
            mlperf=exchange,
            cycles_per_instruction=cycles_per_instruction,
        ),
        "energy_mode": energy_mode,
        "timestamp_pin": timestamp_pin,
        "places": places,
    }
    # The interpreter is linked with the C library, which has the shim's functions.
    interpreted = engine == "tflm"
    contents = Contents(context)
    contents.add_firmware(_PORT_FILES[port])
    if exchange.samples:
        contents.add_hearing()
    if port in _EMULATED:
        contents.files[LINKER_SCRIPT] = linker_script(board, stack, roomy, places=places)
        contents.files |= renode_files(board, model)
        contents.add_runtime(() if interpreted else SHIM)
    if port == "arduino":
        libraries = lib_deps(tflm) if interpreted else ""
        if board.platformio is not None:
            contents.add_platformio(defines=defines, lib_deps=libraries, baud=baud)
    contents.add_model(compiled)
    contents.files["LICENSE"] = licence()
    write_project(directory, contents.files)
    return Project(
        directory=directory,
        board=board,
        port=port,
        engine=engine,
        model=model,
        compiled=compiled,
        sources=tuple(contents.sources),
        defines=defines,
        stack_bytes=stack,
        baud=baud,
        tflm=tflm,
        hears=exchange.samples > 0,
        roomy=roomy,
    )


def firmware_context(
    board: Board,
    port: Port,
    *,
    engine: str,
    model_id: str,
    firmware_id: str,
    mlperf: Exchange,
    cycles_per_instruction: float = 1.0,
) -> dict[str, object]:
    """What the templates that every firmware has are told: config.h's identity and parameters."""
    return {
        "board": board,
        "model_id": model_id,
        "engine": engine,
        "mlperf": mlperf,
        "energy_mode": False,
        "timestamp_pin": None,
        "version": __version__,
        "firmware_id": firmware_id,
        "emulated": port in _EMULATED,
        "cycles_per_1024": round(1024 * cycles_per_instruction),
        "registers": board.core.registers if port in _EMULATED else None,
        "slots": False,
        "places": (),
        **_ticks(port, board),
    }


@dataclass
class Contents:
    """A project's files by their paths, and which of them are compiled. ``context``: what templates know."""

    context: Mapping[str, object]
    files: dict[str, str | bytes] = field(default_factory=dict)
    sources: list[SourceFile] = field(default_factory=list)

    def add_firmware(self, port_templates: tuple[str, ...]) -> None:
        """Protocol and main program, and what only the port has."""
        for template in (*(f"common/{name}" for name in _COMMON), *port_templates):
            startup = PurePosixPath(template).name == "startup.c"
            self.add_part(template, "startup" if startup else "firmware")

    def add_part(self, template: str, part: Part) -> None:
        """A file of the firmware's own; headers are not compiled."""
        path = PurePosixPath(template)
        self.files[f"src/{path.name}"] = render_template(template, self.context)
        if path.suffix != ".h":
            self.sources.append(SourceFile(f"src/{path.name}", part))

    def add_hearing(self) -> None:
        """The features of sound for a model that listens."""
        for name in ("log_mel.c", "log_mel.h"):
            self.add_part(f"common/{name}", "firmware")
        for name, text in log_mel.files().items():
            self.files[f"src/{name}"] = text

    def add_event_type(self) -> None:
        """``ts_event`` for firmware that knows no model's header."""
        self.files["src/event.h"] = kernel_text("common/event.h")

    def add_runtime(self, names: tuple[str, ...]) -> None:
        """What the compiler calls where there is no C library."""
        for name in names:
            self.files[f"src/runtime/{name}"] = render_template(f"shim/{name}", self.context)
            self.sources.append(SourceFile(f"src/runtime/{name}", "runtime"))

    def add_platformio(self, **more: object) -> None:
        """PlatformIO's project file."""
        self.files[PLATFORMIO_FILE] = render_template(f"arduino/{PLATFORMIO_FILE}", {**self.context, **more})

    def add_model(self, compiled: Compiled) -> None:
        """The generated C."""
        for name, content in compiled.sources.files.items():
            self.files[f"src/model/{name}"] = content
        for name in compiled.sources.compile:
            part: Part = "weights" if PurePosixPath(name).stem.endswith("weights") else "model"
            self.sources.append(SourceFile(f"src/model/{name}", part))


@dataclass(frozen=True)
class Place:
    """A memory beside flash and RAM that a model uses: the section that lies there, and what it is.

    ``is_own``: the vendor's linker script knows no such section, the linker is told its address.
    """

    name: str
    section: str
    origin: int
    bytes: int
    is_arena: bool
    is_own: bool
    enable: tuple[tuple[int, int], ...] = ()

    @property
    def region(self) -> str:
        """Its name in the linker script."""
        return self.name.upper().replace("-", "_")


def places_of(plan: MemoryPlan, board: Board) -> tuple[Place, ...]:
    """The further memories of the board that a plan uses. Constants that are to stay in flash, where the
    vendor's linker script copies the others, lie in the board's flash."""
    known = {memory.name: memory for memory in board.memory}
    used = [(part.memory, True) for part in plan.parts if part.memory.section]
    used += [(memory, False) for memory in sorted(set(plan.weights.values()), key=lambda one: one.name)]
    found = []
    for memory, is_arena in used:
        region = known.get(memory.name)
        if region is not None:
            enable = tuple(region.enable)
            made = Place(
                memory.name, memory.section, region.origin, region.bytes, is_arena, not region.section, enable
            )
            found.append(made)
        elif board.flash is not None:
            flash = board.flash
            found.append(Place("flash", memory.section, flash.origin, flash.bytes, False, False))
    return tuple(found)


def linker_script(
    board: Board,
    stack_bytes: int,
    roomy: bool = False,
    template: str = LINK_TEMPLATE,
    places: tuple[Place, ...] = (),
) -> str:
    """The linker script of a board, or of what ``template`` lays out in its flash, with the further memories
    that the model uses.

    A roomy one has regions that hold anything, far from each other: a link that overflowed is repeated so, to
    find out by how much.
    """
    assert board.flash is not None and board.ram is not None
    return render_template(
        template,
        {
            "board": board,
            "stack_bytes": stack_bytes,
            "flash": Region(0x1000_0000, 0x1000_0000) if roomy else board.flash,
            "ram": Region(0x2000_0000, 0x4000_0000) if roomy else board.ram,
            "places": _apart(places) if roomy else places,
        },
    )


def _apart(places: tuple[Place, ...]) -> tuple[Place, ...]:
    """Further memories where a roomy link's flash and RAM are not, of any size."""
    return tuple(
        replace(place, origin=_APART + index * _APART_BYTES, bytes=_APART_BYTES)
        for index, place in enumerate(places)
    )


def _default_stack(board: Board) -> int:
    """4 KB, less on boards with little RAM."""
    if board.ram is None:
        return DEFAULT_STACK_BYTES
    return min(DEFAULT_STACK_BYTES, board.ram.bytes // 8 // 16 * 16)


def _ticks(port: Port, board: Board) -> dict[str, str | int]:
    """Unit and frequency of the port's clock. Instructions are no time: their frequency is 0."""
    if port == "host":
        return {"tick_unit": "ns", "tick_hz": 1_000_000_000}
    if port != "arduino":
        return {"tick_unit": "instructions", "tick_hz": 0}
    if board.core.name.startswith("cortex-m") and "thumb1" not in board.core.features:
        return {"tick_unit": "cycles", "tick_hz": board.clock_hz}
    return {"tick_unit": "us", "tick_hz": 1_000_000}


def write_project(directory: Path, files: dict[str, str | bytes]) -> None:
    """Writes what changed, and removes what an earlier rendering wrote and this one does not: PlatformIO
    compiles every source that it finds. Files of others are never overwritten."""
    try:
        for name in (*files, RENDERED_FILE, ELF_FILE):
            refuse_links(directory, directory / name)
        _refuse_foreign(directory, files)
        _remove_stale(directory, files)
        # First, so that what a broken-off rendering leaves behind is known to be ours.
        directory.mkdir(parents=True, exist_ok=True)
        (directory / RENDERED_FILE).write_bytes("".join(f"{name}\n" for name in files).encode())
        for name, content in files.items():
            path = directory / name
            data = content.encode() if isinstance(content, str) else content
            if path.is_file() and path.read_bytes() == data:
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    except OSError as error:
        raise FileSystemError(
            f"cannot write the firmware project: {error.strerror}: {error.filename or directory}",
            write_hint(error, "choose another directory, or make this one writable"),
        ) from error


def _refuse_foreign(directory: Path, files: dict[str, str | bytes]) -> None:
    if (directory / RENDERED_FILE).is_file():
        return
    for name in files:
        if (directory / name).exists():
            raise FileSystemError(
                f"{directory / name} is in the way and was not rendered by tinyserve",
                "choose another directory for the firmware project",
            )


def _remove_stale(directory: Path, files: dict[str, str | bytes]) -> None:
    listed = directory / RENDERED_FILE
    if not listed.is_file():
        return
    for name in listed.read_text(encoding="utf-8").splitlines():
        if name in files or not _is_inside(name):
            continue
        refuse_links(directory, directory / name)
        (directory / name).unlink(missing_ok=True)


def _is_inside(name: str) -> bool:
    """Whether a listed path stays below its directory; the list may be a stranger's."""
    path = PurePath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts
