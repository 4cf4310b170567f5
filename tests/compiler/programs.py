# SPDX-License-Identifier: Apache-2.0
"""Random programs for the planner, and a machine that runs a plan byte by byte."""

from __future__ import annotations

from hypothesis import strategies as st

from tinyserve.compiler.graph.types import DType
from tinyserve.compiler.program import PORTABLE, Buffer, KernelCall, MemoryPlan, Overlap, Program


def buffer(name: str, nbytes: int, kind: str = "activation", alignment: int = 1) -> Buffer:
    return Buffer(name, nbytes, DType.UINT8, kind, alignment)  # type: ignore[arg-type]


def call(
    reads: list[Buffer], writes: list[Buffer], overlaps: list[Overlap] | None = None, layer: str = "layer"
) -> KernelCall:
    return KernelCall(
        "f", "f.h", None, [*reads, *writes], reads, writes, layer, "OP", overlaps=list(overlaps or [])
    )


def program(calls: list[KernelCall], inputs: list[Buffer], outputs: list[Buffer]) -> Program:
    used = dict.fromkeys([*inputs, *(b for c in calls for b in [*c.reads, *c.writes])])
    return Program("test", PORTABLE, calls, list(used), [], inputs, list(outputs), [], [], "00")


@st.composite
def programs(draw: st.DrawFn, most_calls: int = 8, most_bytes: int = 20) -> Program:
    """Calls that read earlier values and write a new one, with random permissions, scratch and state."""
    sizes = st.integers(1, most_bytes)
    alignments = st.sampled_from([1, 1, 4])
    inputs = [
        buffer(f"in{i}", draw(sizes), "input", draw(alignments)) for i in range(draw(st.integers(1, 2)))
    ]
    values = list(inputs)
    calls = []
    state = buffer("state", draw(sizes), "state", 4) if draw(st.booleans()) else None
    for index in range(draw(st.integers(1, most_calls))):
        reads = draw(st.lists(st.sampled_from(values[-4:]), min_size=1, max_size=3, unique=True))
        output = buffer(f"v{index}", draw(sizes), "activation", draw(alignments))
        overlaps = []
        for source in reads:
            kind = draw(st.sampled_from(["none", "lead", "lead", "in_place"]))
            if kind == "lead":
                overlaps.append(Overlap(source, output, draw(st.integers(0, output.nbytes + 3))))
            elif kind == "in_place" and output.nbytes <= source.nbytes:
                overlaps.append(Overlap(source, output, in_place=True))
        used, written = list(reads), [output]
        if draw(st.integers(0, 3)) == 0:
            scratch = buffer(f"scratch{index}", draw(sizes), "scratch")
            used.append(scratch)
            written.append(scratch)
        if state is not None and draw(st.booleans()):
            used.append(state)
            written.append(state)
        calls.append(call(used, written, overlaps))
        values.append(output)
    outputs = draw(st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True))
    return program(calls, inputs, outputs)


Token = tuple[str, int]


class Machine:
    """An arena whose bytes are tokens (buffer, index). Raises AssertionError when a byte that somebody still
    needs is gone. Kernels behave as badly as their permissions allow."""

    def __init__(self, program: Program, plan: MemoryPlan) -> None:
        self.program, self.plan = program, plan
        self.memory: list[Token | None] = [None] * plan.arena_bytes

    def run(self) -> None:
        states = [b for b in self.program.buffers if b.kind == "state"]
        for held in [*self.program.inputs, *states]:
            self.fill(held)
        for number in self.program.calls:
            self.call(number)
        for held in [*states, *(b for b in self.program.outputs if isinstance(b, Buffer))]:
            self.expect(held, 0)

    def call(self, call: KernelCall) -> None:
        fixed = [b for b in call.writes if b.kind in ("scratch", "state")]
        for held in fixed:
            self.fill(held)
        ways = {overlap.input: overlap for overlap in call.overlaps}
        (output,) = [b for b in call.writes if b not in fixed]
        sources = [b for b in call.reads if b not in fixed]
        for source in sources:
            self.expect(source, 0)
        for index in range(output.nbytes):
            for source in sources:
                if source in ways and ways[source].in_place and index < source.nbytes:
                    self.expect(source, index, index + 1)
            self.write(output, index)
            for source in sources:
                if source not in ways:
                    self.expect(source, 0)
                elif not ways[source].in_place:
                    self.expect(source, max(0, index - ways[source].lead_bytes + 1))
            for held in fixed:
                self.expect(held, 0)
        self.expect(output, 0)

    def fill(self, held: Buffer) -> None:
        for index in range(held.nbytes):
            self.write(held, index)

    def write(self, held: Buffer, index: int) -> None:
        self.memory[self.plan.offsets[held] + index] = (held.name, index)

    def expect(self, held: Buffer, start: int, stop: int | None = None) -> None:
        offset = self.plan.offsets[held]
        for index in range(start, held.nbytes if stop is None else stop):
            found = self.memory[offset + index]
            assert found == (held.name, index), f"{held.name}[{index}] was overwritten by {found}"
