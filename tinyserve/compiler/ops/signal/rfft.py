# SPDX-License-Identifier: Apache-2.0
"""SignalRfft and SignalIrfft: real FFTs of a speech front end. Kernels in ``kernels/rfft.h``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.flexbuffer import read_map
from tinyserve.compiler.graph.types import DType, Node, Options
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported
from tinyserve.compiler.ops.support.calls import Kernel, add_call
from tinyserve.compiler.program import Constant, Params

_SUFFIX = {DType.INT16: "s16", DType.INT32: "s32", DType.FLOAT32: "f32"}
_STAGES = 16  # TS_FFT_STAGES
_SHORTEST, _LONGEST = 4, 1 << 16


@dataclass(frozen=True)
class FftAttributes:
    fft_length: int


@dataclass(frozen=True)
class FftParams(Params):
    """``count``: complex values. Tables are of the kernel's type."""

    rows: int
    input_length: int
    count: int
    stages: int
    radices: tuple[int, ...]
    order: Constant
    twiddles: Constant
    super_twiddles: Constant
    scale: float


class FftS16Params(FftParams, c_type="ts_fft_s16_params"):
    """int16."""


class FftS32Params(FftParams, c_type="ts_fft_s32_params"):
    """int32."""


class FftF32Params(FftParams, c_type="ts_fft_f32_params"):
    """float32."""


_RECORDS = {DType.INT16: FftS16Params, DType.INT32: FftS32Params, DType.FLOAT32: FftF32Params}


class Rfft(OpDef):
    """Input [..][length <= fft_length] (padded with zeros) to [..][2 * (fft_length / 2 + 1)], complex pairs.

    Integers lose a factor of fft_length, as each stage divides by its radix.
    """

    name = "SignalRfft"
    types = _SUFFIX
    limits = "powers of two as lengths"
    custom = True
    kernel = "rfft"
    inverse = False

    def attributes(self, options: Options) -> FftAttributes:
        return FftAttributes(int(read_map(options.custom).get("fft_length", 0)))

    def check(self, node: Node) -> None:
        input, output = node.input("input"), node.output
        checks.dtype(node, input, _SUFFIX, "input")
        checks.same_dtype(node, input, output)
        length = node.attributes.fft_length
        if not _SHORTEST <= length <= _LONGEST or length & (length - 1):
            raise unsupported(
                node, f"FFT of length {length}", f"use a power of two from {_SHORTEST} to {_LONGEST}"
            )
        if not input.shape:
            raise checks.invalid(node, "its input is a scalar")
        frequencies = 2 * (length // 2 + 1)
        rows = input.shape[:-1]
        if self.inverse:
            checks.shape(node, input, (*rows, frequencies), "input")
            checks.shape(node, output, (*rows, length), "output")
        else:
            if input.shape[-1] > length:
                raise checks.invalid(node, f"{input.shape[-1]} values for an FFT of {length}")
            checks.shape(node, output, (*rows, frequencies), "output")

    def lower(self, node: Node, lowering: Lowering) -> None:
        if self.inverse or not lowering.lower_variant("signal", node):
            self.add(node, lowering, Kernel(f"ts_{self.kernel}_{_SUFFIX[node.output.dtype]}", "rfft.h"))

    def add(self, node: Node, lowering: Lowering, kernel: Kernel) -> None:
        """The call of a kernel with the portable one's parameters, tables and scratch."""
        input, output, length = node.input("input"), node.output, node.attributes.fft_length
        tables = fft_tables(length, input.dtype, self.inverse)
        radices = tables.radices
        name = f"fft_{length}_{'inverse' if self.inverse else 'forward'}"
        params = _RECORDS[input.dtype](
            rows=input.elements // input.shape[-1],
            input_length=input.shape[-1],
            count=length // 2,
            stages=len(radices),
            radices=tuple(radices + [1] * (_STAGES - len(radices))),
            order=lowering.constant(f"{name}_order", tables.order, "input of each place"),
            twiddles=lowering.constant(f"{name}_twiddles", tables.twiddles, "re, im"),
            super_twiddles=lowering.constant(f"{name}_super", tables.super_twiddles, "re, im"),
            scale=1.0 / length,
        )
        size = f"TS_FFT_SCRATCH_BYTES({length}, {input.dtype.c_type})"
        add_call(
            node,
            lowering,
            kernel.function,
            kernel.header,
            params=params,
            inputs=[lowering.operand(input)],
            outputs=[lowering.buffer(output)],
            scratch=[lowering.scratch(f"{name}_work", length * input.dtype.itemsize, size=size)],
            variant=kernel.variant,
            reason=kernel.reason,
        )


class Irfft(Rfft):
    """Input [..][2 * (fft_length / 2 + 1)] to [..][fft_length]."""

    name = "SignalIrfft"
    kernel = "irfft"
    inverse = True


@dataclass(frozen=True)
class FftTables:
    """Radices of the stages, and the constants of ``ts_fft_..._params`` for one length and type."""

    radices: list[int]
    order: npt.NDArray[np.uint16]
    twiddles: npt.NDArray[Any]
    super_twiddles: npt.NDArray[Any]


def fft_tables(length: int, dtype: DType, inverse: bool = False) -> FftTables:
    """Those of an FFT of ``length`` real values, a power of two."""
    count, sign = length // 2, 1 if inverse else -1
    radices = _radices(count)
    turns = sign * 2 * math.pi * np.arange(count) / count
    # Of those that split the FFT of pairs.
    halves = sign * math.pi * ((np.arange(count // 2) + 1) / count + 0.5)
    return FftTables(radices, _order(radices, count), _unit(turns, dtype), _unit(halves, dtype))


def _radices(count: int) -> list[int]:
    """Radices of the stages, the outermost first: 4 as long as it divides, then 2."""
    found = []
    while count > 1:
        found.append(4 if count % 4 == 0 else 2)
        count //= found[-1]
    return found


def _order(radices: list[int], count: int) -> npt.NDArray[np.uint16]:
    """Which input each place of the first stage takes: the reversal of the mixed-radix digits."""
    order, stride = np.zeros(1, dtype=np.int64), 1
    parts = []
    for radix in radices:
        parts.append((radix, stride))
        stride *= radix
    for radix, step in reversed(parts):
        order = (np.arange(radix)[:, None] * step + order[None, :]).reshape(-1)
    assert order.size == count
    return order.astype(np.uint16)


def _unit(phases: npt.NDArray[np.float64], dtype: DType) -> npt.NDArray[Any]:
    """Points of the unit circle as (re, im); integers are rounded to Q0.15 or Q0.31 with 1 the maximum."""
    points = np.stack([np.cos(phases), np.sin(phases)], axis=-1).reshape(-1)
    if dtype is DType.FLOAT32:
        return points.astype(np.float32)
    return np.floor(0.5 + np.iinfo(dtype.numpy).max * points).astype(dtype.numpy)


OPS = (Rfft(), Irfft())
