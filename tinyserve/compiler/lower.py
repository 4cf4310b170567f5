# SPDX-License-Identifier: Apache-2.0
"""Lowering: from the graph to the program. An operator's module in ``compiler/ops`` says what it becomes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.compiler import ops, variants
from tinyserve.compiler.bands.build import band_call
from tinyserve.compiler.bands.stages import Band, KernelCost, Kernels, needed_after
from tinyserve.compiler.events import events_of
from tinyserve.compiler.graph.types import DType, Graph, Model, Node, Tensor
from tinyserve.compiler.names import UniqueNames, constant_name, identifier, short_name
from tinyserve.compiler.ops.support import absent, four_bits
from tinyserve.compiler.ops.support.base import Kin, Lowering, OpDef
from tinyserve.compiler.ops.support.move import move
from tinyserve.compiler.plan.planner import plan
from tinyserve.compiler.program import (
    Block,
    Buffer,
    BufferKind,
    Constant,
    ControlCall,
    KernelCall,
    Operand,
    Program,
    Target,
    every_call,
)
from tinyserve.compiler.variants.flash import kin_of
from tinyserve.compiler.variants.portable import UNKNOWN
from tinyserve.compiler.variants.portable import cost as cost_of_portable
from tinyserve.errors import ModelError, UnsupportedError

_C_TYPE = {
    "int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "uint16": "uint16_t", "int32": "int32_t",
    "uint32": "uint32_t", "int64": "int64_t", "uint64": "uint64_t", "float32": "float", "bool": "uint8_t",
}  # fmt: skip


_MOST_BLOCKS = 200
_SUBGRAPH_HINT = "export the model again, or use --engine tflm"
_CONTRADICTION = "export the model again with a current converter: its subgraphs contradict each other"


def lower(model: Model, target: Target, name: str, bands: Sequence[Band] = ()) -> Program:
    """The program of the model's main graph, with subgraphs as blocks of the calls that run them.

    ``name`` becomes part of the C identifiers. ``bands`` are runs of layers that are computed by rows. Raises
    UnsupportedError for operators that have no lowering, ImpossibleError for layers that can't be a band.
    """
    is_fed = bool(bands) and bands[0].fed is not None
    lowering = GraphLowering(model.main, _Shared(model, target), is_fed=is_fed)
    lowering.lower_nodes(bands)
    return lowering.finish(identifier(name).lower(), model.sha256)


def kernels_of(model: Model, target: Target) -> Kernels:
    """What says of (some rows of) an operator of the main graph what its kernels cost."""
    return GraphLowering(model.main, _Shared(model, target))


@dataclass(eq=False)
class _Shared:
    """What all graphs of a model have in common: names, constants, and state, which outlives every block."""

    model: Model
    target: Target
    constants: list[Constant] = field(default_factory=list)
    stored: dict[tuple[str, bytes], Constant] = field(default_factory=dict)
    states: list[Buffer] = field(default_factory=list)
    initial: dict[Buffer, Constant] = field(default_factory=dict)
    variables: dict[str, Buffer] = field(default_factory=dict)
    buffer_names: UniqueNames = field(default_factory=UniqueNames)
    constant_names: UniqueNames = field(default_factory=UniqueNames)
    offers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)
    blocks: int = 0


class GraphLowering:
    """Collects what the operators of one graph ask for. Implements ``ops.base.Lowering``.

    A subgraph's lowering knows no buffers but its own: calls that touch others, too, list them in
    ``_foreign``, so that the call which runs the block can say so.
    """

    def __init__(
        self,
        graph: Graph,
        shared: _Shared,
        bound: dict[Tensor, Operand] | None = None,
        *,
        is_fed: bool = False,
    ) -> None:
        """``bound``: where a subgraph's inputs are. ``is_fed``: the main graph's one input has no place."""
        self._graph = graph
        self._shared = shared
        self._calls: list[KernelCall] = []
        self._buffers: list[Buffer] = []
        self._values: dict[Tensor, Operand] = dict(bound or {})
        self._constant_names: dict[Tensor, str] = {}
        self._handles: dict[Tensor, str] = {}
        self._foreign_reads: list[Buffer] = []
        self._foreign_writes: list[Buffer] = []
        self._bytes: dict[Tensor, Tensor] = {}
        self._packs = False
        self._kin: Mapping[Node, Kin] | None = None
        self._whole_costs: dict[Node, Mapping[str, KernelCost]] = {}
        self._is_main = bound is None
        if self._is_main and not is_fed:
            for tensor in graph.inputs:
                self._values[tensor] = self._new_buffer(tensor, "input")

    def lower_nodes(self, bands: Sequence[Band] = ()) -> None:
        """Lowers every operator of the graph, in order."""
        registry = ops.registry(self.target.operators)
        starts = {band.first: band for band in bands}
        # Before a band that is fed there are only reshapes of the input, which has no place.
        done = bands[0].first if bands and bands[0].fed is not None else 0
        for index, node in enumerate(self._graph.nodes):
            if index in starts:
                done = starts[index].end
                self._lower_band(starts[index], registry)
            if index < done:
                continue
            description = registry.get(node.name)
            if description is None:
                raise UnsupportedError(f"{node.location}: no kernel for this operator", absent.hint(node))
            seen = four_bits.with_bytes(node, self._bytes)
            if description.names_constants:
                self._name_constants(seen)
            self._packs = self.target.optimize != "speed" and seen is not node
            description.lower(seen, self)
            self._packs = False

    def _lower_band(self, band: Band, registry: Mapping[str, OpDef]) -> None:
        nodes = self._graph.nodes[band.first : band.end]
        kept = needed_after(band, self._graph, self._values)
        self.call(band_call(band, nodes, kept, lambda node: registry[node.name], self))

    def slab_costs(self, node: Node, whole: Node) -> Mapping[str, KernelCost]:
        """What an operator costs by those kernel variants that the ``whole`` of it can have; empty where only
        one kernel takes it."""
        if whole not in self._whole_costs:
            self._whole_costs[whole] = _SlabLowering(self, {}).costs(whole)
        possible = self._whole_costs[whole]
        if node is whole or not possible:
            return possible
        found = _SlabLowering(self, {}, is_part=True).costs(node)
        return {v: replace(cost, flash=possible[v].flash) for v, cost in found.items() if v in possible}

    def slab_scratch(self, node: Node, variant: str | None) -> int:
        """Bytes that a kernel works in while it computes some rows. Adds nothing."""
        apart = GraphLowering(self._graph, _Shared(self._shared.model, self.target))
        return _SlabLowering(apart, {}, variant, is_part=True).working_bytes(node)

    def slab_calls(
        self, node: Node, places: Mapping[Tensor, Operand], variant: str | None
    ) -> list[KernelCall]:
        """The calls of an operator whose inputs and output are at ``places``."""
        return _SlabLowering(self, dict(places), variant, is_part=True).lowered(node)

    def _name_constants(self, node: Node) -> None:
        for name in node.signature.inputs:
            tensor = node.optional(name.rstrip("?"))
            if tensor is not None:
                self._constant_names.setdefault(tensor, f"{short_name(node.output.name)}_{name.rstrip('?')}")

    @property
    def target(self) -> Target:
        return self._shared.target

    @property
    def packs(self) -> bool:
        """Whether the operator's weights have four bits, which they keep unless speed comes first."""
        return self._packs

    def operand(self, tensor: Tensor) -> Operand:
        """The buffer of an activation, or the constant of a constant tensor."""
        known = self._values.get(tensor)
        if known is None:
            if tensor.data is None:
                known = self._new_buffer(tensor, self._kind_of(tensor))
            else:
                data = np.asarray(tensor.data, dtype=tensor.dtype.numpy)
                name = self._constant_names.get(tensor, tensor.name)
                known = self.constant(name, data, comment=tensor.name)
            self._values[tensor] = known
        return known

    def buffer(self, tensor: Tensor) -> Buffer:
        """The buffer of an activation. Raises UnsupportedError for constants."""
        operand = self.operand(tensor)
        if isinstance(operand, Constant):
            raise UnsupportedError(
                f'tensor "{tensor.name}": a constant where the kernel needs a value that is computed',
                "convert the model again with constant folding, or make the tensor an input",
            )
        return operand

    def constant(
        self, name: str, values: npt.NDArray[Any], comment: str = "", alignment: int = 4
    ) -> Constant:
        """Adds read-only data; equal data is stored once, with the strictest alignment asked for."""
        values = np.ascontiguousarray(values)
        if values.dtype.name not in _C_TYPE:
            raise TypeError(f"constant {name}: no C type for numpy's {values.dtype}")
        c_type = _C_TYPE[values.dtype.name]
        key = (c_type, values.tobytes())
        stored = self._shared.stored.get(key)
        if stored is not None:
            stored.alignment = max(stored.alignment, alignment)
            return stored
        unique = self._shared.constant_names.take(constant_name(name))
        constant = Constant(unique, values, c_type, comment, alignment)
        self._shared.stored[key] = constant
        self._shared.constants.append(constant)
        return constant

    def scratch(self, name: str, nbytes: int, alignment: int = 4, *, size: str = "") -> Buffer:
        """Working memory of one call, in the arena."""
        unique = self._shared.buffer_names.take(constant_name(name))
        return self._add(Buffer(unique, nbytes, DType.UINT8, "scratch", alignment, size=size))

    def state(
        self, name: str, nbytes: int, initial: bytes | None = None, alignment: int = 4, *, size: str = ""
    ) -> Buffer:
        """Memory that lives across inferences. ``initial`` (zeros without) is what init and reset write."""
        unique = self._shared.buffer_names.take(constant_name(name))
        buffer = Buffer(unique, nbytes, DType.UINT8, "state", alignment, size=size)
        self._shared.states.append(buffer)
        self._set_initial(buffer, initial)
        return buffer

    def alias(self, output: Tensor, input: Tensor) -> None:
        """``output`` is the same bytes as ``input``: no code."""
        if input.dtype is DType.RESOURCE:
            self._handles[output] = self._variable_name(input)
            return
        if output in self._values:
            raise AssertionError(f'tensor "{output.name}" already has a place of its own')
        operand = self.operand(input)
        self._values[output] = operand
        if isinstance(operand, Buffer) and operand.kind == "activation" and output in self._graph.outputs:
            operand.kind = "output"

    def call(self, call: KernelCall) -> None:
        """Appends a kernel call."""
        if call.continues is not None and not self._is_main:
            raise UnsupportedError(f"{call.op} in subgraph {self._graph.name}", "move it to the main graph")
        if not self._is_main:
            own = set(self._buffers)
            self._foreign_reads += [buffer for buffer in call.reads if buffer not in own]
            self._foreign_writes += [buffer for buffer in call.writes if buffer not in own]
            call = replace(
                call,
                reads=[buffer for buffer in call.reads if buffer in own],
                writes=[buffer for buffer in call.writes if buffer in own],
                overlaps=[o for o in call.overlaps if o.input in own and o.output in own],
            )
        self._calls += four_bits.unpacked(call, self) if self._packs else [call]

    def offer(self, node: Node, variants: Sequence[str], refusal: str = "") -> None:
        """Notes the kernel variants that the operator's layer can have, or why it has no other. Layers of one
        name are chosen together: they have what all of them can have."""
        layer, offers = short_name(node.output.name), self._shared.offers
        offers[layer] = tuple(name for name in offers.get(layer, variants) if name in variants)
        if refusal:
            self._shared.refusals[layer] = refusal

    def lower_variant(self, name: str, node: Node) -> bool:
        """Lowers ``node`` with the cheapest variant, or the one that was chosen, where one applies."""
        return variants.lower_cheapest(name, node, self)

    def kin(self, node: Node) -> Kin:
        """The operators of the graph that may share what a kernel stores for ``node``, itself included."""
        if self._kin is None:
            self._kin = kin_of(self._graph.nodes)
        return self._kin.get(node) or Kin((node,))

    def stored_by(self, lower: Callable[[Lowering], None]) -> Mapping[object, int]:
        """The constants that lowering an operator stores, in bytes by what tells them apart. Adds nothing."""
        probe = GraphLowering(self._graph, _Shared(self._shared.model, self.target), self._values)
        lower(probe)
        used = set(map(id, probe._used_constants([])))
        return {key: one.nbytes for key, one in probe._shared.stored.items() if id(one) in used}

    def block(self, subgraph: int, inputs: Sequence[Tensor], results: Sequence[Tensor]) -> Block:
        """Lowers a subgraph: it reads ``inputs`` where they are, its outputs are copied to ``results``."""
        self._shared.blocks += 1
        if self._shared.blocks > _MOST_BLOCKS:
            raise UnsupportedError(f"subgraphs are run from more than {_MOST_BLOCKS} places", _SUBGRAPH_HINT)
        graph = self._shared.model.graphs[subgraph]
        _check_interface(graph, "inputs", graph.inputs, inputs)
        if results:
            _check_interface(graph, "outputs", graph.outputs, results)
        plain = [pair for pair in zip(graph.inputs, inputs, strict=True) if not _is_handle(pair[0])]
        inner = GraphLowering(graph, self._shared, {tensor: self.operand(given) for tensor, given in plain})
        for tensor, given in zip(graph.inputs, inputs, strict=True):
            if _is_handle(tensor):
                inner._handles[tensor] = self._variable_name(given)
        inner.lower_nodes()
        for tensor, result in zip(graph.outputs, results, strict=False):
            if _is_handle(tensor) and self._handles.setdefault(
                result, inner._variable_name(tensor)
            ) != inner._variable_name(tensor):
                raise UnsupportedError(
                    f'{graph.name}: which variable "{result.name}" is depends on data', _SUBGRAPH_HINT
                )
        return inner._finish_block(
            [None if _is_handle(tensor) else self.buffer(tensor) for tensor in results]
        )

    def declare_variable(self, handle: Tensor, name: str) -> None:
        """``handle`` stands for the resource variable of this name."""
        self._handles[handle] = name

    def variable(self, handle: Tensor, value: Tensor) -> Buffer:
        """The state of a resource variable. It starts with every byte the zero point, as TFLM has it."""
        name = self._variable_name(handle)
        known = self._shared.variables.get(name)
        if known is None:
            byte = value.zero_point % 256
            known = self.state(
                f"variable_{short_name(name)}", value.nbytes, bytes([byte]) * value.nbytes, _alignment(value)
            )
            self._shared.variables[name] = known
        if known.nbytes != value.nbytes:
            raise UnsupportedError(
                f'variable "{name}" holds {known.nbytes} bytes here and {value.nbytes} there',
                "give each variable one shape and type",
            )
        return known

    def _variable_name(self, handle: Tensor) -> str:
        if handle not in self._handles:
            raise UnsupportedError(
                f'"{handle.name}" is the handle of no known variable', "get handles from VAR_HANDLE operators"
            )
        return self._handles[handle]

    def _finish_block(self, targets: Sequence[Buffer | None]) -> Block:
        """The block, ending with copies of the graph's outputs to ``targets``: first those of what another
        copy overwrites."""
        outputs = [None if _is_handle(tensor) else self.operand(tensor) for tensor in self._graph.outputs]
        pairs = [
            (source, target)
            for source, target in zip(outputs, targets, strict=False)
            if source is not None and target is not None and source is not target
        ]
        staged: list[tuple[Operand, Buffer]] = []
        for source, target in pairs:
            if isinstance(source, Buffer) and any(source is other for _, other in pairs):
                copy = self.scratch(f"{source.name}_kept", source.nbytes)
                self.call(move(source, copy, f"keep_{source.name}"))
                staged.append((copy, target))
            else:
                staged.append((source, target))
        for source, target in staged:
            self.call(move(source, target, f"store_{target.name}"))
        own = set(self._buffers)
        kept: list[Operand] = [o for o in outputs if isinstance(o, Buffer) and o in own]
        program = Program("block", self.target, self._calls, self._buffers, [], [], kept, [], [], "")
        return Block(
            name=short_name(self._graph.name),
            calls=self._calls,
            buffers=self._buffers,
            plan=plan(program),
            outputs=outputs,
            reads=list(dict.fromkeys(self._foreign_reads)),
            writes=list(dict.fromkeys(self._foreign_writes)),
        )

    def finish(self, name: str, sha256: str) -> Program:
        """The program, once every operator has been lowered."""
        outputs = [self.operand(tensor) for tensor in self._graph.outputs]
        inputs = [self._values.get(tensor) for tensor in self._graph.inputs]
        return Program(
            name=name,
            target=self.target,
            calls=self._calls,
            buffers=self._buffers + self._shared.states,
            constants=self._used_constants(outputs),
            inputs=[buffer for buffer in inputs if isinstance(buffer, Buffer)],
            outputs=outputs,
            input_tensors=list(self._graph.inputs),
            output_tensors=list(self._graph.outputs),
            model_sha256=sha256,
            initial=self._shared.initial,
            values=self._values,
            offers=self._shared.offers,
            refusals=self._shared.refusals,
            input_names=self._graph.input_names,
            output_names=self._graph.output_names,
            events=events_of(self._shared.model),
        )

    def _used_constants(self, outputs: list[Operand]) -> list[Constant]:
        """Constants that something points at, in the order of their making.

        An operator may look at a constant operand and then store its values in another form.
        """
        used = {id(operand) for operand in outputs} | {
            id(constant) for constant in self._shared.initial.values()
        }
        for call in every_call(self._calls):
            if isinstance(call, ControlCall):
                used.add(id(call.test))
            used.update(id(arg) for arg in call.args)
            used.update(id(value) for value in call.fields.values())
        return [constant for constant in self._shared.constants if id(constant) in used]

    def _kind_of(self, tensor: Tensor) -> BufferKind:
        if tensor.is_variable:
            return "state"
        return "output" if tensor in self._graph.outputs else "activation"

    def _new_buffer(self, tensor: Tensor, kind: BufferKind) -> Buffer:
        name = self._shared.buffer_names.take(short_name(tensor.name))
        buffer = Buffer(name, tensor.nbytes, tensor.dtype, kind, _alignment(tensor), tensor)
        if kind != "state":
            return self._add(buffer)
        self._shared.states.append(buffer)
        if tensor.dtype is DType.INT8:  # TFLM starts other types with zeros
            self._set_initial(buffer, bytes([tensor.zero_point % 256]) * tensor.nbytes)
        return buffer

    def _add(self, buffer: Buffer) -> Buffer:
        self._buffers.append(buffer)
        return buffer

    def _set_initial(self, buffer: Buffer, initial: bytes | None) -> None:
        if initial is None or not any(initial):
            return
        if len(initial) != buffer.nbytes:
            raise ValueError(f"state {buffer.name}: {len(initial)} initial bytes for {buffer.nbytes}")
        values = np.frombuffer(initial, dtype=np.uint8)
        self._shared.initial[buffer] = self.constant(f"{buffer.name}_initial", values, "initial state")


class _SlabLowering(GraphLowering):
    """Lowers one operator on some of its rows, whose operands are where the band has them."""

    def __init__(
        self,
        around: GraphLowering,
        bound: dict[Tensor, Operand],
        variant: str | None = None,
        *,
        is_part: bool = False,
    ) -> None:
        super().__init__(around._graph, around._shared, bound)
        self._around = around
        self._variant = variant
        self._is_part = is_part
        self._costs: dict[str, KernelCost] | None = None

    def working_bytes(self, node: Node) -> int:
        """Of what the operator's calls work in."""
        self.lowered(node)
        return sum(buffer.nbytes for buffer in self._buffers if buffer.kind == "scratch")

    def costs(self, node: Node) -> Mapping[str, KernelCost]:
        """What the operator costs by variant, the portable one among them where its instructions are
        known."""
        self._costs = {}
        ops.registry(self.target.operators)[node.name].lower(self._seen(node), self)
        return self._costs

    def lowered(self, node: Node) -> list[KernelCall]:
        """The operator's calls, of some rows."""
        description = ops.registry(self.target.operators)[node.name]
        if description.names_constants:
            self._name_constants(node)
        description.lower(self._seen(node), self)
        return self._calls

    def _seen(self, node: Node) -> Node:
        """The operator as its module sees it, with weights of four bits as bytes."""
        seen = four_bits.with_bytes(node, self._bytes)
        self._packs = self.target.optimize != "speed" and seen is not node
        return seen

    def call(self, call: KernelCall) -> None:
        self._calls.append(call)

    def _new_buffer(self, tensor: Tensor, kind: BufferKind) -> Buffer:
        """While costs are asked for, one that takes no name."""
        if self._costs is None:
            return super()._new_buffer(tensor, kind)
        return Buffer(short_name(tensor.name), tensor.nbytes, tensor.dtype, kind, _alignment(tensor), tensor)

    def offer(self, node: Node, variants: Sequence[str], refusal: str = "") -> None:
        """A step has the variants that the band chooses from."""

    def kin(self, node: Node) -> Kin:
        return self._around.kin(node)

    def lower_variant(self, name: str, node: Node) -> bool:
        found = self._candidates(name, node)
        if self._costs is not None:
            self._costs |= self._chosen_costs(name, node, found)
            return True
        chosen = next((one for one in found if one.variant == self._variant), None)
        if chosen is not None:
            chosen.lower()
        return chosen is not None

    def _chosen_costs(
        self, name: str, node: Node, found: Sequence[variants.Candidate]
    ) -> dict[str, KernelCost]:
        """What these cost, or the one of them that was chosen, and the portable kernel, which would have
        weights of four bits unpacked in each step."""
        costs = {
            one.variant: KernelCost(one.cost * _in_blocks(node, one.pixels), one.flash)
            for one in reversed(found)
        }
        portable = cost_of_portable(name, node, self.target.features)
        if found and not self._packs and portable < UNKNOWN:
            costs[variants.PORTABLE_VARIANT] = KernelCost(portable)
        choice = self.target.choice(short_name(node.output.name))
        return {variant: cost for variant, cost in costs.items() if choice in (None, variant)}

    def _candidates(self, name: str, node: Node) -> list[variants.Candidate]:
        """Of some rows also those that these alone would not be worth: all rows share their constants."""
        if not self._is_part:
            return variants.priced(name, node, self)
        found = variants.candidates(name, node, self)
        known = {one.variant for one in found}
        shared = self._shared
        self._shared = replace(shared, target=replace(shared.target, optimize="speed"))
        found += [one for one in variants.candidates(name, node, self) if one.variant not in known]
        self._shared = shared
        return found


def _in_blocks(node: Node, pixels: int) -> float:
    """How much longer an image takes whose outputs are not a whole number of blocks."""
    count = math.prod(node.output.shape[:-1])
    return -(-count // pixels) * pixels / max(1, count)


def _alignment(tensor: Tensor) -> int:
    return max(4, tensor.dtype.itemsize)


def _is_handle(tensor: Tensor) -> bool:
    return tensor.dtype is DType.RESOURCE


def _check_interface(graph: Graph, role: str, inside: Sequence[Tensor], outside: Sequence[Tensor]) -> None:
    """Raises ModelError unless a subgraph's tensors are those of the operator that runs it."""
    if len(inside) != len(outside):
        raise ModelError(f"{graph.name} has {len(inside)} {role}, is run with {len(outside)}", _CONTRADICTION)
    for tensor, other in zip(inside, outside, strict=True):
        if (tensor.dtype, tensor.nbytes) != (other.dtype, other.nbytes):
            raise ModelError(
                f'{graph.name}: "{tensor.name}" is {tensor.dtype.value} {list(tensor.shape)}, is run with '
                f"{other.dtype.value} {list(other.shape)}",
                _CONTRADICTION,
            )
