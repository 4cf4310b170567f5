# SPDX-License-Identifier: Apache-2.0
"""Every tensor of a compiled model on an emulated core: the firmware keeps the CRC-32 of each."""

from __future__ import annotations

import subprocess
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import unicorn
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

from tests.support.core import CPUS, SHIM_SOURCES
from tests.support.tflm import Tflm
from tinyserve.compiler.compile import Compiled, write
from tinyserve.compiler.emit.ctext import array_lines
from tinyserve.compiler.graph.types import Tensor
from tinyserve.compiler.program import Buffer

Array = npt.NDArray[Any]
FEATURES = {
    "cortex-m0": frozenset({"thumb1"}),
    "cortex-m4": frozenset({"dsp", "fpu"}),
    "cortex-m55": frozenset({"mve", "dsp", "fpu"}),
    "rv32imc": frozenset({"rv32m"}),
}
"""Of the cores that traces are taken on."""
_FLAGS = (
    "-std=c11 -ffreestanding -O2 -fomit-frame-pointer -fno-unwind-tables -fno-asynchronous-unwind-tables "
    "-ffunction-sections -fdata-sections -nostdlib -Wall -Wextra -Wconversion -DTS_MODEL_PROFILE"
)
_SCRIPT = Path(__file__).with_name("image.ld")
_M55 = ("thumb-freestanding-eabihf", "cortex_m55+mve_fp")
_MEMORY = (
    (0x1000, 0x80000, unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC),
    (0x01000000, 0x200000, unicorn.UC_PROT_READ),
    (0x20000000, 0x10000, unicorn.UC_PROT_READ | unicorn.UC_PROT_WRITE),
    (0x21000000, 0x400000, unicorn.UC_PROT_READ | unicorn.UC_PROT_WRITE),
)
"""Text, constants, the stack and data: any other access, and a write to the first two, is an error."""
_STACK_TOP = 0x20010000


def written(compiled: Compiled) -> list[list[tuple[Tensor, Buffer]]]:
    """For each layer the tensors of the file that it computes, and where they lie."""
    values = compiled.program.values.items()
    return [
        [(t, b) for t, b in values if isinstance(b, Buffer) and t.index >= 0 and b in call.writes]
        for call in compiled.program.calls
    ]


def expected(data: bytes, compiled: Compiled, samples: Sequence[Array]) -> list[int]:
    """The CRC-32 of the same tensors in TFLM, sample after sample."""
    oracle = Tflm(data, preserve=True)
    found = []
    for sample in samples:
        oracle.invoke([sample])
        for layer in written(compiled):
            found += [zlib.crc32(oracle.tensor(tensor.index).tobytes()) for tensor, _ in layer]
    return found


def emulated(compiled: Compiled, samples: Sequence[Array], cpu: str, directory: Path) -> list[int]:
    """The CRC-32 of every tensor on the core, sample after sample."""
    (directory / "traces.h").write_text("\n".join(_header(compiled, samples)) + "\n")
    elf = _build(compiled, cpu, directory)
    count = len(samples) * sum(map(len, written(compiled)))
    return _in_qemu(elf) if cpu == "cortex-m55" else _in_unicorn(elf, cpu, count)


def _header(compiled: Compiled, samples: Sequence[Array]) -> Iterator[str]:
    layers = written(compiled)
    raw = [np.frombuffer(np.ascontiguousarray(sample).tobytes(), np.uint8) for sample in samples]
    yield f"#define SAMPLES {len(raw)}u"
    yield f"#define TENSORS {sum(map(len, layers))}u"
    yield f"static const uint8_t samples[SAMPLES][{raw[0].size}] = {{"
    for sample in raw:
        yield from ("{", *array_lines(sample), "},")
    yield "};"
    first = np.cumsum([0, *map(len, layers)])
    yield f"static const uint32_t layer_first[] = {{{', '.join(map(str, first))}}};"
    yield "static const struct { uint32_t offset, bytes; } places[] = {"
    for layer in layers:
        for tensor, buffer in layer:
            yield f"{{{compiled.plan.offsets[buffer]}, {tensor.nbytes}}},"
    yield "};"


def _build(compiled: Compiled, cpu: str, directory: Path) -> Path:
    write(compiled, directory / "model")
    elf = directory / "traced.elf"
    target, mcpu = _M55 if cpu == "cortex-m55" else CPUS[cpu].zig
    entry = ["-DSEMIHOSTING", "-Wl,--entry=start"] if cpu == "cortex-m55" else ["-Wl,--entry=run_all"]
    sources = [directory / "model" / name for name in compiled.sources.compile]
    command = [
        sys.executable, "-m", "ziglang", "cc", "-target", target, f"-mcpu={mcpu}", *_FLAGS.split(), *entry,
        "-I", str(directory), "-I", str(directory / "model"), "-T", str(_SCRIPT),
        "-Wl,--gc-sections", "-rtlib=compiler-rt",
        *map(str, [Path(__file__).with_suffix(".c"), *sources, *SHIM_SOURCES]), "-o", str(elf),
    ]  # fmt: skip
    built = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert built.returncode == 0, built.stderr[:6000]
    return elf


def _in_qemu(elf: Path) -> list[int]:
    command = ["qemu-system-arm", "-M", "mps3-an547", "-nographic", "-semihosting", "-kernel", str(elf)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=200, check=False, stdin=subprocess.DEVNULL
    )
    return [int(line, 16) for line in (done.stdout + done.stderr).split()]


def _in_unicorn(elf: Path, cpu: str, count: int) -> list[int]:
    names, model = CPUS[cpu].architecture, CPUS[cpu].model
    uc = unicorn.Uc(*names.unicorn)
    if model is not None:
        uc.ctl_set_cpu_model(model)
    for start, size, access in _MEMORY:
        uc.mem_map(start, size, access)
    with elf.open("rb") as file:
        image = ELFFile(file)
        for section in image.iter_sections():  # segments bring the file's own headers
            if section["sh_flags"] & SH_FLAGS.SHF_ALLOC and section["sh_type"] != "SHT_NOBITS":
                uc.mem_write(section["sh_addr"], section.data())
        symbols = {s.name: s["st_value"] for s in image.get_section_by_name(".symtab").iter_symbols()}
    # The firmware ends in an endless loop that is not a branch to itself: stop when the results are complete.
    last = symbols["results"] + 4 * (count - 1)
    uc.hook_add(unicorn.UC_HOOK_MEM_WRITE, lambda uc, *_: uc.emu_stop(), begin=last, end=last + 3)
    uc.reg_write(names.stack, _STACK_TOP)
    uc.emu_start(symbols["run_all"] | names.code_bit, 0xFFFFFFFE, timeout=200_000_000)
    return np.frombuffer(bytes(uc.mem_read(symbols["results"], 4 * count)), dtype="<u4").tolist()
