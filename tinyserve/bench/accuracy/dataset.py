# SPDX-License-Identifier: Apache-2.0
"""A data set to run on the device, and the accuracy that comes out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.bench.result import Accuracy
from tinyserve.bundle import Bundle, Manifest, TensorInfo, dequantize, quantize
from tinyserve.errors import DataError, TinyserveError

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class LabelledData:
    """Samples in the model's own types, ready for the device, with their labels (class indices).

    ``real_inputs`` are the same samples in real units (float32), for the float original.
    """

    name: str
    sha256: str
    inputs: list[Array]
    labels: npt.NDArray[np.int64]
    real_inputs: list[Array]

    def __len__(self) -> int:
        return len(self.labels)

    def sample(self, index: int) -> list[bytes]:
        """The bytes of each input of one sample."""
        return [array[index].tobytes() for array in self.inputs]


def check_file(path: Path) -> None:
    """Raises DataError where ``path`` is no data set: what can be checked without knowing the model."""
    from tinyserve.datasets import arrays

    if not path.exists():
        raise DataError(f"{path}: no such file or directory", "check the path of --dataset")
    if path.is_file() and path.suffix == ".npz" and arrays.read_npz(path).labels is None:
        raise _no_labels(path)


def _no_labels(path: Path) -> DataError:
    return DataError(f"{path}: has no labels, so that there is no accuracy to measure", "add an array 'y'")


def load(path: Path, manifest: Manifest, limit: int | None = None) -> LabelledData:
    """A data set with labels for the model's inputs. Real values are quantized as the model wants them.

    ``limit``: no more than the first so many samples.

    Raises DataError where it is missing, malformed, or has no labels.
    """
    from tinyserve.datasets import readers

    found = readers.load(path, manifest.inputs)
    if found.labels is None:
        raise _no_labels(path)
    inputs = [
        np.ascontiguousarray(quantize(array[:limit], info))
        for array, info in zip(found.inputs, manifest.inputs, strict=True)
    ]
    labels = _class_indices(found.labels[:limit], path, manifest)
    real = [array[:limit] for array in found.inputs]
    return LabelledData(path.name, _digest(inputs, labels), inputs, labels, real)


def _class_indices(labels: Array, path: Path, manifest: Manifest) -> npt.NDArray[np.int64]:
    check_outputs(manifest)
    check_shape(labels, str(path))
    classes = class_count(manifest.outputs[0])
    is_whole = labels.dtype.kind in "iub" or (labels.dtype.kind == "f" and bool((labels % 1 == 0).all()))
    if not is_whole:  # NaN and infinity are none either
        raise DataError(
            f"{path}: labels are not whole numbers (type {labels.dtype}, the first is {labels[0]!s})",
            "give class indices from 0, or one-hot rows",
        )
    whole = labels.astype(np.int64)
    if whole.min() < 0 or whole.max() >= classes:
        raise DataError(
            f"{path}: labels reach from {whole.min()} to {whole.max()}, the model has {classes} classes",
            "give class indices from 0",
        )
    return whole


def class_count(output: TensorInfo) -> int:
    """Classes that an output tells apart; one value tells two apart."""
    return max(int(np.prod(output.shape)), 2)


def check_outputs(manifest: Manifest) -> None:
    """Raises DataError for a model of several outputs: labels do not say which of them they are of."""
    if len(manifest.outputs) > 1:
        names = ", ".join(info.name for info in manifest.outputs)
        raise DataError(
            f"the model has {len(manifest.outputs)} outputs ({names}), and labels are of one",
            f"name it: tinyserve accuracy BUNDLE --dataset DATA --output {manifest.outputs[0].name}",
        )


def check_shape(labels: Array, origin: str) -> None:
    """Raises DataError for labels that are several values per sample."""
    if labels.ndim != 1:
        raise DataError(
            f"{origin}: labels of shape {labels.shape} are neither class indices nor one-hot rows",
            "give one class index per sample, or rows of zeros with a single one",
        )


def _digest(inputs: Sequence[Array], labels: Array) -> str:
    total = hashlib.sha256()
    for array in (*inputs, labels):
        total.update(f"{array.dtype} {array.shape}".encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def predicted_class(output: bytes, info: TensorInfo) -> int:
    """The class that an output's bytes say: the largest value, or whether a single one is beyond a half."""
    values = np.frombuffer(output, dtype=np.dtype(info.dtype).newbyteorder("<"))
    if values.size > 1:
        return int(values.argmax())
    return int(dequantize(values, info)[0] > 0.5)


def accuracy(data: LabelledData, predictions: Sequence[int], classes: int) -> Accuracy:
    """Counts the predictions for the first ``len(predictions)`` samples."""
    confusion = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(confusion, (data.labels[: len(predictions)], np.asarray(predictions, dtype=np.int64)), 1)
    return Accuracy(
        dataset=data.name,
        dataset_sha256=data.sha256,
        samples=len(predictions),
        correct=int(np.trace(confusion)),
        confusion=confusion.tolist(),
    )


def float_top1(bundle: Bundle, data: LabelledData, operators: tuple[Path, ...] = ()) -> float | None:
    """Top-1 accuracy of the float original that the bundle was quantized from, run on this computer by our
    own float32 kernels; None where the bundle has none or it can't be compiled."""
    path = bundle.original_path()
    if path is None:
        return None
    from tinyserve.compiler.compile import compile_model
    from tinyserve.compiler.host.model import FAST, HostModel

    try:
        model = HostModel(compile_model(path.read_bytes(), replace(FAST, operators=operators)))
        outputs = model.run_batch([array.astype(np.float32)[:, None] for array in data.real_inputs])[0]
    except TinyserveError:
        return None
    flat = outputs.reshape(len(data), -1)
    predicted = flat.argmax(axis=1) if flat.shape[1] > 1 else (flat[:, 0] > 0.5).astype(np.int64)
    return float((predicted == data.labels).mean())
