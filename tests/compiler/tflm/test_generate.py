# SPDX-License-Identifier: Apache-2.0
"""The glue compiles in both namespaces, has the model's operators, and runs in the real TFLM."""

from __future__ import annotations

import subprocess
import sys
import zlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tests.compiler.tflm.models import DECLARATIONS, add_model
from tests.support.flatbuffer_builder import ModelBuilder
from tests.support.models import INT8_CRC, model_bytes, pattern
from tests.support.tflm import require
from tinyserve.compiler.compile import Compiled
from tinyserve.compiler.graph.reader import read
from tinyserve.compiler.ops.support.tflm_resolver import METHODS, lacking_in, resolver_methods
from tinyserve.compiler.program import PORTABLE
from tinyserve.compiler.tflm.generate import interpret
from tinyserve.errors import ModelError, UnsupportedError

CXX = ["g++", "-std=c++17", "-O1", "-fno-exceptions", "-fno-rtti", f"-isystem{DECLARATIONS}"]
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Werror"]


def write(compiled: Compiled, directory: Path) -> None:
    for name, text in compiled.sources.files.items():
        (directory / name).write_text(str(text))


def variable_model() -> bytes:
    """A counter: reads a variable, adds the input, writes it back."""
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 8), "int8", scale=0.5)
    handle = graph.tensor((1,), "resource")
    read = graph.tensor((1, 8), "int8", scale=0.5)
    y = graph.tensor((1, 8), "int8", scale=0.5)
    graph.op("VAR_HANDLE", [], [handle], shared_name="counter", container="")
    graph.op("READ_VARIABLE", [handle], [read])
    graph.op("ADD", [x, read], [y])
    graph.op("ASSIGN_VARIABLE", [handle, y], [])
    graph.output(y)
    return model.build()


@pytest.mark.parametrize("flags", [[], ["-DTFLM_OLD_NAMESPACE"]], ids=["tflite::micro", "tflite"])
@pytest.mark.parametrize("make", [add_model, variable_model])
def test_the_glue_compiles_without_warnings_in_both_namespaces(
    make: object, flags: list[str], tmp_path: Path
) -> None:
    assert callable(make)
    write(interpret(make(), PORTABLE), tmp_path)
    command = [*CXX, *WARNINGS, *flags, "-c", "model.cpp", "-o", "model.o"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=120)
    weights = ["gcc", "-std=c11", *WARNINGS, "-c", "model_weights.c", "-o", "weights.o"]
    subprocess.run(weights, cwd=tmp_path, check=True, timeout=120)


def test_the_resolver_has_the_operators_of_the_model_and_no_others() -> None:
    compiled = interpret(variable_model(), PORTABLE, "counter")
    glue = str(compiled.sources.files["counter.cpp"])
    added = sorted(
        line.split("resolver.")[1].split("(")[0] for line in glue.splitlines() if "resolver.A" in line
    )
    assert added == ["AddAdd", "AddAssignVariable", "AddReadVariable", "AddVarHandle"]
    assert "MicroMutableOpResolver<4>" in glue
    assert "MicroResourceVariables::Create(allocator, 1)" in glue


@pytest.mark.parametrize("dtype", ["int8", "int32"])
def test_types_that_tflm_refuses_when_it_computes_are_named_before(dtype: str) -> None:
    """SELECT_V2 of the ids in front of an embedding."""
    model = ModelBuilder()
    graph = model.graph()
    scale = 0.5 if dtype == "int8" else None
    given = [graph.input((1, 4), "bool"), *(graph.input((1, 4), dtype, scale) for _ in range(2))]
    y = graph.tensor((1, 4), dtype, scale)
    graph.op("SELECT_V2", given, [y])
    graph.output(y)
    data = model.build()
    if dtype == "int8":
        assert lacking_in(read(data)) == []
        assert list(resolver_methods(read(data))) == ["AddSelectV2"]
        return
    assert lacking_in(read(data)) == ["SELECT_V2 of int32"]
    with pytest.raises(UnsupportedError, match="does not have: SELECT_V2 of int32"):
        interpret(data, PORTABLE)


@pytest.mark.parametrize("op", ["FLOOR_DIV", "FLOOR_MOD"])
@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_floored_quotients_of_integers_are_named_before(op: str, dtype: str) -> None:
    """TFLM itself says what it has."""
    model = ModelBuilder()
    graph = model.graph()
    given = [graph.input((1, 4), dtype) for _ in range(2)]
    y = graph.tensor((1, 4), dtype)
    graph.op(op, given, [y])
    graph.output(y)
    data = model.build()
    interpreter = require().Interpreter.from_bytes(data, arena_size=20_000)
    for index in range(2):
        interpreter.set_input(np.full((1, 4), 3, dtype), index)
    if dtype == "float32":
        assert lacking_in(read(data)) == []
        interpreter.invoke()
        return
    assert lacking_in(read(data)) == [f"{op} of int32"]
    with pytest.raises(RuntimeError):
        interpreter.invoke()


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_longer_concatenations_than_tflm_prepares_are_named_before(dtype: str) -> None:
    """The states of an unrolled GRU, joined. TFLM itself says where its limit is."""
    runtime = require()
    for count in (10, 11):
        model = ModelBuilder()
        graph = model.graph()
        scale = 0.5 if dtype == "int8" else None
        given = [graph.input((1, 2), dtype, scale) for _ in range(count)]
        y = graph.tensor((1, 2 * count), dtype, scale)
        graph.op("CONCATENATION", given, [y], axis=1)
        graph.output(y)
        data = model.build()
        if count == 10:
            assert lacking_in(read(data)) == []
            assert runtime.Interpreter.from_bytes(data, arena_size=20_000) is not None
            continue
        assert lacking_in(read(data)) == ["CONCATENATION of more than 10 tensors"]
        with pytest.raises(RuntimeError, match="allocate"):
            runtime.Interpreter.from_bytes(data, arena_size=20_000)


def test_methods_are_named_as_tflm_names_them() -> None:
    assert METHODS["CONV_2D"] == "AddConv2D"
    assert METHODS["RESIZE_NEAREST_NEIGHBOR"] == "AddResizeNearestNeighbor"
    assert METHODS["UNIDIRECTIONAL_SEQUENCE_LSTM"] == "AddUnidirectionalSequenceLSTM"
    assert METHODS["RELU6"] == "AddRelu6"
    assert METHODS["SPACE_TO_BATCH_ND"] == "AddSpaceToBatchNd"


def test_every_registration_that_the_wheel_exports_has_a_method() -> None:
    """Names differ in few places: TFLM registers operators that no builtin code names."""
    exported = subprocess.run(
        ["nm", "-DC", str(wheel())], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    names = {
        line.split("Register_")[1].split("(")[0]
        for line in exported.splitlines()
        if " T tflite::micro::Register_" in line and "tflm_signal" not in line
    }
    others = {
        "BASIC_CLASSIFIER", "CIRCULAR_BUFFER", "DECODE", "DETECTION_POSTPROCESS", "ETHOSU", "L2NORM_REF"
    }  # fmt: skip
    assert names - others - set(METHODS) == set()


def test_operators_that_tflm_lacks_are_all_named() -> None:
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 8), "int8", scale=0.5)
    y = graph.tensor((1, 8), "int8", scale=1.0)
    z = graph.tensor((1, 8), "int8", scale=1.0)
    graph.op("GELU", [x], [y])
    graph.op("ATAN2", [y, x], [z])
    graph.output(z)
    with pytest.raises(UnsupportedError, match=r"GELU #0 .*ATAN2 #1"):
        interpret(model.build(), PORTABLE)


def test_what_tflm_refuses_is_a_model_error() -> None:
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 8), "int8", scale=0.5)
    y = graph.tensor((1, 8), "int8", scale=0.5)
    graph.op("ROUND", [x], [y])  # float alone
    graph.output(y)
    with pytest.raises(ModelError, match="Micro refuses the model"):
        interpret(model.build(), PORTABLE)


def wheel() -> Path:
    spec = find_spec("tflite_micro")
    assert spec is not None and spec.submodule_search_locations
    return next(Path(next(iter(spec.submodule_search_locations))).rglob("_runtime.so"))


_RUN = """
import ctypes, sys
ctypes.CDLL(sys.argv[1], mode=ctypes.RTLD_GLOBAL)
glue = ctypes.CDLL(sys.argv[2])
glue.ts_model_input.restype = glue.ts_model_output.restype = ctypes.c_void_p
glue.ts_model_init()
data, size = bytes.fromhex(sys.argv[3]), int(sys.argv[4])
for step in range(3):
    ctypes.memmove(glue.ts_model_input(0), data, len(data))
    status = glue.ts_model_invoke()
    print(status, ctypes.string_at(glue.ts_model_output(0), size).hex())
    if step == 1:
        glue.ts_model_reset()
"""


def run_in_wheel(compiled: Compiled, data: bytes, directory: Path, *flags: str) -> list[tuple[int, bytes]]:
    """Status and output of two invokes, and of one after a reset: the glue in the interpreter that the
    tflite-micro package exports, in a child process."""
    write(compiled, directory)
    weights = ["gcc", "-std=c11", "-fPIC", "-c", "model_weights.c", "-o", "weights.o"]
    subprocess.run(weights, cwd=directory, check=True, timeout=120)
    link = [*CXX, *flags, "-fPIC", "-shared", "model.cpp", "weights.o", "-o", "glue.so", str(wheel())]
    subprocess.run(link, cwd=directory, check=True, timeout=120)
    size = compiled.program.output_tensors[0].nbytes
    command = [sys.executable, "-c", _RUN, str(wheel()), "./glue.so", data.hex(), str(size)]
    ran = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=120, check=True)
    lines = [line.split() for line in ran.stdout.splitlines()]
    return [(int(status), bytes.fromhex(output)) for status, output in lines]


@pytest.mark.parametrize("name", ["kws_ref_model", "pretrainedResnet_quant"])
def test_the_real_interpreter_gives_the_published_bytes(name: str, tmp_path: Path) -> None:
    compiled = interpret(model_bytes(name), PORTABLE)
    data = pattern(compiled.program.input_tensors[0].shape).tobytes()
    ran = run_in_wheel(compiled, data, tmp_path)
    assert [(status, zlib.crc32(output)) for status, output in ran] == [(0, INT8_CRC[name])] * 3


def test_state_lives_across_invokes_until_reset(tmp_path: Path) -> None:
    ones = np.ones(8, np.int8).tobytes()
    ran = run_in_wheel(interpret(variable_model(), PORTABLE), ones, tmp_path)
    assert [status for status, _ in ran] == [0, 0, 0]
    assert [output[0] for _, output in ran] == [1, 2, 1]


def test_an_arena_that_is_too_small_makes_invoke_fail(tmp_path: Path) -> None:
    ran = run_in_wheel(interpret(add_model(), PORTABLE), bytes(8), tmp_path, "-DTS_MODEL_ARENA_BYTES=256u")
    assert [status for status, _ in ran] == [1, 1, 1]
