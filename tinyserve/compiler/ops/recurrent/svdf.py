# SPDX-License-Identifier: Apache-2.0
"""SVDF: a layer of rank-one filters over features and time, as streaming keyword models have it. Kernels in
``kernels/svdf.h``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyserve.compiler.graph.types import DType, Operator, Options, Tensor
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, Op, unsupported
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.quantize_params import (
    Activation,
    check_activation,
    float_range,
    ratio,
    requantization,
)
from tinyserve.compiler.program import Operand, ParamValue

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


class Svdf(Op):
    """Inputs: [batches][inputs], feature weights [filters][inputs], time weights [filters][memory], bias
    [filters / rank], and the state [batches][filters * memory], a variable.

    The fused activation is applied to float32 only, as in TFLM.
    """

    name = "SVDF"
    types = (DType.INT8, DType.FLOAT32)
    limits = "int8 weights with int8 or int16 state"

    def attributes(self, options: Options) -> SvdfAttributes:
        return SvdfAttributes(options.int32(0), Activation.read(options, 1))

    def check(self, op: Operator) -> None:
        checks.arity(op, 3, 5)
        input, features, times, bias, state = _tensors(op)
        _check_types(op)
        for tensor, role in ((input, "input"), (features, "feature weights"), (times, "time weights")):
            checks.rank(op, tensor, 2, role)
        (batches, inputs), filters, memory = input.shape, features.shape[0], times.shape[1]
        if op.attributes.rank < 1 or filters % op.attributes.rank:
            raise checks.invalid(op, f"{filters} filters of rank {op.attributes.rank}")
        units = filters // op.attributes.rank
        checks.shape(op, features, (filters, inputs), "feature weights")
        checks.shape(op, times, (filters, memory), "time weights")
        checks.elements(op, state, batches * filters * memory, "state")
        checks.shape(op, op.outputs[0], (batches, units), "output")
        if not state.is_variable:
            raise unsupported(op, "its state is no variable", "export the model again")
        if bias is not None:
            checks.elements(op, bias, units, "bias")
        check_activation(op, op.attributes.activation)
        if input.dtype is not DType.FLOAT32:
            checks.per_tensor(op, input, features, times, state, op.outputs[0])
            checks.symmetric(op, features, times)
            _rescaling(op)

    def macs(self, op: Operator) -> int:
        input, features, times, _, _ = _tensors(op)
        return input.shape[0] * features.shape[0] * (input.shape[1] + times.shape[1])

    def lower(self, op: Operator, lowering: Lowering) -> None:
        if lowering.lower_variant("svdf", op):
            return
        input, features, times, bias, state = _tensors(op)
        kind = _kind(op)
        operands = (features, times, bias)
        computed = any(tensor is not None and not tensor.is_constant for tensor in operands)
        inputs: list[Operand | None] = [lowering.operand(input)]
        if computed:
            inputs += [None if tensor is None else lowering.operand(tensor) for tensor in operands]
        if kind == "f32":
            low, high = float_range(op.attributes.activation)
            params = {**_operands(op, lowering), "activation_min": low, "activation_max": high}
        else:
            params = integer_params(op, lowering)
        add_call(
            op,
            lowering,
            f"ts_svdf_{kind}_computed" if computed else f"ts_svdf_{kind}",
            "svdf.h",
            params=params,
            params_type=f"ts_svdf_{kind}_params",
            inputs=inputs,
            outputs=[lowering.buffer(op.outputs[0])],
            scratch=[lowering.buffer(state)],
            macs=self.macs(op),
        )


def _operands(op: Operator, lowering: Lowering) -> dict[str, ParamValue]:
    """Sizes, weights and bias; NULL where weights or bias are arguments of the call."""
    input, features, times, bias, _ = _tensors(op)
    operands = (features, times, bias)
    params: dict[str, ParamValue] = {
        "batches": input.shape[0],
        "inputs": input.shape[1],
        "units": op.outputs[0].shape[1],
        "rank": op.attributes.rank,
        "memory": times.shape[1],
    }
    computed = any(tensor is not None and not tensor.is_constant for tensor in operands)
    for name, tensor in zip(("feature_weights", "time_weights", "bias"), operands, strict=True):
        if tensor is None or computed:
            params[name] = None
        else:
            params[name] = lowering.constant(tensor.name, np.asarray(tensor.data), f"{op.name} {name}")
    return params


def integer_params(op: Operator, lowering: Lowering) -> dict[str, ParamValue]:
    """The fields of the integer kernels' parameters."""
    (feature, feature_shift), (final, final_shift) = _rescaling(op)
    return {
        **_operands(op, lowering),
        "input_offset": -checks.required(op, 0).zero_point,
        "state_zero_point": checks.required(op, 4).zero_point,
        "feature_multiplier": feature,
        "feature_shift": feature_shift,
        "output_multiplier": final,
        "output_shift": final_shift,
        "output_zero_point": op.outputs[0].zero_point,
    }


def _tensors(op: Operator) -> tuple[Tensor, Tensor, Tensor, Tensor | None, Tensor]:
    if len(op.inputs) != 5 or op.inputs[4] is None:
        raise checks.invalid(op, "has no state")
    input, features, times = (checks.required(op, index) for index in range(3))
    return input, features, times, op.inputs[3], op.inputs[4]


def _kind(op: Operator) -> str:
    _, _, times, _, _ = _tensors(op)
    return {DType.INT16: "s16", DType.INT8: "s8"}.get(times.dtype, "f32")


def _check_types(op: Operator) -> None:
    input, features, times, bias, state = _tensors(op)
    kind = _kind(op)
    checks.same_dtype(op, input, op.outputs[0])
    for tensor, wanted in zip((input, features, times, bias, state), _TYPES[kind], strict=True):
        if tensor is not None:
            checks.dtype(op, tensor, (wanted,), f'"{tensor.name}"')
    if kind != "f32" and bias is None:
        raise unsupported(op, "no bias", "give the layer a bias")


def _rescaling(op: Operator) -> tuple[tuple[int, int], tuple[int, int]]:
    """Multipliers and shifts of features and outputs: TFLM's PrepareSvdf, ratios in float32."""
    input, features, times, _, state = _tensors(op)
    one = float(np.float32(input.scale) * np.float32(features.scale))
    two = float(np.float32(state.scale) * np.float32(times.scale))
    return (
        requantization(op, float(np.float32(ratio(one, state.scale)))),
        requantization(op, float(np.float32(ratio(two, op.outputs[0].scale)))),
    )


OPS = (Svdf(),)
