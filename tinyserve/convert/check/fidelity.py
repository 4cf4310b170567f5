# SPDX-License-Identifier: Apache-2.0
"""How far a converted model is from the original, on samples that calibration has not seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.bundle import OutputAccuracy, TensorInfo

Array = npt.NDArray[Any]


def compare(
    reference: list[Array], converted: list[Array], inputs: list[TensorInfo], outputs: list[TensorInfo]
) -> list[OutputAccuracy]:
    """Per output: SQNR, largest error and top-1 agreement. Arrays are (N, ...) in real units."""
    return [
        OutputAccuracy(
            name=info.name,
            sqnr_db=sqnr_db(wanted, got),
            max_error=max_error(wanted, got),
            top1_agreement=top1_agreement(wanted, got) if is_classifier(info, inputs) else None,
        )
        for info, wanted, got in zip(outputs, reference, converted, strict=True)
    ]


def sqnr_db(reference: Array, converted: Array) -> float | None:
    """Signal to quantization noise ratio, 10 log10(sum r^2 / sum (r - c)^2).

    None where it has no value: equal arrays (infinite) or a reference of zeros.
    """
    wanted = reference.astype(np.float64)
    signal, noise = float(np.sum(wanted**2)), float(np.sum((wanted - converted.reshape(wanted.shape)) ** 2))
    return float(10 * np.log10(signal / noise)) if signal > 0 and noise > 0 else None


def max_error(reference: Array, converted: Array) -> float:
    """Largest absolute difference."""
    wanted = reference.astype(np.float64)
    return float(np.max(np.abs(wanted - converted.reshape(wanted.shape)), initial=0.0))


def cosine(reference: Array, converted: Array) -> float | None:
    """Cosine similarity of the two as vectors; None where one is all zeros."""
    a, b = reference.astype(np.float64).ravel(), converted.astype(np.float64).ravel()
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / norm if norm > 0 else None


def top1_agreement(reference: Array, converted: Array) -> float:
    """Share of samples with the same largest class (0..1)."""
    same = reference.reshape(len(reference), -1).argmax(1) == converted.reshape(len(converted), -1).argmax(1)
    return float(same.mean())


def top1_accuracy(outputs: Array, labels: Array) -> float:
    """Share of samples whose largest class is the label (0..1); one output is a probability at 0.5."""
    flat = outputs.reshape(len(outputs), -1)
    predicted = flat.argmax(1) if flat.shape[1] > 1 else (flat[:, 0] > 0.5).astype(np.int64)
    return float((predicted == labels).mean())


def is_classifier(output: TensorInfo, inputs: list[TensorInfo]) -> bool:
    """Whether an output looks like class scores: a vector of 2 to 1000, not the shape of an input."""
    if any(output.shape == info.shape for info in inputs):
        return False  # an autoencoder
    return len(output.shape) == 2 and 2 <= output.shape[1] <= 1000
