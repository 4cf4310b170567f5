# SPDX-License-Identifier: Apache-2.0
"""What an operator module provides, and what lowering provides to it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy.typing as npt

from tinyserve.compiler.graph.rows import RowRule, Share, Slab
from tinyserve.compiler.graph.types import DType, Node, Options, Signature, Tensor
from tinyserve.compiler.program import Block, Buffer, Constant, KernelCall, Operand, Target
from tinyserve.errors import UnsupportedError


@dataclass(frozen=True, eq=False)
class Kin:
    """Operators that may share what a kernel stores. ``extra``: what each kernel stores beyond the model's
    own constants, in bytes by the names of the kernels, once that is known."""

    nodes: tuple[Node, ...]
    extra: dict[tuple[str, ...], list[float]] = field(default_factory=dict)


class Lowering(Protocol):
    """The program under construction, as an operator's ``lower`` sees it."""

    @property
    def target(self) -> Target: ...

    @property
    def packs(self) -> bool:
        """Whether the weights of the operator that is lowered have four bits, and are to keep them in
        flash."""
        ...

    def operand(self, tensor: Tensor) -> Operand:
        """The buffer of an activation, or the constant of a constant tensor."""
        ...

    def buffer(self, tensor: Tensor) -> Buffer:
        """The buffer of an activation (a constant tensor gets copied into none: raises UnsupportedError)."""
        ...

    def constant(
        self, name: str, values: npt.NDArray[Any], comment: str = "", alignment: int = 4
    ) -> Constant:
        """Adds read-only data; equal data is stored once. The C type follows the numpy dtype."""
        ...

    def scratch(self, name: str, nbytes: int, alignment: int = 4, *, size: str = "") -> Buffer:
        """Working memory of one call, in the arena. ``size``: see ``Buffer``."""
        ...

    def state(
        self, name: str, nbytes: int, initial: bytes | None = None, alignment: int = 4, *, size: str = ""
    ) -> Buffer:
        """Memory that lives across inferences, set to ``initial`` (zeros without) by init and reset."""
        ...

    def alias(self, output: Tensor, input: Tensor) -> None:
        """``output`` is the same bytes as ``input``: no code (reshape and its like)."""
        ...

    def call(self, call: KernelCall) -> None:
        """Appends a kernel call."""
        ...

    def offer(self, node: Node, variants: Sequence[str], refusal: str = "") -> None:
        """Notes the kernel variants that the operator's layer can have, for those who choose among them, or
        why it can have none but the portable one."""
        ...

    def lower_variant(self, name: str, node: Node) -> bool:
        """Lowers ``node`` with a kernel variant of the target's instruction set, where one takes it.

        ``name`` is the operator's module. False: the portable kernel is the operator's own business.
        Raises UsageError where the target's choices name a variant that does not apply.
        """
        ...

    def kin(self, node: Node) -> Kin:
        """The operators of the graph that may share what a kernel stores for ``node``, itself included."""
        ...

    def stored_by(self, lower: Callable[[Lowering], None]) -> Mapping[object, int]:
        """The constants that lowering an operator stores, in bytes by what tells them apart. Adds nothing."""
        ...

    def block(self, subgraph: int, inputs: Sequence[Tensor], results: Sequence[Tensor]) -> Block:
        """Lowers a subgraph for a ControlCall: it reads ``inputs`` where they are, and its outputs are copied
        to ``results`` at its end (none where ``results`` is empty)."""
        ...

    def declare_variable(self, handle: Tensor, name: str) -> None:
        """``handle`` stands for the resource variable of this name."""
        ...

    def variable(self, handle: Tensor, value: Tensor) -> Buffer:
        """The state that holds a resource variable whose values are like ``value``."""
        ...


class OpDef:
    """Base of an operator's definition: ``compiler/ops/<family>/<op>.py`` ends in ``OPS = (Conv2D(),)``."""

    name: str = ""
    custom: bool = False
    types: Collection[DType] = ()
    """What the kernels take as the values worked on (empty: every type), for the page of operators."""
    limits: str = ""
    """What else ``check`` asks for, in one line."""
    inputs: tuple[str, ...] = ("input",)
    outputs: tuple[str, ...] = ("output",)
    """What inputs and outputs are called, see ``graph.types.Signature``: how many there are is checked before
    ``check`` is called, and ``node.input(name)`` finds them."""
    reads_four_bits: bool = False
    """Whether cores have kernels that read weights of four bits as they are."""
    names_constants: bool = False
    """Whether constants are named after layer and input in the generated C, not as in the file."""

    @property
    def by_rows(self) -> bool:
        """Whether there are layers of this operator that can be computed row by row."""
        return type(self).rows is not OpDef.rows

    @property
    def signature(self) -> Signature:
        """The names of inputs and outputs."""
        return Signature(self.inputs, self.outputs)

    def attributes(self, options: Options) -> Any:
        """The operator's attributes as a frozen dataclass (None where it has none)."""
        return None

    def complete(self, node: Node) -> None:
        """Fills in what files leave out and attributes say: called once, before any check."""

    def check(self, node: Node) -> None:
        """Raises UnsupportedError (what, why, what to do) for types or options that no kernel has, and
        ModelError for shapes that contradict each other. Must accept hostile operators, never a traceback."""
        raise NotImplementedError

    def macs(self, node: Node) -> int:
        """Multiply-accumulate operations of one inference (0 for operators without any)."""
        return 0

    def macs_of_blocks(self, node: Node, blocks: Sequence[int]) -> int:
        """Those of one inference in the subgraphs that the operator runs. ``blocks``: what each of them takes
        when it runs once, in the order of the options."""
        return sum(blocks)

    def lower(self, node: Node, lowering: Lowering) -> None:
        """Adds the kernel calls of a checked operator."""
        raise NotImplementedError

    def rows(self, node: Node) -> RowRule | None:
        """How output rows depend on the rows of what ``rows.takes_rows`` names; None for operators that need
        all of their input at once."""
        return None

    def slab_attributes(self, node: Node, slab: Slab) -> Any:
        """The attributes of the operator on some rows: padding above and below is the slab's."""
        return node.attributes

    def kept_between(self, node: Node) -> Tensor:
        """What an operator that gathers rows keeps between them (``RowRule.gathers``)."""
        raise NotImplementedError

    def share_attributes(self, node: Node, share: Share) -> Any:
        """The attributes of the operator that takes in ``share`` of its rows."""
        raise NotImplementedError


def unsupported(node: Node, reason: str, hint: str) -> UnsupportedError:
    """The error for an operator that no kernel covers, worded the same everywhere."""
    return UnsupportedError(f"{node.location}: {reason}", hint)
