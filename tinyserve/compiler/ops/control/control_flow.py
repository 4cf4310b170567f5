# SPDX-License-Identifier: Apache-2.0
"""IF, WHILE and CALL_ONCE: operators that run subgraphs. No kernel: the emitter writes them as C."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tinyserve.compiler.graph.types import DType, Node, Options, Tensor
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported
from tinyserve.compiler.ops.support.calls import shapes
from tinyserve.compiler.ops.support.move import move
from tinyserve.compiler.program import Block, Buffer, Constant, ControlCall, Operand

_ALIGNMENT = 16


@dataclass(frozen=True)
class IfAttributes:
    then_subgraph: int
    else_subgraph: int


class If(OpDef):
    """The condition is a bool; the others are the inputs of both subgraphs."""

    name = "IF"
    inputs = ("condition", "values*")
    outputs = ("results*",)

    def attributes(self, options: Options) -> IfAttributes:
        return IfAttributes(options.int32("then_subgraph_index"), options.int32("else_subgraph_index"))

    def check(self, node: Node) -> None:
        condition = node.input("condition")
        checks.dtype(node, condition, (DType.BOOL,), "the condition")
        checks.elements(node, condition, 1, "the condition")

    def lower(self, node: Node, lowering: Lowering) -> None:
        test = lowering.operand(node.input("condition"))
        inputs = node.operands()[1:]
        blocks = [
            lowering.block(number, inputs, node.outputs)
            for number in (node.attributes.then_subgraph, node.attributes.else_subgraph)
        ]
        reads = [*_places(lowering, inputs), test]
        _add_control(
            node,
            lowering,
            "if",
            macs=self.macs_of_blocks(node, _macs(blocks)),
            test=test,
            blocks=blocks,
            reads=reads,
        )

    def macs_of_blocks(self, node: Node, blocks: Sequence[int]) -> int:
        return max(blocks)


@dataclass(frozen=True)
class WhileAttributes:
    """``turns``: how often the body runs in an inference, None where that depends on data."""

    condition_subgraph: int
    body_subgraph: int
    turns: int | None = None


class While(OpDef):
    """The outputs are the loop's values: they start as the inputs, and the body replaces them.

    The condition's first output, a bool, says whether the body runs again.
    """

    name = "WHILE"
    inputs = ("value", "more*")
    outputs = ("result", "more*")
    limits = "shapes stay the same from turn to turn"

    def attributes(self, options: Options) -> WhileAttributes:
        return WhileAttributes(options.int32("cond_subgraph_index"), options.int32("body_subgraph_index"))

    def check(self, node: Node) -> None:
        if len(node.operands()) != len(node.outputs):
            raise checks.invalid(node, f"has {len(node.outputs)} outputs, needs {len(node.inputs)}")
        for input, output in zip(node.operands(), node.outputs, strict=True):
            checks.same_dtype(node, input, output)
            checks.elements(node, output, input.elements, "an output")

    def lower(self, node: Node, lowering: Lowering) -> None:
        for input, output in zip(node.operands(), node.outputs, strict=True):
            if input.dtype is DType.RESOURCE:
                lowering.alias(output, input)
            else:
                lowering.call(move(lowering.operand(input), lowering.buffer(output), f"{output.name}_start"))
        condition = lowering.block(node.attributes.condition_subgraph, node.outputs, [])
        test = condition.outputs[0] if condition.outputs else None
        never = isinstance(test, Constant) and test.values.dtype == np.bool_ and not test.values.any()
        if never and not condition.writes:
            return
        if test is None or isinstance(test, Constant) or test.dtype is not DType.BOOL:
            raise unsupported(
                node, "a condition that is no bool or always true", "let the condition depend on a loop value"
            )
        body = lowering.block(node.attributes.body_subgraph, node.outputs, node.outputs)
        _add_control(
            node,
            lowering,
            "while",
            macs=self.macs_of_blocks(node, _macs([condition, body])),
            test=test,
            blocks=[condition, body],
            reads=_places(lowering, node.outputs),
        )

    def macs_of_blocks(self, node: Node, blocks: Sequence[int]) -> int:
        """The condition is computed once more than the body runs; one turn where the turns depend on data."""
        condition, body = blocks
        turns = 1 if node.attributes.turns is None else node.attributes.turns
        return int((turns + 1) * condition + turns * body)


@dataclass(frozen=True)
class CallOnceAttributes:
    subgraph: int


class CallOnce(OpDef):
    """Runs a subgraph without inputs and outputs at the first inference, and at the first after a reset."""

    name = "CALL_ONCE"
    inputs = ()
    outputs = ()

    def attributes(self, options: Options) -> CallOnceAttributes:
        return CallOnceAttributes(options.int32("init_subgraph_index"))

    def check(self, node: Node) -> None:
        """Nothing to check: it has no operands."""

    def lower(self, node: Node, lowering: Lowering) -> None:
        done = lowering.state("initialized", 1)
        block = lowering.block(node.attributes.subgraph, [], [])
        macs = self.macs_of_blocks(node, _macs([block]))
        _add_control(node, lowering, "once", macs=macs, test=done, blocks=[block], reads=[done])


def _macs(blocks: Sequence[Block]) -> list[int]:
    return [sum(call.macs for call in block.calls) for block in blocks]


def _places(lowering: Lowering, tensors: Sequence[Tensor]) -> list[Operand]:
    return [lowering.operand(tensor) for tensor in tensors if tensor.dtype is not DType.RESOURCE]


def _add_control(
    node: Node,
    lowering: Lowering,
    control: Literal["if", "while", "once"],
    *,
    macs: int,
    test: Operand,
    blocks: list[Block],
    reads: Sequence[Operand],
) -> None:
    """The call, which reads and writes what its blocks do in the graphs around them."""
    subgraphs = ", ".join(block.name for block in blocks)
    arena_bytes = max(block.plan.arena_bytes for block in blocks)
    region = lowering.scratch(f"{control}_blocks", max(1, arena_bytes), _ALIGNMENT)
    touched = [buffer for buffer in reads if isinstance(buffer, Buffer)]
    touched += [buffer for block in blocks for buffer in block.reads]
    written = [buffer for block in blocks for buffer in block.writes]
    lowering.call(
        ControlCall(
            function=control,
            header="",
            params=None,
            args=[],
            reads=list(dict.fromkeys([*touched, region])),
            writes=list(dict.fromkeys([*written, region])),
            layer=node.output.name if node.outputs else f"initialize_{subgraphs}",
            op=node.name,
            comment=f"{shapes(node)}; runs {subgraphs}",
            macs=macs,
            control=control,
            test=test,
            blocks=tuple(blocks),
            region=region,
        )
    )


OPS = (If(), While(), CallOnce())
