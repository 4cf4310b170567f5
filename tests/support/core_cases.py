# SPDX-License-Identifier: Apache-2.0
"""One-operator models, compiled for a target and portably, side by side on an emulated core.

Every buffer lies in memory of its own that ends where mapped memory ends. A case of one kernel call runs once
more for each overlap that the call permits. All memory around what a kernel may write is checked to be as it
was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tests.support.core import KERNELS, CoreImage, build
from tests.support.differential import Case
from tinyserve.compiler.emit.calls import kernel_call
from tinyserve.compiler.emit.ctext import array_lines
from tinyserve.compiler.lower import lower
from tinyserve.compiler.passes.load import load
from tinyserve.compiler.program import (
    PORTABLE,
    Buffer,
    Choice,
    Constant,
    Optimize,
    Overlap,
    Program,
    Target,
)
from tinyserve.errors import UnsupportedError

_FILL = 0xA5


@dataclass
class Comparison:
    """``variants``: cases that the variant took. ``differences`` are messages; a test wants none."""

    compared: int = 0
    variants: int = 0
    stack_bytes: int = 0
    differences: list[str] | None = None


def check(
    cases: Sequence[Case],
    directory: Path,
    cpu: str,
    features: frozenset[str],
    *,
    variant: str,
    at_least: int,
    optimize: Optimize = "balanced",
) -> Comparison:
    """Asserts that the variant took so many cases and that no byte differs from the portable kernel's."""
    result = compare(cases, directory, cpu, Target(features, optimize), variant)
    shown = "\n".join((result.differences or [])[:8])
    assert not result.differences, f"{len(result.differences or [])} differences:\n{shown}"
    assert result.variants >= at_least, f"the variant took only {result.variants} of {len(cases)} cases"
    return result


def compare(cases: Sequence[Case], directory: Path, cpu: str, target: Target, variant: str) -> Comparison:
    """Runs all samples of all cases, portably and for the target."""
    programs: list[tuple[Case, Program, Program]] = []
    for case in cases:
        try:
            fast = lowered(case.model, target, variant)
            programs.append((case, lower(load(case.model), PORTABLE, "case"), fast))
        except UnsupportedError:
            continue
    image = link([program for _, *both in programs for program in both], directory, cpu)
    result = Comparison(differences=[])
    assert result.differences is not None
    for index, (case, portable, fast) in enumerate(programs):
        result.compared += 1
        result.variants += takes(fast, variant)
        for number_of_sample, sample in enumerate(case.samples):
            inputs = [np.ascontiguousarray(value).tobytes() for value in sample]
            expected, _ = run(image, 2 * index, portable, inputs, None)
            for overlap in [None, *overlaps(fast)]:
                where = f"{case.label}, sample {number_of_sample}{_label(overlap)}"
                try:
                    got, stack = run(image, 2 * index + 1, fast, inputs, overlap)
                except Exception as error:
                    result.differences.append(f"{where}: {error!r}")
                    continue
                result.stack_bytes = max(result.stack_bytes, stack)
                if got != expected:
                    result.differences.append(f"{where}: {_difference(expected, got)}")
    return result


def lowered(model: bytes, target: Target, variant: str) -> Program:
    """The model for the target, with the variant in every layer that it takes."""
    program = lower(load(model), target, "case")
    choices = tuple(Choice(layer, variant) for layer, names in program.offers.items() if variant in names)
    return lower(load(model), replace(target, choices=choices), "case") if choices else program


def takes(program: Program, variant: str) -> bool:
    """Whether a layer has the variant: calls of composed ones are those of their parts."""
    chosen = any(choice.variant == variant for choice in program.target.choices)
    return chosen or any(call.variant == variant for call in program.calls)


def overlaps(program: Program) -> list[Overlap]:
    """What a program of a single call permits."""
    return program.calls[0].overlaps if len(program.calls) == 1 else []


def _label(overlap: Overlap | None) -> str:
    return "" if overlap is None else f", output {overlap.lead_bytes} bytes before the input"


def _difference(expected: list[bytes], got: list[bytes]) -> str:
    for want, have in zip(expected, got, strict=True):
        wrong = np.flatnonzero(np.frombuffer(want, np.int8) != np.frombuffer(have, np.int8))
        if wrong.size:
            first = int(wrong[0])
            values = f"{have[first]} is not {want[first]}"
            return f"{wrong.size} of {len(want)} bytes differ, first at {first}: {values}"
    return "no difference"


def run(
    image: CoreImage, index: int, program: Program, inputs: Sequence[bytes], overlap: Overlap | None
) -> tuple[list[bytes], int]:
    """Outputs of one inference and the stack it used. RuntimeError where bytes beside buffers changed."""
    places = _places(image, program, overlap)
    for tensor, data in zip(program.input_tensors, inputs, strict=True):
        operand = program.values[tensor]
        assert isinstance(operand, Buffer)
        image.write(places[operand], data)
    table = image.allocate(4 * len(program.buffers))
    image.write(table, b"".join(places[buffer].to_bytes(4, "little") for buffer in program.buffers))
    counts = image.call(f"case{index}", table)
    image.check_margins()
    outputs = []
    for operand, tensor in zip(program.outputs, program.output_tensors, strict=True):
        assert isinstance(operand, Buffer)
        outputs.append(image.read(places[operand], tensor.nbytes))
    image.release()
    return outputs, counts.stack_bytes


def count(image: CoreImage, index: int, program: Program) -> int:
    """Instructions of one inference."""
    places = _places(image, program, None)
    table = image.allocate(4 * len(program.buffers))
    image.write(table, b"".join(places[buffer].to_bytes(4, "little") for buffer in program.buffers))
    counts = image.call(f"case{index}", table)
    image.release()
    return counts.instructions


def _places(image: CoreImage, program: Program, overlap: Overlap | None) -> dict[Buffer, int]:
    places: dict[Buffer, int] = {}
    if overlap is not None:
        lead = 0 if overlap.in_place else -(-overlap.lead_bytes // 4) * 4
        both = image.allocate(max(overlap.output.nbytes, lead + overlap.input.nbytes))
        places = {overlap.output: both, overlap.input: both + lead}
    for buffer in program.buffers:
        if buffer not in places:
            places[buffer] = image.allocate(buffer.nbytes, buffer.alignment)
    return places


def link(programs: Sequence[Program], directory: Path, cpu: str) -> CoreImage:
    """All programs in one image: function caseN(buffers) runs program N."""
    path = directory / "cases.c"
    path.write_text("\n".join(source(programs)) + "\n")
    sources = sorted({source for program in programs for call in program.calls for source in call.sources})
    keep = [f"case{index}" for index in range(len(programs))]
    return CoreImage(build([path, *(KERNELS / source for source in sources)], directory, keep, cpu), cpu)


def source(programs: Sequence[Program]) -> Iterator[str]:
    """C: function caseN(buffers) runs program N."""
    yield "#include <stddef.h>"
    yield "#include <stdint.h>"
    yield from sorted({f'#include "{call.header}"' for program in programs for call in program.calls})
    for index, program in enumerate(programs):
        names = {id(constant): f"case{index}_{constant.name}" for constant in program.constants}
        for constant in program.constants:
            size = max(1, constant.values.size)
            alignment = max(constant.alignment, constant.values.itemsize)
            kind = f"_Alignas({alignment}) static const __attribute__((unused)) {constant.c_type}"
            yield f"{kind} {names[id(constant)]}[{size}] = {{"
            yield from (*array_lines(constant.values), "};")
        yield f"void case{index}(uint8_t *const *b);"
        yield f"void case{index}(uint8_t *const *b) {{"
        for call in program.calls:
            yield from ("  {", *kernel_call(call, _Places(program, names)), "  }")
        yield "}"


@dataclass(frozen=True)
class _Places:
    """Buffers by their number among the program's, constants by name."""

    program: Program
    constants: dict[int, str]

    def buffer(self, buffer: Buffer) -> str:
        return f"(void *)b[{self.program.buffers.index(buffer)}]"

    def constant(self, constant: Constant) -> str:
        return self.constants[id(constant)]
