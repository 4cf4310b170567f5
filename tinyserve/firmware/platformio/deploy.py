# SPDX-License-Identifier: Apache-2.0
"""A compiled model to a running board in one call: render, provision, build, upload, check."""

from __future__ import annotations

from pathlib import Path

from tinyserve.boards.types import Board
from tinyserve.compiler.compile import Compiled
from tinyserve.errors import UsageError
from tinyserve.firmware.platformio import core as cores
from tinyserve.firmware.platformio import environment, flash
from tinyserve.firmware.platformio.pio import Pio
from tinyserve.firmware.platformio.platform import is_emulated
from tinyserve.firmware.platformio.project import render_project
from tinyserve.progress import Progress, silent


def check_board(board: Board, name: str, emulate: bool, engine: str = "aot") -> bool:
    """Whether the board is emulated here. Raises UsageError for what PlatformIO can't build.

    ``name`` is what the user called it: a .toml of their own has no entry in our development platform.
    """
    if board.is_real and board.platformio is None and not emulate:
        raise UsageError(
            f"{board.id}: PlatformIO does not build for it",
            f"tinyserve export --as {board.export_kind} --board {name}"
            + (f"; its notes: {board.notes}" if board.notes else ""),
        )  # fmt: skip
    twin = emulate or board.platformio is None
    if twin and not is_emulated(board):
        raise UsageError(
            f"{board.id}: PlatformIO has nothing to upload to",
            _instead_of_a_twin(board),
        )
    if twin and name.endswith(".toml"):
        raise UsageError(
            f"{name}: PlatformIO builds twins of the boards that `tinyserve boards` lists",
            f"tinyserve bench --board {name} --emulate",
        )
    if twin and engine != "aot":
        raise UsageError(
            f"PlatformIO builds twins with the engine aot, not {engine}",
            f"tinyserve bench --board {name} --emulate --engine {engine}",
        )
    return twin


def _instead_of_a_twin(board: Board) -> str:
    if board.core.port == "host":
        return "tinyserve bench runs models on this computer"
    if not board.core.port:
        return f"without --emulate: a {board.core.name} can't be emulated"
    return f"no emulator has its memory: count on the generic core, --board {board.core.name}"


def require(board: Board, port: str, progress: Progress = silent) -> None:
    """What a real board needs, before the work is done that would be in vain: packages, then the port.

    Raises ToolError and DeviceError: no board, several, another one, no permission, or a port that is in use.
    """
    from tinyserve.devices.serial import SerialLink

    environment.install(board, progress)
    found = flash.upload_port(board, port)
    if found is not None:
        SerialLink(found, board).close()


def deploy(
    compiled: Compiled,
    board: Board,
    directory: Path,
    core: Path,
    *,
    engine: str = "aot",
    emulate: bool = False,
    model_id: str = "",
    port: str = flash.AUTO,
    energy_pin: int | None = None,
    tflm: str = "",
    progress: Progress = silent,
) -> list[str]:
    """Leaves the board (or its twin, once) running the model; lines that say so.

    ``energy_pin``: in MLPerf Tiny's energy mode, with time stamps as edges of that pin. ``tflm``: the library
    of the engine tflm.

    Raises what rendering, ``flash.flash`` and ``flash.run_on_emulator`` raise.
    """
    progress("rendering firmware")
    project = render_project(
        compiled,
        board,
        directory,
        engine=engine,
        emulate=emulate,
        model_id=model_id,
        energy_pin=energy_pin,
        tflm=tflm,
    )
    pio = Pio(core)
    if core == cores.private_core():
        cores.provision(core)
    if emulate:
        return [*flash.run_on_emulator(project, pio, progress), f"project: {directory}"]
    if engine != "aot":  # the interpreter is a library that the project names
        environment.install_for(project, pio, progress)
    flashed = flash.flash(project, pio, port, progress)
    info = flashed.info
    runner = f"an MLPerf Tiny runner in energy mode, {project.baud} baud"
    bench = f"tinyserve bench --board {board.id} --port {flashed.port}"
    return [
        f"{board.name} at {flashed.port}: m-ready",
        f"model {info.model_sha256[:12]}, engine {info.engine}, arena {info.arena_bytes:,} bytes",
        f"project: {directory}",
        f"next: {bench if energy_pin is None else runner}",
    ]
