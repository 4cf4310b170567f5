# SPDX-License-Identifier: Apache-2.0
"""UNIDIRECTIONAL_SEQUENCE_LSTM, as Keras' LSTM layer becomes one. Kernels in
``kernels/unidirectional_sequence_lstm.h``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import DType, Node, Options, Tensor
from tinyserve.compiler.ops.elementwise.unary import sigmoid_table
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.quantize_params import Activation, ratio, requantization, round_half_away
from tinyserve.compiler.ops.support.records import Factor
from tinyserve.compiler.program import Constant, Params

_GATES = ("input", "forget", "cell", "output")  # the order in the file and in the kernel
_INPUT_WEIGHTS = tuple(f"input_to_{gate}_weights" for gate in _GATES)
_RECURRENT_WEIGHTS = tuple(f"recurrent_to_{gate}_weights" for gate in _GATES)
_BIASES = tuple(f"{gate}_bias" for gate in _GATES)
_PEEPHOLES = tuple(f"cell_to_{gate}_weights" for gate in ("input", "forget", "output"))
_PROJECTION = ("projection_weights", "projection_bias")
_STATES = ("hidden_state", "cell_state")
_NORMALIZATION = tuple(f"{gate}_normalization" for gate in _GATES)
_UNUSED = {
    **dict.fromkeys(_PEEPHOLES, "peepholes"),
    **dict.fromkeys(_PROJECTION, "a projection"),
    **dict.fromkeys(_NORMALIZATION, "layer normalization"),
}
_INPUTS = (
    "input", *_INPUT_WEIGHTS, *_RECURRENT_WEIGHTS, *_PEEPHOLES, *_BIASES, *_PROJECTION, *_STATES,
    *_NORMALIZATION,
)  # fmt: skip
_SUFFIX = {DType.INT8: "s8", DType.INT16: "s16", DType.FLOAT32: "f32"}
_BIAS_TYPE = {DType.INT8: DType.INT32, DType.INT16: DType.INT64, DType.FLOAT32: DType.FLOAT32}
_GATE_SCALE = 2.0**-12  # Q3.12, before an activation
_ACTIVATED_SCALE = 2.0**-15  # Q0.15, after it
_FROM_SOURCE = "give `convert` the model that the file was made of (.keras, .onnx, .pt2)"
_LEAST_POWER = -27  # of the cell's scale: less is no value of int16 beside 1


@dataclass(frozen=True)
class LstmAttributes:
    activation: Activation
    cell_clip: float = 0.0
    time_major: bool = False


@dataclass(frozen=True)
class _Sizes(Params):
    batches: int
    steps: int
    inputs: int
    units: int
    time_major: int


@dataclass(frozen=True)
class LstmGate(Params):
    """A gate of integers. Weights and biases are NULL where they are computed; biases have the sums for the
    inputs' zero points in them."""

    input_weights: Constant | None
    recurrent_weights: Constant | None
    input_bias: Constant | None
    recurrent_bias: Constant | None
    input_factor: Factor
    recurrent_factor: Factor


class LstmGateS8(LstmGate, c_type="ts_lstm_gate_s8"):
    """int32 biases."""


class LstmGateS16(LstmGate, c_type="ts_lstm_gate_s16"):
    """int64 biases."""


@dataclass(frozen=True)
class LstmGateF32(Params, c_type="ts_lstm_gate_f32"):
    input_weights: Constant | None
    recurrent_weights: Constant | None
    input_bias: Constant | None


@dataclass(frozen=True)
class LstmScaling(Params):
    """What follows the gates of integers."""

    forget_factor: Factor
    update_factor: Factor
    hidden_factor: Factor
    hidden_zero_point: int
    cell_clip: int
    cell_to_sigmoid: int
    cell_shift: int


@dataclass(frozen=True)
class LstmParams(Params):
    """Of integers. Gates are in the order input, forget, cell, output."""

    sizes: _Sizes
    gates: tuple[LstmGate, ...]
    sigmoid: Constant
    scaling: LstmScaling


class LstmS8Params(LstmParams, c_type="ts_unidirectional_sequence_lstm_s8_params"):
    """int8 activations."""


class LstmS16Params(LstmParams, c_type="ts_unidirectional_sequence_lstm_s16_params"):
    """int16 activations."""


@dataclass(frozen=True)
class LstmF32Params(Params, c_type="ts_unidirectional_sequence_lstm_f32_params"):
    sizes: _Sizes
    gates: tuple[LstmGateF32, ...]
    cell_clip: float


@dataclass(frozen=True)
class _Computed(Params):
    lstm: LstmParams
    input_zero_point: int


class LstmS8ComputedParams(_Computed, c_type="ts_unidirectional_sequence_lstm_s8_computed_params"):
    """Weights and biases are arguments."""


class LstmS16ComputedParams(_Computed, c_type="ts_unidirectional_sequence_lstm_s16_computed_params"):
    """Weights and biases are arguments."""


@dataclass(frozen=True)
class LstmF32ComputedParams(Params, c_type="ts_unidirectional_sequence_lstm_f32_computed_params"):
    """Weights and biases are arguments."""

    lstm: LstmF32Params


class UnidirectionalSequenceLstm(OpDef):
    """Input [batches][steps][inputs] (steps first where time-major) to output [..][..][units].

    Hidden and cell state, [batches][units], are variables that live across inferences: TFLM's reference
    kernel keeps them, too. Integer cells are int16 with a power of two as scale.
    """

    name = "UNIDIRECTIONAL_SEQUENCE_LSTM"
    inputs = ("input", *(f"{name}?" for name in _INPUTS[1:]))
    types = _SUFFIX
    limits = "no peepholes, projection or layer normalization; int8 weights"

    def attributes(self, options: Options) -> LstmAttributes:
        return LstmAttributes(
            Activation.read(options), options.float32("cell_clip"), options.boolean("time_major")
        )

    def check(self, node: Node) -> None:
        _check_variant(node)
        input, hidden, cell, output = node.input("input"), *states(node), node.output
        checks.dtype(node, input, _SUFFIX, "input")
        checks.same_dtype(node, input, hidden, output)
        checks.rank(node, input, 3, "input")
        checks.rank(node, output, 3, "output")
        checks.shape(node, output, (*input.shape[:2], output.shape[2]), "output")
        batches, units = input.shape[1 if node.attributes.time_major else 0], output.shape[2]
        for state in (hidden, cell):
            checks.elements(node, state, batches * units, "a state")
            if not state.is_variable:
                raise unsupported(node, "a state that is no variable", _FROM_SOURCE)
        for gate in range(len(_GATES)):
            _check_gate(node, gate, input.shape[2], units)
        if input.dtype is DType.FLOAT32:
            checks.same_dtype(node, input, cell)
        else:
            checks.dtype(node, cell, (DType.INT16,), "the cell state")
            checks.per_tensor(node, input, hidden, cell)
            checks.symmetric(node, cell, *([input, hidden] if input.dtype is DType.INT16 else []))
            _scaling(node)

    def macs(self, node: Node) -> int:
        return 4 * node.output.elements * (node.input("input").shape[2] + node.output.shape[2])

    def lower(self, node: Node, lowering: Lowering) -> None:
        if lowering.lower_variant("unidirectional_sequence_lstm", node):
            return
        input, output = node.input("input"), node.output
        integer, computed = input.dtype is not DType.FLOAT32, _computed(node)
        params = _params(node, lowering, computed)
        function, operands = f"ts_unidirectional_sequence_lstm_{_SUFFIX[input.dtype]}", [input]
        scratch = [lowering.buffer(state) for state in states(node)]
        if computed:
            function, operands = f"{function}_computed", [input, *gate_weights(node)]
            if integer:
                units, bias = output.shape[2], _BIAS_TYPE[input.dtype]
                size = f"TS_LSTM_BIASES_BYTES({units}, {bias.c_type})"
                nbytes = len(_GATES) * 2 * units * bias.itemsize
                scratch.append(lowering.scratch(f"{output.name}_biases", nbytes, 8, size=size))
        add_call(
            node,
            lowering,
            function,
            "unidirectional_sequence_lstm.h",
            params=params,
            inputs=[lowering.operand(tensor) for tensor in operands],
            outputs=[lowering.buffer(output)],
            scratch=scratch,
            macs=self.macs(node),
        )


def _params(node: Node, lowering: Lowering, computed: bool) -> Params:
    input = node.input("input")
    if input.dtype is DType.FLOAT32:
        plain = _float_params(node, lowering)
        return LstmF32ComputedParams(plain) if computed else plain
    params = integer_params(node, lowering)
    if not computed:
        return params
    record = LstmS8ComputedParams if input.dtype is DType.INT8 else LstmS16ComputedParams
    return record(params, input.zero_point)


def _sizes(node: Node) -> _Sizes:
    first, second, inputs = node.input("input").shape
    steps, batches = (first, second) if node.attributes.time_major else (second, first)
    return _Sizes(batches, steps, inputs, node.output.shape[2], int(node.attributes.time_major))


def _float_params(node: Node, lowering: Lowering) -> LstmF32Params:
    gates = tuple(_float_gate(node, lowering, gate) for gate in range(len(_GATES)))
    return LstmF32Params(_sizes(node), gates, float(node.attributes.cell_clip))


def integer_params(node: Node, lowering: Lowering) -> LstmParams:
    """Of the kernels of integers."""
    int8 = node.input("input").dtype is DType.INT8
    gates = tuple(_integer_gate(node, lowering, gate) for gate in range(len(_GATES)))
    sigmoid = lowering.constant("sigmoid", sigmoid_table(), "logistic(i / 24), Q0.16")
    record = LstmS8Params if int8 else LstmS16Params
    return record(_sizes(node), gates, sigmoid, _scaling(node))


def states(node: Node) -> tuple[Tensor, Tensor]:
    """Hidden and cell state."""
    return node.input("hidden_state"), node.input("cell_state")


def gate_weights(node: Node) -> list[Tensor]:
    """Weights of the input, recurrent weights and biases, gate by gate: arguments of a call that has them
    computed at run time."""
    return [node.input(name) for name in (*_INPUT_WEIGHTS, *_RECURRENT_WEIGHTS, *_BIASES)]


def _computed(node: Node) -> bool:
    return not all(tensor.is_constant for tensor in gate_weights(node))


def _check_variant(node: Node) -> None:
    if len(node.inputs) != len(_INPUTS):
        raise unsupported(node, f"{len(node.inputs)} inputs, not {len(_INPUTS)}", _FROM_SOURCE)
    for name, part in _UNUSED.items():
        if node.optional(name) is not None:
            raise unsupported(node, f"an LSTM with {part}", "use a plain LSTM layer")
    for name in (*_INPUT_WEIGHTS, *_RECURRENT_WEIGHTS, *_BIASES, *_STATES):
        if node.optional(name) is None:
            raise unsupported(node, f"an LSTM without {name}", "use a plain LSTM layer")
    if node.attributes.activation is not Activation.TANH:
        raise unsupported(node, f"cell activation {node.attributes.activation.name}", "use tanh")
    if not 0 <= node.attributes.cell_clip < math.inf:
        raise checks.invalid(node, f"its cell is clipped at {node.attributes.cell_clip}")


def _check_gate(node: Node, gate: int, inputs: int, units: int) -> None:
    dtype = node.input("input").dtype
    weights_type = DType.FLOAT32 if dtype is DType.FLOAT32 else DType.INT8
    for names, depth in ((_INPUT_WEIGHTS, inputs), (_RECURRENT_WEIGHTS, units)):
        weights = node.input(names[gate])
        checks.dtype(node, weights, (weights_type,), "weights")
        checks.shape(node, weights, (units, depth), "weights")
        if dtype is not DType.FLOAT32:
            checks.per_tensor(node, weights)
            checks.symmetric(node, weights)
    bias = node.input(_BIASES[gate])
    checks.dtype(node, bias, (_BIAS_TYPE[dtype],), "bias")
    checks.shape(node, bias, (units,), "bias")


def _float_gate(node: Node, lowering: Lowering, gate: int) -> LstmGateF32:
    if _computed(node):
        return LstmGateF32(None, None, None)

    def stored(role: str, names: tuple[str, ...]) -> Constant:
        tensor = node.input(names[gate])
        return lowering.constant(tensor.name, np.asarray(tensor.data), f"gate {gate}: {role}")

    return LstmGateF32(
        stored("input_weights", _INPUT_WEIGHTS),
        stored("recurrent_weights", _RECURRENT_WEIGHTS),
        stored("input_bias", _BIASES),
    )


def _integer_gate(node: Node, lowering: Lowering, gate: int) -> LstmGate:
    """Weights, and biases less the zero point times the sum of a unit's weights."""
    input, hidden = node.input("input"), states(node)[0]
    inputs, recurrent = node.input(_INPUT_WEIGHTS[gate]), node.input(_RECURRENT_WEIGHTS[gate])
    of_input: _Side = (None, None)
    of_hidden: _Side = (None, None)
    if not _computed(node):
        bias = np.asarray(node.input(_BIASES[gate]).data)
        of_input = _stored_side(lowering, inputs, input, bias, f"gate {gate}: input")
        zeros = np.zeros_like(bias)
        of_hidden = _stored_side(lowering, recurrent, hidden, zeros, f"gate {gate}: recurrent")
    record = LstmGateS8 if input.dtype is DType.INT8 else LstmGateS16
    return record(
        of_input[0], of_hidden[0], of_input[1], of_hidden[1],
        _gate_factor(node, input, inputs), _gate_factor(node, hidden, recurrent),
    )  # fmt: skip


_Side = tuple[Constant | None, Constant | None]
"""Weights and bias."""


def _stored_side(
    lowering: Lowering, weights: Tensor, source: Tensor, start: npt.NDArray[Any], role: str
) -> _Side:
    """The bias is ``start`` less the source's zero point times the sum of a unit's weights."""
    data = np.asarray(weights.data)
    offset = start.astype(np.int64) - source.zero_point * data.astype(np.int64).sum(axis=1)
    return (
        lowering.constant(weights.name, data, f"{role} weights"),
        lowering.constant(f"{weights.name}_bias", offset.astype(start.dtype), f"{role} bias"),
    )


def _gate_factor(node: Node, source: Tensor, weights: Tensor) -> Factor:
    """From a gate's accumulators to Q3.12.

    TFLM's wheel multiplies these two scales in double precision, unlike those of other operators. A TFLM
    library for Cortex-M was seen to do it in single precision, which changes an output by one now and then.
    """
    return Factor(*requantization(node, source.scale * weights.scale / _GATE_SCALE))


def _scaling(node: Node) -> LstmScaling:
    """What follows the gates: TFLM's PrepareGateParametersInteger and CreateLstmCellStateInfo."""
    hidden, cell = states(node)
    power = round_half_away(math.log2(cell.scale))
    if not _LEAST_POWER <= power <= 0:
        raise unsupported(
            node, f"cell scale {cell.scale:g}", "quantize the float model: scales are then from 2^-27 to 1"
        )
    forget = Factor(*requantization(node, _ACTIVATED_SCALE * cell.scale / cell.scale))
    update = Factor(*requantization(node, _ACTIVATED_SCALE**2 / cell.scale))
    after = Factor(*requantization(node, ratio(_ACTIVATED_SCALE**2, hidden.scale)))
    clip = min(float(np.float32(node.attributes.cell_clip)) / cell.scale, 32767.0)
    to_sigmoid = 3 << max(0, 12 + power), max(0, -(12 + power))
    return LstmScaling(forget, update, after, hidden.zero_point, int(clip), *to_sigmoid)


OPS = (UnidirectionalSequenceLstm(),)
