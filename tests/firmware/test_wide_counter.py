# SPDX-License-Identifier: Apache-2.0
"""A 32-bit counter made wide: however many of its turns pass between two readings."""

from __future__ import annotations

import ctypes
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyserve.resources import data_directory

SOURCE = """
#include "wide_counter.h"
static wide_counter counter;
void start(uint32_t reading, uint64_t us) { wide_counter_start(&counter, reading, us); }
uint64_t add(uint32_t reading, uint64_t us, uint32_t hz)
{
    return wide_counter_add(&counter, reading, us, hz);
}
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    directory = tmp_path_factory.mktemp("wide")
    (directory / "wide.c").write_text(SOURCE)
    include = data_directory("firmware_templates") / "common"
    flags = ["-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Werror", f"-I{include}", "-shared", "-fPIC"]
    built = directory / "wide.so"
    subprocess.run(["gcc", *flags, directory / "wide.c", "-o", built], check=True, timeout=60)
    loaded = ctypes.CDLL(str(built))
    loaded.start.argtypes = [ctypes.c_uint32, ctypes.c_uint64]
    loaded.add.argtypes = [ctypes.c_uint32, ctypes.c_uint64, ctypes.c_uint32]
    loaded.add.restype = ctypes.c_uint64
    return loaded


@given(
    hz=st.sampled_from([32_768, 64_000_000, 480_000_000, 600_000_000]),
    begin=st.integers(0, 2**40),
    steps=st.lists(st.integers(0, 10**9), min_size=1, max_size=8),
)
def test_nothing_is_lost_between_readings(
    library: ctypes.CDLL, hz: int, begin: int, steps: list[int]
) -> None:
    """Microseconds between readings are up to a thousand seconds: 140 turns at 600 MHz."""

    def reading(us: int) -> int:
        return us * hz // 1_000_000

    library.start(reading(begin) % 2**32, begin)
    now = begin
    for step in steps:
        now += step
        assert library.add(reading(now) % 2**32, now, hz) == reading(now) - reading(begin)
