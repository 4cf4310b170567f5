# SPDX-License-Identifier: Apache-2.0
"""The signal operators from a spectrum to features: SignalEnergy, SignalFilterBank and what follows it,
SignalPCAN. Kernels in ``kernels/filter_bank.h``.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from tinyserve.compiler.graph.types import DType, Node, Options, Tensor
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef
from tinyserve.compiler.ops.support.calls import Kernel, add_call
from tinyserve.compiler.ops.support.custom_options import CustomAttributes, option, read_attributes
from tinyserve.compiler.ops.support.overlap import overlaps
from tinyserve.compiler.program import Constant, Params

_WORD = 1 << 32


@dataclass(frozen=True)
class EnergyParams(Params, c_type="ts_energy_params"):
    count: int
    start: int
    end: int


@dataclass(frozen=True)
class FilterBankParams(Params, c_type="ts_filter_bank_params"):
    channels: int
    weights: Constant
    unweights: Constant
    frequency_starts: Constant
    weight_starts: Constant
    widths: Constant


@dataclass(frozen=True)
class FilterBankComputedParams(Params, c_type="ts_filter_bank_computed_params"):
    """How many frequencies and weights there are: the kernel checks the places against them."""

    channels: int
    frequencies: int
    weights: int


@dataclass(frozen=True)
class SquareRootParams(Params, c_type="ts_filter_bank_square_root_params"):
    channels: int


@dataclass(frozen=True)
class SpectralSubtractionParams(Params, c_type="ts_filter_bank_spectral_subtraction_params"):
    """Of even and odd channels where there are two."""

    channels: int
    smoothing: tuple[int, ...]
    one_minus_smoothing: tuple[int, ...]
    min_signal_remaining: int
    smoothing_bits: int
    spectral_subtraction_bits: int
    clamping: int


@dataclass(frozen=True)
class PcanParams(Params, c_type="ts_pcan_params"):
    """``gains`` is NULL where they are an argument."""

    channels: int
    snr_shift: int
    gains: Constant | None = None


@dataclass(frozen=True)
class LogParams(Params, c_type="ts_filter_bank_log_params"):
    channels: int
    input_correction_bits: int
    output_scale: int
    log2_correction: Constant


class _Signal(OpDef):
    """Base: types of inputs and outputs are fixed."""

    custom = True
    input_types: tuple[DType, ...] = (DType.UINT32,)
    output_types: tuple[DType, ...] = (DType.UINT32,)
    types: Collection[DType] = input_types

    def attributes(self, options: Options) -> CustomAttributes:
        return read_attributes(options)

    def check(self, node: Node) -> None:
        for name, tensor, wanted in zip(self.inputs, node.operands(), self.input_types, strict=True):
            checks.dtype(node, tensor, (wanted,), f"input {name}")
        for name, tensor, wanted in zip(self.outputs, node.outputs, self.output_types, strict=True):
            checks.dtype(node, tensor, (wanted,), f"output {name}")
        self.check_values(node)

    def check_values(self, node: Node) -> object:
        """Raises ModelError for options and shapes that contradict each other."""
        raise NotImplementedError


class Energy(_Signal):
    """[2 * n] int16 (re, im) to the [n] squares of magnitudes; 0 outside of start_index .. end_index."""

    name = "SignalEnergy"
    input_types = (DType.INT16,)
    types = input_types

    def check_values(self, node: Node) -> EnergyParams:
        count = node.output.elements
        checks.elements(node, node.input("input"), 2 * count, "input")
        end = option(node, "end_index", 0, count)
        return EnergyParams(count, option(node, "start_index", 0, end), end)

    def lower(self, node: Node, lowering: Lowering) -> None:
        if not lowering.lower_variant("signal", node):
            self.add(node, lowering, _portable("ts_energy"))

    def add(self, node: Node, lowering: Lowering, kernel: Kernel) -> None:
        _add(node, lowering, kernel, self.check_values(node), [node.input("input")])


class FilterBank(_Signal):
    """Energies [n] to [num_channels] sums; inputs 1 to 5 are the weights and their places."""

    name = "SignalFilterBank"
    inputs = ("input", "weights", "unweights", "frequency_starts", "weight_starts", "widths")
    input_types = (DType.UINT32, *[DType.INT16] * 5)
    types = input_types[:1]
    output_types = (DType.UINT64,)

    def check_values(self, node: Node) -> FilterBankComputedParams:
        channels = option(node, "num_channels", 1, 1 << 12)
        checks.elements(node, node.output, channels, "output")
        input, weights, unweights, *places = node.operands()
        for table in places:
            checks.elements(node, table, channels + 1, "a table of places")
        room, count = input.elements, min(weights.elements, unweights.elements)
        if self._computed(node):
            return FilterBankComputedParams(channels, room, count)
        frequencies, starts, widths = (np.asarray(table.data).astype(np.int64) for table in places)
        for first, limit in ((frequencies, room), (starts, count)):
            if (widths < 0).any() or (first < 0).any() or ((first + widths > limit) & (widths > 0)).any():
                raise checks.invalid(node, "a channel reaches beyond the spectrum or the weights")
        return FilterBankComputedParams(channels, room, count)

    def _computed(self, node: Node) -> bool:
        return not all(table.is_constant for table in node.operands()[1:])

    def lower(self, node: Node, lowering: Lowering) -> None:
        sizes = self.check_values(node)
        if self._computed(node) or any(
            (np.asarray(node.input(name).data) < 0).any() for name in ("weights", "unweights")
        ):
            _add(node, lowering, _portable("ts_filter_bank_computed"), sizes, node.operands(), in_place=False)
            return
        tables = []
        for name in self.inputs[1:]:
            tensor = node.input(name)
            tables.append(lowering.constant(tensor.name, np.asarray(tensor.data), f"{node.name} {name}"))
        params = FilterBankParams(sizes.channels, *tables)
        _add(node, lowering, _portable("ts_filter_bank"), params, [node.input("input")], in_place=False)


class FilterBankSquareRoot(_Signal):
    """Roots of [n] uint64, shifted right by ``scale_bits``: undoes SignalFftAutoScale."""

    name = "SignalFilterBankSquareRoot"
    inputs = ("input", "scale_bits")
    input_types = (DType.UINT64, DType.INT32)
    types = input_types[:1]

    def check_values(self, node: Node) -> SquareRootParams:
        checks.elements(node, node.input("input"), node.output.elements, "input")
        checks.elements(node, node.input("scale_bits"), 1, "input scale_bits")
        return SquareRootParams(node.output.elements)

    def lower(self, node: Node, lowering: Lowering) -> None:
        _add(
            node, lowering, _portable("ts_filter_bank_square_root"), self.check_values(node), node.operands()
        )


class FilterBankSpectralSubtraction(_Signal):
    """Signals less the noise, whose estimate is the second output and lives across inferences."""

    name = "SignalFilterBankSpectralSubtraction"
    outputs = ("output", "noise")
    output_types = (DType.UINT32, DType.UINT32)

    def check_values(self, node: Node) -> SpectralSubtractionParams:
        channels = node.input("input").elements
        for output in node.outputs:
            checks.elements(node, output, channels, "an output")
        option(node, "num_channels", channels, channels)
        names = ("smoothing", "alternate_smoothing")
        return SpectralSubtractionParams(
            channels=channels,
            smoothing=tuple(option(node, name, 0, _WORD - 1) for name in names),
            one_minus_smoothing=tuple(
                option(node, name, 0, _WORD - 1)
                for name in ("one_minus_smoothing", "alternate_one_minus_smoothing")
            ),
            min_signal_remaining=option(node, "min_signal_remaining", 0, _WORD - 1),
            smoothing_bits=option(node, "smoothing_bits", 0, 31),
            spectral_subtraction_bits=option(node, "spectral_subtraction_bits", 0, 63),
            clamping=option(node, "clamping", 0, 1),
        )

    def lower(self, node: Node, lowering: Lowering) -> None:
        estimate = lowering.state(f"{node.outputs[1].name}_state", node.outputs[1].nbytes)
        add_call(
            node,
            lowering,
            "ts_filter_bank_spectral_subtraction",
            "filter_bank.h",
            params=self.check_values(node),
            inputs=[lowering.operand(node.input("input"))],
            outputs=[lowering.buffer(output) for output in node.outputs],
            scratch=[estimate],
        )


class Pcan(_Signal):
    """Per-channel amplitude normalization: signals [n] by a gain that the noise [n] gives."""

    name = "SignalPCAN"
    inputs = ("input", "noise", "gains")
    input_types = (DType.UINT32, DType.UINT32, DType.INT16)
    types = input_types[:1]
    _gains = 125  # 4 * 32 bits - 6, and the 3 of the last parabola

    def check_values(self, node: Node) -> PcanParams:
        channels = node.output.elements
        for name in ("input", "noise"):
            checks.elements(node, node.input(name), channels, f"input {name}")
        table = node.input("gains")
        if table.elements < self._gains:
            raise checks.invalid(node, f"{table.elements} gains, needs {self._gains}")
        return PcanParams(channels, option(node, "snr_shift", 0, 63))

    def lower(self, node: Node, lowering: Lowering) -> None:
        table, params = node.input("gains"), self.check_values(node)
        if not table.is_constant:
            _add(node, lowering, _portable("ts_pcan_computed"), params, node.operands())
            return
        gains = lowering.constant(table.name, np.asarray(table.data), "PCAN's gains")
        params = replace(params, gains=gains)
        _add(node, lowering, _portable("ts_pcan"), params, [node.input("input"), node.input("noise")])


class FilterBankLog(_Signal):
    """output_scale * ln(input * 2^input_correction_bits), at most 32767."""

    name = "SignalFilterBankLog"
    output_types = (DType.INT16,)

    def check_values(self, node: Node) -> tuple[int, int]:
        checks.elements(node, node.input("input"), node.output.elements, "input")
        bits = option(node, "input_correction_bits", 0, 31)
        return bits, option(node, "output_scale", 0, _WORD - 1)

    def lower(self, node: Node, lowering: Lowering) -> None:
        table = [round(65536 * (math.log2(1 + i / 128) - i / 128)) for i in range(129)]
        correction = lowering.constant(
            "log2_correction", np.array(table, dtype=np.uint16), "log2(1 + i / 128) - i / 128, Q0.16"
        )
        params = LogParams(node.output.elements, *self.check_values(node), correction)
        _add(node, lowering, _portable("ts_filter_bank_log"), params, [node.input("input")])


def _portable(function: str) -> Kernel:
    return Kernel(function, "filter_bank.h")


def _add(
    node: Node,
    lowering: Lowering,
    kernel: Kernel,
    params: Params,
    inputs: list[Tensor],
    *,
    in_place: bool = True,
) -> None:
    """The call; in place where the kernel reads each element right before it writes that place."""
    sources = [lowering.operand(tensor) for tensor in inputs]
    target = lowering.buffer(node.output)
    add_call(
        node,
        lowering,
        kernel.function,
        kernel.header,
        params=params,
        inputs=sources,
        outputs=[target],
        overlaps=overlaps(sources[0], target, 0) if in_place else [],
        variant=kernel.variant,
        reason=kernel.reason,
    )


OPS = (
    Energy(),
    FilterBank(),
    FilterBankSquareRoot(),
    FilterBankSpectralSubtraction(),
    Pcan(),
    FilterBankLog(),
)
