# SPDX-License-Identifier: Apache-2.0
"""Instructions of many layers on a core, each compiled by itself with the product's own flags."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tests.cliffs.layers import Layer
from tests.support import core_cases
from tests.support.core import KERNELS, SHIM_SOURCES, CoreImage
from tests.support.places import CHECKOUT
from tinyserve import boards, workflow
from tinyserve.compiler import passes
from tinyserve.compiler.lower import lower
from tinyserve.compiler.passes.load import load
from tinyserve.compiler.program import Buffer, Choice, Program
from tinyserve.errors import UnsupportedError
from tinyserve.firmware.toolchain import Name, Toolchain, toolchain_for

_FLAGS = ("-O2", "-w", f"-I{KERNELS}")
_UNICORN_SCRIPT = """
SECTIONS {
  . = 0x10000; .text : { KEEP(*(.text.case*)) *(.text*) *(.rodata*) }
  . = 0x20000000; .data : { *(.data*) *(.bss*) *(COMMON) }
  /DISCARD/ : { *(.ARM.exidx*) *(.ARM.extab*) }
}
"""
_QEMU_SCRIPT = """
SECTIONS {
  . = 0x00000000; .vectors : { KEEP(*(.vectors)) }
  . = 0x01000000; .text : { *(.text*) *(.rodata*) }
  . = 0x21000000; .data : { *(.data*) *(.bss*) *(COMMON) }
  /DISCARD/ : { *(.ARM.exidx*) *(.ARM.extab*) }
}
"""
_QEMU = ("qemu-system-arm", "-M", "mps3-an547", "-nographic", "-icount", "shift=8", "-semihosting")
_TICKS_PER_INSTRUCTION = 8.192
"""Of the SSE system counter at 32 MHz, 256 ns per instruction."""
_MEMORY = 1 << 20
_TIMEOUT_S = 300


@dataclass(frozen=True)
class Column:
    """A core and the compiler of its code."""

    core: str
    compiler: Name

    def __str__(self) -> str:
        return f"{self.core.removeprefix('cortex-')} {self.compiler}"


@dataclass(frozen=True)
class Counted:
    """One inference of a layer. ``units``: products, or elements where it has none."""

    layer: Layer
    kernels: str
    reason: str
    instructions: int
    units: int
    inputs: int
    outputs: int

    @property
    def per_unit(self) -> float:
        return self.instructions / self.units


def count(
    layers: Sequence[Layer], column: Column, directory: Path, jobs: int = 1, variant: str = ""
) -> dict[Layer, Counted]:
    """What the layers take that the product compiles. ``directory`` keeps what was compiled before.

    ``variant``: of kernels, by default what the chooser takes; layers that can't have it are left out.
    """
    directory.mkdir(parents=True, exist_ok=True)
    programs = {}
    for layer in dict.fromkeys(layers):
        program = _program(layer, column, variant)
        if program is not None and program.calls:
            programs[layer] = program
    elf = _link(list(programs.values()), column, directory, jobs)
    found = _in_qemu(elf) if column.core == "cortex-m55" else _in_unicorn(elf, programs, column)
    return {
        layer: Counted(
            layer,
            _kernels(program),
            _reason(program),
            instructions,
            _units(layer, program),
            sum(tensor.elements for tensor in program.input_tensors),
            sum(tensor.elements for tensor in program.output_tensors),
        )
        for (layer, program), instructions in zip(programs.items(), found, strict=True)
    }


def _program(layer: Layer, column: Column, variant: str = "") -> Program | None:
    target = workflow.target(boards.load(column.core), "balanced")
    try:
        model = load(layer.model())
        passes.optimize(model)
        program = lower(model, target, "model")
    except UnsupportedError:
        return None
    if not variant:
        return program
    choices = tuple(Choice(name, variant) for name, names in program.offers.items() if variant in names)
    return lower(model, replace(target, choices=choices), "model") if choices else None


def offers(layer: Layer, column: Column) -> list[str]:
    """The variants that the layer can have, the chosen one first; none where it is of another kind."""
    program = _program(layer, column)
    names = list(next(iter(program.offers.values()), ())) if program is not None else []
    # A layer whose results are constant has no choice.
    return names if program is not None and any(call.macs for call in program.calls) else []


def _kernels(program: Program) -> str:
    return " ".join(dict.fromkeys(call.variant for call in program.calls))


def _reason(program: Program) -> str:
    return "; ".join(filter(None, program.refusals.values()))


def _units(layer: Layer, program: Program) -> int:
    macs = sum(call.macs for call in program.calls)
    tensors = [*program.input_tensors, *program.output_tensors]
    return macs or max(layer.operations(), *(tensor.elements for tensor in tensors))


# --- building


def _link(programs: Sequence[Program], column: Column, directory: Path, jobs: int) -> Path:
    toolchain = toolchain_for(boards.load(column.core).core, column.compiler)
    kernels = sorted({source for one in programs for call in one.calls for source in call.sources})
    texts = ["\n".join(_source(index, program)) + "\n" for index, program in enumerate(programs)]
    paths = [
        *(_written(text, directory) for text in texts),
        *(KERNELS / name for name in kernels),
        *SHIM_SOURCES,
    ]
    if column.core == "cortex-m55":
        paths.append(_written("\n".join(_harness(programs)) + "\n", directory))
    state = _state_of_kernels(toolchain)
    with ThreadPoolExecutor(jobs) as pool:
        objects = list(pool.map(lambda path: _object(path, toolchain, state, directory), paths))
    script = _QEMU_SCRIPT if column.core == "cortex-m55" else _UNICORN_SCRIPT
    (directory / "link.ld").write_text(script)
    (directory / "objects").write_text("\n".join(map(str, dict.fromkeys(objects))))
    elf = directory / f"{column.core}-{column.compiler}.elf"
    keep = [f"-Wl,-u,case{index}" for index in range(len(programs))]
    _run(
        [*toolchain.compiler, *toolchain.target_flags, "-nostdlib", "-T", str(directory / "link.ld"),
         "-Wl,--gc-sections", *keep, "-Wl,--entry=" + ("start" if column.core == "cortex-m55" else "case0"),
         f"@{directory / 'objects'}", toolchain.runtime, "-o", str(elf)]
    )  # fmt: skip
    return elf


def _source(index: int, program: Program) -> list[str]:
    (text,) = ["\n".join(core_cases.source([program]))]
    return [text.replace("case0", f"case{index}")]


def _written(text: str, directory: Path) -> Path:
    path = directory / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.c"
    if not path.exists():
        path.write_text(text)
    return path


def _state_of_kernels(toolchain: Toolchain) -> str:
    """Changes with any kernel, the compiler or its flags."""
    total = hashlib.sha256(f"{toolchain.identity}{toolchain.target_flags}{toolchain.compile_flags}".encode())
    for file in sorted(KERNELS.rglob("*.[hS]")):
        total.update(file.read_bytes())
    return total.hexdigest()[:16]


def _object(path: Path, toolchain: Toolchain, state: str, directory: Path) -> Path:
    made = directory / f"{toolchain.name}-{state}-{path.stem}{'-asm' if path.suffix == '.S' else ''}.o"
    if path.suffix == ".S":
        made = made.with_name(f"{path.parent.name}-{made.name}")
    if not made.exists():
        flags = [*toolchain.target_flags, *toolchain.compile_flags, *_FLAGS]
        _run([*toolchain.compiler, *flags, "-c", str(path), "-o", str(made)])
    return made


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)[:900]}\n{done.stderr[:3000]}")


# --- running


def _pattern(size: int) -> bytes:
    return bytes((np.arange(size, dtype=np.int64) * 31 + 7).astype(np.uint8))


def _in_unicorn(elf: Path, programs: Mapping[Layer, Program], column: Column) -> list[int]:
    image = CoreImage(elf, column.core)
    found = []
    for index, program in enumerate(programs.values()):
        places = {buffer: image.allocate(buffer.nbytes, buffer.alignment) for buffer in program.buffers}
        for tensor in program.input_tensors:
            operand = program.values[tensor]
            assert isinstance(operand, Buffer)
            image.write(places[operand], _input(tensor.dtype.value, tensor.elements, tensor.nbytes))
        table = image.allocate(4 * len(program.buffers))
        image.write(table, b"".join(places[buffer].to_bytes(4, "little") for buffer in program.buffers))
        found.append(image.call(f"case{index}", table).instructions)
        image.release()
    return found


def _input(dtype: str, elements: int, nbytes: int) -> bytes:
    """The bytes of the layer sweep."""
    if dtype == "float32":
        return (np.frombuffer(_pattern(elements), np.int8).astype(np.float32) / 32).tobytes()
    return _pattern(nbytes)


def _harness(programs: Sequence[Program]) -> list[str]:
    """Runs every case once and prints the ticks that it took."""
    support = CHECKOUT / "tests" / "cliffs" / "m55_count.h"
    lines = [f"#define MEMORY {_MEMORY}", f'#include "{support}"']
    lines += [f"void case{index}(uint8_t *const *b);" for index in range(len(programs))]
    lines += ["void run_all(void) {", "  start_counting();"]
    for index, program in enumerate(programs):
        at, table = 0, []
        for buffer in program.buffers:
            at = -(-at // 16) * 16
            table.append(f"memory + {at}")
            at += buffer.nbytes
        assert at <= _MEMORY, "a layer's buffers do not fit"
        floats = any(tensor.dtype.value == "float32" for tensor in program.input_tensors)
        lines.append(
            f"  {{ uint8_t *const b[] = {{{', '.join(table)}}}; {'floats' if floats else 'bytes'}({at});"
        )
        lines.append(f"    const uint32_t start = now(); case{index}(b); say(now() - start); }}")
    return [*lines, "  finish();", "}"]


def _in_qemu(elf: Path) -> list[int]:
    done = subprocess.run(
        [*_QEMU, "-kernel", str(elf)], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    lines = (done.stdout + done.stderr).split()
    if lines[-1:] != ["done"]:
        raise RuntimeError(f"the image did not finish: {lines[-3:]}")
    return [round(int(line) / _TICKS_PER_INSTRUCTION) for line in lines[:-1]]


if __name__ == "__main__":
    sys.exit("python -m tests.cliffs")
