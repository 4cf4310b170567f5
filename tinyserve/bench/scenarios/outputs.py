# SPDX-License-Identifier: Apache-2.0
"""The device's output bytes against the expected ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

FLOAT_TOLERANCE = 1e-4
"""Of float32 values, as a part of the largest expected one."""


def alike(got: npt.NDArray[Any], expected: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which values of two engines agree: integers that are equal, float32 within a thousandth, since engines
    sum in different orders."""
    if expected.dtype != np.float32:
        return np.asarray(got == expected)
    return np.asarray(np.isclose(got, expected, rtol=1e-3, atol=1e-4))


def difference(got: Sequence[bytes], expected: Sequence[npt.NDArray[Any]]) -> str:
    """Where the outputs of a sample first differ from what they should be; '' where they don't.

    Integers must be equal byte for byte, float32 within FLOAT_TOLERANCE.
    """
    for number, (raw, wanted) in enumerate(zip(got, expected, strict=True)):
        if len(raw) != wanted.nbytes:
            return f"output {number} has {len(raw)} bytes, expected {wanted.nbytes}"
        found = _float(raw, wanted) if wanted.dtype == np.float32 else _bytes(raw, wanted.tobytes())
        if found:
            return f"output {number}: {found}"
    return ""


def _bytes(raw: bytes, wanted: bytes) -> str:
    places = [place for place, (a, b) in enumerate(zip(raw, wanted, strict=True)) if a != b]
    if not places:
        return ""
    place = places[0]
    return (
        f"{len(places)} of {len(raw)} bytes differ, the first at {place}: "
        f"{raw[place]:#04x}, expected {wanted[place]:#04x}"
    )


def _float(raw: bytes, wanted: npt.NDArray[Any]) -> str:
    values, flat = np.frombuffer(raw, dtype="<f4").astype(np.float64), wanted.reshape(-1).astype(np.float64)
    allowed = FLOAT_TOLERANCE * float(np.max(np.abs(flat), initial=0.0))
    off = np.abs(values - flat)
    wrong = np.flatnonzero(~(off <= allowed))  # NaN is wrong too
    if not len(wrong):
        return ""
    place = int(wrong[0])
    return (
        f"{len(wrong)} of {len(flat)} values are off by more than {allowed:.3g}, the first at {place}: "
        f"{values[place]:.6g}, expected {flat[place]:.6g}"
    )
