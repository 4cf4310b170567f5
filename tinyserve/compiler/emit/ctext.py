# SPDX-License-Identifier: Apache-2.0
"""Numbers, arrays and shapes as C text."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

_LINE_WIDTH = 100
_INT32_MIN, _INT32_MAX, _UINT32_MAX = -(2**31), 2**31 - 1, 2**32 - 1


def number(value: float) -> str:
    """A C literal of exactly this value. Floats that float32 holds exactly get an f, so that they convert
    to float and to double without loss; other floats are double literals."""
    if isinstance(value, (bool, int, np.integer, np.bool_)):
        return _integer(int(value))
    if not math.isfinite(value):
        sign = "-" if value < 0 else ""
        return "TS_NAN" if math.isnan(value) else f"{sign}TS_INFINITY"
    with np.errstate(over="ignore"):
        single = np.float32(value)
    if float(single) == float(value):
        return _with_point(f"{float(value):.9g}") + "f"
    return _with_point(repr(float(value)))


def _integer(value: int) -> str:
    if value == _INT32_MIN:
        return "(-2147483647 - 1)"
    if _INT32_MIN < value <= _INT32_MAX:
        return str(value)
    if 0 < value <= _UINT32_MAX:
        return f"{value}u"
    if value == -(2**63):
        return "(-9223372036854775807LL - 1)"
    return f"{value}LL" if value < 2**63 else f"{value}ULL"


def _with_point(text: str) -> str:
    """Float literals need a point or an exponent."""
    return text if any(c in text for c in ".e") else f"{text}.0"


def shape_text(shape: tuple[int, ...]) -> str:
    """``1x49x10x1``, or ``scalar``."""
    return "x".join(str(extent) for extent in shape) or "scalar"


def array_lines(values: npt.NDArray[Any]) -> Iterator[str]:
    """The elements of an array as lines of an initialiser, in columns, of readable width."""
    flat = values.reshape(-1)
    if flat.size == 0:
        yield "    0,"
        return
    cells = _cells(flat)
    width = max(map(len, cells))
    per_line = _per_line(values.shape, max(1, (_LINE_WIDTH - 4) // (width + 2)))
    row = ", ".join([f"%{width}s"] * per_line)
    for start in range(0, len(cells), per_line):
        line = cells[start : start + per_line]
        yield (
            "    "
            + (row % tuple(line) if len(line) == per_line else ", ".join(c.rjust(width) for c in line))
            + ","
        )


def _per_line(shape: tuple[int, ...], most: int) -> int:
    """As many as fit, in step with the innermost dimensions where that costs no width."""
    inner = shape[-1] if shape else 1
    if inner <= 1:
        return min(most, 16)
    if inner <= most:
        return inner * (most // inner)
    fits = [count for count in range(most // 2, most + 1) if inner % count == 0 and count]
    return fits[-1] if fits else most


def _cells(flat: npt.NDArray[Any]) -> list[str]:
    """Each element as a literal, fast where the type allows (models have 10^5 of them)."""
    if flat.dtype.kind in "iub" and flat.dtype.itemsize <= 2:
        return list(map(str, flat.astype(np.int32).tolist()))
    return list(map(number, flat.tolist()))
