# SPDX-License-Identifier: Apache-2.0
"""SVDF: a layer of rank-one filters over features and time, as streaming keyword models have it. Kernels in
``kernels/svdf.h``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyserve.compiler.graph.types import DType, Node, Options, Tensor
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.quantize_params import (
    Activation,
    check_activation,
    ratio,
    requantization,
)
from tinyserve.compiler.ops.support.records import Factor, FloatClamp, float_clamp
from tinyserve.compiler.program import Constant, Operand, Params

_FLOAT = (DType.FLOAT32, DType.FLOAT32, DType.FLOAT32, DType.FLOAT32, DType.FLOAT32)
_TYPES = {
    "f32": _FLOAT,
    "s8": (DType.INT8, DType.INT8, DType.INT8, DType.INT32, DType.INT8),
    "s16": (DType.INT8, DType.INT8, DType.INT16, DType.INT32, DType.INT16),
}
"""Types of input, feature weights, time weights, bias and state, by kernel."""


@dataclass(frozen=True)
class SvdfAttributes:
    rank: int
    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class _Filters(Params):
    """Sizes, weights and bias; NULL where weights or bias are arguments of the call."""

    batches: int
    inputs: int
    units: int
    rank: int
    memory: int
    feature_weights: Constant | None
    time_weights: Constant | None
    bias: Constant | None


@dataclass(frozen=True)
class SvdfParams(Params):
    """Of integers."""

    filters: _Filters
    input_offset: int
    state_zero_point: int
    feature_factor: Factor
    output_factor: Factor
    output_offset: int


class SvdfS8Params(SvdfParams, c_type="ts_svdf_s8_params"):
    """int8 state."""


class SvdfS16Params(SvdfParams, c_type="ts_svdf_s16_params"):
    """int16 state."""


@dataclass(frozen=True)
class SvdfF32Params(Params, c_type="ts_svdf_f32_params"):
    filters: _Filters
    activation: FloatClamp


class Svdf(OpDef):
    """Inputs: [batches][inputs], feature weights [filters][inputs], time weights [filters][memory], bias
    [filters / rank], and the state [batches][filters * memory], a variable.

    The fused activation is applied to float32 only, as in TFLM.
    """

    name = "SVDF"
    inputs = ("input", "feature_weights", "time_weights", "bias?", "state")
    types = (DType.INT8, DType.FLOAT32)
    limits = "int8 weights with int8 or int16 state"

    def attributes(self, options: Options) -> SvdfAttributes:
        return SvdfAttributes(options.int32("rank"), Activation.read(options))

    def check(self, node: Node) -> None:
        input, features, times, bias, state = _tensors(node)
        _check_types(node)
        for tensor, role in ((input, "input"), (features, "feature weights"), (times, "time weights")):
            checks.rank(node, tensor, 2, role)
        (batches, inputs), filters, memory = input.shape, features.shape[0], times.shape[1]
        if node.attributes.rank < 1 or filters % node.attributes.rank:
            raise checks.invalid(node, f"{filters} filters of rank {node.attributes.rank}")
        units = filters // node.attributes.rank
        checks.shape(node, features, (filters, inputs), "feature weights")
        checks.shape(node, times, (filters, memory), "time weights")
        checks.elements(node, state, batches * filters * memory, "state")
        checks.shape(node, node.output, (batches, units), "output")
        if not state.is_variable:
            raise unsupported(node, "its state is no variable", "export the model again")
        if bias is not None:
            checks.elements(node, bias, units, "bias")
        check_activation(node, node.attributes.activation)
        if input.dtype is not DType.FLOAT32:
            checks.per_tensor(node, input, features, times, state, node.output)
            checks.symmetric(node, features, times)
            _rescaling(node)

    def macs(self, node: Node) -> int:
        input, features, times, _, _ = _tensors(node)
        return input.shape[0] * features.shape[0] * (input.shape[1] + times.shape[1])

    def lower(self, node: Node, lowering: Lowering) -> None:
        if lowering.lower_variant("svdf", node):
            return
        input, features, times, bias, state = _tensors(node)
        kind = _kind(node)
        operands = (features, times, bias)
        computed = any(tensor is not None and not tensor.is_constant for tensor in operands)
        inputs: list[Operand | None] = [lowering.operand(input)]
        if computed:
            inputs += [None if tensor is None else lowering.operand(tensor) for tensor in operands]
        params: Params
        if kind == "f32":
            params = SvdfF32Params(_filters(node, lowering), float_clamp(node.attributes.activation))
        else:
            params = integer_params(node, lowering)
        add_call(
            node,
            lowering,
            f"ts_svdf_{kind}_computed" if computed else f"ts_svdf_{kind}",
            "svdf.h",
            params=params,
            inputs=inputs,
            outputs=[lowering.buffer(node.output)],
            scratch=[lowering.buffer(state)],
            macs=self.macs(node),
        )


def _filters(node: Node, lowering: Lowering) -> _Filters:
    input, features, times, bias, _ = _tensors(node)
    operands = (features, times, bias)
    computed = any(tensor is not None and not tensor.is_constant for tensor in operands)
    stored: list[Constant | None] = []
    for name, tensor in zip(("feature_weights", "time_weights", "bias"), operands, strict=True):
        if tensor is None or computed:
            stored.append(None)
        else:
            stored.append(lowering.constant(tensor.name, np.asarray(tensor.data), f"{node.name} {name}"))
    batches, inputs = input.shape
    units, rank, memory = node.output.shape[1], node.attributes.rank, times.shape[1]
    return _Filters(batches, inputs, units, rank, memory, *stored)


def integer_params(node: Node, lowering: Lowering) -> SvdfParams:
    """Of the kernels of integers."""
    record = SvdfS16Params if _kind(node) == "s16" else SvdfS8Params
    return record(
        _filters(node, lowering), -node.input("input").zero_point, node.input("state").zero_point,
        *_rescaling(node), node.output.zero_point,
    )  # fmt: skip


def _tensors(node: Node) -> tuple[Tensor, Tensor, Tensor, Tensor | None, Tensor]:
    input, features, times = node.input("input"), node.input("feature_weights"), node.input("time_weights")
    return input, features, times, node.optional("bias"), node.input("state")


def _kind(node: Node) -> str:
    _, _, times, _, _ = _tensors(node)
    return {DType.INT16: "s16", DType.INT8: "s8"}.get(times.dtype, "f32")


def _check_types(node: Node) -> None:
    input, features, times, bias, state = _tensors(node)
    kind = _kind(node)
    checks.same_dtype(node, input, node.output)
    for tensor, wanted in zip((input, features, times, bias, state), _TYPES[kind], strict=True):
        if tensor is not None:
            checks.dtype(node, tensor, (wanted,), f'"{tensor.name}"')
    if kind != "f32" and bias is None:
        raise unsupported(node, "no bias", "give the layer a bias")


def _rescaling(node: Node) -> tuple[Factor, Factor]:
    """Factors of features and outputs: TFLM's PrepareSvdf."""
    input, features, times, _, state = _tensors(node)
    return (
        Factor(*requantization(node, ratio(input.scale * features.scale, state.scale))),
        Factor(*requantization(node, ratio(state.scale * times.scale, node.output.scale))),
    )


OPS = (Svdf(),)
