# SPDX-License-Identifier: Apache-2.0
"""The generated C: compiles without a warning, links with others, is the same on every machine."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.compiler.host.test_model import add_model
from tests.support.flatbuffer_builder import ModelBuilder
from tests.support.models import INT8_CRC, model_bytes
from tests.support.places import KERNELS
from tinyserve.compiler.compile import Compiled, compile_model, write
from tinyserve.compiler.emit.emit import emit
from tinyserve.compiler.graph.types import DType, Graph, Model, Quantization, Tensor
from tinyserve.compiler.host.model import HostModel
from tinyserve.compiler.passes import PassReport
from tinyserve.compiler.plan.planner import plan
from tinyserve.compiler.program import PORTABLE, Buffer, Constant, KernelCall, Params, Program, Target

STRICT = [
    "-std=c11",
    "-O2",
    "-Wall",
    "-Wextra",
    "-Wconversion",
    "-Wpedantic",
    "-Wmissing-prototypes",
    "-Werror",
]
HOSTILE = 'a*/b "c"\\ \n\t/* // ??/ ü 1'


def compiles(compiler: str, arguments: list[str], directory: Path) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    result = subprocess.run(
        [compiler, *arguments], cwd=directory, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr


def hostile_model() -> bytes:
    """Two tensors whose names would break C comments, strings and identifiers, and clash with each other."""
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((2, 3), "int8", 0.5, name=HOSTILE)
    y = graph.tensor((2, 3), "int8", 0.5, name="int")
    z = graph.tensor((2, 3), "int8", 0.5, name="int")
    graph.op("ADD", [x, graph.constant(np.ones((2, 3), np.int8), 0.5, name="while")], [y])
    graph.op("ADD", [y, x], [z])
    graph.output(z)
    return model.build()


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("profile", [[], ["-DTS_MODEL_PROFILE"]], ids=["plain", "profile"])
@pytest.mark.parametrize("data", [add_model(), hostile_model()], ids=["add", "hostile names"])
def test_strict_compilers_have_nothing_to_say(
    compiler: str, profile: list[str], data: bytes, tmp_path: Path
) -> None:
    compiled = compile_model(data)
    write(compiled, tmp_path)
    compiles(compiler, [*STRICT, *profile, "-c", *compiled.sources.compile], tmp_path)


@pytest.mark.models
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("name", [*INT8_CRC, "pretrainedResnet"])
def test_mlperf_tiny_models_compile_without_warnings(compiler: str, name: str, tmp_path: Path) -> None:
    compiled = compile_model(model_bytes(name))
    write(compiled, tmp_path)
    compiles(compiler, [*STRICT, "-DTS_MODEL_PROFILE", "-c", *compiled.sources.compile], tmp_path)


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_the_headers_can_be_included_from_cpp(compiler: str, tmp_path: Path) -> None:
    write(compile_model(hostile_model(), name="kws"), tmp_path)
    (tmp_path / "main.cpp").write_text(
        '#include "kws.h"\n#include "kws_weights.h"\n#include <cstdint>\n'
        "static const std::int32_t shape[] = TS_KWS_INPUT_0_SHAPE;\n"
        "int main() { ts_kws_init(); return ts_kws_invoke() + shape[0]; }\n"
    )
    compiles(compiler, ["-Wall", "-Wextra", "-Werror", "-c", "main.cpp"], tmp_path)


def test_big_endian_processors_are_refused_when_compiling(tmp_path: Path) -> None:
    write(compile_model(add_model()), tmp_path)
    zig = [sys.executable, "-m", "ziglang", "cc", "-c", "model.c", "-target"]
    big = subprocess.run(
        [*zig, "armeb-freestanding-eabi"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert big.returncode != 0
    assert "little-endian" in big.stderr
    compiles(sys.executable, [*zig[1:], "arm-freestanding-eabi"], tmp_path)


def test_two_models_link_together(tmp_path: Path) -> None:
    sources = []
    for name, rows in (("left", 4), ("right", 6)):
        compiled = compile_model(add_model(rows), name=name)
        write(compiled, tmp_path)
        sources += compiled.sources.compile
    compiles("cc", ["-shared", "-fPIC", *sources, "-o", "both.so"], tmp_path)
    library = ctypes.CDLL(str(tmp_path / "both.so"))
    for name, rows in (("left", 4), ("right", 6)):
        for function in ("input", "output"):
            getattr(library, f"ts_{name}_{function}").restype = ctypes.c_void_p
        getattr(library, f"ts_{name}_init")()
        for index, zero_point in ((0, 3), (1, -5)):
            ctypes.memset(getattr(library, f"ts_{name}_input")(index), (zero_point + 4) & 0xFF, rows)
    for name, rows in (("left", 4), ("right", 6)):
        assert getattr(library, f"ts_{name}_invoke")() == 0
        # 4 steps of 0.5 and 4 of 0.25 are 3 steps of 1.0
        assert ctypes.string_at(getattr(library, f"ts_{name}_output")(0), rows) == b"\x03" * rows


def test_there_is_no_input_or_output_beyond_the_last(tmp_path: Path) -> None:
    compiled = compile_model(add_model())
    write(compiled, tmp_path)
    compiles("cc", ["-shared", "-fPIC", *compiled.sources.compile, "-o", "model.so"], tmp_path)
    library = ctypes.CDLL(str(tmp_path / "model.so"))
    for function in (library.ts_model_input, library.ts_model_output):
        function.restype = ctypes.c_void_p
        assert [function(index) is None for index in (0, 1, 2, 0xFFFFFFFF)] == [False, False, True, True]


def test_another_name_gives_other_files_and_prefixes() -> None:
    compiled = compile_model(add_model(), name="kws")
    assert {"kws.c", "kws.h", "kws_weights.c", "kws_weights.h"} <= set(compiled.sources.files)
    for content in compiled.sources.files.values():
        assert isinstance(content, str)
        assert "ts_model_" not in content
    assert "int ts_kws_invoke(void);" in str(compiled.sources.files["kws.h"])


def test_the_default_name_gives_the_documented_files() -> None:
    compiled = compile_model(add_model())
    own = {path for path in compiled.sources.files if not path.startswith("kernels/")}
    assert own == {"model.c", "model.h", "model.hpp", "model_values.h", "weights.c", "weights.h"}


def test_included_kernels_come_along_and_nothing_else_is_needed(tmp_path: Path) -> None:
    compiled = compile_model(add_model())
    write(compiled, tmp_path)
    for path in tmp_path.rglob("*.[ch]"):
        for include in re.findall(r'#include "([^"]+)"', path.read_text()):
            assert (path.parent / include).is_file(), f"{path} includes {include}"


def test_the_text_is_the_same_whatever_the_process(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(hostile_model())
    script = (
        "import sys, pathlib; from tinyserve.compiler.compile import compile_model\n"
        "files = compile_model(pathlib.Path('model.tflite').read_bytes()).sources.files\n"
        "sys.stdout.write(''.join(path + str(text) for path, text in files.items()))"
    )
    texts = set()
    for seed, place in (("1", "a"), ("2", "b/c")):
        directory = tmp_path / place
        directory.mkdir(parents=True)
        shutil.copy(tmp_path / "model.tflite", directory)
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"}
        result = subprocess.run(
            [sys.executable, "-c", script], cwd=directory, env=environment, capture_output=True, check=True
        )
        texts.add(result.stdout)
        assert str(tmp_path).encode() not in result.stdout
    assert len(texts) == 1


def test_the_header_tells_shapes_scales_and_sizes() -> None:
    compiled = compile_model(add_model())
    header = compiled.sources.files["model.h"]
    for line in (
        "#define TS_MODEL_INPUT_COUNT 2",
        "#define TS_MODEL_INPUT_0_SHAPE {1, 4}",
        "#define TS_MODEL_INPUT_1_SCALE 0.25f",
        "#define TS_MODEL_INPUT_1_ZERO_POINT -5",
        "#define TS_MODEL_INPUT_BYTES {4, 4}",
        "#define TS_MODEL_OUTPUT_1_TYPE int8_t",
        f"#define TS_MODEL_ARENA_BYTES {compiled.plan.arena_bytes}",
        f'#define TS_MODEL_SHA256 "{compiled.model.sha256}"',
    ):
        assert f"{line}\n" in str(header)


@dataclass(frozen=True)
class CounterParams(Params, c_type="counter_params"):
    size: int
    a_offset: int


def counter_program() -> Program:
    """State that counts up from 5, written against the contract alone: no operator is needed."""
    quantization = Quantization((1.0,), (0,))
    x = Tensor(0, "x", (4,), DType.INT8, quantization)
    table = Tensor(1, "table", (3,), DType.INT16, quantization, data=np.array([1, -2, 300], np.int16))
    source = Buffer("x", 4, DType.INT8, "input", tensor=x)
    state = Buffer("count", 4, DType.INT8, "state")
    initial = Constant("count_initial", np.full(4, 5, np.uint8), "uint8_t")
    constant = Constant("table", np.array([1, -2, 300], np.int16), "int16_t", alignment=16)
    one = Constant("ones", np.ones(4, np.int8), "int8_t")
    call = KernelCall(
        "count_up",
        "counter.h",
        CounterParams(size=4, a_offset=0),
        [one, state],
        [state],
        [state],
        "tick",
        "COUNT",
    )
    return Program(
        "model", PORTABLE, [call], [source, state], [initial, constant, one],
        [source], [source, constant, state], [x],
        [x, table, Tensor(2, "count", (4,), DType.INT8, quantization)], "00" * 32,
        {state: initial}, {x: source},
    )  # fmt: skip


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Compiled:
    """The counter, compiled with a kernel of its own."""
    (tmp_path / "counter.h").write_text(
        "typedef struct { int32_t size, a_offset; } counter_params;\n"
        "static inline void count_up(const counter_params *p, const int8_t *by, int8_t *count) {\n"
        "  for (int32_t i = 0; i < p->size; i++) count[i] = (int8_t)(count[i] + by[i] + p->a_offset);\n}\n"
    )
    monkeypatch.setattr("tinyserve.compiler.emit.kernel_files._ROOT", tmp_path)
    (tmp_path / "common").mkdir()
    shutil.copy(KERNELS / "common/compiler.h", tmp_path / "common")
    program = counter_program()
    memory = plan(program)
    model = Model([Graph("main", [], [], [], [])], "", program.model_sha256)
    return Compiled("model", b"", model, PassReport(), program, memory, emit(program, memory))


def test_state_lives_across_inferences_and_reset_brings_it_back(counter: Compiled) -> None:
    host = HostModel(counter)
    x = np.arange(4, dtype=np.int8)
    assert [host.run([x])[2].tolist() for _ in range(3)] == [[6] * 4, [7] * 4, [8] * 4]
    host.reset()
    assert host.run([x])[2].tolist() == [6] * 4
    batch = np.zeros((3, 4), np.int8)
    assert host.run_batch([batch])[2].tolist() == [[6] * 4] * 3
    assert host.run_batch([batch], reset=False)[2].tolist() == [[7] * 4, [8] * 4, [9] * 4]


def test_outputs_may_be_inputs_and_constants(counter: Compiled) -> None:
    x = np.array([9, 8, 7, -6], np.int8)
    passed, table, _ = HostModel(counter).run([x])
    np.testing.assert_array_equal(passed, x)
    np.testing.assert_array_equal(table, np.array([1, -2, 300], np.int16))


def test_sanitizers_agree_about_state(counter: Compiled) -> None:
    batch = np.zeros((3, 4), np.int8)
    outputs = HostModel(counter, sanitize=True).run_batch([batch], reset=False)
    assert outputs[2].tolist() == [[6] * 4, [7] * 4, [8] * 4]


@pytest.mark.parametrize("level", ["-O1", "-O2", "-O3", "-Os"])
def test_gcc_keeps_the_call_of_a_layer_whose_output_lies_over_its_input(level: str, tmp_path: Path) -> None:
    """GCC 12 took the store for one to NULL, and deleted the call."""
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 10), "int8", 0.5, 4)
    y = graph.tensor((1, 10), "float32")
    graph.op("DEQUANTIZE", [x], [y])
    graph.output(y)
    compiled = compile_model(model.build())
    (call,) = compiled.program.calls
    (overlap,) = call.overlaps
    starts = [compiled.plan.offsets[buffer] for buffer in (overlap.input, overlap.output)]
    assert starts[0] < starts[1] + overlap.output.nbytes, "nothing overlaps"
    write(compiled, tmp_path)
    compiles(
        "gcc", [level, "-std=c11", "-shared", "-fPIC", *compiled.sources.compile, "-o", "m.so"], tmp_path
    )
    library = ctypes.CDLL(str(tmp_path / "m.so"))
    library.ts_model_input.restype = library.ts_model_output.restype = ctypes.c_void_p
    ctypes.memmove(library.ts_model_input(0), bytes(range(10)), 10)
    assert library.ts_model_invoke() == 0
    got = np.frombuffer(ctypes.string_at(library.ts_model_output(0), 40), np.float32)
    np.testing.assert_array_equal(got, (np.arange(10) - 4) * np.float32(0.5))


def test_scratch_is_named_after_the_layer_and_what_it_is_for() -> None:
    """Names of frameworks are long paths, of which nothing but the start would be left."""
    model = ModelBuilder()
    graph = model.graph()
    layer = "functional_1/block_with_a_long_name_1/conv2d_7_1"
    x = graph.input((1, 6, 6, 8), "int8", 0.05)
    weights = graph.constant(np.ones((8, 3, 3, 8), np.int8), [0.01] * 8, axis=0)
    y = graph.tensor((1, 6, 6, 8), "int8", 0.1, name=f"{layer}/Relu;{layer}/BiasAdd")
    graph.op("CONV_2D", [x, weights, None], [y], padding="SAME", stride_h=1, stride_w=1)
    graph.output(y)
    program = compile_model(model.build(), Target(frozenset({"dsp", "fpu"}))).program
    names = [buffer.name for buffer in program.buffers if buffer.kind == "scratch"]
    assert names == ["block_with_a_long_name_1_conv2d_7_1_patch"]
