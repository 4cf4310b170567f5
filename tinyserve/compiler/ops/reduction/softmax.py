# SPDX-License-Identifier: Apache-2.0
"""SOFTMAX over the last dimension. Kernels in ``kernels/softmax.h``."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import DType, Node, Options
from tinyserve.compiler.ops.support import checks, fixed_point
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.overlap import lead_bytes, overlaps
from tinyserve.compiler.ops.support.quantize_params import (
    quantize_multiplier,
    requantization,
    round_half_away,
)
from tinyserve.compiler.ops.support.records import Factor
from tinyserve.compiler.program import Constant, Params

INTEGER_BITS = 5
"""Of the scaled differences to the maximum."""

Function = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
_CONVERT = "quantize the model again with a current converter, which sets the output's scale as TFLM wants it"
_OUTPUTS = {  # by the types of input and output: scale, zero point, tolerance of the scale
    (DType.INT8, DType.INT8): (1 / 256, -128, 0.0),
    (DType.INT8, DType.INT16): (1 / 65536, -32768, 1e-3 / 65536),
    (DType.INT16, DType.INT16): (1 / 32768, 0, 1e-3 / 32768),
}


@dataclass(frozen=True)
class SoftmaxAttributes:
    beta: float = 1.0


@dataclass(frozen=True)
class SoftmaxS8Params(Params, c_type="ts_softmax_s8_params"):
    """The table has exponentials of differences."""

    rows: int
    depth: int
    table_size: int
    table: Constant


@dataclass(frozen=True)
class SoftmaxS16Params(Params, c_type="ts_softmax_s16_params"):
    rows: int
    depth: int
    factor: Factor
    exp_table: Constant
    reciprocal_table: Constant


@dataclass(frozen=True)
class SoftmaxF32Params(Params, c_type="ts_softmax_f32_params"):
    rows: int
    depth: int
    beta: float


class Softmax(OpDef):
    """int8 to int8 or int16, int16, and float32.

    For int8 the exponentials of all differences to the maximum are a table; int16 interpolates.
    """

    name = "SOFTMAX"
    types = (DType.INT8, DType.INT16, DType.FLOAT32)
    limits = "int8 to int8 or int16; the scale and zero point of the output are those that TFLM wants"

    def attributes(self, options: Options) -> SoftmaxAttributes:
        return SoftmaxAttributes(options.float32("beta"))

    def check(self, node: Node) -> None:
        input, output = node.input("input"), node.output
        checks.dtype(node, input, (DType.INT8, DType.INT16, DType.FLOAT32), "input")
        checks.shape(node, output, input.shape, "output")
        if not input.shape:
            raise checks.invalid(node, "input is a scalar")
        if input.dtype is DType.FLOAT32:
            checks.same_dtype(node, input, output)
            return
        kinds = (DType.INT16,) if input.dtype is DType.INT16 else (DType.INT8, DType.INT16)
        checks.dtype(node, output, kinds, "output")
        checks.per_tensor(node, input, output)
        scale, zero_point, tolerance = _OUTPUTS[(input.dtype, output.dtype)]
        if abs(output.scale - scale) > tolerance or output.zero_point != zero_point:
            raise unsupported(
                node, f"output scale {output.scale:g}, zero point {output.zero_point}", _CONVERT
            )
        if input.dtype is DType.INT8:
            scaling(node, node.attributes.beta)
        else:
            self._scaling_s16(node)

    def lower(self, node: Node, lowering: Lowering) -> None:
        input, output = node.input("input"), node.output
        depth = input.shape[-1]
        rows = input.elements // depth
        source, target = lowering.operand(input), lowering.buffer(output)
        params: Params
        if input.dtype is DType.FLOAT32:
            function, params = "ts_softmax_f32", SoftmaxF32Params(rows, depth, node.attributes.beta)
        elif input.dtype is DType.INT16:
            function, params = "ts_softmax_s16", self._params_s16(node, lowering)
        else:
            function = "ts_softmax_s8" if output.dtype is DType.INT8 else "ts_softmax_s8_s16"
            table = exp_table(node)
            constant = lowering.constant(f"{output.name}_exp", table, "exp(-scale * i), Q0.31")
            params = SoftmaxS8Params(rows, depth, len(table), constant)
        add_call(
            node,
            lowering,
            function,
            "softmax.h",
            params=params,
            inputs=[source],
            outputs=[target],
            overlaps=overlaps(source, target, self._lead(node)),
        )

    def _lead(self, node: Node) -> int:
        """Element by element in the last walk over a row; the walks before only read, or write what they
        read.
        """
        input, output = node.input("input"), node.output
        order = np.arange(input.elements, dtype=np.int64)
        return lead_bytes(order * input.dtype.itemsize, (order + 1) * output.dtype.itemsize)

    def _scaling_s16(self, node: Node) -> tuple[int, int]:
        """From a difference of inputs to units of 10 / 65535: TFLM's CalculateSoftmaxParams."""
        return requantization(node, node.input("input").scale * node.attributes.beta / (10.0 / 65535.0))

    def _params_s16(self, node: Node, lowering: Lowering) -> SoftmaxS16Params:
        input = node.input("input")
        exponential = sampled(np.exp, -10.0, 0.0)
        reciprocal = sampled(lambda x: np.float32(1) / (np.float32(1) + x), 0.0, 1.0)
        return SoftmaxS16Params(
            rows=input.elements // input.shape[-1],
            depth=input.shape[-1],
            factor=Factor(*self._scaling_s16(node)),
            exp_table=lowering.constant("softmax_exp", exponential, "e^x for x in [-10, 0], Q0.15"),
            reciprocal_table=lowering.constant(
                "softmax_reciprocal", reciprocal, "1 / (1 + x) for x in [0, 1], Q0.15"
            ),
        )


def scaling(node: Node, beta: float) -> tuple[int, int]:
    """Multiplier and left shift that bring a difference of inputs to Q5: TFLM's PreprocessSoftmaxScaling."""
    real = beta * node.input("input").scale * (1 << (31 - INTEGER_BITS))
    if not (math.isfinite(real) and real > 1.0):
        raise unsupported(node, f"beta {beta:g} times the input's scale is too small", _CONVERT)
    return quantize_multiplier(min(real, 2.0**31 - 1.0))


def exp_table(node: Node) -> npt.NDArray[np.int32]:
    """exp(-i * scale * beta) in Q0 for differences 0, 1, ... up to the last that TFLM does not take for 0."""
    multiplier, left_shift = scaling(node, node.attributes.beta)
    last = min(255, fixed_point.input_radius(INTEGER_BITS, left_shift))
    return exponentials(multiplier, left_shift, last)


def exponentials(multiplier: int, left_shift: int, last: int) -> npt.NDArray[np.int32]:
    """exp of differences 0, -1, ... -last, scaled by multiplier * 2^(left_shift - 31) to Q5, in Q0."""
    values = [
        fixed_point.exp_on_negative_values(
            fixed_point.multiply_high(fixed_point.wrap(-difference << left_shift), multiplier), INTEGER_BITS
        )
        for difference in range(last + 1)
    ]
    return np.array(values, dtype=np.int32)


def sampled(function: Function, low: float, high: float) -> npt.NDArray[np.int16]:
    """513 samples from low to high in Q0.15, each moved by half the error of interpolating after it.

    TFLM's LUTPopulateInt16, in float32.
    """
    unit, half = np.float32(32768), np.float32(0.5)
    step = (np.float32(high) - np.float32(low)) / np.float32(512)
    places = np.float32(low) + np.arange(513, dtype=np.float32) * step
    values = function(places) * unit
    samples = _rounded(values)
    middles = _rounded(function(places[:-1] + step * half) * unit)
    between = _rounded((values[1:] + samples[:-1].astype(np.float32)) * half)
    bias = np.append(_rounded((between - middles) / 2), 0)
    table: npt.NDArray[np.int16] = np.clip(samples - bias, -32768, 32767).astype(np.int16)
    return table


def _rounded(values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    return np.array([round_half_away(float(value)) for value in values], dtype=np.int64)


OPS = (Softmax(),)
