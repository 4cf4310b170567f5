# SPDX-License-Identifier: Apache-2.0
"""CIRCULAR_BUFFER: what streaming models with strided convolutions remember. Kernel in
``kernels/circular_buffer.h``.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.flexbuffer import read_map
from tinyserve.compiler.graph.types import DType, Node, Options
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported
from tinyserve.compiler.ops.support.calls import shapes
from tinyserve.compiler.program import Buffer, KernelCall, Params

_MOST_CYCLES = 1 << 16


@dataclass(frozen=True)
class CircularBufferAttributes:
    cycles_max: int


@dataclass(frozen=True)
class CircularBufferParams(Params, c_type="ts_circular_buffer_params"):
    """``depth``: bytes of a slot."""

    slots: int
    depth: int
    cycles: int


class CircularBuffer(OpDef):
    """[1][1][width][depth] to the last slots of them, [1][slots][width][depth].

    Layers after it run at every ``cycles_max``-th inference only; the others end there, and leave the outputs
    as they were. TFLM leaves its outputs undefined then.
    """

    name = "CIRCULAR_BUFFER"
    custom = True
    types = (DType.INT8,)
    limits = "cycles_max must be given"

    def attributes(self, options: Options) -> CircularBufferAttributes:
        found = read_map(options.custom) if options.custom else {}
        cycles = found.get("cycles_max", 0)
        return CircularBufferAttributes(cycles if isinstance(cycles, int) else 0)

    def check(self, node: Node) -> None:
        input, output = node.input("input"), node.output
        checks.dtype(node, input, self.types, "input")
        checks.same_dtype(node, input, output)
        checks.rank(node, input, 4, "input")
        checks.rank(node, output, 4, "output")
        checks.shape(node, input, (1, 1, *input.shape[2:]), "input")
        checks.shape(node, output, (1, output.shape[1], *input.shape[2:]), "output")
        if not 1 <= node.attributes.cycles_max <= _MOST_CYCLES:
            raise unsupported(
                node,
                f"cycles_max is {node.attributes.cycles_max}",
                "export the model with cycles_max of 1 or more",
            )

    def lower(self, node: Node, lowering: Lowering) -> None:
        input, output = lowering.operand(node.input("input")), lowering.buffer(node.output)
        name, cycles = node.output.name, node.attributes.cycles_max
        zeros = bytes([node.output.zero_point % 256]) * output.nbytes
        kept = output if output.kind == "state" else lowering.state(f"{name}_kept", output.nbytes, zeros)
        state = [
            kept,
            lowering.state(f"{name}_waited", 4),
            lowering.state(f"{name}_due", 1),
        ]
        slots = node.output.shape[1]
        lowering.call(
            KernelCall(
                function="ts_circular_buffer",
                header="circular_buffer.h",
                params=CircularBufferParams(slots, node.output.elements // slots, cycles),
                args=[input, output, *state],
                reads=[*([input] if isinstance(input, Buffer) else []), *state],
                writes=[output, *state],
                layer=name,
                op=node.name,
                comment=shapes(node),
                continues=state[-1] if cycles > 1 else None,
            )
        )


OPS = (CircularBuffer(),)
