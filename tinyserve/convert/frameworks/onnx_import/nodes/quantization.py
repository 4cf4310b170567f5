# SPDX-License-Identifier: Apache-2.0
"""QuantizeLinear and DequantizeLinear: the scales that a model brings."""

from __future__ import annotations

import numpy as np

from tinyserve.compiler.graph.types import Quantization
from tinyserve.convert.frameworks.onnx_import.context import Context
from tinyserve.convert.frameworks.onnx_import.node import Node, handles
from tinyserve.convert.frameworks.onnx_import.quantized import REMEDY
from tinyserve.convert.frameworks.onnx_import.values import Value, permuted


@handles("QuantizeLinear")
def _quantize(ctx: Context, node: Node) -> Value:
    """The real value, whose tensor now has a scale."""
    x, scale = node.input(0), node.constant(1, "scales")
    zero = node.constant(2, "zero points") if node.optional(2) is not None else np.zeros(1, np.uint8)
    if scale.size != 1 or zero.dtype not in (np.int8, np.uint8):
        raise node.refusal(f"of an activation to {zero.dtype} per axis or of 16 bits", REMEDY)
    shift = 128 if zero.dtype == np.uint8 else 0
    wanted = Quantization((float(scale.reshape(-1)[0]),), (int(zero.reshape(-1)[0]) - shift,))
    if not x.forms:
        ctx.tensor(x)
    form = x.natural
    tensor = ctx.draft.tensors[x.forms[form]]
    if tensor.quantization is None:
        tensor.quantization = wanted
        return x
    if tensor.quantization == wanted:
        return x
    made = ctx.emit("QUANTIZE", [x.forms[form]], permuted(x.shape, form))
    ctx.draft.tensors[made].quantization = wanted
    return ctx.computed(made, x.shape, form, like=x)


@handles("DequantizeLinear")
def _dequantize(ctx: Context, node: Node) -> Value:
    return node.input(0)
