# SPDX-License-Identifier: Apache-2.0
"""Instructions, estimated cycles, RAM, flash and stack of the MLPerf Tiny models, beside other engines.

    TINYSERVE_MODELS=directory python benchmarks/kernels.py [--only MODEL] [--json FILE] [--update]

Each model is built for each core as `tinyserve bench` builds it and run once on the emulated core with the
input bytes x[i] = (int8)(i * 31 + 7); int8 outputs must have the CRC-32 that TFLM gives. Counts are exact, so
they are compared with baseline.json without tolerance; --update writes that file. peers.json says how the
others' figures were taken.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from elftools.elf.elffile import ELFFile
from rich.console import Console
from rich.table import Table

from tinyserve import boards, workflow
from tinyserve.bench.counts.cycles import estimate
from tinyserve.compiler.compile import Compiled, compile_model
from tinyserve.compiler.graph.types import DType
from tinyserve.compiler.names import short_name
from tinyserve.compiler.program import Optimize
from tinyserve.devices import open_device
from tinyserve.devices.client import Client
from tinyserve.devices.device import Device
from tinyserve.firmware.build import Firmware, build
from tinyserve.firmware.render import render

HERE = Path(__file__).resolve().parent
BASELINE_FILE = HERE / "baseline.json"
PEERS_FILE = HERE / "peers.json"
INT8_CRC = {
    "ad01_int8": 0xAF613EBD,
    "kws_ref_model": 0x6636EC9A,
    "pretrainedResnet_quant": 0x9020848E,
    "vww_96_int8": 0xCCF8C6C3,
}
"""The models of the table, and the CRC-32 of their outputs from TFLM."""
CORES = ("cortex-m0", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55", "rv32imc")
_EMULATOR = {"cortex-m55": "qemu"}  # Unicorn has no Helium
_CYCLES = "cortex-m4"


@dataclass(frozen=True)
class Cell:
    """A model built for a core with one preference."""

    model: str
    core: str
    optimize: Optimize = "balanced"


CELLS = (
    *(Cell(model, core) for model in INT8_CRC for core in CORES),
    *(Cell(model, "cortex-m4", optimize) for model in INT8_CRC for optimize in ("speed", "size", "ram")),
    Cell("ad01_fp32", "cortex-m4"),
    Cell("ad01_fp32", "cortex-m7"),
)


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """One inference of a cell. Cycles are estimates without wait states.

    ``code_bytes`` is kernels, parameters and generated code, without what profiles alone need (names of
    layers); ``flash_bytes`` adds the weights and their tables. Neither holds the bench firmware.
    """

    model: str
    core: str
    optimize: str
    instructions: int
    cycles_low: int | None
    cycles_high: int | None
    arena_bytes: int
    code_bytes: int
    flash_bytes: int
    stack_bytes: int

    @property
    def cell(self) -> tuple[str, str, str]:
        return self.model, self.core, self.optimize


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """Another engine's figures: by model, then by core. ``code_bytes`` is flash without the .tflite."""

    name: str
    how: str
    instructions: dict[str, dict[str, int]]
    arena_bytes: dict[str, dict[str, int]] = {}
    code_bytes: dict[str, int] = {}
    stack_bytes: dict[str, int] = {}


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """A published latency of a real board."""

    model: str
    board: str
    engine: str
    latency_ms: float


class Peers(msgspec.Struct, frozen=True, kw_only=True):
    """peers.json."""

    engines: list[Peer]
    published: list[Published]


def measure(cell: Cell, models: Path) -> Measurement:
    """Builds and runs a cell. Raises RuntimeError where the outputs are not TFLM's, else TinyserveError."""
    board = boards.load(cell.core)
    data = (models / f"{cell.model}.tflite").read_bytes()
    compiled = compile_model(data, workflow.target(board, cell.optimize), "model")
    with tempfile.TemporaryDirectory() as directory:
        firmware = build(render(compiled, board, Path(directory), emulate=True))
        with open_device(firmware, board, _EMULATOR.get(cell.core, "unicorn")) as device:
            client = Client(device.link)
            for index, pattern in enumerate(_patterns(compiled)):
                client.load(pattern, index)
            (instructions,) = client.infer(1, 1)
            cycles = _cycles(device, board.core.cycle_model) if cell.core == _CYCLES else None
            crc = zlib.crc32(b"".join(client.outputs()))
        if crc != INT8_CRC.get(cell.model, crc):
            raise RuntimeError(f"{cell.model} on {cell.core}: the outputs' CRC-32 is {crc:08x}, not TFLM's")
        return _measurement(cell, firmware, instructions, cycles)


def _measurement(
    cell: Cell, firmware: Firmware, instructions: int, cycles: tuple[int, int] | None
) -> Measurement:
    sizes, stack = firmware.sizes, firmware.stack
    assert sizes is not None and stack is not None, "an emulated core's firmware has sizes and a stack"
    code = sizes.model_bytes - _profile_bytes(firmware)
    return Measurement(
        model=cell.model,
        core=cell.core,
        optimize=cell.optimize,
        instructions=instructions,
        cycles_low=cycles[0] if cycles else None,
        cycles_high=cycles[1] if cycles else None,
        arena_bytes=sizes.arena_bytes,
        code_bytes=code,
        flash_bytes=code + sizes.weights_bytes,
        stack_bytes=stack.invoke_bytes,
    )


def _profile_bytes(firmware: Firmware) -> int:
    """What the model's part of the firmware has for profiles, which a compiled model has not by itself."""
    prefix = f"ts_{firmware.project.compiled.name}_"
    names = {"layers", "layer_names"} | {
        prefix + name for name in ("invoke_layer", "layer_name", "arena_start")
    }
    with firmware.elf.open("rb") as file:
        table: Any = ELFFile(file).get_section_by_name(".symtab")
        symbols = sum(symbol["st_size"] for symbol in table.iter_symbols() if symbol.name in names)
    layers = {short_name(call.layer) for call in firmware.project.compiled.program.calls}
    return int(symbols) + sum(len(layer) + 1 for layer in layers)


def _patterns(compiled: Compiled) -> list[bytes]:
    """The test input of every tensor; float tensors get its values as 32nds."""
    found = []
    for tensor in compiled.program.input_tensors:
        pattern = (np.arange(tensor.elements, dtype=np.int64) * 31 + 7).astype(np.int8)
        is_float = tensor.dtype is DType.FLOAT32
        found.append((pattern.astype(np.float32) / 32 if is_float else pattern).tobytes())
    return found


def _cycles(device: Device, core: str) -> tuple[int, int] | None:
    machine = getattr(device, "machine", None)
    found = estimate(machine.inference_blocks(), machine, core) if machine else None
    return (round(found.low), round(found.high)) if found else None


def regressions(now: Sequence[Measurement], baseline: Sequence[Measurement]) -> list[str]:
    """Cells that take more instructions than the baseline says, in words."""
    known = {old.cell: old for old in baseline}
    return [
        f"{' '.join(new.cell)}: {known[new.cell].instructions:,} -> {new.instructions:,} instructions"
        for new in now
        if new.cell in known and new.instructions > known[new.cell].instructions
    ]


def load_baseline() -> list[Measurement]:
    """baseline.json, as --update wrote it."""
    return msgspec.json.decode(BASELINE_FILE.read_bytes(), type=list[Measurement])


def load_peers() -> Peers:
    """peers.json."""
    return msgspec.json.decode(PEERS_FILE.read_bytes(), type=Peers)


def speed_table(measured: Sequence[Measurement], peers: Peers) -> Table:
    """Instructions by model and core, and under each the first other engine's multiple of ours."""
    table = Table(title="instructions per inference", title_justify="left", box=None, header_style="dim")
    table.add_column("model")
    cores = [core for core in CORES if any(one.core == core for one in measured)]
    for core in cores:
        table.add_column(core, justify="right")
    table.add_column("M4 cycles (estimate)", justify="right")
    for model in dict.fromkeys(one.model for one in measured):
        rows = {one.core: one for one in measured if one.model == model and one.optimize == "balanced"}
        estimated = rows.get(_CYCLES)
        cells = [f"{rows[core].instructions:,}" if core in rows else "" for core in cores]
        table.add_row(model, *cells, _cycle_range(estimated), style="bold")
        for peer in peers.engines:
            theirs = peer.instructions.get(model, {})
            ratios = [_ratio(theirs.get(core), rows.get(core)) for core in cores]
            if any(ratios):
                table.add_row(f"  {peer.name}", *ratios, "", style="dim")
    return table


def memory_table(measured: Sequence[Measurement], peers: Peers) -> Table:
    """Arena, code and stack on Cortex-M4 by model and preference, with other engines' below."""
    table = Table(title="memory on cortex-m4, bytes", title_justify="left", box=None, header_style="dim")
    for column in ("model", "--optimize"):
        table.add_column(column)
    for column in ("instructions", "arena", "code", "code + weights", "stack"):
        table.add_column(column, justify="right")
    on_m4 = [one for one in measured if one.core == "cortex-m4"]
    for model in dict.fromkeys(one.model for one in on_m4):
        for one in (one for one in on_m4 if one.model == model):
            figures = (one.instructions, one.arena_bytes, one.code_bytes, one.flash_bytes, one.stack_bytes)
            table.add_row(model, one.optimize, *(f"{figure:,}" for figure in figures), style="bold")
        for peer in peers.engines:
            theirs = (
                peer.instructions.get(model, {}).get("cortex-m4"),
                peer.arena_bytes.get(model, {}).get("cortex-m4"),
                peer.code_bytes.get(model),
                None,
                peer.stack_bytes.get(model),
            )
            if any(theirs):
                table.add_row(f"  {peer.name}", "", *(f"{n:,}" if n else "" for n in theirs), style="dim")
    return table


def _cycle_range(one: Measurement | None) -> str:
    if one is None or one.cycles_low is None or one.cycles_high is None:
        return ""
    return f"{one.cycles_low:,}–{one.cycles_high:,}"


def _ratio(theirs: int | None, ours: Measurement | None) -> str:
    return f"{theirs:,} ({theirs / ours.instructions:.2f}x)" if theirs and ours else ""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", metavar="MODEL", help="this model alone; repeatable")
    parser.add_argument("--json", type=Path, default=Path("build/bench-kernels.json"), metavar="FILE")
    parser.add_argument("--update", action="store_true", help="write what was measured to baseline.json")
    arguments = parser.parse_args()
    directory = os.environ.get("TINYSERVE_MODELS")
    if not directory:
        print(
            "error: TINYSERVE_MODELS is not set\n  try: the directory of the MLPerf Tiny models",
            file=sys.stderr,
        )
        return 2
    errors = Console(stderr=True)
    measured = []
    for cell in CELLS:
        if not arguments.only or cell.model in arguments.only:
            errors.print(f"… {cell.model} {cell.core} {cell.optimize}", style="dim")
            measured.append(measure(cell, Path(directory)))
    peers = load_peers()
    console = Console(width=200)
    console.print(speed_table(measured, peers), "", memory_table(measured, peers))
    encoded = msgspec.json.format(msgspec.json.encode(measured), indent=1) + b"\n"
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_bytes(encoded)
    worse = regressions(measured, load_baseline() if BASELINE_FILE.exists() else [])
    for line in worse:
        errors.print(f"worse than the baseline: {line}", style="red")
    if arguments.update:
        old = load_baseline() if arguments.only and BASELINE_FILE.exists() else []
        kept = [one for one in old if one.model not in arguments.only]
        BASELINE_FILE.write_bytes(
            msgspec.json.format(msgspec.json.encode([*kept, *measured]), indent=1) + b"\n"
        )
        return 0
    return 3 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
