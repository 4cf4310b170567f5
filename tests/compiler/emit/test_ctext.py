# SPDX-License-Identifier: Apache-2.0
"""Literals hold exactly their value; arrays hold exactly their elements."""

from __future__ import annotations

import ctypes
import math
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.places import KERNELS
from tinyserve.compiler.emit.ctext import array_lines, number


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_float32_literals_are_exact(value: float) -> None:
    text = number(value)
    assert text.endswith("f")
    assert np.float32(text[:-1]) == np.float32(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_float64_literals_are_exact(value: float) -> None:
    text = number(value)
    assert (float(np.float32(text[:-1])) if text.endswith("f") else float(text)) == value
    assert any(c in text for c in ".e")


LIMITS = {
    "int8": [-128, 127, 0],
    "uint8": [255, 0],
    "int16": [-32768, 32767],
    "uint16": [65535],
    "int32": [-(2**31), 2**31 - 1, -1],
    "uint32": [2**32 - 1, 2**31],
    "int64": [-(2**63), 2**63 - 1, 2**32, -(2**31) - 1],
    "float32": [0.0, -0.0, 1.0, -1.5e-42, 3.4028235e38, math.inf, -math.inf, math.nan, 1 / 3, 16777216.0],
}


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_compilers_read_back_every_array(compiler: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    arrays = {}
    for name, limits in LIMITS.items():
        values = np.array(limits, name)
        more = rng.integers(0, 256, 4096, dtype=np.uint8).view(name)
        if name == "float32":
            more = more[np.isfinite(more)]
        arrays[name] = np.concatenate([values, more])
    text = ["#include <stdint.h>", f'#include "{KERNELS}/common/compiler.h"']
    for name, values in arrays.items():
        c_type = "float" if name == "float32" else f"{name}_t"
        text += [f"const {c_type} a_{name}[{values.size}] = {{", *array_lines(values.reshape(1, -1)), "};"]
    (tmp_path / "a.c").write_text("\n".join([*text, ""]))
    strict = ["-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror"]
    command = [compiler, *strict, "-shared", "-fPIC", "a.c", "-o", "a.so"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=60)
    library = ctypes.CDLL(str(tmp_path / "a.so"))
    for name, values in arrays.items():
        stored = (ctypes.c_uint8 * values.nbytes).in_dll(library, f"a_{name}")
        read = np.frombuffer(bytes(stored), values.dtype)
        np.testing.assert_array_equal(read, values)
        if name == "float32":
            np.testing.assert_array_equal(np.signbit(read[:2]), [False, True])


@pytest.mark.parametrize("shape", [(0,), (1,), (3, 3), (7, 2, 5), (64, 1), (2, 300)])
def test_lines_are_of_readable_width_and_complete(shape: tuple[int, ...]) -> None:
    values = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    lines = list(array_lines(values))
    assert max(map(len, lines)) <= 110
    numbers = [int(cell) for line in lines for cell in line.split(",") if cell.strip()]
    assert numbers == (values.reshape(-1).tolist() or [0])
