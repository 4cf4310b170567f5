# SPDX-License-Identifier: Apache-2.0
"""A float .tflite of convolutions as ONNX, so that onnxruntime-web runs the same network."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tinyserve.compiler import passes
from tinyserve.compiler.graph.types import Node, Tensor

OPSET = 17
_RELU, _RELU6 = 1, 3  # ActivationFunctionType
_FUSED = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "AVERAGE_POOL_2D"}


def as_onnx(data: bytes) -> bytes:
    """The model as ONNX, in NCHW. Raises KeyError for an operator that is not one of a few."""
    graph = passes.load(data).graphs[0]
    writer = _Writer()
    for tensor in graph.inputs:
        batch, *rest = tensor.shape
        shape = [batch, rest[-1], *rest[:-1]] if len(rest) == 3 else tensor.shape
        writer.inputs.append(helper.make_tensor_value_info(writer.name(tensor), TensorProto.FLOAT, shape))
    for node in graph.nodes:
        _WRITERS[node.name](writer, node)
    outputs = [
        helper.make_tensor_value_info(writer.name(tensor), TensorProto.FLOAT, list(tensor.shape))
        for tensor in graph.outputs
    ]
    made = helper.make_graph(writer.nodes, "model", writer.inputs, outputs, writer.weights)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


class _Writer:
    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.inputs: list[Any] = []

    def name(self, tensor: Tensor) -> str:
        return f"t{tensor.index}"

    def weight(self, values: np.ndarray[Any, Any]) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, op: str, inputs: list[str], node: Node, **fields: object) -> None:
        """With the activation that the node ends in."""
        output = self.name(node.outputs[0])
        fused = node.name in _FUSED
        activation = node.options.int8("fused_activation_function") if fused else 0
        if activation in (_RELU, _RELU6):
            middle = f"{output}_before"
            self.nodes.append(helper.make_node(op, inputs, [middle], **fields))
            if activation == _RELU:
                self.nodes.append(helper.make_node("Relu", [middle], [output]))
            else:
                limits = [self.weight(np.float32(0)), self.weight(np.float32(6))]
                self.nodes.append(helper.make_node("Clip", [middle, *limits], [output]))
        else:
            self.nodes.append(helper.make_node(op, inputs, [output], **fields))


def _window(node: Node) -> dict[str, object]:
    strides = [node.options.int32("stride_h"), node.options.int32("stride_w")]
    return {"strides": strides, "auto_pad": "SAME_UPPER" if node.options.int8("padding") == 0 else "VALID"}


def _conv(writer: _Writer, node: Node) -> None:
    x, weights, *bias = node.inputs
    depthwise = node.name == "DEPTHWISE_CONV_2D"
    order = (3, 0, 1, 2) if depthwise else (0, 3, 1, 2)
    inputs = [writer.name(x), writer.weight(weights.data.transpose(order))]
    inputs += [writer.weight(bias[0].data)] if bias else []
    group = x.shape[3] if depthwise else 1
    writer.add("Conv", inputs, node, group=group, **_window(node))


def _pool(writer: _Writer, node: Node) -> None:
    kernel = [node.options.int32("filter_height"), node.options.int32("filter_width")]
    writer.add("AveragePool", [writer.name(node.inputs[0])], node, kernel_shape=kernel, **_window(node))


def _reshape(writer: _Writer, node: Node) -> None:
    shape = writer.weight(np.array(node.outputs[0].shape, np.int64))
    writer.add("Reshape", [writer.name(node.inputs[0]), shape], node)


def _dense(writer: _Writer, node: Node) -> None:
    x, weights, *bias = node.inputs
    inputs = [writer.name(x), writer.weight(weights.data)]
    inputs += [writer.weight(bias[0].data)] if bias else []
    writer.add("Gemm", inputs, node, transB=1)


def _add(writer: _Writer, node: Node) -> None:
    writer.add("Add", [writer.name(tensor) for tensor in node.inputs if tensor is not None], node)


def _softmax(writer: _Writer, node: Node) -> None:
    writer.add("Softmax", [writer.name(node.inputs[0])], node, axis=-1)


_WRITERS = {
    "CONV_2D": _conv, "DEPTHWISE_CONV_2D": _conv, "AVERAGE_POOL_2D": _pool, "RESHAPE": _reshape,
    "FULLY_CONNECTED": _dense, "SOFTMAX": _softmax, "ADD": _add,
}  # fmt: skip
