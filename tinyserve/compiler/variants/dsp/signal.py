# SPDX-License-Identifier: Apache-2.0
"""The signal operators of int16 on words of two: samples, or complex numbers."""

from __future__ import annotations

from collections.abc import Callable

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.signal.filter_bank import Energy
from tinyserve.compiler.ops.signal.framing import FftAutoScale, Window
from tinyserve.compiler.ops.signal.rfft import Rfft
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import Kernel
from tinyserve.compiler.variants import Candidate

_SAMPLES = "two samples in a word"
_RFFT = Kernel("ts_dsp_rfft_s16", "dsp/rfft.h", "dsp", "complex numbers in words, two products at a time")
_WINDOW = Kernel("ts_dsp_window", "dsp/framing.h", "dsp", _SAMPLES)
_SCALE = Kernel("ts_dsp_fft_auto_scale", "dsp/framing.h", "dsp", _SAMPLES)
_ENERGY = Kernel("ts_dsp_energy", "dsp/filter_bank.h", "dsp", "a square of two values in one product")


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for int16 where rows begin at whole words, and rows of samples are whole words."""
    find = {
        "SignalRfft": _rfft,
        "SignalWindow": _window,
        "SignalFftAutoScale": _scale,
        "SignalEnergy": _energy,
    }
    return find[node.name](node, lowering)


def _rfft(node: Node, lowering: Lowering) -> list[Candidate]:
    input, length = node.input("input"), node.attributes.fft_length
    rows = input.elements // input.shape[-1]
    if input.dtype is not DType.INT16 or (rows > 1 and input.shape[-1] % 2):
        return []
    cost = rows * length * (6.0 * length.bit_length() - 25)
    return _one(_RFFT, cost, lambda: Rfft().add(node, lowering, _RFFT))


def _window(node: Node, lowering: Lowering) -> list[Candidate]:
    if node.output.shape[-1] % 2:
        return []
    return _one(_WINDOW, 6.0 * node.output.elements, lambda: Window().add(node, lowering, _WINDOW))


def _scale(node: Node, lowering: Lowering) -> list[Candidate]:
    if node.output.elements % 2:
        return []
    return _one(_SCALE, 6.0 * node.output.elements, lambda: FftAutoScale().add(node, lowering, _SCALE))


def _energy(node: Node, lowering: Lowering) -> list[Candidate]:
    return _one(_ENERGY, 5.0 * node.output.elements, lambda: Energy().add(node, lowering, _ENERGY))


def _one(kernel: Kernel, cost: float, lower: Callable[[], None]) -> list[Candidate]:
    return [Candidate("dsp", cost, kernel.reason, lower)]
