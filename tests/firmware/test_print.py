# SPDX-License-Identifier: Apache-2.0
"""Numbers printed without libc, against Python's (and so C's) exact rounding."""

from __future__ import annotations

import ctypes
import math
import struct
import subprocess
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyserve.resources import data_directory

_SINK = """
#include <stddef.h>
#include "port.h"
char sink[256];
size_t sink_length;
void port_putc(char c) { sink[sink_length++] = c; sink[sink_length] = 0; }
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    directory = tmp_path_factory.mktemp("print")
    common = data_directory("firmware_templates") / "common"
    (directory / "sink.c").write_text(_SINK)
    built = directory / "print.so"
    command = ["cc", "-O1", "-shared", "-fPIC", "-fsanitize=undefined", "-fno-sanitize-recover=all"]
    sources = [str(common / "serial_text.c"), str(directory / "sink.c")]
    subprocess.run([*command, f"-I{common}", *sources, "-o", str(built)], check=True, timeout=120)
    return ctypes.CDLL(str(built))


def _printed(library: ctypes.CDLL, call: Callable[[], object]) -> str:
    ctypes.c_size_t.in_dll(library, "sink_length").value = 0
    call()
    return ctypes.string_at(ctypes.addressof(ctypes.c_char.in_dll(library, "sink"))).decode()


def _float(bits: int) -> float:
    return struct.unpack("<f", struct.pack("<I", bits))[0]


@given(bits=st.integers(0, 2**32 - 1))
def test_floats_print_as_printf_rounds_them(library: ctypes.CDLL, bits: int) -> None:
    value = _float(bits)
    expected = "nan" if math.isnan(value) else f"{value:.3f}"
    assert _printed(library, lambda: library.print_float(ctypes.c_float(value))) == expected


@pytest.mark.parametrize(
    "value",
    [0.0, -0.0, 0.0005, 0.0015, 0.0625, 0.1875, -0.0004, 0.9995, 2.0**127, -(2.0**-149), math.inf, -math.inf],
)
def test_edges_print_as_printf_rounds_them(library: ctypes.CDLL, value: float) -> None:
    single = struct.unpack("<f", struct.pack("<f", value))[0]
    assert _printed(library, lambda: library.print_float(ctypes.c_float(single))) == f"{single:.3f}"


@given(
    negative=st.booleans(),
    steps=st.integers(0, 2**17),
    mantissa=st.integers(2**23, 2**24 - 1),
    exponent=st.integers(-60, 10),
)
def test_quantized_values_print_exactly(
    library: ctypes.CDLL, negative: bool, steps: int, mantissa: int, exponent: int
) -> None:
    value = math.ldexp(steps * mantissa, exponent)  # at most 41 bits: exact in a double
    text = _printed(
        library,
        lambda: library.print_scaled(
            ctypes.c_int(negative), ctypes.c_uint64(steps * mantissa), ctypes.c_int32(exponent)
        ),
    )
    assert text == ("-" if negative else "") + f"{value:.3f}"


@given(value=st.integers(0, 2**64 - 1))
def test_integers_print_in_full(library: ctypes.CDLL, value: int) -> None:
    assert _printed(library, lambda: library.print_unsigned(ctypes.c_uint64(value))) == str(value)
    scaled = lambda: library.print_scaled(ctypes.c_int(0), ctypes.c_uint64(value), ctypes.c_int32(0))  # noqa: E731
    assert _printed(library, scaled) == f"{value}.000"
