# SPDX-License-Identifier: Apache-2.0
"""WebAssembly's kernels in wasmtime: shapes, borders, tails, and the requantization of every lane."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.compiler.ops.elementwise import test_add
from tests.compiler.ops.linear import test_conv_2d, test_depthwise_conv_2d, test_fully_connected
from tests.compiler.variants import layers
from tests.compiler.variants.host.test_kernels import wide_float_case
from tests.support.differential import Case, check, run_c
from tests.support.places import KERNELS
from tests.support.special_floats import bits, with_special_values
from tinyserve.compiler.lower import lower
from tinyserve.compiler.passes.load import load
from tinyserve.compiler.program import PORTABLE, Target
from tinyserve.firmware.toolchain import zig_path

wasmtime = pytest.importorskip("wasmtime")
pytest.importorskip("ziglang")

WASM = Target(frozenset({"wasm"}), "speed")
_COMPILER = """#!/bin/bash
# A C compiler whose programs wasmtime runs. Without sanitizers, which WebAssembly lacks.
arguments=()
for argument; do [[ $argument == *sanitize* ]] || arguments+=("$argument"); done
program=${{arguments[-1]}}
{zig} cc -target wasm32-wasi -msimd128 "${{arguments[@]}}" && mv "$program" "$program.wasm" &&
    printf '#!/bin/sh\nexec {python} {runner} "$0.wasm"\n' > "$program" && chmod +x "$program"
"""
_RUNNER = """
import sys, wasmtime
engine = wasmtime.Engine()
store, linker, surroundings = wasmtime.Store(engine), wasmtime.Linker(engine), wasmtime.WasiConfig()
surroundings.inherit_stdin(), surroundings.inherit_stdout(), surroundings.inherit_stderr()
store.set_wasi(surroundings)
linker.define_wasi()
module = wasmtime.Module.from_file(engine, sys.argv[1])
try:
    linker.instantiate(store, module).exports(store)["_start"](store)
except wasmtime.ExitTrap as trap:
    sys.exit(trap.code)
"""


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runner, script = tmp_path / "run.py", tmp_path / "cc"
    runner.write_text(_RUNNER)
    script.write_text(_COMPILER.format(zig=zig_path(), python=sys.executable, runner=runner))
    script.chmod(0o755)
    monkeypatch.setenv("CC", str(script))


def takes_the_variant(case: Case) -> bool:
    return any(call.variant == "wasm" for call in lower(load(case.model), WASM, "case").calls)


_SMALL = (test_conv_2d, test_depthwise_conv_2d, test_fully_connected)
_LARGER = (layers.conv_case, layers.depthwise_case, layers.fully_connected_case)


def small_cases(dtype: str, count: int) -> list[Case]:
    cases = [module.random_case(index, dtype) for module in _SMALL for index in range(count)]
    return cases + [test_add.random_case(index, op, dtype) for op in ("ADD", "SUB") for index in range(count)]


def test_bytes_equal_tflm(compiler: None, tmp_path: Path) -> None:
    cases = small_cases("int8", 14)
    cases += [make(index) for make in _LARGER for index in range(8)]
    check([case for case in cases if takes_the_variant(case)], tmp_path, at_least=50, target=WASM)


def test_float_bits_equal_the_portable_kernels(compiler: None, tmp_path: Path) -> None:
    cases = small_cases("float32", 8)
    cases += [wide_float_case(index) for index in range(6)]
    cases += [with_special_values(case, index) for index, case in enumerate(cases[::4])]
    cases = [case for case in cases if takes_the_variant(case)]
    assert len(cases) > 22
    fast, portable = (
        run_c([(lower(load(case.model), target, "case"), case.samples) for case in cases], tmp_path)
        for target in (WASM, PORTABLE)
    )
    for case, ours, theirs in zip(cases, fast, portable, strict=True):
        want = {run.sample: run.outputs for run in theirs}
        for run in ours:
            assert [bits(o) for o in run.outputs] == [bits(o) for o in want[run.sample]], case.label


_LANES = """
#include "common/fixed_point.h"
#include "wasm/simd.h"
static uint32_t state = 7;
static uint32_t next(void) { return state = state * 1664525u + 1013904223u; }
/* Values of every size below 2^30, multipliers of [2^30, 2^31), shifts of 0 to 30 to the right. */
__attribute__((export_name("differences"))) int32_t differences(int32_t rounds)
{
    int32_t found = 0;
    for (int32_t round = 0; round < rounds; round++) {
        int32_t values[8], bias[8] = {0}, multipliers[8];
        int8_t shifts[8], bytes[16];
        const int32_t count = (int32_t)(next() >> 16) % 9;
        for (int32_t i = 0; i < 8; i++) {
            shifts[i] = (int8_t)-((int32_t)(next() >> 16) % 31);
            values[i] = ((int32_t)next() >> 2) >> (next() >> 27) % 30;
            multipliers[i] = (int32_t)(1u << 30 | next() >> 2);
        }
        const ts_wasm_requant r = {bias, multipliers, shifts, -7, -100, 90};
        const ts_wasm_factors first = ts_wasm_factors_at(&r, 0), second = ts_wasm_factors_at(&r, 4);
        const v128_t low = ts_wasm_requantize(wasm_v128_load(values), &first);
        const v128_t high = ts_wasm_requantize(wasm_v128_load(values + 4), &second);
        bytes[count] = 77;
        ts_wasm_store_bytes(ts_wasm_bytes(low, high, &r), bytes, count);
        found += count < 8 && bytes[count] != 77;
        for (int32_t i = 0; i < count; i++) {
            const int32_t scaled = ts_requantize(values[i], multipliers[i], shifts[i]);
            found += bytes[i] != ts_clamp(scaled - 7, -100, 90);
        }
    }
    return found;
}
"""


def test_lanes_requantize_as_the_scalar_function_does(tmp_path: Path) -> None:
    (tmp_path / "lanes.c").write_text(_LANES)
    command = [
        str(zig_path()), "cc", "-target", "wasm32-freestanding", "-mcpu=generic+simd128", "-std=c11", "-O2",
        "-nostdlib", "-Wl,--no-entry", f"-I{KERNELS}", "lanes.c", "-o", "lanes.wasm",
    ]  # fmt: skip
    subprocess.run(command, cwd=tmp_path, check=True, timeout=120)
    store = wasmtime.Store()
    module = wasmtime.Module.from_file(store.engine, str(tmp_path / "lanes.wasm"))
    assert wasmtime.Instance(store, module, []).exports(store)["differences"](store, 50000) == 0
