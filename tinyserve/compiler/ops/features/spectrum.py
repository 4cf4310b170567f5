# SPDX-License-Identifier: Apache-2.0
"""FeatureSpectrum: powers or magnitudes of the frequencies of windows. Kernel in ``kernels/spectrum.h``."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.features.support import FeatureOp, constant
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import Kernel, add_call
from tinyserve.compiler.ops.support.custom_options import option
from tinyserve.compiler.program import Constant, Params

SHORTEST, LONGEST = 4, 1 << 16
"""Lengths of FFTs, which are powers of two."""
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class SpectrumParams(Params, c_type="ts_spectrum_params"):
    """``half_window``: half of it, exactly; NULL where there is none."""

    rows: int
    length: int
    count: int
    half_window: Constant | None
    twiddles: Constant
    turns: Constant
    below: Constant


@dataclass(frozen=True)
class SpectrumTables:
    """The constants of ``ts_spectrum_params`` for one length; complex numbers are pairs (re, im)."""

    twiddles: Floats
    turns: Floats
    below: npt.NDArray[np.uint16]


class Spectrum(FeatureOp):
    """[..][length] samples, times a window [length] where there is a second input, and with zeros up to
    ``fft_length``, to [..][fft_length / 2 + 1] powers of the FFT; to magnitudes with ``magnitude``.

    The order of all sums is fixed: float32 results are the same on every core.
    """

    name = "FeatureSpectrum"
    inputs = ("input", "window?")
    limits = "powers of two as lengths"

    def check(self, node: Node) -> None:
        input, length = node.input("input"), option(node, "fft_length", SHORTEST, LONGEST)
        checks.dtype(node, input, self.types, "input")
        checks.same_dtype(node, input, node.output)
        if length & (length - 1) or not input.shape or not 0 < input.shape[-1] <= length:
            raise checks.invalid(node, f"an FFT of {length} for windows {list(input.shape)}")
        checks.shape(node, node.output, (*input.shape[:-1], length // 2 + 1), "output")
        if node.optional("window") is not None:
            constant(node, "window", DType.FLOAT32, (input.shape[-1],))
        self.unit(node)

    def unit(self, node: Node) -> str:
        """What it gives: "powers" or "magnitudes"."""
        return "magnitudes" if option(node, "magnitude", 0, 1) else "powers"

    def macs(self, node: Node) -> int:
        length = option(node, "fft_length", SHORTEST, LONGEST)
        rows = node.input("input").elements // node.input("input").shape[-1]
        return rows * length * length.bit_length()

    def lower(self, node: Node, lowering: Lowering) -> None:
        if not lowering.lower_variant("spectrum", node):
            self.add(node, lowering, Kernel(f"ts_spectrum_{self.unit(node)}", "spectrum.h"))

    def add(self, node: Node, lowering: Lowering, kernel: Kernel, sources: tuple[str, ...] = ()) -> None:
        """The call of a kernel with the portable one's parameters, tables and scratch."""
        input, length = node.input("input"), option(node, "fft_length", SHORTEST, LONGEST)
        window, tables, name = node.optional("window"), spectrum_tables(length), f"spectrum_{length}"
        half = None
        if window is not None:
            values = np.asarray(window.data, np.float32) * np.float32(0.5)
            half = lowering.constant(f"{name}_half_window", values, "half of the window")
        params = SpectrumParams(
            rows=input.elements // input.shape[-1],
            length=input.shape[-1],
            count=length // 2,
            half_window=half,
            twiddles=lowering.constant(f"{name}_twiddles", tables.twiddles, "re, im, by stages"),
            turns=lowering.constant(f"{name}_turns", tables.turns, "re, im"),
            below=lowering.constant(f"{name}_below", tables.below, "frequencies of pairs"),
        )
        size = f"TS_SPECTRUM_SCRATCH_BYTES({length})"
        add_call(
            node,
            lowering,
            kernel.function,
            kernel.header,
            params=params,
            inputs=[lowering.operand(input)],
            outputs=[lowering.buffer(node.output)],
            scratch=[lowering.scratch(f"{name}_work", 4 * length, size=size)],
            macs=self.macs(node),
            variant=kernel.variant,
            reason=kernel.reason,
            sources=sources,
        )


def spectrum_tables(length: int) -> SpectrumTables:
    """Those of an FFT of ``length`` real samples, a power of two."""
    count, m = length // 2, length // 8
    phases = []
    while m > 1:
        phases.append(-2 * math.pi * np.outer(np.arange(1, m), (1, 2, 3)).reshape(-1) / (4 * m))
        m = 0 if m == 2 else m // 4
    order = reversed_bits(count)
    pairs = [order[block : block + block // 2] for block in _powers(2, count)]
    below = np.concatenate([np.zeros(0, np.int64), *pairs])
    # -i e^(-i pi k / count), of the samples' own FFT.
    turns = -math.pi * (below / count + 0.5)
    return SpectrumTables(
        _unit(np.concatenate([np.zeros(0), *phases])), _unit(turns), below.astype(np.uint16)
    )


def reversed_bits(count: int) -> npt.NDArray[np.int64]:
    """0 to count - 1, each with its bits in reverse; count is a power of two."""
    order = np.zeros(1, np.int64)
    while len(order) < count:
        order = np.concatenate([2 * order, 2 * order + 1])
    return order


def _powers(first: int, end: int) -> list[int]:
    """first, twice that, ... below end."""
    return [first << bit for bit in range(end.bit_length()) if first << bit < end]


def _unit(phases: npt.NDArray[np.float64]) -> Floats:
    """Points of the unit circle as (re, im); one, unused, where there are none."""
    given = phases if len(phases) else np.zeros(1)
    return np.stack([np.cos(given), np.sin(given)], axis=-1).reshape(-1).astype(np.float32)


OPS = (Spectrum(),)
