# SPDX-License-Identifier: Apache-2.0
"""Kernels on an emulated Cortex-M55: QEMU has MVE, Unicorn has not. The firmware itself compares the cases.

All cases go into one image. Each runs portably and with the features' kernels, and once more for each overlap
that a single kernel call permits, with guard bytes around what may be written. What differs is printed over
semihosting.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from tests.support import core_cases
from tests.support.core import KERNELS, SHIM_SOURCES
from tests.support.differential import Case
from tinyserve.compiler.emit.ctext import array_lines
from tinyserve.compiler.lower import lower
from tinyserve.compiler.passes.load import load
from tinyserve.compiler.program import PORTABLE, Buffer, Overlap, Program, Target

QEMU = "qemu-system-arm"
_FEATURES = frozenset({"mve", "dsp", "fpu"})
_FLAGS = [
    "-std=c11", "-ffreestanding", "-O2", "-fomit-frame-pointer", "-fno-unwind-tables", "-nostdlib",
    "-fno-asynchronous-unwind-tables", "-ffunction-sections", "-fdata-sections",
    # The portable kernels are only compared with: vectorizing them takes the compiler minutes.
    "-fno-vectorize", "-fno-unroll-loops",
    "-Wall", "-Wextra", "-Wconversion", "-Werror",
]  # fmt: skip
_HARNESS = Path(__file__).with_name("m55_harness.c")
_GUARD = 64


def check(
    cases: Sequence[Case], directory: Path, variant: str, at_least: int, defines: Sequence[str] = ()
) -> None:
    """Asserts that the variant took at least so many cases and that all bytes are the portable kernel's."""
    target = Target(_FEATURES)
    pairs = [
        (case, lower(load(case.model), PORTABLE, "case"), core_cases.lowered(case.model, target, variant))
        for case in cases
    ]
    taken = sum(core_cases.takes(fast, variant) for _, _, fast in pairs)
    assert taken >= at_least, f"the variant took only {taken} of {len(cases)} cases"
    lines = _run(_build(pairs, directory, defines))
    assert lines[-1:] == ["done"], f"the firmware did not finish: {lines[-3:]}"
    assert len(lines) == 1, "cases, and how many bytes differ or were disturbed: " + "; ".join(lines[:-1])


def _build(pairs: Sequence[tuple[Case, Program, Program]], directory: Path, defines: Sequence[str]) -> Path:
    source, elf = directory / "cases.c", directory / "cases.elf"
    source.write_text("\n".join(_source(pairs)) + "\n")
    extra = sorted(
        {s for _, *both in pairs for program in both for call in program.calls for s in call.sources}
    )
    command = [
        sys.executable, "-m", "ziglang", "cc",
        "-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m55+mve_fp",
        *_FLAGS, *(f"-D{name}" for name in defines), "-I", str(KERNELS), "-I", str(_HARNESS.parent),
        "-T", str(_HARNESS.with_name("image.ld")), "-Wl,--gc-sections", "-Wl,--entry=start",
        str(source), *(str(KERNELS / name) for name in extra), *map(str, SHIM_SOURCES), "-o", str(elf),
    ]  # fmt: skip
    built = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert built.returncode == 0, built.stderr[:6000]
    return elf


def _run(elf: Path) -> list[str]:
    command = [QEMU, "-M", "mps3-an547", "-nographic", "-semihosting", "-kernel", str(elf)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL
    )
    return [line for line in (done.stdout + done.stderr).splitlines() if line]


def _source(pairs: Sequence[tuple[Case, Program, Program]]) -> Iterator[str]:
    yield _HARNESS.read_text()
    programs = [program for _, *both in pairs for program in both]
    yield from core_cases.source(programs)
    body: list[str] = []
    for index, (case, portable, fast) in enumerate(pairs):
        for number, sample in enumerate(case.samples):
            names = [f"in_{index}_{number}_{k}" for k in range(len(sample))]
            for name, value in zip(names, sample, strict=True):
                raw = np.frombuffer(np.ascontiguousarray(value).tobytes(), np.uint8)
                yield f"static const uint8_t {name}[{raw.size}] = {{"
                yield from (*array_lines(raw), "};")
            body += _execute(2 * index, portable, names, None, "expected")
            for overlap in [None, *core_cases.overlaps(fast)]:
                body += _execute(2 * index + 1, fast, names, overlap, f"{case.label}: ")
    yield "void run_all(void) {"
    yield from body
    yield '    say("done\\n"); finish();'
    yield "}"


def _execute(
    number: int, program: Program, inputs: Sequence[str], overlap: Overlap | None, label: str
) -> Iterator[str]:
    """One inference; ``label`` "expected" keeps its output, any other compares with what was kept."""
    places, end = _places(program, overlap)
    output, tensor = program.outputs[0], program.output_tensors[0]
    assert isinstance(output, Buffer)
    yield "    fill();"
    for name, given in zip(inputs, program.input_tensors, strict=True):
        operand = program.values[given]
        assert isinstance(operand, Buffer)
        yield f"    copy(memory + {places[operand]}, {name}, sizeof {name});"
    table = ", ".join(f"memory + {places[buffer]}" for buffer in program.buffers)
    yield f"    {{ uint8_t *const buffers[] = {{{table}}}; case{number}(buffers); }}"
    if label == "expected":
        yield f"    copy(expected, memory + {places[output]}, {tensor.nbytes});"
        return
    spans = [*sorted((places[b], places[b] + b.nbytes) for b in program.buffers), (end, end)]
    reached, checks = 0, [f"differences(expected, memory + {places[output]}, {tensor.nbytes})"]
    for start, stop in spans:
        if start > reached:
            checks.append(f"disturbed(memory + {reached}, memory + {start})")
        reached = max(reached, stop)
    yield f"    {{ const uint32_t wrong = {' + '.join(checks)};"
    yield f'      if (wrong != 0) {{ say("{label}"); say_number(wrong); }} }}'


def _places(program: Program, overlap: Overlap | None) -> tuple[dict[Buffer, int], int]:
    """Offsets of the buffers, guard bytes between them, and where the last guard ends."""
    places: dict[Buffer, int] = {}
    at = _GUARD
    if overlap is not None:
        lead = 0 if overlap.in_place else overlap.lead_bytes
        places = {overlap.output: at, overlap.input: at + lead}
        at += max(overlap.output.nbytes, lead + overlap.input.nbytes) + _GUARD
    for buffer in program.buffers:
        if buffer not in places:
            at = -(-at // 16) * 16
            places[buffer] = at
            at += buffer.nbytes + _GUARD
    return places, at
