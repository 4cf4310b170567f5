# SPDX-License-Identifier: Apache-2.0
"""Reductions over rows that come one after the other: sums and maxima that go on. Kernels in
``kernels/running.h``."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.rows import Share
from tinyserve.compiler.graph.types import DType, Node, Tensor
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import Kernel, add_call
from tinyserve.compiler.ops.support.records import Clamp, Factor, FloatClamp
from tinyserve.compiler.program import Params

_SUFFIX = {DType.INT8: "s8", DType.INT16: "s16", DType.INT32: "s32", DType.FLOAT32: "f32"}
MOST_SHORT = 255
"""Values of int8 whose sum has 16 bits."""


@dataclass(frozen=True)
class ReduceShape(Params, c_type="ts_reduce_shape"):
    """Kept and reduced dimensions, which the kernel sets where the axes are computed."""

    kept: tuple[int, ...]
    kept_strides: tuple[int, ...]
    reduced: tuple[int, ...]
    reduced_strides: tuple[int, ...]

    @classmethod
    def pixels(cls, count: int, channels: int) -> ReduceShape:
        """Each channel over so many pixels."""
        return cls((1, 1, channels), (0, 0, 1), (1, 1, count), (0, 0, channels))

    @property
    def is_pixels(self) -> bool:
        """Whether values side by side are kept, and what lies behind them is added to them."""
        channels, pixels = self.kept[2], self.reduced[2]
        return ReduceShape.pixels(pixels, channels) == ReduceShape(
            self.kept, (*self.kept_strides[:2], self.kept_strides[2] if channels > 1 else 1),
            self.reduced, (*self.reduced_strides[:2], self.reduced_strides[2] if pixels > 1 else channels),
        )  # fmt: skip


@dataclass(frozen=True)
class RunningParams(Params, c_type="ts_running_params"):
    shape: ReduceShape
    begins: int


@dataclass(frozen=True)
class RunningScaleParams(Params, c_type="ts_running_scale_params"):
    outputs: int
    sum_offset: int
    output_offset: int
    factor: Factor


@dataclass(frozen=True)
class RunningMeanParams(Params, c_type="ts_running_mean_params"):
    outputs: int
    count: int
    activation: Clamp


@dataclass(frozen=True)
class RunningClampParams(Params, c_type="ts_running_clamp_params"):
    outputs: int
    activation: Clamp


@dataclass(frozen=True)
class RunningMeanF32Params(Params, c_type="ts_running_mean_f32_params"):
    outputs: int
    divisor: float
    activation: FloatClamp


@dataclass(frozen=True)
class RunningDivideF32Params(Params, c_type="ts_running_divide_f32_params"):
    outputs: int
    divisor: float


@dataclass(frozen=True)
class RunningClampF32Params(Params, c_type="ts_running_clamp_f32_params"):
    outputs: int
    activation: FloatClamp


@dataclass(frozen=True)
class Finish:
    """How what was kept becomes the output: ``ts_running_<kernel>_<types>``."""

    kernel: str
    params: Params


@dataclass(frozen=True)
class Rows:
    """Rows that a reduction takes in: ``ts_running_<step>_<types>`` adds them to what it keeps."""

    node: Node
    share: Share
    shape: ReduceShape
    step: str

    @property
    def types(self) -> str:
        """Those of the values and of what is kept."""
        return f"{_SUFFIX[self.values.dtype]}_{_SUFFIX[self.share.running.dtype]}"

    @property
    def values(self) -> Tensor:
        """The rows."""
        return self.node.input("input")

    @property
    def params(self) -> RunningParams:
        return RunningParams(self.shape, int(self.share.begins))


def sums_of(node: Node, count: int) -> Tensor:
    """What sums of ``count`` values are kept in."""
    output = node.output
    dtype = {DType.INT8: DType.INT16 if count <= MOST_SHORT else DType.INT32, DType.INT16: DType.INT32}
    return Tensor(-1, f"{output.name}_sums", output.shape, dtype.get(output.dtype, output.dtype))


def greatest_of(node: Node) -> Tensor:
    """What maxima and minima are kept in."""
    output = node.output
    return Tensor(-1, f"{output.name}_running", output.shape, output.dtype, output.quantization)


def lower(rows: Rows, finish: Finish, lowering: Lowering) -> None:
    """The calls that take rows in, and, behind the last, make the output."""
    if not lowering.lower_variant("running", rows.node):
        take_in(rows, lowering, Kernel(f"ts_running_{rows.step}_{rows.types}", "running.h"))
    if rows.share.ends:
        into = f"{_SUFFIX[rows.share.running.dtype]}_{_SUFFIX[rows.node.output.dtype]}"
        add_call(
            rows.node, lowering, f"ts_running_{finish.kernel}_{into}", "running.h", params=finish.params,
            inputs=[lowering.buffer(rows.share.running)], outputs=[lowering.buffer(rows.node.output)],
        )  # fmt: skip


def take_in(rows: Rows, lowering: Lowering, kernel: Kernel) -> None:
    """Appends the call of a kernel that takes the rows in."""
    add_call(
        rows.node, lowering, kernel.function, kernel.header, params=rows.params,
        inputs=[lowering.operand(rows.values)], outputs=[lowering.buffer(rows.share.running)],
        variant=kernel.variant, reason=kernel.reason,
    )  # fmt: skip
