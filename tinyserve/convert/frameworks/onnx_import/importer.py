# SPDX-License-Identifier: Apache-2.0
"""From the nodes of an ONNX model to a float .tflite, one operator after the other."""

from __future__ import annotations

import importlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.convert.frameworks.onnx_import import nodes, quantized
from tinyserve.convert.frameworks.onnx_import.context import Context
from tinyserve.convert.frameworks.onnx_import.draft import narrow_type
from tinyserve.convert.frameworks.onnx_import.naming import describe, module_path
from tinyserve.convert.frameworks.onnx_import.node import HANDLERS, Node
from tinyserve.convert.frameworks.onnx_import.source import OnnxSource
from tinyserve.convert.frameworks.onnx_import.trace import Traced
from tinyserve.convert.frameworks.onnx_import.values import Permutation, Value, channels_last, identity
from tinyserve.errors import TinyserveError, UnsupportedError

Array = npt.NDArray[Any]


@dataclass
class Imported:
    """``inputs`` and ``outputs``: names and forms; ``values``: which tensor of the .tflite holds which value
    of the source, in which form and with which shape there. ``input_dtypes``: see ``messages.Done``."""

    tflite: bytes
    inputs: list[tuple[str, Permutation]]
    outputs: list[tuple[str, Permutation]]
    values: dict[str, tuple[str, Permutation, tuple[int, ...]]] = field(default_factory=dict)
    input_dtypes: list[str] = field(default_factory=list)


class Importer:
    """Goes over the nodes in order. ``moved``: inputs and outputs that are images become channels last."""

    def __init__(self, source: OnnxSource, traced: Traced, moved: bool) -> None:
        self.source, self.traced, self.moved = source, traced, moved
        self.ctx = Context()
        assert nodes.__all__, "importing them registers what they handle"
        self.values: dict[str, Value] = {}
        self._shared: list[Value] = []
        self.reads = Counter(name for node in source.model.graph.node for name in node.input)
        self.reads.update(source.outputs)
        self.makers = {name: node for node in source.model.graph.node for name in node.output}
        self.inputs: list[tuple[str, Permutation, int]] = []
        self.types = _types(source)
        self.pixels = _pixels(source, self.types)

    def run(self) -> Imported:
        """Raises UnsupportedError that names the node."""
        self._add_inputs()
        for proto in self.source.model.graph.node:
            if not all(name in self.traced.known for name in proto.output if name):
                self._add(proto)
        return self._finished()

    # --- inputs

    def _add_inputs(self) -> None:
        images = spatial_inputs(self.source) if self.moved else set()
        for name, shape in zip(self.source.inputs, self.source.shapes, strict=True):
            form = channels_last(len(shape)) if name in images and len(shape) >= 3 else identity(len(shape))
            dtype = np.dtype(np.float32) if name in self.pixels else narrow_type(self.types[name])
            tensor = self.ctx.draft.tensor(name, [shape[axis] for axis in form], dtype.name)
            value = Value(name, shape, dtype, forms={form: tensor}, spatial=name in images)
            self._keep(name, value)
            self.inputs.append((name, form, tensor))

    def _keep(self, name: str, value: Value) -> None:
        self.values[name] = value
        if self.reads[name] > 1:
            self._shared.append(value)

    # --- nodes

    def value(self, name: str) -> Value | None:
        """By its name in the source."""
        if not name:
            return None
        if name not in self.values:
            data = self.traced.arrays[name]
            self.values[name] = Value(name, data.shape, narrow_type(data.dtype), data)
        return self.values[name]

    def _add(self, proto: Any) -> None:
        handler = HANDLERS.get(proto.op_type)
        if handler is None:
            raise UnsupportedError(
                f"{describe(proto)}: the operator {proto.op_type} has no form here",
                "write this step with other operators, or leave it to the program around the model",
            )
        shapes = [self.traced.arrays[name].shape for name in proto.output if name]
        alone = [self._is_alone(name) for name in proto.input]
        wanted = [bool(self.reads[name]) for name in proto.output]
        inputs = [self.value(name) for name in proto.input]
        node = Node(proto, inputs, self.source.opset, shapes=shapes, alone=alone, wanted=wanted)
        self.ctx.enter(_scope(proto))
        before = len(self.ctx.draft.operators)
        try:
            made = handler(self.ctx, node)
        except TinyserveError:
            raise
        except (AssertionError, ArithmeticError, LookupError, ValueError, TypeError) as error:
            raise UnsupportedError(
                f"{describe(proto)}: this form of {proto.op_type} cannot be imported ({error!r:.200})",
                "write this step with other operators, or leave it to the program around the model",
            ) from error
        for operator in self.ctx.draft.operators[before:]:
            operator.weight_scales = self._weight_scales(proto)
        results = made if isinstance(made, list) else [made]
        for name, value in zip(proto.output, results, strict=False):
            if name:
                self._take(proto, name, value)

    def _is_alone(self, name: str) -> bool:
        """Whether the value has one reader, and so has every other that lies in the same tensor (Transpose
        and Identity move nothing)."""
        if self.reads[name] != 1:
            return False
        tensors = set(self.values[name].forms.values()) if name in self.values else set()
        return all(tensors.isdisjoint(value.forms.values()) for value in self._shared)

    def _weight_scales(self, proto: Any) -> Array | None:
        """Of weights that the node reads from a DequantizeLinear of a constant."""
        weighted = proto.op_type in ("Conv", "ConvTranspose", "Gemm", "MatMul")
        maker = self.makers.get(proto.input[1]) if weighted else None
        if maker is None or maker.op_type != "DequantizeLinear" or maker.output[0] not in self.traced.known:
            return None
        return np.asarray(self.traced.arrays[maker.input[1]])

    def _take(self, proto: Any, name: str, value: Value) -> None:
        wanted = self.traced.arrays[name].shape
        if value.shape != wanted:
            raise UnsupportedError(
                f"{describe(proto)}: its result '{name}' became {value.shape}, not {wanted}",
                "this is a fault of the import: please report it with the model",
            )
        self._keep(name, value)
        for tensor in value.forms.values():
            made = self.ctx.draft.tensors[tensor]
            if made.data is None and made.name.startswith(f"{self.ctx.scope}/"):
                made.name = self.ctx.scope if len(proto.output) == 1 else f"{self.ctx.scope}/{name}"

    # --- outputs

    def _finished(self) -> Imported:
        outputs, forms = list[int](), list[tuple[str, Permutation]]()
        for name in self.source.outputs:
            value = self.value(name)
            assert value is not None
            self.ctx.enter(name)
            form = identity(value.rank)
            if self.moved and value.spatial and value.rank >= 3:
                form = channels_last(value.rank)
            outputs.append(self._written(value, form))
            forms.append((name, form))
        self.ctx.draft.finish(outputs)
        if quantized.is_quantized(self.ctx.draft):
            quantized.to_integers(self.ctx.draft)
        inputs = [tensor for _, _, tensor in self.inputs]
        names = (list(self.source.inputs), list(self.source.outputs))
        data = self.ctx.draft.write(inputs, outputs, names, "tinyserve: ONNX")
        dtypes = [self.types[name].name if name in self.pixels else "" for name in self.source.inputs]
        return Imported(data, [(n, form) for n, form, _ in self.inputs], forms, self._map(), dtypes)

    def _written(self, value: Value, form: Permutation) -> int:
        """The tensor of an output: one of its own, that no input, constant or other output is."""
        tensor = self.ctx.tensor(value, form)
        if self.ctx.draft.producer(tensor) is None:
            return self.ctx.copied(tensor, self.ctx.draft.tensors[tensor].shape)
        return tensor

    def _map(self) -> dict[str, tuple[str, Permutation, tuple[int, ...]]]:
        computed = {index for op in self.ctx.draft.operators for index in op.outputs}
        found = {}
        for name, value in self.values.items():
            for form, tensor in value.forms.items():
                if tensor in computed and value.data is None:
                    found[name] = (self.ctx.draft.tensors[tensor].name, form, value.shape)
                    break
        return found


def _scope(proto: Any) -> str:
    scopes = [entry.value for entry in proto.metadata_props if entry.key == "pkg.torch.onnx.name_scopes"]
    path = module_path(scopes[0]) if scopes else ""
    return path or proto.name or next((name for name in proto.output if name), proto.op_type)


def _types(source: OnnxSource) -> dict[str, np.dtype[Any]]:
    onnx = importlib.import_module("onnx")
    return {
        value.name: onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        for value in source.model.graph.input
    }


def _pixels(source: OnnxSource, types: dict[str, np.dtype[Any]]) -> set[str]:
    """Inputs of bytes that are cast to floats at once: they are taken as the floats that they become."""
    readers: dict[str, list[Any]] = {}
    for node in source.model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)

    def becomes_float(name: str) -> bool:
        nodes = readers.get(name, [])
        return bool(nodes) and all(
            node.op_type == "Cast"
            or (node.op_type in ("Transpose", "Identity") and becomes_float(node.output[0]))
            for node in nodes
        )

    bytes_ = [name for name in source.inputs if types[name] in (np.uint8, np.int8)]
    return {name for name in bytes_ if becomes_float(name)}


_SPATIAL = frozenset(
    [
        "Conv",
        "ConvTranspose",
        "MaxPool",
        "AveragePool",
        "LpPool",
        "GlobalAveragePool",
        "GlobalMaxPool",
        "Resize",
        "Upsample",
        "BatchNormalization",
        "InstanceNormalization",
        "LRN",
        "DepthToSpace",
        "SpaceToDepth",
        "GroupNormalization",
    ]
)
_KEEPING = frozenset(
    [
        "Relu",
        "LeakyRelu",
        "Sigmoid",
        "Tanh",
        "Clip",
        "Elu",
        "Selu",
        "Neg",
        "Abs",
        "Exp",
        "Log",
        "Sqrt",
        "Add",
        "Sub",
        "Mul",
        "Div",
        "Pad",
        "Cast",
        "Identity",
        "Dropout",
        "Slice",
        "Concat",
        "Split",
        "PRelu",
        "Pow",
        "HardSwish",
        "HardSigmoid",
        "Softplus",
        "Max",
        "Min",
        "QuantizeLinear",
        "DequantizeLinear",
    ]
)


def spatial_inputs(source: OnnxSource) -> set[str]:
    """Inputs that reach an operator which wants channels last without being moved before."""
    reached = {name: {name} for name in source.inputs}
    found: set[str] = set()
    for node in source.model.graph.node:
        origins = set().union(*(reached.get(name, set()) for name in node.input[:1] if name))
        if node.op_type in _SPATIAL:
            found |= origins
        elif node.op_type in _KEEPING:
            every = set().union(*(reached.get(name, set()) for name in node.input if name))
            for name in node.output:
                reached[name] = every
    return found
