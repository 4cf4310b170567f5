# SPDX-License-Identifier: Apache-2.0
"""The signal operators from a spectrum to features: SignalEnergy, SignalFilterBank and what follows it,
SignalPCAN. Kernels in ``kernels/filter_bank.h``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tinyserve.compiler.graph.flexbuffer import read_map
from tinyserve.compiler.graph.types import DType, Operator, Options, Tensor
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, Op
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.overlap import overlaps
from tinyserve.compiler.program import ParamValue

_WORD = 1 << 32


@dataclass(frozen=True)
class SignalAttributes:
    """The options by name, as the file has them: integers and 0 or 1 for booleans."""

    values: tuple[tuple[str, int], ...]

    def get(self, name: str) -> int:
        """0 where the option is missing."""
        return dict(self.values).get(name, 0)


def read_attributes(options: Options) -> SignalAttributes:
    """The integer options of a signal operator."""
    found = read_map(options.custom) if options.custom else {}
    return SignalAttributes(
        tuple(sorted((key, int(value)) for key, value in found.items() if math.isfinite(value)))
    )


def option(op: Operator, name: str, low: int, high: int) -> int:
    """An option's value. Raises ModelError unless low <= value <= high."""
    value: int = op.attributes.get(name)
    if not low <= value <= high:
        raise checks.invalid(op, f"option {name} is {value}, not within {low} to {high}")
    return value


class _Signal(Op):
    """Base: types of inputs and outputs are fixed. ``inputs`` and ``outputs`` name them."""

    custom = True
    inputs: tuple[DType, ...] = (DType.UINT32,)
    outputs: tuple[DType, ...] = (DType.UINT32,)
    types = inputs

    def attributes(self, options: Options) -> SignalAttributes:
        return read_attributes(options)

    def check(self, op: Operator) -> None:
        checks.arity(op, len(self.inputs), outputs=len(self.outputs))
        for index, wanted in enumerate(self.inputs):
            checks.dtype(op, checks.required(op, index), (wanted,), f"input {index}")
        for index, wanted in enumerate(self.outputs):
            checks.dtype(op, op.outputs[index], (wanted,), f"output {index}")
        self.params(op)

    def params(self, op: Operator) -> dict[str, ParamValue]:
        """The kernel's numbers. Raises ModelError for options and shapes that contradict each other."""
        raise NotImplementedError


class Energy(_Signal):
    """[2 * n] int16 (re, im) to the [n] squares of magnitudes; 0 outside of start_index .. end_index."""

    name = "SignalEnergy"
    inputs = (DType.INT16,)
    types = inputs[:1]

    def params(self, op: Operator) -> dict[str, ParamValue]:
        count = op.outputs[0].elements
        checks.elements(op, checks.required(op, 0), 2 * count, "input")
        end = option(op, "end_index", 0, count)
        return {"count": count, "start": option(op, "start_index", 0, end), "end": end}

    def lower(self, op: Operator, lowering: Lowering) -> None:
        _add(op, lowering, "ts_energy", self.params(op), [checks.required(op, 0)])


class FilterBank(_Signal):
    """Energies [n] to [num_channels] sums; inputs 1 to 5 are the weights and their places."""

    name = "SignalFilterBank"
    inputs = (DType.UINT32, *[DType.INT16] * 5)
    types = inputs[:1]
    outputs = (DType.UINT64,)
    _tables = ("weights", "unweights", "frequency_starts", "weight_starts", "widths")

    def params(self, op: Operator) -> dict[str, ParamValue]:
        channels = option(op, "num_channels", 1, 1 << 12)
        checks.elements(op, op.outputs[0], channels, "output")
        weights, unweights, *places = (checks.required(op, index) for index in range(1, 6))
        for table in places:
            checks.elements(op, table, channels + 1, "a table of places")
        room, count = checks.required(op, 0).elements, min(weights.elements, unweights.elements)
        if self._computed(op):
            return {"channels": channels, "frequencies": room, "weights": count}
        frequencies, starts, widths = (np.asarray(table.data).astype(np.int64) for table in places)
        for first, limit in ((frequencies, room), (starts, count)):
            if (widths < 0).any() or (first < 0).any() or ((first + widths > limit) & (widths > 0)).any():
                raise checks.invalid(op, "a channel reaches beyond the spectrum or the weights")
        return {"channels": channels}

    def _computed(self, op: Operator) -> bool:
        return not all(checks.required(op, index).is_constant for index in range(1, 6))

    def lower(self, op: Operator, lowering: Lowering) -> None:
        params = self.params(op)
        if self._computed(op):
            inputs = [checks.required(op, index) for index in range(6)]
            _add(op, lowering, "ts_filter_bank_computed", params, inputs, in_place=False)
            return
        for index, name in enumerate(self._tables, start=1):
            tensor = checks.required(op, index)
            params[name] = lowering.constant(tensor.name, np.asarray(tensor.data), f"{op.name} {name}")
        _add(op, lowering, "ts_filter_bank", params, [checks.required(op, 0)], in_place=False)


class FilterBankSquareRoot(_Signal):
    """Roots of [n] uint64, shifted right by input 1: undoes SignalFftAutoScale."""

    name = "SignalFilterBankSquareRoot"
    inputs = (DType.UINT64, DType.INT32)
    types = inputs[:1]

    def params(self, op: Operator) -> dict[str, ParamValue]:
        checks.elements(op, checks.required(op, 0), op.outputs[0].elements, "input")
        checks.elements(op, checks.required(op, 1), 1, "input 1")
        return {"channels": op.outputs[0].elements}

    def lower(self, op: Operator, lowering: Lowering) -> None:
        inputs = [checks.required(op, 0), checks.required(op, 1)]
        _add(op, lowering, "ts_filter_bank_square_root", self.params(op), inputs)


class FilterBankSpectralSubtraction(_Signal):
    """Signals less the noise, whose estimate is the second output and lives across inferences."""

    name = "SignalFilterBankSpectralSubtraction"
    outputs = (DType.UINT32, DType.UINT32)

    def params(self, op: Operator) -> dict[str, ParamValue]:
        channels = checks.required(op, 0).elements
        for output in op.outputs:
            checks.elements(op, output, channels, "an output")
        option(op, "num_channels", channels, channels)
        names = ("smoothing", "alternate_smoothing")
        return {
            "channels": channels,
            "smoothing": tuple(option(op, name, 0, _WORD - 1) for name in names),
            "one_minus_smoothing": tuple(
                option(op, name, 0, _WORD - 1)
                for name in ("one_minus_smoothing", "alternate_one_minus_smoothing")
            ),
            "min_signal_remaining": option(op, "min_signal_remaining", 0, _WORD - 1),
            "smoothing_bits": option(op, "smoothing_bits", 0, 31),
            "spectral_subtraction_bits": option(op, "spectral_subtraction_bits", 0, 63),
            "clamping": option(op, "clamping", 0, 1),
        }

    def lower(self, op: Operator, lowering: Lowering) -> None:
        estimate = lowering.state(f"{op.outputs[1].name}_state", op.outputs[1].nbytes)
        add_call(
            op,
            lowering,
            "ts_filter_bank_spectral_subtraction",
            "filter_bank.h",
            params=self.params(op),
            inputs=[lowering.operand(checks.required(op, 0))],
            outputs=[lowering.buffer(output) for output in op.outputs],
            scratch=[estimate],
        )


class Pcan(_Signal):
    """Per-channel amplitude normalization: signals [n] by a gain that the noise [n] gives."""

    name = "SignalPCAN"
    inputs = (DType.UINT32, DType.UINT32, DType.INT16)
    types = inputs[:1]
    _gains = 125  # 4 * 32 bits - 6, and the 3 of the last parabola

    def params(self, op: Operator) -> dict[str, ParamValue]:
        channels = op.outputs[0].elements
        for index in (0, 1):
            checks.elements(op, checks.required(op, index), channels, f"input {index}")
        table = checks.required(op, 2)
        if table.elements < self._gains:
            raise checks.invalid(op, f"{table.elements} gains, needs {self._gains}")
        return {"channels": channels, "snr_shift": option(op, "snr_shift", 0, 63)}

    def lower(self, op: Operator, lowering: Lowering) -> None:
        table, params = checks.required(op, 2), self.params(op)
        if not table.is_constant:
            inputs = [checks.required(op, index) for index in range(3)]
            _add(op, lowering, "ts_pcan_computed", params, inputs, params_type="ts_pcan_params")
            return
        params["gains"] = lowering.constant(table.name, np.asarray(table.data), "PCAN's gains")
        _add(op, lowering, "ts_pcan", params, [checks.required(op, 0), checks.required(op, 1)])


class FilterBankLog(_Signal):
    """output_scale * ln(input * 2^input_correction_bits), at most 32767."""

    name = "SignalFilterBankLog"
    outputs = (DType.INT16,)

    def params(self, op: Operator) -> dict[str, ParamValue]:
        checks.elements(op, checks.required(op, 0), op.outputs[0].elements, "input")
        return {
            "channels": op.outputs[0].elements,
            "input_correction_bits": option(op, "input_correction_bits", 0, 31),
            "output_scale": option(op, "output_scale", 0, _WORD - 1),
        }

    def lower(self, op: Operator, lowering: Lowering) -> None:
        table = [round(65536 * (math.log2(1 + i / 128) - i / 128)) for i in range(129)]
        params = self.params(op)
        params["log2_correction"] = lowering.constant(
            "log2_correction", np.array(table, dtype=np.uint16), "log2(1 + i / 128) - i / 128, Q0.16"
        )
        _add(op, lowering, "ts_filter_bank_log", params, [checks.required(op, 0)])


def _add(
    op: Operator,
    lowering: Lowering,
    kernel: str,
    params: dict[str, ParamValue],
    inputs: list[Tensor],
    *,
    in_place: bool = True,
    params_type: str | None = None,
) -> None:
    """The call; in place where the kernel reads each element right before it writes that place."""
    sources = [lowering.operand(tensor) for tensor in inputs]
    target = lowering.buffer(op.outputs[0])
    add_call(
        op,
        lowering,
        kernel,
        "filter_bank.h",
        params=params,
        inputs=sources,
        outputs=[target],
        params_type=params_type,
        overlaps=overlaps(sources[0], target, 0) if in_place else [],
    )


OPS = (
    Energy(),
    FilterBank(),
    FilterBankSquareRoot(),
    FilterBankSpectralSubtraction(),
    Pcan(),
    FilterBankLog(),
)
