# SPDX-License-Identifier: Apache-2.0
"""Representative data and data sets: what a user has on disk, as one array per model input.

Nothing here needs TensorFlow. Every failure is a DataError that says what, where and what to try.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tinyserve import bundle
from tinyserve.bundle import InputStatistics, TensorInfo
from tinyserve.datasets import arrays, audio, generator, images, synthetic, tables
from tinyserve.datasets.dataset import Dataset
from tinyserve.datasets.named import AS_IT_IS, Array, Named, Reading
from tinyserve.errors import DataError
from tinyserve.files import refuse_special
from tinyserve.words import counted

RANDOM = "random"
_KINDS = "give a .npz, .npy, .csv or .wav, a directory of them or of images, or module:function"
INPUT_NAMES = ("x", "x_test", "x_train", "input", "inputs", "data", "samples", "images", "features")


def load(where: Path | str, inputs: Sequence[TensorInfo], reading: Reading = AS_IT_IS) -> Dataset:
    """Samples for the model's ``inputs``, in real units, from

    - a .npz, a .npy, a directory of .npy files (in directories named as the inputs, where there are several);
    - a directory of images, in directories named as the classes or not;
    - a .csv or a directory of them: windows over the rows;
    - a .wav or a directory of them: windows over the samples;
    - "module:function": a function of yours that yields samples;
    - "random": random values, for a first try.

    Raises DataError where the data is missing, unreadable, empty, not finite, or of another shape or type
    than the inputs.
    """
    if str(where) == RANDOM:
        return synthetic.random(inputs)
    if generator.is_name(str(where)):
        return match(generator.read(str(where), inputs), inputs, reading)
    return match(_read(Path(where), inputs, reading), inputs, reading)


def check_place(where: Path | str) -> None:
    """Raises DataError where nothing is there to read."""
    named = str(where) == RANDOM or generator.is_name(str(where))
    if not named and not Path(where).exists():
        raise DataError(f"{where}: no such file or directory", _KINDS)


def _read(path: Path, inputs: Sequence[TensorInfo], reading: Reading) -> Named:
    if not path.exists():
        raise DataError(f"{path}: no such file or directory", _KINDS)
    refuse_special(path)
    suffixes = _suffixes(path)
    if ".npz" in suffixes and path.is_file():
        return arrays.read_npz(path)
    if ".npy" in suffixes:
        return arrays.read_directory(path) if path.is_dir() else arrays.read_npy(path)
    if suffixes & images.SUFFIXES:
        return images.read(path, inputs, reading)
    if suffixes & tables.SUFFIXES:
        return tables.read(path, inputs, reading)
    if suffixes & audio.SUFFIXES:
        return audio.read(path, inputs, reading)
    found = ", ".join(sorted(suffix for suffix in suffixes if suffix)) or "nothing"
    raise DataError(f"{path}: no data of a type that is known (found: {found})", _KINDS)


def _suffixes(path: Path) -> set[str]:
    """Of the file, or of the files in the directory and one below."""
    if path.is_file():
        return {path.suffix.lower()}
    return {file.suffix.lower() for file in (*path.glob("*"), *path.glob("*/*")) if file.is_file()}


def match(named: Named, inputs: Sequence[TensorInfo], reading: Reading = AS_IT_IS) -> Dataset:
    """Assigns arrays to inputs (by name, else by order of likely names, else by shape) and checks them."""
    named = reading.labelled(named, inputs)
    chosen = _assign(named, inputs)
    fitted = [_fit(chosen[info.name], info, named.origin, reading) for info in inputs]
    counts = {info.name: len(array) for info, array in zip(inputs, fitted, strict=True)}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name}: {count}" for name, count in counts.items())
        raise DataError(
            f"{named.origin}: the inputs have different numbers of samples ({listed})",
            "give one array per input, all with the same first dimension",
        )
    return Dataset(
        fitted, _fit_labels(named, len(fitted[0])), named.origin, classes=named.classes, notes=named.notes
    )


def statistics(dataset: Dataset, inputs: Sequence[TensorInfo]) -> list[InputStatistics]:
    """Minimum, maximum, mean and percentiles of each input, in real units."""
    marks = (0.1, 1, 5, 25, 50, 75, 95, 99, 99.9)
    found = []
    for info, array in zip(inputs, dataset.inputs, strict=True):
        values = np.percentile(array.astype(np.float64) if array.dtype.kind == "b" else array, marks)
        found.append(
            InputStatistics(
                name=info.name,
                samples=len(array),
                minimum=float(array.min()),
                maximum=float(array.max()),
                mean=float(array.mean(dtype=np.float64)),
                percentiles={f"{mark:g}": float(value) for mark, value in zip(marks, values, strict=True)},
            )
        )
    return found


def spread(dataset: Dataset, count: int) -> Dataset:
    """Up to ``count`` samples, evenly spread over the data set."""
    if len(dataset) <= count:
        return dataset
    return dataset.take(np.linspace(0, len(dataset) - 1, count).astype(np.intp))


def split(dataset: Dataset, held: int) -> tuple[Dataset, Dataset]:
    """Calibration samples and up to ``held`` samples held out for checks (a fifth, evenly spread).

    With fewer than 10 samples both are the whole data set: too few to spare any.
    """
    count = len(dataset)
    if count < 10:
        return dataset, dataset
    wanted = min(held, count // 5)
    chosen = np.unique(np.linspace(0, count - 1, wanted).astype(np.intp))
    rest = np.setdiff1d(np.arange(count), chosen)
    return dataset.take(rest), dataset.take(chosen)


def split_stream(dataset: Dataset, held: int) -> tuple[Dataset, Dataset]:
    """As ``split``, of samples that follow one another: the last ones are held out, without a gap."""
    count = len(dataset)
    if count < 10:
        return dataset, dataset
    first = count - min(held, count // 5)
    return dataset.take(np.arange(first)), dataset.take(np.arange(first, count))


def _assign(named: Named, inputs: Sequence[TensorInfo]) -> dict[str, Array]:
    """One array per input name."""
    if not named.arrays:
        raise DataError(
            f"{named.origin}: holds no samples", "save the model's inputs as arrays, samples first"
        )
    if len(inputs) == 1:
        return {inputs[0].name: _only(named, inputs[0])}
    by_name = {info.name: named.arrays[info.name] for info in inputs if info.name in named.arrays}
    if len(by_name) == len(inputs):
        return by_name
    by_number = [f"input_{i}" for i in range(len(inputs))]
    if all(name in named.arrays for name in by_number):
        return {info.name: named.arrays[key] for info, key in zip(inputs, by_number, strict=True)}
    by_shape: dict[str, Array] = {}
    for info in inputs:
        fitting = [array for array in named.arrays.values() if _sample_shape_fits(array, info)]
        if len(fitting) != 1:
            raise DataError(
                f"{named.origin}: which array is the input '{info.name}'? (holds {_listed(named)})",
                "name the arrays after the inputs: " + ", ".join(f"'{info.name}'" for info in inputs),
            )
        by_shape[info.name] = fitting[0]
    return by_shape


def _only(named: Named, info: TensorInfo) -> Array:
    """The array of a model with one input."""
    arrays = named.arrays
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    lower = {name.lower(): array for name, array in arrays.items()}
    for name in (info.name.lower(), "input_0", *INPUT_NAMES):
        if name in lower:
            return lower[name]
    fitting = [array for array in arrays.values() if _sample_shape_fits(array, info)]
    if len(fitting) == 1:
        return fitting[0]
    raise DataError(
        f"{named.origin}: which array is the input '{info.name}'? (holds {_listed(named)})",
        f"name the samples 'x' or '{info.name}', and labels 'y'",
    )


def _listed(named: Named) -> str:
    return ", ".join(f"'{name}' {array.shape}" for name, array in named.arrays.items())


def _squeezed(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(extent for extent in shape if extent != 1)


def _sample_shape_fits(array: Array, info: TensorInfo) -> bool:
    """Whether samples lie along the first axis, and fit except for axes of extent 1 or channels put first."""
    if array.ndim < 1:
        return False
    shape = _squeezed(array.shape[1:])
    if info.form:
        return shape in (_squeezed(bundle.sample_shape(info)), _squeezed(bundle.source_shape(info)))
    return shape == _squeezed(bundle.sample_shape(info)) or _has_channels_first(array, info)


def _has_channels_first(array: Array, info: TensorInfo) -> bool:
    """Whether these are images (N, C, H, W) for an input (H, W, C)."""
    wanted = bundle.sample_shape(info)
    if info.form:  # known, not guessed: where both orders fit, data lies as the trained model takes it
        return _squeezed(array.shape[1:]) == _squeezed(bundle.source_shape(info))
    return len(wanted) == 3 and array.shape[1:] == (wanted[2], *wanted[:2]) and array.shape[1:] != wanted


def _fit(array: Array, info: TensorInfo, origin: str, reading: Reading) -> Array:
    """The array as (N, *sample shape) of the input's type, checked."""
    wanted = bundle.sample_shape(info)
    where = f"{origin}: data for input '{info.name}'"
    if array.dtype.kind not in "fiub":
        raise DataError(f"{where} is of type {array.dtype}, not numbers", f"save it as {info.dtype}")
    if array.size == 0:
        raise DataError(
            f"{where} is empty (shape {array.shape})", "save at least one sample; calibration wants 100"
        )
    if not _sample_shape_fits(array, info):
        single = _squeezed(array.shape) == _squeezed(wanted)
        hint = (
            "this looks like a single sample: add a sample axis in front, array[None]"
            if single
            else f"save an array of shape {_shapes(info).split(' as ')[0]}, preprocessed as in training"
        )
        raise DataError(f"{where} has shape {array.shape}, the model takes {_shapes(info)}", hint)
    if _has_channels_first(array, info):
        if info.form:
            array = bundle.from_source_layout(array.reshape(len(array), *bundle.source_shape(info)), info)
        else:
            array = np.moveaxis(array, 1, -1)
        array = np.ascontiguousarray(array)
    array = array.reshape(len(array), *wanted)
    if not (reading.missing and info.dtype == "float32"):
        _check_finite(array, where)
    return _cast(array, info, where)


def _shapes(info: TensorInfo) -> str:
    """What arrays of samples an input takes."""
    own, source = (
        f"(N, {', '.join(map(str, shape))})"
        for shape in (bundle.sample_shape(info), bundle.source_shape(info))
    )
    return f"{source} as your model does, or {own}" if info.form else own


def _check_finite(array: Array, where: str) -> None:
    if array.dtype.kind == "f":
        bad = ~np.isfinite(array.reshape(len(array), -1)).all(axis=1)
        if bad.any():
            raise DataError(
                f"{where} is not finite: {int(bad.sum())} of "
                f"{counted(len(array), 'sample holds', 'samples hold')} NaN or infinity, "
                f"the first is sample {int(np.argmax(bad))}",
                "remove these samples, or fix the preprocessing that made them",
            )


def _cast(array: Array, info: TensorInfo, where: str) -> Array:
    """Real values in the type a user of the original model would pass: float32, or the input's integers."""
    if info.source_dtype:
        check_integers(array, info.source_dtype, where)
    if info.scale != 0.0 and array.dtype == np.dtype(info.dtype) and info.dtype != "uint8":
        return bundle.dequantize(array, info)  # quantized already; uint8 is more often raw pixels
    if info.scale != 0.0 or info.dtype == "float32":
        return _as_float32(array, where)
    dtype = np.dtype(info.dtype)
    if dtype.kind == "b":
        return array.astype(dtype)
    check_integers(array, info.dtype, where)
    return array.astype(dtype)


def _as_float32(array: Array, where: str) -> Array:
    """Raises DataError for numbers that become infinite on the way."""
    with np.errstate(over="ignore"):
        made: Array = array.astype(np.float32)
    if array.dtype.itemsize > made.dtype.itemsize and (np.isinf(made) & np.isfinite(array)).any():
        raise DataError(f"{where} has values beyond float32", "a unit in which they are below 3.4e38")
    return made


def check_integers(array: Array, dtype: str, where: str) -> None:
    """Raises DataError for values that integers of a type can't hold, fractions among them."""
    limits = np.iinfo(dtype)
    if (array != np.trunc(array)).any() or array.min() < limits.min or array.max() > limits.max:
        raise DataError(
            f"{where} does not fit the input's type {dtype}",
            f"save integers in {limits.min}..{limits.max}",
        )


def _fit_labels(named: Named, samples: int) -> Array | None:
    labels = named.labels
    if labels is None:
        return None
    if labels.shape[:1] != (samples,):
        raise DataError(
            f"{named.origin}: {labels.shape} labels for {counted(samples, 'sample')}",
            "give one label per sample, in order",
        )
    if _is_one_hot(labels):
        labels = labels.argmax(axis=1)
    return labels.reshape(samples) if labels.size == samples else labels


def _is_one_hot(labels: Array) -> bool:
    """Rows of zeros with a single one: what else has several columns is targets, not classes."""
    if labels.ndim != 2 or labels.shape[1] < 2 or labels.dtype.kind not in "fiub":
        return False
    return bool(((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) == 1).all())


def are_classes(labels: Array | None) -> bool:
    """Whether these are class indices, one per sample, and not targets of another kind."""
    if labels is None or labels.ndim != 1 or labels.dtype.kind not in "fiub":
        return False
    return bool((labels % 1 == 0).all() and (labels >= 0).all())
