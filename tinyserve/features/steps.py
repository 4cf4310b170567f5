# SPDX-License-Identifier: Apache-2.0
"""Each kind of step as operators: ``build(step, value, flow)`` adds them and returns what they give."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import singledispatch
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.ops.features.spectrum import LONGEST, SHORTEST
from tinyserve.compiler.ops.features.statistics import KINDS
from tinyserve.errors import DataError
from tinyserve.features import design, micro_frontend, spec
from tinyserve.features.flow import Flow, Value
from tinyserve.words import counted

Array = npt.NDArray[Any]
_NEEDS_RATE = "give [input] its rate_hz"


@singledispatch
def build(step: spec.Step, value: Value, flow: Flow) -> Value:
    """Adds the step's operators. Raises DataError where it does not fit what it gets."""
    raise TypeError(f"no such step: {step!r}")


# --- time


@build.register
def _window(step: spec.Window, value: Value, flow: Flow) -> Value:
    samples, width = _samples(value, flow)
    length = _extent(step.length, step.length_ms, "length", value, flow)
    hop = length if step.hop is None and step.hop_ms is None else _extent(
        step.hop, step.hop_ms, "hop", value, flow
    )  # fmt: skip
    kept = max(0, length - hop) if flow.stream else 0
    if samples + kept < length:
        raise flow.error(f"a window of {length} samples is longer than the {samples} that there are")
    if flow.stream and samples % hop:
        raise flow.error(
            f"{counted(samples, 'sample per inference is', 'samples per inference are')} no "
            f"multiple of the hop {hop}",
            "choose [input] shape so that whole hops arrive, or stream = false",
        )
    count = 1 + (samples + kept - length) // hop
    shape = (count, length, width) if len(value.shape) > 1 else (count, length)
    framed = flow.custom(
        "FeatureFrames", _narrow(value, flow), [], shape, width=width, length=length, hop=hop,
        history=int(flow.stream),
    )  # fmt: skip
    return replace(framed, bin_rate_hz=value.rate_hz, rate_hz=value.rate_hz / hop, windows=True)


@build.register
def _stack(step: spec.Stack, value: Value, flow: Flow) -> Value:
    if not flow.stream:
        raise flow.error("stack keeps rows of inferences before", "[input] stream = true")
    if len(value.shape) < 2:
        raise flow.error(f"there are no rows in {list(value.shape)}")
    rows, width = value.shape[0], math.prod(value.shape[1:])
    if step.rows <= rows:
        raise flow.error(f"each inference has {counted(rows, 'row')} already", f"rows above {rows}")
    return flow.custom(
        "FeatureFrames", _narrow(value, flow), [], (step.rows, *value.shape[1:]), width=width,
        length=step.rows, hop=rows, history=int(flow.stream),
    )  # fmt: skip


def _narrow(value: Value, flow: Flow) -> Value:
    """Of a type that frames are kept in: what follows computes in float32 anyway."""
    return flow.floats(value) if value.dtype == "int32" else value


@build.register
def _iir(step: spec.Iir, value: Value, flow: Flow) -> Value:
    if (step.sections is None) == (step.filter is None):
        raise flow.error("iir wants either sections or a filter", 'filter = "lowpass", cutoff_hz = 10')
    if step.sections is not None:
        return _biquad(np.array(step.sections), value, flow)
    rate = _rate(value, flow)
    if step.cutoff_hz is None or not 0 < step.cutoff_hz < rate / 2:
        raise flow.error(
            f"a cutoff of {step.cutoff_hz} Hz at {rate:g} samples per second", f"0 < cutoff_hz < {rate / 2:g}"
        )
    return _biquad(design.butterworth(str(step.filter), step.order, step.cutoff_hz, rate), value, flow)


def _biquad(sections: Array, value: Value, flow: Flow) -> Value:
    _, width = _samples(value, flow)
    a1, a2 = np.asarray(sections, np.float32)[:, 3:].T
    if unstable := np.flatnonzero((np.abs(a2) > 1) | (np.abs(a1) > 1 + a2)).tolist():
        raise flow.error(
            f"section {unstable[0]} grows without bound: a pole is outside of the unit circle",
            "[b0, b1, b2, a1, a2] with a0 = 1, as scipy's sos without its fourth column has them",
        )
    coefficients = flow.constant(sections)
    floats = flow.floats(value)
    return flow.custom(
        "FeatureBiquad", floats, [coefficients], value.shape, width=width, history=int(flow.stream)
    )


@build.register
def _fir(step: spec.Fir, value: Value, flow: Flow) -> Value:
    return _filtered(step.taps, 1, value, flow)


@build.register
def _moving_average(step: spec.MovingAverage, value: Value, flow: Flow) -> Value:
    return _filtered([1 / step.length] * step.length, 1, value, flow)


@build.register
def _difference(_: spec.Difference, value: Value, flow: Flow) -> Value:
    return _filtered([1.0, -1.0], 1, value, flow)


@build.register
def _decimate(step: spec.Decimate, value: Value, flow: Flow) -> Value:
    samples, _ = _samples(value, flow)
    if samples % step.factor:
        raise flow.error(
            f"{counted(samples, 'sample is', 'samples are')} no multiple of the factor {step.factor}"
        )
    return _filtered(design.antialias(step.factor), step.factor, value, flow)


def _filtered(taps: Array | Sequence[float], step: int, value: Value, flow: Flow) -> Value:
    samples, width = _samples(value, flow)
    shape = (samples // step, *value.shape[1:])
    weights, floats = flow.constant(taps), flow.floats(value)
    made = flow.custom(
        "FeatureFir", floats, [weights], shape, width=width, step=step, history=int(flow.stream)
    )
    return replace(made, rate_hz=value.rate_hz / step)


@build.register
def _statistics(step: spec.Statistics, value: Value, flow: Flow) -> Value:
    """Of windows [rows][length][width] (or without channels), or of all samples where there are none."""
    windows = value if value.windows else _one_window(value, flow)
    rows, length = windows.shape[:2]
    width = math.prod(windows.shape[2:])
    kinds, places = zip(*(_statistic(name, length, flow) for name in step.of), strict=True)
    constants = [flow.constant(kinds, "int32"), flow.constant(places)]
    made = flow.custom(
        "FeatureStatistics", flow.floats(windows), constants, (rows, width * len(kinds)), width=width,
        length=length,
    )  # fmt: skip
    return replace(made, bin_rate_hz=0.0, windows=False)


def _one_window(value: Value, flow: Flow) -> Value:
    return flow.reshaped(value, (1, *value.shape))


def _statistic(name: str, length: int, flow: Flow) -> tuple[int, float]:
    """The kernel's number of a statistic, and its place among the sorted values."""
    kind, _, share = name.partition(":")
    if kind == "median" and not share:
        kind, share = "quantile", "0.5"
    try:
        place = float(share) * (length - 1) if kind == "quantile" else 0.0
    except ValueError:
        place = math.nan
    if kind not in KINDS or (share and kind != "quantile") or not 0 <= place <= length - 1:
        raise flow.error(f"there is no statistic '{name}'", f"{', '.join(KINDS[:-1])}, median, quantile:0.9")
    return KINDS.index(kind), place


# --- spectra


@build.register
def _spectrum(step: spec.Spectrum, value: Value, flow: Flow) -> Value:
    if not value.windows and len(value.shape) > 1:
        raise flow.error("a spectrum is of windows", 'put a step of kind "window" before it')
    windows = value if value.windows else replace(_one_window(value, flow), bin_rate_hz=value.rate_hz)
    if len(windows.shape) > 2:  # channels become rows
        windows = flow.transposed(windows, (0, 2, 1))
    length = windows.shape[-1]
    fft_length = step.fft_length or max(4, 1 << (length - 1).bit_length())
    if fft_length < length or fft_length & (fft_length - 1) or not SHORTEST <= fft_length <= LONGEST:
        raise flow.error(
            f"an FFT of {fft_length} for windows of {length}",
            f"a power of two from {SHORTEST} to {LONGEST} that holds the window",
        )
    others = [] if step.window == "none" else [flow.constant(design.window(step.window, length))]
    made = flow.custom(
        "FeatureSpectrum", flow.floats(windows), others, (*windows.shape[:-1], fft_length // 2 + 1),
        fft_length=fft_length, magnitude=int(step.output == "magnitude"),
    )  # fmt: skip
    return replace(made, fft_length=fft_length)


@build.register
def _mel(step: spec.Mel, value: Value, flow: Flow) -> Value:
    if not value.fft_length or not value.bin_rate_hz:
        raise flow.error(
            "mel bands are of a spectrum with a rate", f'a step of kind "spectrum" before it; {_NEEDS_RATE}'
        )
    rate = value.bin_rate_hz
    high = step.high_hz or rate / 2
    if not step.low_hz < high <= rate / 2:
        raise flow.error(f"bands from {step.low_hz:g} to {high:g} Hz", f"up to {rate / 2:g} Hz are there")
    matrix = design.mel_bands(
        step.bands, step.low_hz, high, rate_hz=rate, fft_length=value.fft_length, scale=step.scale,
        area=step.area,
    )  # fmt: skip
    empty = np.flatnonzero(~matrix.any(axis=1))
    if len(empty):
        raise flow.error(
            f"{len(empty)} of {step.bands} bands hold no frequency of an FFT of {value.fft_length}",
            "fewer bands, a longer FFT or a higher low_hz",
        )
    return banded(matrix, value, flow)


@build.register
def _log(step: spec.Log, value: Value, flow: Flow) -> Value:
    floats = flow.floats(value)
    floored = flow.builtin("MAXIMUM", "", floats, [flow.constant(step.floor)], value.shape)
    logarithm = flow.builtin("LOG", "", floored, [], value.shape)
    factor = step.factor / (math.log(10) if step.base == "10" else 1.0)
    if factor == 1.0:
        return logarithm
    return flow.builtin("MUL", "MulOptions", logarithm, [flow.constant(factor)], value.shape)


@build.register
def _dct(step: spec.Dct, value: Value, flow: Flow) -> Value:
    width = value.shape[-1]
    if step.coefficients > width:
        raise flow.error(f"{step.coefficients} coefficients of {counted(width, 'value')}", f"up to {width}")
    return banded(design.cosines(step.coefficients, width), flow.floats(value), flow)


@build.register
def _mfcc(step: spec.Mfcc, value: Value, flow: Flow) -> Value:
    spectrum = build(spec.Spectrum(window=step.window, fft_length=step.fft_length), value, flow)
    mel = spec.Mel(bands=step.bands, low_hz=step.low_hz, high_hz=step.high_hz, scale=step.scale)
    logarithm = build(spec.Log(floor=step.floor), build(mel, spectrum, flow), flow)
    return build(spec.Dct(coefficients=step.coefficients), logarithm, flow)


@build.register
def _micro_frontend(step: spec.MicroFrontend, value: Value, flow: Flow) -> Value:
    return micro_frontend.build(step, value, flow)


def banded(matrix: Any, value: Value, flow: Flow) -> Value:
    """Rows times a matrix [bands][width]: of a row, what lies between its outermost weights."""
    starts, counts, weights = [], [], []
    for row in np.asarray(matrix, np.float32):
        found = np.flatnonzero(row)
        first, last = (int(found[0]), int(found[-1]) + 1) if len(found) else (0, 0)
        starts.append(first)
        counts.append(last - first)
        weights.append(row[first:last])
    constants = [
        flow.constant(starts, "int32"),
        flow.constant(counts, "int32"),
        flow.constant(np.concatenate(weights)),
    ]
    made = flow.custom("FeatureBands", value, constants, (*value.shape[:-1], len(matrix)))
    return replace(made, bin_rate_hz=0.0, fft_length=0, windows=False)


# --- features


@build.register
def _scale(step: spec.Scale, value: Value, flow: Flow) -> Value:
    if spec.is_open(step):
        raise flow.error(f'fit = "{step.fit}" has no numbers yet', "tinyserve features fit SPEC --data DATA")
    made = flow.floats(value) if step.offset is None and step.factor is None else _shifted(step, value, flow)
    if step.clip is not None:
        low, high = step.clip
        if low >= high:
            raise flow.error(f"clip = [{low:g}, {high:g}]", "the lower end first")
        made = flow.builtin("MAXIMUM", "", made, [flow.constant(low)], value.shape)
        made = flow.builtin("MINIMUM", "", made, [flow.constant(high)], value.shape)
    return made


def _shifted(step: spec.Scale, value: Value, flow: Flow) -> Value:
    """(x - offset) * factor in float32."""
    offsets, factors = step.offset or [0.0], step.factor or [1.0]
    for given in (offsets, factors):
        if len(given) not in (1, value.shape[-1]):
            raise _not_one_each(given, value, flow)
    width = max(len(offsets), len(factors))
    constants = [flow.constant(np.resize(given, width)) for given in (offsets, factors)]
    return flow.custom("FeatureScale", replace(value, dtype="float32"), constants, value.shape)


@build.register
def _impute(step: spec.Impute, value: Value, flow: Flow) -> Value:
    if step.values is None:
        raise flow.error(
            "impute has no values yet", "tinyserve features fit SPEC --data DATA, or values = [...]"
        )
    if value.dtype != "float32":
        raise flow.error("integers are never missing", "leave the step out")
    return flow.chosen(flow.is_number(value), value, _per_feature(step.values, value, flow))


@build.register
def _select(step: spec.Select, value: Value, flow: Flow) -> Value:
    return selected(step.columns, value, flow)


def selected(columns: Sequence[int], value: Value, flow: Flow) -> Value:
    """Some entries of the last axis."""
    width = value.shape[-1]
    if max(columns) >= width:
        raise flow.error(f"column {max(columns)} of {width}", f"0 to {width - 1}")
    shape = (*value.shape[:-1], len(columns))
    places = flow.constant(columns, "int32")
    made = flow.builtin("GATHER", "GatherOptions", value, [places], shape, axis=len(value.shape))
    return replace(made, fft_length=0)


@build.register
def _bucketize(step: spec.Bucketize, value: Value, flow: Flow) -> Value:
    if step.boundaries is None:
        raise _without_numbers(step, 'fit = "quantiles", buckets = 10', flow)
    if sorted(step.boundaries) != step.boundaries:
        raise flow.error("the boundaries are not in order", "ascending")
    reached = _spread("GREATER_EQUAL", step.boundaries, value, flow)
    axis = flow.constant([len(reached.shape)], "int32")
    return flow.builtin("SUM", "ReducerOptions", reached, [axis], value.shape)


@build.register
def _one_hot(step: spec.OneHot, value: Value, flow: Flow) -> Value:
    equal = _equal(step, value, flow)
    return flow.reshaped(equal, (*value.shape[:-1], equal.shape[-1] * value.shape[-1]))


@build.register
def _vocabulary(step: spec.Vocabulary, value: Value, flow: Flow) -> Value:
    equal = _equal(step, value, flow)
    count = equal.shape[-1]
    if len(np.unique(np.asarray(step.values, np.float32))) < count:
        raise flow.error("two of the values are the same float32", "values that differ")
    places = banded([[place - count for place in range(count)]], equal, flow)  # 0 where none is equal
    shifted = flow.builtin("ADD", "AddOptions", places, [flow.constant(float(count))], places.shape)
    return flow.reshaped(shifted, value.shape)


def _equal(step: spec.OneHot | spec.Vocabulary, value: Value, flow: Flow) -> Value:
    """[..][n] as [..][n][values]: 1 where it is the value."""
    if step.values is None:
        raise _without_numbers(step, 'fit = "frequent"', flow)
    return _spread("EQUAL", step.values, value, flow)


def _without_numbers(
    step: spec.Bucketize | spec.OneHot | spec.Vocabulary, fitted: str, flow: Flow
) -> DataError:
    """What is wrong with a step that nobody gave numbers."""
    own = "boundaries" if isinstance(step, spec.Bucketize) else "values"
    if step.fit is None:
        return flow.error(f"it has no {own}", f"{own} = [...], or {fitted}")
    return flow.error(f'fit = "{step.fit}" has no numbers yet', "tinyserve features fit SPEC --data DATA")


def _spread(op: str, constants: Sequence[float], value: Value, flow: Flow) -> Value:
    """[..][n] compared with each of the constants: [..][n][constants]."""
    column = flow.reshaped(flow.floats(value), (*value.shape, 1))
    return flow.floats(flow.holds(op, column, flow.constant(constants), (*value.shape, len(constants))))


@build.register
def _reshape(step: spec.Reshape, value: Value, flow: Flow) -> Value:
    if math.prod(step.shape) != value.elements:
        raise flow.error(f"{counted(value.elements, 'value does', 'values do')} not fill {step.shape}")
    return replace(flow.reshaped(value, step.shape), fft_length=0, bin_rate_hz=0.0, windows=False)


# --- what they share


def _samples(value: Value, flow: Flow) -> tuple[int, int]:
    """Samples and channels of a signal."""
    if value.windows or len(value.shape) > 2:
        raise flow.error(
            f"it works on samples, not on windows {list(value.shape)}", "put it before the window"
        )
    return value.shape[0], math.prod(value.shape[1:])


def _rate(value: Value, flow: Flow) -> float:
    if not value.rate_hz:
        raise flow.error("it needs to know the sampling rate", _NEEDS_RATE)
    return value.rate_hz


def _extent(samples: int | None, ms: float | None, name: str, value: Value, flow: Flow) -> int:
    """So many samples, or milliseconds of them."""
    if (samples is None) == (ms is None):
        raise flow.error(f"window wants {name} or {name}_ms", f"{name} = 400")
    if samples is not None:
        return samples
    assert ms is not None
    exact = ms * _rate(value, flow) / 1000
    if abs(exact - round(exact)) > 1e-6 or round(exact) < 1:
        raise flow.error(
            f"{name}_ms = {ms:g} are {exact:g} samples at {value.rate_hz:g} Hz", "a whole number of samples"
        )
    return round(exact)


def _per_feature(given: Sequence[float], value: Value, flow: Flow) -> int:
    """A constant for all features, or one for each."""
    if len(given) not in (1, value.shape[-1]):
        raise _not_one_each(given, value, flow)
    return flow.constant(given)


def _not_one_each(given: Sequence[float], value: Value, flow: Flow) -> DataError:
    counts = f"{counted(len(given), 'value')} for {counted(value.shape[-1], 'feature')}"
    return flow.error(counts, "one, or one for each")
