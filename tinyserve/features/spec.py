# SPDX-License-Identifier: Apache-2.0
"""The specification of features: ``features.toml`` as typed steps, checked as it is read.

::

    [input]
    shape = [16000]          # one second; the first axis is time
    type = "int16"
    rate_hz = 16000

    [[steps]]
    kind = "window"
    length_ms = 30
    hop_ms = 20

    [[steps]]
    kind = "mfcc"
    coefficients = 10

Each step works on what the one before gives, or on the step that its ``input`` names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, get_args, get_type_hints

import msgspec
from msgspec import Meta

from tinyserve.documents import from_json, from_toml
from tinyserve.errors import DataError, FileSystemError
from tinyserve.escapes import visible

_LARGEST_FILE = 1 << 22
Whole = Annotated[int, Meta(ge=1, le=1 << 20)]
Finite = Annotated[float, Meta(gt=-1e30, lt=1e30)]
Positive = Annotated[float, Meta(gt=0, lt=1e30)]
NotNegative = Annotated[float, Meta(ge=0, lt=1e30)]
Extent = Annotated[int, Meta(ge=1, le=1 << 24)]
StepName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_]{0,64}\Z")]


class Input(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What comes from the sensor, for one inference.

    ``shape``: [samples], [samples, channels], [height, width, channels] or [columns]. ``rate_hz``: samples
    per second, for steps that think in time or frequency; 0 where there is no time. ``stream``: inferences
    follow one another without a gap, so that windows and filters go on where the last one ended.
    """

    shape: Annotated[list[Extent], Meta(min_length=1, max_length=4)]
    type: Literal["float32", "int32", "int16", "int8", "uint8"] = "float32"
    name: StepName = "samples"
    rate_hz: NotNegative = 0.0
    stream: bool = False

    @property
    def samples(self) -> int:
        """In time, that an inference takes: 1 where the first axis is no time."""
        return self.shape[0] if self.stream or self.rate_hz else 1


class _Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind"):
    """``name`` is what other steps call it; ``input``: the step whose values it takes (the one before)."""

    name: StepName = ""
    input: StepName = ""


class Window(_Step, frozen=True, tag="window"):
    """Overlapping frames of ``length`` samples, ``hop`` apart, or in milliseconds."""

    length: Whole | None = None
    hop: Whole | None = None
    length_ms: Positive | None = None
    hop_ms: Positive | None = None


class Stack(_Step, frozen=True, tag="stack"):
    """The newest ``rows`` rows, those of inferences before among them (needs a stream)."""

    rows: Whole


class Iir(_Step, frozen=True, tag="iir"):
    """A Butterworth filter ("lowpass", "highpass") of an order at a cutoff, or sections of your own:
    [b0, b1, b2, a1, a2] with a0 = 1."""

    filter: Literal["lowpass", "highpass"] | None = None
    cutoff_hz: Positive | None = None
    order: Annotated[int, Meta(ge=1, le=16)] = 2
    sections: list[Annotated[list[Finite], Meta(min_length=5, max_length=5)]] | None = None


class Fir(_Step, frozen=True, tag="fir"):
    """A finite impulse response: taps[0] is for the newest sample."""

    taps: Annotated[list[Finite], Meta(min_length=1, max_length=1 << 14)]


class MovingAverage(_Step, frozen=True, tag="moving_average"):
    """The mean of the newest ``length`` samples."""

    length: Whole


class Difference(_Step, frozen=True, tag="difference"):
    """Each sample less the one before."""


class Decimate(_Step, frozen=True, tag="decimate"):
    """Every ``factor``-th sample, behind a lowpass of a Hamming window against aliases."""

    factor: Annotated[int, Meta(ge=2, le=256)]


class Statistics(_Step, frozen=True, tag="statistics"):
    """Numbers per window and channel: mean, std, rms, min, max, range, mean_abs, zero_crossings, skewness,
    kurtosis, median, or quantile:0.9."""

    of: Annotated[list[str], Meta(min_length=1, max_length=64)]


class Spectrum(_Step, frozen=True, tag="spectrum"):
    """The power (or magnitude) of each window's frequencies. ``fft_length``: a power of two (the least that
    holds the window)."""

    window: Literal["hann", "hamming", "none"] = "hann"
    fft_length: Whole | None = None
    output: Literal["power", "magnitude"] = "power"


class Mel(_Step, frozen=True, tag="mel"):
    """Triangular bands that are alike on a mel scale; "slaney" ones have equal areas with ``area``."""

    bands: Annotated[int, Meta(ge=1, le=1024)] = 40
    low_hz: NotNegative = 20.0
    high_hz: Positive | None = None
    scale: Literal["htk", "slaney"] = "htk"
    area: bool = False


class Log(_Step, frozen=True, tag="log"):
    """``factor`` times the logarithm, of ``floor`` where a value is less. Decibels: base 10, factor 10."""

    base: Literal["e", "10"] = "e"
    factor: Finite = 1.0
    floor: Positive = 1e-6


class Dct(_Step, frozen=True, tag="dct"):
    """The first coefficients of an orthonormal cosine transform (type II)."""

    coefficients: Annotated[int, Meta(ge=1, le=1024)]


class Mfcc(_Step, frozen=True, tag="mfcc"):
    """Spectrum, mel bands, logarithm and cosine transform in one."""

    coefficients: Annotated[int, Meta(ge=1, le=1024)] = 13
    bands: Annotated[int, Meta(ge=1, le=1024)] = 40
    low_hz: NotNegative = 20.0
    high_hz: Positive | None = None
    scale: Literal["htk", "slaney"] = "htk"
    window: Literal["hann", "hamming", "none"] = "hann"
    fft_length: Whole | None = None
    floor: Positive = 1e-6


class MicroFrontend(_Step, frozen=True, tag="micro_frontend"):
    """TFLM's audio front end in fixed point, of one window of int16 per inference of a stream: a logarithm of
    mel channels without noise, with automatic gain (``pcan``). ``library``: whose tables, to the bit."""

    channels: Annotated[int, Meta(ge=1, le=256)] = 40
    low_hz: Positive = 125.0
    high_hz: Positive = 7500.0
    pcan: bool = True
    library: Literal["tensorflow", "pymicro-features"] = "tensorflow"


class Scale(_Step, frozen=True, tag="scale"):
    """(x - offset) * factor per feature (one value for all, or one each), then clipped to ``clip``.

    With ``fit`` and no factor the data decides: "standard" (mean and deviation), "minmax" (0 to 1) or
    "robust" (median and the range of the middle half). See ``tinyserve features fit``.
    """

    offset: list[Finite] | None = None
    factor: list[Finite] | None = None
    fit: Literal["standard", "minmax", "robust"] | None = None
    clip: Annotated[list[Finite], Meta(min_length=2, max_length=2)] | None = None


class Impute(_Step, frozen=True, tag="impute"):
    """A value per feature for what is missing (NaN); with ``fit`` the data's mean or median."""

    values: list[Finite] | None = None
    fit: Literal["mean", "median"] | None = None


class Select(_Step, frozen=True, tag="select"):
    """Some features of the last axis, by number."""

    columns: Annotated[list[Annotated[int, Meta(ge=0)]], Meta(min_length=1)]


class Bucketize(_Step, frozen=True, tag="bucketize"):
    """How many boundaries a value has reached, per feature. With ``fit`` the data's quantiles are the
    boundaries of so many ``buckets`` that hold equally many of all values."""

    boundaries: Annotated[list[Finite], Meta(min_length=1, max_length=1 << 12)] | None = None
    fit: Literal["quantiles"] | None = None
    buckets: Annotated[int, Meta(ge=2, le=1 << 12)] | None = None


_Values = Annotated[list[Finite], Meta(min_length=1, max_length=1 << 12)]


class OneHot(_Step, frozen=True, tag="one_hot"):
    """1 for the value that a feature is equal to, 0 for the others: ``values`` many features from each. With
    ``fit``, as ``Vocabulary``."""

    values: _Values | None = None
    fit: Literal["frequent"] | None = None
    most: Annotated[int, Meta(ge=1, le=1 << 12)] = 64
    at_least: Whole = 1


class Vocabulary(_Step, frozen=True, tag="vocabulary"):
    """The place of a value in a list, from 0; what is not in it (NaN, too) gets the number after the last.

    With ``fit`` the list is of the data's ``most`` most frequent values that are there ``at_least`` so often,
    in ascending order.
    """

    values: _Values | None = None
    fit: Literal["frequent"] | None = None
    most: Annotated[int, Meta(ge=1, le=1 << 12)] = 64
    at_least: Whole = 1


class Cross(_Step, frozen=True, tag="cross"):
    """One whole number for each combination of whole numbers: columns that have ``sizes`` values each, from
    0, the last column changing fastest. What is beyond counts as the nearest."""

    columns: Annotated[list[Annotated[int, Meta(ge=0)]], Meta(min_length=2, max_length=8)]
    sizes: Annotated[list[Annotated[int, Meta(ge=1, le=1 << 12)]], Meta(min_length=2, max_length=8)]


_Row = Annotated[list[Finite], Meta(min_length=1, max_length=1 << 10)]


class Embedding(_Step, frozen=True, tag="embedding"):
    """For each whole number a row of a table, side by side. What is beyond counts as the nearest."""

    table: Annotated[list[_Row], Meta(min_length=1, max_length=1 << 16)]


class Time(_Step, frozen=True, tag="time"):
    """Of seconds (of Unix time as int32, or since any Monday's midnight): second, minute, hour (with
    fractions of none), weekday (Monday is 0), and sine and cosine of the way through a day, week or year.

    ``offset_s``: local time less that of the column, in seconds.
    """

    of: Annotated[list[str], Meta(min_length=1, max_length=16)]
    offset_s: Annotated[int, Meta(ge=-86400, le=86400)] = 0


class Crop(_Step, frozen=True, tag="crop"):
    """A part of an image [height][width][channels], from ``top`` and ``left``; the middle without them."""

    height: Extent
    width: Extent
    top: Annotated[int, Meta(ge=0)] | None = None
    left: Annotated[int, Meta(ge=0)] | None = None


class Resize(_Step, frozen=True, tag="resize"):
    """An image of another size. Centres of pixels lie where PIL, OpenCV and TensorFlow 2 have them."""

    height: Extent
    width: Extent
    method: Literal["bilinear", "nearest"] = "bilinear"


class Grey(_Step, frozen=True, tag="grey"):
    """The luminance of RGB (ITU-R BT.601)."""


class Rgb565(_Step, frozen=True, tag="rgb565"):
    """RGB of 8 bits of a camera's 16 bits per pixel, as bytes [height][width][2]. ``order``: "big" where the
    byte with red comes first, as most cameras send it."""

    order: Literal["big", "little"] = "big"


class Yuv422(_Step, frozen=True, tag="yuv422"):
    """RGB of a camera's YUV 4:2:2, as bytes [height][width][2] (ITU-R BT.601). ``range``: "full" (0 to 255)
    or "video" (16 to 235)."""

    order: Literal["yuyv", "uyvy"] = "yuyv"
    range: Literal["full", "video"] = "full"


class Concat(_Step, frozen=True, tag="concat"):
    """The features of several steps side by side on the last axis ("input" is the raw input)."""

    inputs: Annotated[list[StepName], Meta(min_length=2, max_length=64)]


class Reshape(_Step, frozen=True, tag="reshape"):
    """The same values in another shape."""

    shape: Annotated[list[Extent], Meta(min_length=1, max_length=4)]


Step = (
    Window
    | Stack
    | Iir
    | Fir
    | MovingAverage
    | Difference
    | Decimate
    | Statistics
    | Spectrum
    | Mel
    | Log
    | Dct
    | Mfcc
    | MicroFrontend
    | Scale
    | Impute
    | Select
    | Bucketize
    | OneHot
    | Vocabulary
    | Concat
    | Reshape
    | Cross
    | Embedding
    | Time
    | Crop
    | Resize
    | Grey
    | Rgb565
    | Yuv422
)


def is_open(step: Step) -> bool:
    """Whether its numbers are still to be taken from data."""
    if isinstance(step, Scale):
        return step.fit is not None and step.factor is None
    if isinstance(step, Bucketize):
        return step.fit is not None and step.boundaries is None
    if isinstance(step, OneHot | Vocabulary):
        return step.fit is not None and step.values is None
    return isinstance(step, Impute) and step.values is None


def name_of(number: int, step: Step) -> str:
    """What other steps and messages call a step: its name, or its number (from 1) and kind."""
    return step.name or f"{number}_{step.__struct_config__.tag}"


KINDS = tuple(str(kind.__struct_config__.tag) for kind in get_args(Step))


class Fitted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the numbers of ``fit`` steps were taken from."""

    samples: int
    sha256: str


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a model's scores are an event: a second output of it, int32 [event, active class], -1 for none.

    ``enter``: what the mean of the last ``smoothing`` scores of a class must reach, ``margin`` above the
    second, in ``hold`` of the last ``within`` inferences (consecutive ones, without it). It stays active
    until below ``leave`` (``enter``, without it). After an event there is none for ``refractory`` inferences.
    ``ignore``: classes that are never an event, by number.
    """

    enter: Finite
    leave: Finite | None = None
    margin: NotNegative = 0.0
    smoothing: Whole = 1
    hold: Whole = 1
    within: Whole | None = None
    refractory: Annotated[int, Meta(ge=0, le=1 << 20)] = 0
    ignore: list[Annotated[int, Meta(ge=0)]] = []


class Spec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole specification: what comes before a model, and what its scores mean."""

    input: Input
    steps: Annotated[list[Step], Meta(min_length=1, max_length=256)]
    decision: Decision | None = None
    fitted: Fitted | None = None


def load(path: Path) -> Spec:
    """Reads .toml or .json. Raises FileSystemError, or DataError that says where the file is wrong."""
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise FileSystemError(
            f"{path}: {error.strerror or error}", "give a specification of features"
        ) from error
    if len(raw) > _LARGEST_FILE:
        raise DataError(f"{path}: over {_LARGEST_FILE} bytes", "this is no specification of features")
    return parse(raw, str(path), json=path.suffix.lower() == ".json")


def parse(raw: bytes, where: str, *, json: bool = False) -> Spec:
    """A specification from its text. Raises DataError."""
    try:
        if json:
            return from_json(raw, Spec)
        return msgspec.convert(from_toml(raw), Spec)
    except (msgspec.DecodeError, msgspec.ValidationError, ValueError) as error:
        said = "it is no text" if isinstance(error, UnicodeDecodeError) else visible(str(error))
        raise DataError(f"{where}: {said}", _hint(said)) from error


def _hint(said: str) -> str:
    """For what is wrong with a specification."""
    if said.endswith("kind`"):
        return f"kinds of steps are {', '.join(KINDS)}"
    if said.endswith("$.input.type`"):
        return f"types are {', '.join(get_args(get_type_hints(Input)['type']))}"
    return "docs/guide/features.md has the fields of [input], [[steps]] and [decision]"


def encode(spec: Spec) -> bytes:
    """As JSON, which ``load`` reads; fields that have their default are left out."""
    return msgspec.json.format(msgspec.json.encode(spec), indent=2) + b"\n"
