# SPDX-License-Identifier: Apache-2.0
"""UNIDIRECTIONAL_SEQUENCE_LSTM by SMLAD: weights in groups of 8 units, two per half-word, or as they
lie in the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.recurrent import unidirectional_sequence_lstm as lstm_op
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.program import Constant, Params
from tinyserve.compiler.variants import Candidate, dots
from tinyserve.compiler.variants.dsp.fully_connected import GROUP, groups

REASON = "SMLAD on four taps x 8 units, two weights per half-word"
_COMMENT = "biases and weights: see kernels/dsp/fully_connected.S"
_PER_PRODUCT, _PER_GROUP = 0.97, 34.0
"""Instructions of a group's products, and per group beside."""
_CALL, _BLOCK = 55.0, 16
"""Of a call, which has so many units."""
_PER_UNIT = 62.0
"""Of a gate's unit after its sums."""
_MOST_BIAS = 1 << 23


@dataclass(frozen=True)
class PackedGate(Params, c_type="ts_dsp_lstm_gate"):
    input: Constant
    recurrent: Constant


@dataclass(frozen=True)
class PackedLstmParams(Params, c_type="ts_dsp_lstm_s8_params"):
    """``lstm``: without weights and biases."""

    lstm: lstm_op.LstmParams
    packed: tuple[PackedGate, ...]


Words = npt.NDArray[np.uint32]
Gate = tuple[Words, Words]


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """Dot products of rows; of int8 packed weights, too, where the sums are exact."""
    found = dots.lstm(node, lowering, dots.DSP)
    if not found or node.input("input").dtype is not DType.INT8:
        return found
    packed = [
        _packed_gate(gate, node.output.shape[2]) for gate in lstm_op.integer_params(node, lowering).gates
    ]
    gates = [gate for gate in packed if gate is not None]
    if len(gates) == len(packed):
        cost = _cost(node)
        found.append(Candidate("dsp", cost, REASON, lambda: _lower(node, lowering, gates)))
    return found


def _packed_gate(gate: lstm_op.LstmGate, units: int) -> Gate | None:
    """Groups of input weights and of recurrent ones. None where sums would not be exact."""
    sides = (gate.input_weights, gate.input_bias), (gate.recurrent_weights, gate.recurrent_bias)
    found = [
        _packed(weights, bias, units) for weights, bias in sides if weights is not None and bias is not None
    ]
    first, second = found
    return None if first is None or second is None else (first, second)


def _packed(weights: Constant, bias: Constant, units: int) -> Words | None:
    whole = -(-units // GROUP) * GROUP
    rows = weights.values.reshape(units, -1)
    taps = np.zeros((whole, rows.shape[1]), np.int8)
    taps[:units] = rows
    start = np.zeros(whole, np.int64)
    start[:units] = bias.values
    if np.any(np.abs(start) >= _MOST_BIAS):
        return None
    return groups(taps, start, range(0, whole, GROUP))


def _cost(node: Node) -> float:
    units, inputs = node.output.shape[2], node.input("input").shape[2]
    whole = -(-units // GROUP)
    taps = sum(-(-depth // 4) * 4 for depth in (inputs, units))
    gate = whole * (_PER_PRODUCT * GROUP * taps + 2 * _PER_GROUP)
    gate += 2 * -(-units // _BLOCK) * _CALL + _PER_UNIT * units
    return 4 * gate * node.output.elements / units


def _lower(node: Node, lowering: Lowering, gates: Sequence[Gate]) -> None:
    plain, output = lstm_op.integer_params(node, lowering), node.output
    without = [
        replace(gate, input_weights=None, recurrent_weights=None, input_bias=None, recurrent_bias=None)
        for gate in plain.gates
    ]
    names = [f"{output.name}_gate{number}" for number in range(len(gates))]
    packed = tuple(
        PackedGate(*(lowering.constant(f"{name}_{side}", words, _COMMENT)
                     for side, words in zip(("input", "recurrent"), gate, strict=True)))
        for name, gate in zip(names, gates, strict=True)
    )  # fmt: skip
    add_call(
        node, lowering, "ts_dsp_packed_unidirectional_sequence_lstm_s8", "dsp/unidirectional_sequence_lstm.h",
        params=PackedLstmParams(replace(plain, gates=tuple(without)), packed),
        inputs=[lowering.operand(node.input("input"))], outputs=[lowering.buffer(output)],
        scratch=[lowering.buffer(state) for state in lstm_op.states(node)],
        macs=4 * output.elements * (node.input("input").shape[2] + output.shape[2]),
        sources=("dsp/fully_connected.S",), variant="dsp", reason=REASON,
    )  # fmt: skip
