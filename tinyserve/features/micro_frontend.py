# SPDX-License-Identifier: Apache-2.0
"""TFLM's audio front end in fixed point, as its own signal operators: window, FFT, filter bank, noise
reduction, automatic gain (PCAN) and logarithm.

The tables are those of TensorFlow's ``microfrontend`` library or of the package ``pymicro-features``: whole
training sets were made with them, and their integers are reproduced exactly. Both store values in float32
before they round them to fixed point. TensorFlow computes them in double precision, the package's copy of the
library in float32, so that some weights are one more or less.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.features import fdlibm, spec
from tinyserve.features.flow import Flow, Value

Array = npt.NDArray[Any]
_WINDOW_BITS = 12
_BANK_BITS = 12
_NOISE_BITS = 14
_SNR_BITS = 12
_INT16 = 7  # as TFLite numbers types
_LOG_SCALE = 64
_SMOOTHING_BITS = 10
_SMOOTHING = (0.025, 0.06)  # of even and odd channels
_REMAINING = 0.05
_GAIN_BITS, _GAIN_OFFSET, _GAIN_STRENGTH = 21, 80.0, 0.95
_ALIGNED = 2  # places of a channel start at even frequencies
_BLOCK = 4  # and widths are multiples of four


@dataclass(frozen=True)
class FilterBank:
    """Triangles whose falling side is the next one's rising side: a weight per frequency, and its rest.

    Places have one entry more than there are channels: what lies below the first peak.
    """

    weights: Array
    unweights: Array
    frequency_starts: Array
    weight_starts: Array
    widths: Array
    start: int
    end: int


def build(step: spec.MicroFrontend, value: Value, flow: Flow) -> Value:
    """[1][length] int16 samples to [1][channels] int16."""
    if value.dtype != "int16" or len(value.shape) != 2 or value.shape[0] != 1 or not flow.stream:
        raise flow.error(
            f"micro_frontend takes one window of int16 per inference, not {list(value.shape)} {value.dtype}",
            'type = "int16", stream = true, and shape = [hop] of the window before it',
        )
    rate, length = value.bin_rate_hz, value.shape[1]
    if not rate:
        raise flow.error("it needs to know the sampling rate", "give [input] its rate_hz")
    fft_length = max(4, 1 << (length - 1).bit_length())
    spectrum = fft_length // 2 + 1
    if not 0 < step.low_hz < step.high_hz < rate / 2:
        raise flow.error(
            f"channels from {step.low_hz:g} to {step.high_hz:g} Hz", f"between 0 and {rate / 2:g} Hz"
        )
    tables = LIBRARIES[step.library]
    bank = tables.filter_bank(step.channels, step.low_hz, step.high_hz, rate, spectrum)
    correction = fft_length.bit_length() - 1 - _BANK_BITS // 2
    if bank.end >= spectrum or correction < 0:
        raise flow.error(f"a window of {length} samples is too short for its channels", "a longer window")
    energy, scale_bits = _energy(value, fft_length, tables, bank, flow)
    channels = _channels((energy, scale_bits), bank, step, correction, flow)
    logarithm = flow.operator(
        "SignalFilterBankLog", [channels], [((step.channels,), "int16")],
        input_correction_bits=correction, output_scale=_LOG_SCALE,
    )[0]  # fmt: skip
    made = replace(value, tensor=logarithm, shape=(step.channels,), bin_rate_hz=0.0, windows=False)
    return flow.reshaped(made, (1, step.channels))


def _energy(value: Value, fft_length: int, tables: Tables, bank: FilterBank, flow: Flow) -> tuple[int, int]:
    """Energies of the frequencies, and by how many bits the samples were shifted."""
    length, spectrum = value.shape[1], fft_length // 2 + 1
    window = flow.constant(tables.window(length), "int16")
    frame = flow.exactly(value, (length,)).tensor
    (shaped,) = flow.operator("SignalWindow", [frame, window], [((length,), "int16")], shift=_WINDOW_BITS)
    samples, scale_bits = flow.operator("SignalFftAutoScale", [shaped], [((length,), "int16"), ((), "int32")])
    (bins,) = flow.operator(
        "SignalRfft", [samples], [((2 * spectrum,), "int16")], fft_length=fft_length, T=_INT16
    )
    (energy,) = flow.operator(
        "SignalEnergy", [bins], [((spectrum,), "uint32")], start_index=bank.start, end_index=bank.end
    )
    return energy, scale_bits


def _channels(
    spectrum: tuple[int, int], bank: FilterBank, step: spec.MicroFrontend, correction: int, flow: Flow
) -> int:
    """Signals of the channels, less the noise, of what ``_energy`` gives."""
    energy, scale_bits = spectrum
    shape = (step.channels,)
    tables = (bank.weights, bank.unweights, bank.frequency_starts, bank.weight_starts, bank.widths)
    (sums,) = flow.operator(
        "SignalFilterBank", [energy, *(flow.constant(table, "int16") for table in tables)],
        [(shape, "uint64")], num_channels=step.channels,
    )  # fmt: skip
    (signal,) = flow.operator("SignalFilterBankSquareRoot", [sums, scale_bits], [(shape, "uint32")])
    one = 1 << _NOISE_BITS
    even, odd = (int(share * one) for share in _SMOOTHING)
    left, noise = flow.operator(
        "SignalFilterBankSpectralSubtraction", [signal], [(shape, "uint32"), (shape, "uint32")],
        num_channels=step.channels, smoothing=even, one_minus_smoothing=one - even,
        alternate_smoothing=odd, alternate_one_minus_smoothing=one - odd,
        min_signal_remaining=int(_REMAINING * one), smoothing_bits=_SMOOTHING_BITS,
        spectral_subtraction_bits=_NOISE_BITS, clamping=0,
    )  # fmt: skip
    if not step.pcan:
        return left
    gains = flow.constant(gain_table(_SMOOTHING_BITS - correction), "int16")
    return flow.operator(
        "SignalPCAN", [left, noise, gains], [(shape, "uint32")],
        snr_shift=_GAIN_BITS - correction - _SNR_BITS,
    )[0]  # fmt: skip


# --- tables


@dataclass(frozen=True)
class Tables:
    """Window and filter bank, computed in a precision and rounded to float32 where the libraries store them.

    Cosines of float32 are those of float64, rounded: numpy's own differ between processors.
    """

    precision: type[np.floating[Any]]
    log1p: Callable[[Array], Array]

    def window(self, length: int) -> Array:
        """A raised cosine between the samples, Q12."""
        one = self.precision
        turn = np.float32(one(np.pi * 2) / one(length))
        angles = one(turn) * (np.arange(length).astype(one) + one(0.5))
        half = one(0.5) * np.cos(angles.astype(np.float64)).astype(one)
        return self._fixed((one(0.5) - half).astype(np.float32), _WINDOW_BITS)

    def filter_bank(
        self, channels: int, low_hz: float, high_hz: float, rate_hz: float, spectrum: int
    ) -> FilterBank:
        """The weights (Q12) of channels whose peaks are alike on the mel scale.

        A channel that holds no frequency is silent.
        """
        one = self.precision
        low, high = self._mel(np.array([low_hz, high_hz]))
        peaks = low + (high - low) / np.float32(channels + 1) * np.arange(1, channels + 2, dtype=np.float32)
        step_hz = np.float32(one(0.5 * rate_hz) / one(spectrum - 1))
        mels = self._mel(np.arange(spectrum + 1, dtype=np.float32) * step_hz)
        start = int(one(1.5) + one(np.float32(low_hz) / step_hz))
        ends = np.searchsorted(mels, peaks, side="right")
        starts = np.concatenate([[start], ends[:-1]])
        before = np.concatenate([[low], peaks[:-1]])
        aligned = starts // _ALIGNED * _ALIGNED
        widths = -(-(ends - aligned) // _BLOCK) * _BLOCK
        weight_starts = np.concatenate([[0], np.cumsum(widths)[:-1]])
        weights, unweights = np.zeros(widths.sum()), np.zeros(widths.sum())
        for channel in range(channels + 1):
            frequencies = slice(starts[channel], ends[channel])
            share = (peaks[channel] - mels[frequencies]) / (peaks[channel] - before[channel])
            first = weight_starts[channel] + starts[channel] - aligned[channel]
            place = slice(first, first + len(share))
            weights[place] = self._fixed(share, _BANK_BITS)
            unweights[place] = self._fixed(one(1) - share.astype(one), _BANK_BITS)
        return FilterBank(weights, unweights, aligned, weight_starts, widths, start, int(ends[-1]))

    def _mel(self, hz: Array) -> Array:
        one = self.precision
        ratio = hz.astype(np.float32).astype(one) / one(700)
        mel: Array = one(1127) * self.log1p(ratio)
        return mel.astype(np.float32)

    def _fixed(self, values: Array, bits: int) -> Array:
        """To so many fractional bits, half up."""
        one = self.precision
        made: Array = np.floor(values.astype(one) * one(1 << bits) + one(0.5))
        return made


LIBRARIES = {
    "tensorflow": Tables(np.float64, np.log1p),
    "pymicro-features": Tables(np.float32, fdlibm.log1p),
}


def gain_table(input_bits: int) -> Array:
    """Gains of noise levels: of 0 and 1, then a parabola (3 values of 4) for each power of two."""
    table = np.zeros(4 * 32 - 3)
    table[:2] = _gain(np.array([0, 1]), input_bits)
    for bits in range(2, 33):
        first = 1 << (bits - 1)
        last = 2 * first if bits < 32 else 2 * first - 1
        y = _gain(np.array([first, first + first // 2, last]), input_bits)
        middle, whole = y[1] - y[0], y[2] - y[0]
        slope = 4 * middle - whole
        table[4 * bits - 6 : 4 * bits - 3] = y[0], slope, whole - slope
    return table


def _gain(noise: Array, input_bits: int) -> Array:
    x = noise.astype(np.float32) / np.float32(1 << input_bits)
    base = (x + np.float32(_GAIN_OFFSET)).astype(np.float64)
    power = np.power(base, np.float64(np.float32(-_GAIN_STRENGTH))).astype(np.float32)
    gain = np.float32(1 << _GAIN_BITS) * power
    made: Array = np.where(gain > 32767, 32767, np.floor(gain + np.float32(0.5)))
    return made
