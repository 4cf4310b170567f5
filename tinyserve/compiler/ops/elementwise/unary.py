# SPDX-License-Identifier: Apache-2.0
"""Elementwise operators of one input. Kernels in ``kernels/unary.h``.

8-bit functions are tables of 256 bytes, computed here as TFLM computes each value. float32 calls a function
of the kernel's own. int16 has arithmetic of its own where TFLM has it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.rows import RowRule, rows_of_elementwise
from tinyserve.compiler.graph.types import DType, Node, Options, Tensor
from tinyserve.compiler.ops.support import checks, fixed_point
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.overlap import overlaps
from tinyserve.compiler.ops.support.quantize_params import (
    Activation,
    activation_range,
    quantize_multiplier,
    ratio,
    requantization,
    round_half_away,
)
from tinyserve.compiler.ops.support.records import Clamp, Factor
from tinyserve.compiler.program import Constant, Params

Table = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class LookupParams(Params, c_type="ts_lookup_8_params"):
    elements: int
    table: Constant


@dataclass(frozen=True)
class UnaryF32Params(Params, c_type="ts_unary_f32_params"):
    """``alpha``: of the functions that have one."""

    elements: int
    alpha: float = 0.0


@dataclass(frozen=True)
class SigmoidS16Params(Params, c_type="ts_sigmoid_s16_params"):
    elements: int
    multiplier: int
    shift: int
    sigmoid: Constant


@dataclass(frozen=True)
class RescaleS16Params(Params, c_type="ts_rescale_s16_params"):
    """Factors of values from zero up, and below zero."""

    elements: int
    input_offset: int
    output_offset: int
    activation: Clamp
    factor: Factor
    negative_factor: Factor


@dataclass(frozen=True)
class ClampS16Params(Params, c_type="ts_clamp_s16_params"):
    elements: int
    activation: Clamp


@dataclass(frozen=True)
class AbsS16Params(Params, c_type="ts_abs_s16_params"):
    elements: int


@dataclass(frozen=True)
class RsqrtS16Params(Params, c_type="ts_rsqrt_s16_params"):
    elements: int
    factor: Factor


def byte_table(dtype: DType, function: Callable[[int], int]) -> Table:
    """``function`` of every 8-bit value, in the order of the values' bytes."""
    values = range(256) if dtype is DType.UINT8 else [*range(128), *range(-128, 0)]
    return np.array([function(value) & 0xFF for value in values], dtype=np.uint8)


def saturate(value: int) -> int:
    """To int8."""
    return max(-128, min(127, value))


def add_lookup(node: Node, lowering: Lowering, table: Table) -> None:
    """The call of a function of 8-bit values."""
    constant = lowering.constant(f"{node.output.name}_table", table, f"{node.name} of every byte")
    add_elementwise(node, lowering, "ts_lookup_8", LookupParams(node.output.elements, constant))


def add_elementwise(
    node: Node,
    lowering: Lowering,
    function: str,
    params: Params,
    *,
    header: str = "unary.h",
    variant: str = "portable",
) -> None:
    """The call of a kernel that goes through the elements in order."""
    input, output = node.input("input"), node.output
    source, target = lowering.operand(input), lowering.buffer(output)
    growth = max(0, output.dtype.itemsize - input.dtype.itemsize)
    add_call(
        node,
        lowering,
        function,
        header,
        params=params,
        inputs=[source],
        outputs=[target],
        variant=variant,
        overlaps=overlaps(source, target, growth * (output.elements - 1)),
    )


class Unary(OpDef):
    """An operator that float32 has, and int8 where ``table`` gives its values, and int16 where ``lower_s16``
    does.
    """

    types: Collection[DType] = (DType.FLOAT32,)

    def check(self, node: Node) -> None:
        input, output = node.input("input"), node.output
        checks.dtype(node, input, self.types, "input")
        checks.same_dtype(node, input, output)
        checks.elements(node, output, input.elements, "output")
        if input.dtype is not DType.FLOAT32:
            self.check_quantized(node)

    def check_quantized(self, node: Node) -> None:
        """Raises ModelError where integers have no scale, UnsupportedError where TFLM does not take it."""
        input, output = node.input("input"), node.output
        checks.per_tensor(node, input, output)
        if input.dtype is DType.INT16:
            checks.symmetric(node, input, output)
            self.check_s16(node)
        else:
            self.table(node)

    def check_s16(self, node: Node) -> None:
        """Raises UnsupportedError for quantization that the int16 kernel does not take."""

    def table(self, node: Node) -> Table:
        """The int8 function. Raises UnsupportedError for quantization that TFLM does not take."""
        raise NotImplementedError

    def lower_s16(self, node: Node, lowering: Lowering) -> None:
        raise NotImplementedError

    def rows(self, node: Node) -> RowRule | None:
        return rows_of_elementwise(node)

    def lower(self, node: Node, lowering: Lowering) -> None:
        dtype = node.output.dtype
        if dtype is DType.FLOAT32:
            alpha = getattr(node.attributes, "alpha", 0.0)
            function = f"ts_{self.name.lower()}_f32"
            add_elementwise(node, lowering, function, UnaryF32Params(node.output.elements, alpha))
        elif dtype is DType.INT16:
            self.lower_s16(node, lowering)
        else:
            add_lookup(node, lowering, self.table(node))


# --- logistic and tanh: gemmlowp's fixed point in int8, interpolation of the sigmoid in int16


class _Sigmoidal(Unary):
    """Output scale and zero point are fixed by the function."""

    types = (DType.INT8, DType.INT16, DType.FLOAT32)
    integer_bits = 4

    def function(self, raw: int) -> int:
        """The function of a Q4 number as a Q0 number."""
        raise NotImplementedError

    def output(self, q0: int) -> int:
        """The output for a Q0 number, before saturation."""
        raise NotImplementedError

    def table(self, node: Node) -> Table:
        input = node.input("input")
        scaled = quantize_multiplier(input.scale * (1 << (31 - self.integer_bits)))
        return _sigmoidal_table(self, *scaled, input.zero_point)

    def check_s16(self, node: Node) -> None:
        if round(math.log2(node.output.scale), 3) != -15:
            raise unsupported(node, "int16 output whose scale is not 1/32768", "convert the model again")
        _sigmoid_scaling(node, self.name == "TANH")

    def lower_s16(self, node: Node, lowering: Lowering) -> None:
        scaling = _sigmoid_scaling(node, self.name == "TANH")
        table = lowering.constant("sigmoid", sigmoid_table(), "logistic(i / 24), Q0.16")
        params = SigmoidS16Params(node.output.elements, *scaling, table)
        add_elementwise(node, lowering, f"ts_{self.name.lower()}_s16", params)


@cache
def _sigmoidal_table(definition: _Sigmoidal, multiplier: int, shift: int, zero_point: int) -> Table:
    """The same for all turns of an unrolled layer, whose inputs have one scale."""
    radius = fixed_point.input_radius(definition.integer_bits, shift)

    def value(quantized: int) -> int:
        centered = quantized - zero_point
        if centered <= -radius:
            return -128
        if centered >= radius:
            return 127
        raw = fixed_point.requantize(centered, multiplier, shift)
        return saturate(definition.output(definition.function(raw)))

    return byte_table(DType.INT8, value)


class Logistic(_Sigmoidal):
    name = "LOGISTIC"
    limits = "the output's scale and zero point are those of the function"

    def function(self, raw: int) -> int:
        return fixed_point.logistic(raw, self.integer_bits)

    def output(self, q0: int) -> int:
        return fixed_point.divide_by_power_of_two(q0, 23) - 128

    def table(self, node: Node) -> Table:
        if node.output.zero_point != -128:
            raise unsupported(node, "int8 output whose zero point is not -128", "convert the model again")
        return super().table(node)


class Tanh(_Sigmoidal):
    name = "TANH"
    limits = "the output's scale and zero point are those of the function"

    def function(self, raw: int) -> int:
        return fixed_point.tanh(raw, self.integer_bits)

    def output(self, q0: int) -> int:
        return fixed_point.divide_by_power_of_two(q0, 24)


def sigmoid_table() -> npt.NDArray[np.uint16]:
    """logistic(i / 24) in Q0.16, plus half of the error that interpolation makes halfway to the next.

    The last entry is the value that the kernels saturate to.
    """

    def sigmoid(i: float) -> float:
        return 65536.0 / (1.0 + math.exp(-i / 24.0))

    def entry(i: int) -> int:
        error = sigmoid(i + 0.5) - (sigmoid(i) + sigmoid(i + 1)) / 2
        return round_half_away(sigmoid(i) + error / 2)

    return np.array([*(entry(i) for i in range(255)), 65535], dtype=np.uint16)


def _sigmoid_scaling(node: Node, tanh: bool) -> tuple[int, int]:
    """Multiplier and right shift from an int16 input to the table's argument: TFLM's logistic_common and
    tanh.
    """
    scale = np.float32(node.input("input").scale)
    log2 = float(np.log(scale) * (np.float32(1.0) / np.log(np.float32(2.0))))
    nearest = round_half_away(log2)
    left_shift = 12 + nearest
    if abs(log2 - nearest) < 1e-3 and left_shift in ((0, 1) if tanh else (0,)):
        return 3 << left_shift, 0
    multiplier, shift = float(scale) * 4096.0 * 3.0, 0
    while multiplier <= 32767.0 / 2.0 and shift <= 30:
        shift += 1
        multiplier *= 2.0
    if multiplier > 32767.0:
        raise unsupported(node, f"int16 input of scale {scale:g}, more than 2.6", "convert the model again")
    return int(multiplier), shift


# --- rectifiers


@dataclass(frozen=True)
class _Rescale:
    """Multipliers and shifts of values from zero up and below zero, and the output's bounds."""

    positive: tuple[int, int]
    negative: tuple[int, int]
    low: int
    high: int


class _Rectifier(Unary):
    types = (DType.INT8, DType.INT16, DType.FLOAT32)
    activation = Activation.NONE

    def rescale(self, node: Node) -> _Rescale:
        """TFLM's CalculateReluOpData."""
        input, output = node.input("input"), node.output
        factor = requantization(node, ratio(input.scale, output.scale))
        return _Rescale(factor, factor, *activation_range(node, self.activation, output))

    def check_s16(self, node: Node) -> None:
        self.rescale(node)

    def table(self, node: Node) -> Table:
        input, output, how = node.input("input"), node.output, self.rescale(node)

        def value(quantized: int) -> int:
            centered = quantized - input.zero_point
            factor = how.positive if centered >= 0 else how.negative
            scaled = fixed_point.wrap(fixed_point.requantize(centered, *factor) + output.zero_point)
            return min(max(scaled, how.low), how.high)

        return byte_table(DType.INT8, value)

    def lower_s16(self, node: Node, lowering: Lowering) -> None:
        how = self.rescale(node)
        params = RescaleS16Params(
            node.output.elements, node.input("input").zero_point, node.output.zero_point,
            Clamp(how.low, how.high), Factor(*how.positive), Factor(*how.negative),
        )  # fmt: skip
        add_elementwise(node, lowering, "ts_rescale_s16", params)


class Relu(_Rectifier):
    name = "RELU"
    activation = Activation.RELU


class ReluN1To1(_Rectifier):
    """TFLM lacks it; computed as TFLM computes RELU, with the bounds -1 and 1."""

    name = "RELU_N1_TO_1"
    activation = Activation.RELU_N1_TO_1


class Relu0To1(_Rectifier):
    """TFLM lacks it; computed as TFLM computes RELU, with the bounds 0 and 1."""

    name = "RELU_0_TO_1"
    activation = Activation.RELU_0_TO_1


class Relu6(Unary):
    """TFLM clamps in the input's quantization and never rescales to the output's."""

    name = "RELU6"
    types = (DType.INT8, DType.INT16, DType.FLOAT32)

    def table(self, node: Node) -> Table:
        low, high = self._bounds(node)
        return byte_table(DType.INT8, lambda value: high if value > high else max(value, low))

    def lower_s16(self, node: Node, lowering: Lowering) -> None:
        params = ClampS16Params(node.output.elements, Clamp(*self._bounds(node)))
        add_elementwise(node, lowering, "ts_clamp_s16", params)

    def _bounds(self, node: Node) -> tuple[int, int]:
        input = node.input("input")
        high = 127 if input.dtype is DType.INT8 else 32767
        steps = float(np.float32(6.0) / np.float32(input.scale))
        return input.zero_point, min(high, round_half_away(min(steps, 1e6)) + input.zero_point)


@dataclass(frozen=True)
class LeakyReluAttributes:
    alpha: float


class LeakyRelu(_Rectifier):
    name = "LEAKY_RELU"

    def attributes(self, options: Options) -> LeakyReluAttributes:
        return LeakyReluAttributes(options.float32("alpha"))

    def rescale(self, node: Node) -> _Rescale:
        """TFLM's CalculateOpDataLeakyRelu, whose ratios the compiled TFLM computes in float64."""
        input, output = node.input("input"), node.output
        positive = ratio(input.scale, output.scale)
        negative = ratio(input.scale * node.attributes.alpha, output.scale)
        bounds = activation_range(node, Activation.NONE, output)
        return _Rescale(requantization(node, positive), requantization(node, negative), *bounds)


# --- functions of a real number, tabulated through float32


class _RealFunction(Unary):
    """int8 through TFLM's LUTPopulate: dequantize, apply, quantize, all in float32."""

    types = (DType.INT8, DType.FLOAT32)

    def real(self, value: np.float32) -> np.float32:
        raise NotImplementedError

    def table(self, node: Node) -> Table:
        return _real_table(node, self.real)


def _real_table(node: Node, function: Callable[[np.float32], np.float32]) -> Table:
    """``function`` of real numbers as one of int8."""
    input, output = node.input("input"), node.output
    scale, inverse = np.float32(input.scale), np.float32(1) / np.float32(output.scale)

    def value(quantized: int) -> int:
        with np.errstate(all="ignore"):
            real = function(scale * np.float32(quantized - input.zero_point))
            steps = float(real * inverse)
        return saturate(round_half_away(max(-1e6, min(1e6, steps))) + output.zero_point)

    return byte_table(DType.INT8, value)


class Elu(_RealFunction):
    name = "ELU"

    def real(self, value: np.float32) -> np.float32:
        return np.float32(np.exp(value) - np.float32(1)) if value < 0 else value


class Exp(_RealFunction):
    """int8 as LiteRT: TFLM has float32 alone."""

    name = "EXP"

    def real(self, value: np.float32) -> np.float32:
        result: np.float32 = np.exp(value)
        return result


class Log(_RealFunction):
    """int8 as LiteRT: TFLM has float32 alone. What has no logarithm gives the lowest value."""

    name = "LOG"

    def real(self, value: np.float32) -> np.float32:
        result: np.float32 = np.log(value) if value > 0 else np.float32(-1e30)
        return result


@dataclass(frozen=True)
class GeluAttributes:
    approximate: bool = False


class Gelu(_RealFunction):
    """x times the normal distribution's share below x; "approximate" through tanh. TFLM lacks it."""

    name = "GELU"

    def attributes(self, options: Options) -> GeluAttributes:
        return GeluAttributes(options.boolean("approximate"))

    def table(self, node: Node) -> Table:
        function = _gelu_tanh if node.attributes.approximate else _gelu_erf
        return _real_table(node, function)

    def lower(self, node: Node, lowering: Lowering) -> None:
        if node.output.dtype is not DType.FLOAT32:
            add_lookup(node, lowering, self.table(node))
            return
        function = "ts_gelu_tanh_f32" if node.attributes.approximate else "ts_gelu_f32"
        add_elementwise(node, lowering, function, UnaryF32Params(node.output.elements))


def _gelu_erf(value: np.float32) -> np.float32:
    result: np.float32 = np.float32(0.5 * float(value) * (1.0 + math.erf(float(value) / math.sqrt(2.0))))
    return result


def _gelu_tanh(value: np.float32) -> np.float32:
    x = float(value)
    share = 1.0 + math.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3))
    result: np.float32 = np.float32(0.5 * x * share)
    return result


class HardSwish(Unary):
    """int8 in the 16-bit fixed point of TFLM's reference_ops::HardSwish."""

    name = "HARD_SWISH"
    types = (DType.INT8, DType.FLOAT32)

    def table(self, node: Node) -> Table:
        input, output = node.input("input"), node.output
        hires = np.float32(1.0 / 128.0) * np.float32(input.scale)
        scale, exponent = _multiplier_s16(float(hires / np.float32(output.scale)))
        reluish, reluish_exponent = _multiplier_s16(float(hires / (np.float32(3.0) / np.float32(32768.0))))
        if exponent > 0:
            raise unsupported(node, "the output's scale is too small", "quantize the model again")

        def value(quantized: int) -> int:
            centered = _wrap_s16((quantized - input.zero_point) * 128)
            gate = _hard_sigmoid_s16(centered, reluish, reluish_exponent)
            product = int(gate * _high_mul_s16(centered, scale) / 32768)
            scaled = fixed_point.divide_by_power_of_two(product, -exponent)
            return saturate(_wrap_s16(scaled + output.zero_point))

        return byte_table(DType.INT8, value)


def _hard_sigmoid_s16(value: int, multiplier: int, exponent: int) -> int:
    """min(max(x / 3, -1), 1) / 2 + 1/2 in Q0.15."""
    if exponent > 0:
        value = _saturate_s16(value << (exponent - 1))
    value = _high_mul_s16(value, multiplier)
    if exponent > 0:
        value = _saturate_s16(value << 1)
    if exponent < 0:
        value = fixed_point.divide_by_power_of_two(value, -exponent)
    return (value + (1 << 15)) >> 1


def _multiplier_s16(real: float) -> tuple[int, int]:
    """A multiplier of 15 bits and its exponent: TFLM's DownScaleInt32ToInt16Multiplier."""
    multiplier, exponent = quantize_multiplier(real)
    half = 1 << 15
    return (32767 if multiplier >= 2**31 - 1 - half else (multiplier + half) >> 16), exponent


def _high_mul_s16(a: int, b: int) -> int:
    """SaturatingRoundingDoublingHighMul of int16."""
    product = a * b
    nudged = product + ((1 << 14) if product >= 0 else 1 - (1 << 14))
    return 32767 if a == b == -32768 else int(nudged / (1 << 15))


def _saturate_s16(value: int) -> int:
    return max(-32768, min(32767, value))


def _wrap_s16(value: int) -> int:
    return (value + 2**15) % 2**16 - 2**15


class Abs(Unary):
    """The sign of the centered value is dropped; scales may differ. int16 may be plain, without a scale."""

    name = "ABS"
    types = (DType.INT8, DType.INT16, DType.FLOAT32)

    def check_quantized(self, node: Node) -> None:
        if not _is_plain_s16(node.input("input")):
            super().check_quantized(node)

    def table(self, node: Node) -> Table:
        input, output = node.input("input"), node.output
        factor = self._factor(node)

        def value(quantized: int) -> int:
            magnitude = abs(quantized - input.zero_point)
            scaled = magnitude if factor is None else fixed_point.requantize(magnitude, *factor)
            return saturate(scaled + output.zero_point)

        return byte_table(DType.INT8, value)

    def check_s16(self, node: Node) -> None:
        self._factor(node)

    def lower_s16(self, node: Node, lowering: Lowering) -> None:
        if _is_plain_s16(node.input("input")):
            add_elementwise(node, lowering, "ts_abs_s16", AbsS16Params(node.output.elements))
            return
        multiplier, shift = self._factor(node) or (1 << 30, 1)
        params = RescaleS16Params(
            node.output.elements,
            0,
            0,
            Clamp(-32768, 32767),
            Factor(multiplier, shift),
            Factor(-multiplier, shift),
        )
        add_elementwise(node, lowering, "ts_rescale_s16", params)

    def _factor(self, node: Node) -> tuple[int, int] | None:
        """None where the scales are equal and TFLM does not rescale."""
        input, output = node.input("input"), node.output
        if input.scale == output.scale:
            return None
        return requantization(node, ratio(input.scale, output.scale))


def _is_plain_s16(tensor: Tensor) -> bool:
    return tensor.dtype is DType.INT16 and not checks.has_scale(tensor)


class Rsqrt(Unary):
    """int8 and int16 in fixed point with 20 bits of fraction. 0 gives the largest value.

    Values below the zero point, for which TFLM ends the inference with an error, count as 0.
    """

    name = "RSQRT"
    types = (DType.INT8, DType.INT16, DType.FLOAT32)
    limits = "integers below the zero point count as 0"

    def check_s16(self, node: Node) -> None:
        self._factor(node)

    def lower_s16(self, node: Node, lowering: Lowering) -> None:
        params = RsqrtS16Params(node.output.elements, Factor(*self._factor(node)))
        add_elementwise(node, lowering, "ts_rsqrt_s16", params)

    def _factor(self, node: Node) -> tuple[int, int]:
        """From 1 / sqrt(input) to the output."""
        input, output = node.input("input"), node.output
        multiplier, shift = requantization(node, ratio(1.0, math.sqrt(input.scale) * output.scale))
        if shift < -11:
            raise unsupported(node, "the output's scale is too large", "quantize the model again")
        return multiplier, shift

    def table(self, node: Node) -> Table:
        input, output = node.input("input"), node.output
        multiplier, shift = self._factor(node)

        def value(quantized: int) -> int:
            centered = quantized - input.zero_point
            if centered <= 0:
                return 127
            factor, exponent = fixed_point.inverse_sqrt(centered)
            root = fixed_point.requantize(1, factor, exponent + 20)
            scaled = fixed_point.requantize(root, multiplier, shift - 20)
            return saturate(fixed_point.wrap(scaled + output.zero_point))

        return byte_table(DType.INT8, value)


# --- float32 alone


class _Float(Unary):
    """TFLM has it for float32 only, or not at all (SIGN)."""

    def __init__(self, name: str) -> None:
        self.name = name


OPS = (
    Logistic(), Tanh(), Relu(), ReluN1To1(), Relu0To1(), Relu6(), LeakyRelu(), Elu(), HardSwish(), Abs(),
    Rsqrt(), Exp(), Log(), Gelu(),
    *map(_Float, (
        "NEG", "SQUARE", "SQRT", "SIN", "COS", "FLOOR", "CEIL", "ROUND", "SIGN",
    )),
)  # fmt: skip
