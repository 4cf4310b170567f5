"""Lowering: from the graph to the program. An operator's module in ``tinyserve/ops`` says what it becomes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve import ops
from tinyserve.codegen.names import UniqueNames, constant_name, identifier, short_name
from tinyserve.codegen.program import Buffer, BufferKind, Constant, KernelCall, Operand, Program, Target
from tinyserve.errors import UnsupportedError
from tinyserve.graph.types import DType, Graph, Model, Tensor

_C_TYPE = {
    "int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "uint16": "uint16_t", "int32": "int32_t",
    "uint32": "uint32_t", "int64": "int64_t", "uint64": "uint64_t", "float32": "float", "bool": "uint8_t",
}  # fmt: skip


def lower(model: Model, target: Target, name: str) -> Program:
    """The program of the model's main graph.

    ``name`` becomes part of the C identifiers. Raises UnsupportedError for operators that have no lowering.
    """
    return lower_graph(model.main, target, identifier(name).lower(), model.sha256)


def lower_graph(graph: Graph, target: Target, name: str, sha256: str) -> Program:
    """The program of one subgraph."""
    lowering = GraphLowering(graph, target)
    registry = ops.registry()
    for op in graph.operators:
        description = registry.get(op.name)
        if description is None:
            raise UnsupportedError(f"{op.location}: no kernel for this operator", "build with --engine tflm")
        description.lower(op, lowering)
    return lowering.finish(name, sha256)


class GraphLowering:
    """Collects what the operators of one graph ask for. Implements ``ops.base.Lowering``."""

    def __init__(self, graph: Graph, target: Target) -> None:
        self._graph = graph
        self._target = target
        self._calls: list[KernelCall] = []
        self._buffers: list[Buffer] = []
        self._constants: list[Constant] = []
        self._initial: dict[Buffer, Constant] = {}
        self._values: dict[Tensor, Operand] = {}
        self._stored: dict[tuple[str, bytes], Constant] = {}
        self._buffer_names = UniqueNames()
        self._constant_names = UniqueNames()
        for tensor in graph.inputs:
            if tensor not in self._values:
                self._values[tensor] = self._new_buffer(tensor, "input")

    @property
    def target(self) -> Target:
        return self._target

    def operand(self, tensor: Tensor) -> Operand:
        """The buffer of an activation, or the constant of a constant tensor."""
        known = self._values.get(tensor)
        if known is None:
            if tensor.data is None:
                known = self._new_buffer(tensor, self._kind_of(tensor))
            else:
                data = np.asarray(tensor.data, dtype=tensor.dtype.numpy)
                known = self.constant(tensor.name, data, comment=tensor.name)
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
        stored = self._stored.get(key)
        if stored is not None:
            stored.alignment = max(stored.alignment, alignment)
            return stored
        unique = self._constant_names.take(constant_name(name))
        constant = Constant(unique, values, c_type, comment, alignment)
        self._stored[key] = constant
        self._constants.append(constant)
        return constant

    def scratch(self, name: str, nbytes: int, alignment: int = 4) -> Buffer:
        """Working memory of one call, in the arena."""
        return self._add(Buffer(self._buffer_names.take(name), nbytes, DType.UINT8, "scratch", alignment))

    def state(self, name: str, nbytes: int, initial: bytes | None = None, alignment: int = 4) -> Buffer:
        """Memory that lives across inferences. ``initial`` (zeros without) is what init and reset write."""
        unique = self._buffer_names.take(name)
        buffer = self._add(Buffer(unique, nbytes, DType.UINT8, "state", alignment))
        self._set_initial(buffer, initial)
        return buffer

    def alias(self, output: Tensor, input: Tensor) -> None:
        """``output`` is the same bytes as ``input``: no code."""
        if output in self._values:
            raise AssertionError(f'tensor "{output.name}" already has a place of its own')
        operand = self.operand(input)
        self._values[output] = operand
        if isinstance(operand, Buffer) and operand.kind == "activation" and output in self._graph.outputs:
            operand.kind = "output"

    def call(self, call: KernelCall) -> None:
        """Appends a kernel call."""
        self._calls.append(call)

    def finish(self, name: str, sha256: str) -> Program:
        """The program, once every operator has been lowered."""
        outputs = [self.operand(tensor) for tensor in self._graph.outputs]
        inputs = [self._values[tensor] for tensor in self._graph.inputs]
        return Program(
            name=name,
            target=self._target,
            calls=self._calls,
            buffers=self._buffers,
            constants=self._used_constants(outputs),
            inputs=[buffer for buffer in inputs if isinstance(buffer, Buffer)],
            outputs=outputs,
            input_tensors=list(self._graph.inputs),
            output_tensors=list(self._graph.outputs),
            model_sha256=sha256,
            initial=self._initial,
            values=self._values,
        )

    def _used_constants(self, outputs: list[Operand]) -> list[Constant]:
        """Constants that something points at, in the order of their making.

        An operator may look at a constant operand and then store its values in another form.
        """
        used = {id(operand) for operand in outputs} | {id(constant) for constant in self._initial.values()}
        for call in self._calls:
            used.update(id(arg) for arg in call.args)
            used.update(id(value) for value in call.params.values())
        return [constant for constant in self._constants if id(constant) in used]

    def _kind_of(self, tensor: Tensor) -> BufferKind:
        if tensor.is_variable:
            return "state"
        return "output" if tensor in self._graph.outputs else "activation"

    def _new_buffer(self, tensor: Tensor, kind: BufferKind) -> Buffer:
        name = self._buffer_names.take(short_name(tensor.name))
        alignment = max(4, tensor.dtype.itemsize)
        return self._add(Buffer(name, tensor.nbytes, tensor.dtype, kind, alignment, tensor))

    def _add(self, buffer: Buffer) -> Buffer:
        self._buffers.append(buffer)
        return buffer

    def _set_initial(self, buffer: Buffer, initial: bytes | None) -> None:
        if initial is None or not any(initial):
            return
        if len(initial) != buffer.nbytes:
            raise ValueError(f"state {buffer.name}: {len(initial)} initial bytes for {buffer.nbytes}")
        values = np.frombuffer(initial, dtype=np.uint8)
        self._initial[buffer] = self.constant(f"{buffer.name}_initial", values, "initial state")
