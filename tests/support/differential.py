# SPDX-License-Identifier: Apache-2.0
"""Runs many small models through TFLM and through our compiled C, and compares every byte.

All cases of a test go into one C program, compiled once under ASan and UBSan with all warnings as errors,
and run once. TFLM runs in a child process, which may abort on a case without taking the test along. The calls
are written by the emitter. Every buffer of a case lies in a heap block of its exact size, so that ASan sees
each access out of bounds; a case of a single kernel call runs once more for each overlap that the call
permits, with the output as close to the input as permitted.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import pickle
import select
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.support.fuzz_seed import fuzz_seed
from tests.support.places import CHECKOUT
from tinyserve.compiler.emit.calls import control_call, kernel_call, place
from tinyserve.compiler.emit.ctext import array_lines
from tinyserve.compiler.graph.types import Model
from tinyserve.compiler.host.build import find_compiler
from tinyserve.compiler.lower import lower
from tinyserve.compiler.passes.load import load
from tinyserve.compiler.program import (
    PORTABLE,
    Buffer,
    Constant,
    ControlCall,
    KernelCall,
    Overlap,
    Program,
    Target,
    every_call,
)
from tinyserve.errors import UnsupportedError

Array = npt.NDArray[Any]
KERNELS = CHECKOUT / "tinyserve" / "kernels"
_LANGUAGE = ["-std=c11", "-ffp-contract=off"]
_WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Werror"]
_SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
_COMPILE_TIMEOUT_S, _RUN_TIMEOUT_S, _TFLM_TIMEOUT_S = 300, 120, 60


@dataclass
class Case:
    """A model and inputs for it: each sample is one array per input of the model."""

    label: str
    model: bytes
    samples: list[list[Array]]


@dataclass
class Comparison:
    """What became of the cases. ``differences`` are messages; a test wants none of them."""

    compared: int = 0
    refused_by_tflm: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Tolerance:
    """Of float32 outputs: |ours - theirs| <= absolute + relative * |theirs|."""

    absolute: float = 0.0
    relative: float = 0.0


EXACT = Tolerance()


def check(
    cases: Sequence[Case],
    directory: Path,
    *,
    at_least: int,
    tolerance: Tolerance = EXACT,
    prepare: Callable[[Model], object] | None = None,
    target: Target = PORTABLE,
    flags: Sequence[str] = (),
) -> None:
    """Asserts that TFLM ran at least so many cases, that we compile all of those, and that no output differs.

    ``prepare`` may change each loaded model before it is lowered: a pass under test. ``flags`` are for the
    compiler.
    """
    result = compare(cases, directory, tolerance, prepare, target, flags=flags)
    shown = "\n".join(result.differences[:8])
    assert not result.differences, f"{len(result.differences)} of {len(cases)} cases differ:\n{shown}"
    wanted = at_least // 2 if fuzz_seed() else at_least  # of fresh cases TFLM may refuse more
    assert result.compared >= wanted, (
        f"only {result.compared} of {len(cases)} cases ran in TFLM, e.g. not: {result.refused_by_tflm[:5]}"
    )


def compare(
    cases: Sequence[Case],
    directory: Path,
    tolerance: Tolerance = EXACT,
    prepare: Callable[[Model], object] | None = None,
    target: Target = PORTABLE,
    *,
    flags: Sequence[str] = (),
) -> Comparison:
    """Runs the cases both ways."""
    result = Comparison()
    theirs = run_tflm(cases)
    lowered: list[tuple[Case, Program, list[list[Array]]]] = []
    for case, expected in zip(cases, theirs, strict=True):
        if isinstance(expected, str):
            result.refused_by_tflm.append(f"{case.label}: {expected}")
            continue
        try:
            model = load(case.model)
            if prepare is not None:
                prepare(model)
            lowered.append((case, lower(model, target, "case"), expected))
        except UnsupportedError as error:
            result.differences.append(f"{case.label}: TFLM runs it, we do not: {error}")
    ours = run_c([(program, case.samples) for case, program, _ in lowered], directory, flags)
    for (case, program, expected), got in zip(lowered, ours, strict=True):
        result.compared += 1
        result.differences.extend(_differences(case, program, expected, got, tolerance))
    return result


def _differences(
    case: Case, program: Program, expected: list[list[Array]], got: list[_Run], tolerance: Tolerance
) -> Iterator[str]:
    for run in got:
        for index, (want, have) in enumerate(zip(expected[run.sample], run.outputs, strict=True)):
            mine = have.reshape(want.shape)
            bad = _wrong(want, mine, tolerance)
            if bad.any():
                where = np.argwhere(bad)[0]
                at = tuple(int(i) for i in where)
                variant = ", ".join(call.function for call in program.calls)
                yield (
                    f"{case.label}, sample {run.sample}, output {index}{run.layout}: {int(bad.sum())} of "
                    f"{bad.size} differ, first at {at}: TFLM {want[at]}, ours {mine[at]} ({variant})"
                )
                return


def _wrong(want: Array, have: Array, tolerance: Tolerance) -> Array:
    """Where they differ. NaN is so in both; where they must be equal, zeros have one sign."""
    if want.dtype.kind != "f":
        return np.asarray(want != have)
    if tolerance == EXACT:
        equal = (want == have) & (np.signbit(want) == np.signbit(have))
    else:
        with np.errstate(invalid="ignore"):
            close = np.abs(have - want) <= tolerance.absolute + tolerance.relative * np.abs(want)
        equal = (close & np.isfinite(want)) | (want == have)
    return np.asarray(~(equal | (np.isnan(want) & np.isnan(have))))


# --- TFLM, in a child process


def run_tflm(cases: Sequence[Case]) -> list[list[list[Array]] | str]:
    """Per case the outputs of each sample, or a word on why TFLM has none ("refused", "aborted")."""
    results: list[list[list[Array]] | str] = []
    for case in cases:
        try:
            results.append(_ORACLE.ask((case.model, case.samples)))
        except EOFError:
            results.append("aborted")
    return results


class _Oracle:
    """A child that lives from the first case to the end of the tests, and is started again when it aborts."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None

    def ask(self, question: object) -> Any:
        """The child's answer. EOFError where it died of the question."""
        if self._child is None:
            self._start()
        child = self._child
        assert child is not None and child.stdin is not None and child.stdout is not None
        try:
            pickle.dump(question, child.stdin)
            child.stdin.flush()
            if not select.select([child.stdout], [], [], _TFLM_TIMEOUT_S)[0]:
                raise TimeoutError(f"TFLM gave no answer for {_TFLM_TIMEOUT_S} s")
            return pickle.load(child.stdout)
        except (EOFError, BrokenPipeError):
            raise EOFError("TFLM aborted") from None
        finally:
            if child.poll() is not None or sys.exc_info()[0] is not None:
                self.stop()

    def stop(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None

    def _start(self) -> None:
        from tests.support.tflm import require

        require()
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tests.support.differential"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=CHECKOUT,
        )
        if self.ask(None) != "ready":
            raise RuntimeError("TFLM's child does not start: run `python -m tests.support.differential`")


_ORACLE = _Oracle()
atexit.register(_ORACLE.stop)


def _serve() -> None:
    """The child: a model and samples in, outputs or a refusal out, until the input ends."""
    from tests.support.tflm import Tflm

    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else writes to the standard output must not get between the answers
    while True:
        try:
            question = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        answer: Any = "ready"
        if question is not None:
            model, samples = question
            try:
                interpreter = Tflm(model)
                answer = []
                for sample in samples:
                    interpreter.invoke(sample)
                    answer.append([interpreter.output(index) for index in range(_output_count(model))])
            except (RuntimeError, ValueError) as error:
                answer = f"refused ({error})"
        pickle.dump(answer, answers)
        answers.flush()


def _output_count(model: bytes) -> int:
    from ai_edge_litert import schema_py_generated as schema

    subgraph = schema.Model.GetRootAs(model, 0).Subgraphs(0)
    assert subgraph is not None
    return int(subgraph.OutputsLength())


# --- our C


@dataclass
class _Run:
    """One inference of one sample, in one layout of its memory."""

    sample: int
    layout: str
    outputs: list[Array]


@dataclass(frozen=True)
class _Layout:
    """Which buffers share memory: ``output`` starts ``lead_bytes`` before ``input``. None: none do."""

    overlap: Overlap | None = None

    @property
    def label(self) -> str:
        if self.overlap is None:
            return ""
        return f" (output {self.overlap.lead_bytes} bytes before input {self.overlap.input.name})"


def run_c(
    programs: Sequence[tuple[Program, list[list[Array]]]], directory: Path, flags: Sequence[str] = ()
) -> list[list[_Run]]:
    """Compiles all programs into one, runs each sample in each layout. RuntimeError for compiler or
    sanitizer.
    """
    if not programs:
        return []
    source = "\n".join(_source([program for program, _ in programs])) + "\n"
    name = hashlib.sha256(source.encode()).hexdigest()[:16]
    path = directory / f"cases-{name}.c"
    path.write_text(source)
    binary = path.with_suffix("")
    for command in _commands(path, binary, flags):
        built = subprocess.run(
            command, capture_output=True, text=True, timeout=_COMPILE_TIMEOUT_S, check=False
        )
        if built.returncode:
            raise RuntimeError(f"{path}:\n{built.stderr[:4000]}")
    runs: list[list[_Run]] = []
    stream: list[bytes] = []
    for index, (program, samples) in enumerate(programs):
        for number_of_layout, _ in enumerate(_layouts(program)):
            for position, sample in enumerate(samples):
                header = np.array([index, number_of_layout, position == 0], dtype=np.int32)
                stream.append(header.tobytes() + b"".join(_raw(value) for value in sample))
    ran = subprocess.run(
        [str(binary)], input=b"".join(stream), capture_output=True, timeout=_RUN_TIMEOUT_S, check=False
    )
    if ran.returncode:
        raise RuntimeError(f"{path}:\n{ran.stderr.decode(errors='replace')[:4000]}")
    position = 0
    for program, samples in programs:
        of_program: list[_Run] = []
        for layout in _layouts(program):
            for sample in range(len(samples)):
                outputs = []
                for tensor in program.output_tensors:
                    raw = ran.stdout[position : position + tensor.nbytes]
                    outputs.append(np.frombuffer(raw, dtype=tensor.dtype.numpy).reshape(tensor.shape))
                    position += tensor.nbytes
                of_program.append(_Run(sample, layout.label, outputs))
        runs.append(of_program)
    return runs


def _commands(source: Path, binary: Path, flags: Sequence[str]) -> Iterator[list[str]]:
    """Warnings from the usual compiler, sanitized code from clang: without optimization it takes a sixth of
    GCC's time. (What optimizers make of the C is for `tests/sweep`.) Where there is no clang, or CC names a
    compiler, that one does both."""
    general = [*_LANGUAGE, *flags, "-I", str(KERNELS), str(source)]
    clang = shutil.which("clang")
    if clang is None or os.environ.get("CC"):
        yield [*find_compiler(True), *general, *_WARNINGS, "-O1", *_SANITIZERS, "-o", str(binary)]
        return
    yield [*find_compiler(True), *general, *_WARNINGS, "-fsyntax-only"]
    yield [clang, *general, "-w", "-O0", *_SANITIZERS, "-o", str(binary)]


def _raw(value: Array) -> bytes:
    return np.ascontiguousarray(value).tobytes()


def _layouts(program: Program) -> list[_Layout]:
    """Apart, and each permitted overlap of a program of a single call (not over what the graph returns)."""
    layouts = [_Layout()]
    if len(program.calls) == 1:
        permitted = [overlap for overlap in program.calls[0].overlaps if overlap.input not in program.outputs]
        layouts.extend(_Layout(overlap) for overlap in permitted)
    return layouts


def _source(programs: Iterable[Program]) -> Iterator[str]:
    programs = list(programs)
    yield from ("#include <stdint.h>", "#include <stdio.h>", "#include <stdlib.h>", "#include <string.h>")
    yield from sorted(
        {
            f'#include "{call.header}"'
            for program in programs
            for call in every_call(program.calls)
            if call.header
        }
    )
    yield _READ
    for index, program in enumerate(programs):
        yield from _program_source(f"case{index}", program)
    yield "static void (*const cases[])(int32_t, int32_t) = {"
    yield from (f"    case{index}," for index in range(len(programs)))
    yield from ("};", _MAIN)


_READ = """
static void *block(size_t bytes)
{
    void *memory = malloc(bytes ? bytes : 1);
    if (memory == NULL) { exit(2); }
    memset(memory, 0x5a, bytes);
    return memory;
}
static void fill(void *to, size_t bytes) { if (fread(to, 1, bytes, stdin) != bytes) { exit(3); } }
static void show(const void *source, size_t bytes) { if (fwrite(source, 1, bytes, stdout) != bytes) {
exit(4); } }
"""

_MAIN = """
int main(void)
{
    int32_t header[3];
    while (fread(header, sizeof header, 1, stdin) == 1) { cases[header[0]](header[1], header[2]); }
    return 0;
}
"""


def _program_source(name: str, program: Program) -> Iterator[str]:
    """A function that reads the inputs, runs the calls and writes the outputs, in the given layout."""
    everything = [*program.buffers, *_block_buffers(program)]
    buffers = {buffer: f"b{index}" for index, buffer in enumerate(everything)}
    constants = {id(c): f"{name}_c{index}" for index, c in enumerate(program.constants)}
    places = _Places(buffers, constants)
    for constant in program.constants:
        size = max(1, constant.values.size)
        yield f"static const {constant.c_type} {constants[id(constant)]}[{size}] = {{"
        yield from (*array_lines(constant.values), "};")
    state = [buffer for buffer in program.buffers if buffer.kind == "state"]
    yield f"static void {name}(int32_t layout, int32_t first) {{"
    yield "    (void)layout; (void)first;"
    for buffer in state:
        yield f"    static uint8_t {buffers[buffer]}[{max(1, buffer.nbytes)}] __attribute__((aligned(16)));"
        initial = program.initial.get(buffer)
        source = f"memcpy({buffers[buffer]}, {constants[id(initial)]}" if initial else ""
        reset = f"{source}, {buffer.nbytes})" if initial else f"memset({buffers[buffer]}, 0, {buffer.nbytes})"
        yield f"    if (first) {{ {reset}; }}"
    heap = [buffer for buffer in everything if buffer.kind != "state"]
    for buffer in heap:
        yield f"    uint8_t *{buffers[buffer]} = NULL;"
    yield "    void *blocks[400]; int32_t used = 0;"
    for number_of_layout, layout in enumerate(_layouts(program)):
        yield f"    if (layout == {number_of_layout}) {{"
        yield from _allocation(layout, heap, buffers)
        yield "    }"
    for tensor in program.input_tensors:
        buffer = program.values[tensor]
        assert isinstance(buffer, Buffer)
        yield f"    fill({buffers[buffer]}, {tensor.nbytes});"
    for call in program.calls:
        yield from _call_source(call, places)
    for operand, tensor in zip(program.outputs, program.output_tensors, strict=True):
        yield f"    show({place(operand, places)}, {tensor.nbytes});"
    yield "    while (used > 0) { free(blocks[--used]); }"
    yield "}"


def _block_buffers(program: Program) -> list[Buffer]:
    """Buffers of subgraphs, each of which lies in a heap block of its own like all others."""
    calls = [call for call in every_call(program.calls) if isinstance(call, ControlCall)]
    return [buffer for call in calls for block in call.blocks for buffer in block.buffers]


def _allocation(layout: _Layout, heap: list[Buffer], buffers: dict[Buffer, str]) -> Iterator[str]:
    shared: dict[Buffer, int] = {}
    if layout.overlap is not None:
        output, input = layout.overlap.output, layout.overlap.input
        item = max(1, min(output.dtype.itemsize, 4)) if output.dtype.itemsize >= input.dtype.itemsize else 1
        item = max(item, input.dtype.itemsize)
        lead = -(-layout.overlap.lead_bytes // item) * item
        shared = {output: 0, input: lead}
        total = max(output.nbytes, lead + input.nbytes)
        yield f"        uint8_t *both = block({total}); blocks[used++] = both;"
    for buffer in heap:
        if buffer in shared:
            yield f"        {buffers[buffer]} = both + {shared[buffer]};"
        else:
            yield f"        {buffers[buffer]} = block({buffer.nbytes}); blocks[used++] = {buffers[buffer]};"


@dataclass(frozen=True)
class _Places:
    """Buffers in blocks of the heap, constants beside the function."""

    buffers: dict[Buffer, str]
    constants: dict[int, str]

    def buffer(self, buffer: Buffer) -> str:
        return f"(void *){self.buffers[buffer]}"

    def constant(self, constant: Constant) -> str:
        return self.constants[id(constant)]


def _call_source(call: KernelCall, places: _Places) -> Iterator[str]:
    yield "  {"
    if isinstance(call, ControlCall):
        blocks = [(_call_source(one, places) for one in block.calls) for block in call.blocks]
        yield from control_call(call, [list(chain.from_iterable(lines)) for lines in blocks], places)
    else:
        yield from kernel_call(call, places)
    yield "  }"


if __name__ == "__main__":
    _serve()
