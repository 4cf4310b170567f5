# SPDX-License-Identifier: Apache-2.0
"""UNIDIRECTIONAL_SEQUENCE_LSTM, as Keras' LSTM layer becomes one. Kernels in
``kernels/unidirectional_sequence_lstm.h``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinyserve.compiler.graph.types import DType, Node, Options, Tensor
from tinyserve.compiler.ops.elementwise.unary import sigmoid_table
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.quantize_params import Activation, ratio, requantization, round_half_away
from tinyserve.compiler.program import ParamValue

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


@dataclass(frozen=True)
class LstmAttributes:
    activation: Activation
    cell_clip: float = 0.0
    time_major: bool = False


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
                raise unsupported(node, "a state that is no variable", "export the model again")
        for gate in range(len(_GATES)):
            _check_gate(node, gate, input.shape[2], units)
        if input.dtype is DType.FLOAT32:
            checks.same_dtype(node, input, cell)
        else:
            checks.dtype(node, cell, (DType.INT16,), "the cell state")
            checks.per_tensor(node, input, hidden, cell)
            checks.symmetric(node, cell, *([input, hidden] if input.dtype is DType.INT16 else []))
            _integer_params(node)

    def macs(self, node: Node) -> int:
        return 4 * node.output.elements * (node.input("input").shape[2] + node.output.shape[2])

    def lower(self, node: Node, lowering: Lowering) -> None:
        if lowering.lower_variant("unidirectional_sequence_lstm", node):
            return
        input, output = node.input("input"), node.output
        integer, computed = input.dtype is not DType.FLOAT32, _computed(node)
        params = lstm_params(node, lowering)
        function, operands = f"ts_unidirectional_sequence_lstm_{_SUFFIX[input.dtype]}", [input]
        scratch = [lowering.buffer(state) for state in states(node)]
        if computed:
            function, operands = f"{function}_computed", [input, *gate_weights(node)]
            params = {f"lstm.{field}": value for field, value in params.items()}
            if integer:
                params["input_zero_point"] = input.zero_point
                nbytes = len(_GATES) * 2 * output.shape[2] * _BIAS_TYPE[input.dtype].itemsize
                scratch.append(lowering.scratch(f"{output.name}_biases", nbytes, 8))
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


def lstm_params(node: Node, lowering: Lowering) -> dict[str, ParamValue]:
    """The fields of the kernels' parameters; weights and biases only where all are constant."""
    input, output = node.input("input"), node.output
    first, second, inputs = input.shape
    steps, batches = (first, second) if node.attributes.time_major else (second, first)
    params: dict[str, ParamValue] = {
        "batches": batches,
        "steps": steps,
        "inputs": inputs,
        "units": output.shape[2],
        "time_major": int(node.attributes.time_major),
    }
    integer, computed = input.dtype is not DType.FLOAT32, _computed(node)
    for gate in range(len(_GATES)):
        pairs = dict(_scaling(node, gate)) if integer else {}
        if not computed:
            pairs |= dict((_integer_gate if integer else _float_gate)(node, lowering, gate))
        params |= {f"gates[{gate}].{key}": value for key, value in pairs.items()}
    if integer:
        params["sigmoid"] = lowering.constant("sigmoid", sigmoid_table(), "logistic(i / 24), Q0.16")
        params |= _integer_params(node)
    else:
        params["cell_clip"] = float(node.attributes.cell_clip)
    return params


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
        raise unsupported(node, f"{len(node.inputs)} inputs, not {len(_INPUTS)}", "export the model again")
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


def _float_gate(node: Node, lowering: Lowering, gate: int) -> Iterator[tuple[str, ParamValue]]:
    for field, names in (
        ("input_weights", _INPUT_WEIGHTS),
        ("recurrent_weights", _RECURRENT_WEIGHTS),
        ("input_bias", _BIASES),
    ):
        tensor = node.input(names[gate])
        yield field, lowering.constant(tensor.name, np.asarray(tensor.data), f"gate {gate}: {field}")


def _integer_gate(node: Node, lowering: Lowering, gate: int) -> Iterator[tuple[str, ParamValue]]:
    """Weights, and biases less the zero point times the sum of a unit's weights."""
    bias = np.asarray(node.input(_BIASES[gate]).data)
    for side, names, source, start in (
        ("input", _INPUT_WEIGHTS, node.input("input"), bias.astype(np.int64)),
        ("recurrent", _RECURRENT_WEIGHTS, states(node)[0], np.zeros(bias.shape, np.int64)),
    ):
        weights = node.input(names[gate])
        data = np.asarray(weights.data)
        offset = (start - source.zero_point * data.astype(np.int64).sum(axis=1)).astype(bias.dtype)
        yield f"{side}_weights", lowering.constant(weights.name, data, f"gate {gate}: {side} weights")
        yield f"{side}_bias", lowering.constant(f"{weights.name}_bias", offset, f"gate {gate}: {side} bias")


def _scaling(node: Node, gate: int) -> Iterator[tuple[str, ParamValue]]:
    """From a gate's accumulators to Q3.12.

    TFLM's wheel multiplies these two scales in double precision, unlike those of other operators. A TFLM
    library for Cortex-M was seen to do it in single precision, which changes an output by one now and then.
    """
    for side, names, source in (
        ("input", _INPUT_WEIGHTS, node.input("input")),
        ("recurrent", _RECURRENT_WEIGHTS, states(node)[0]),
    ):
        product = source.scale * node.input(names[gate]).scale
        multiplier, shift = requantization(node, product / _GATE_SCALE)
        yield f"{side}_multiplier", multiplier
        yield f"{side}_shift", shift


def _integer_params(node: Node) -> dict[str, ParamValue]:
    """What follows the gates: TFLM's PrepareGateParametersInteger and CreateLstmCellStateInfo."""
    hidden, cell = states(node)
    power = round_half_away(math.log2(cell.scale))
    if not -12 <= power <= 0:
        raise unsupported(node, f"cell scale {cell.scale:g}", "a power of two from 2^-12 to 1 is needed")
    forget = requantization(node, _ACTIVATED_SCALE * cell.scale / cell.scale)
    update = requantization(node, _ACTIVATED_SCALE**2 / cell.scale)
    after = requantization(node, ratio(_ACTIVATED_SCALE**2, hidden.scale))
    clip = min(float(np.float32(node.attributes.cell_clip)) / cell.scale, 32767.0)
    return {
        "forget_multiplier": forget[0], "forget_shift": forget[1],
        "update_multiplier": update[0], "update_shift": update[1],
        "hidden_multiplier": after[0], "hidden_shift": after[1],
        "hidden_zero_point": hidden.zero_point,
        "cell_clip": int(clip),
        "cell_to_sigmoid": 3 << (12 + power),
    }  # fmt: skip


OPS = (UnidirectionalSequenceLstm(),)
