# SPDX-License-Identifier: Apache-2.0
"""Compiled models on the host: the bytes of TFLM, tensor by tensor, however they are run."""

from __future__ import annotations

import errno
import shutil
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.flatbuffer_builder import ModelBuilder
from tests.support.models import INT8_CRC, model_bytes, pattern
from tests.support.tflm import Tflm
from tinyserve.compiler.compile import Compiled, compile_model
from tinyserve.compiler.emit.emit import Sources
from tinyserve.compiler.host import build as host_build
from tinyserve.compiler.host.model import FAST, HostModel
from tinyserve.compiler.program import PORTABLE, Target
from tinyserve.errors import DataError, FileSystemError, ToolError


def add_model(rows: int = 4) -> bytes:
    """sum = a + b, then reshaped: two inputs, two outputs."""
    model = ModelBuilder()
    graph = model.graph()
    a = graph.input((1, rows), "int8", 0.5, 3, name="a")
    b = graph.input((1, rows), "int8", 0.25, -5, name="b")
    total = graph.tensor((1, rows), "int8", 1.0, 0, name="sum")
    flat = graph.tensor((rows,), "int8", 1.0, 0, name="flat")
    graph.op("ADD", [a, b], [total])
    graph.op("RESHAPE", [total, graph.constant(np.array([rows], np.int32))], [flat], new_shape=[rows])
    graph.output(total, flat)
    return model.build()


def int8_inputs(compiled: Compiled, rng: np.random.Generator) -> list[np.ndarray]:
    shapes = [tensor.shape for tensor in compiled.program.input_tensors]
    return [rng.integers(-128, 128, shape, dtype=np.int8) for shape in shapes]


@pytest.mark.models
@pytest.mark.parametrize("name", INT8_CRC)
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_mlperf_tiny_models_give_the_published_bytes(
    name: str, compiler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    monkeypatch.setenv("CC", compiler)
    compiled = compile_model(model_bytes(name))
    (output,) = HostModel(compiled).run([pattern(compiled.program.input_tensors[0].shape)])
    assert zlib.crc32(output.tobytes()) == INT8_CRC[name]


@pytest.mark.models
@pytest.mark.parametrize("name", INT8_CRC)
@pytest.mark.parametrize(
    ("target", "optimize_graph"),
    [(PORTABLE, True), (PORTABLE, False), (FAST, True)],
    ids=["optimized", "plain", "fast"],
)
def test_every_tensor_of_mlperf_tiny_models_equals_tflms(
    name: str, target: Target, optimize_graph: bool
) -> None:
    data = model_bytes(name)
    compiled = compile_model(data, target, optimize_graph=optimize_graph)
    host, oracle = HostModel(compiled), Tflm(data, preserve=True)
    rng = np.random.default_rng(1)
    shapes = {t.index: t.shape for t in compiled.program.values}
    for _ in range(20):
        inputs = int8_inputs(compiled, rng)
        oracle.invoke(inputs)
        np.testing.assert_array_equal(host.run(inputs)[0], oracle.output(0))
        traced = host.trace(inputs)
        if not optimize_graph:
            assert len(traced) >= len(compiled.program.calls)
        for index, value in traced.items():
            if optimize_graph and oracle.tensor(index).size != value.size:
                continue  # dead channels are gone
            np.testing.assert_array_equal(
                value, oracle.tensor(index).reshape(shapes[index]), f"tensor {index}"
            )


@pytest.mark.models
@pytest.mark.parametrize("name", ["ad01_fp32", "pretrainedResnet", "vww_96_float"])
def test_float_models_are_close_to_litert(name: str) -> None:
    from ai_edge_litert.interpreter import Interpreter

    data = model_bytes(name)
    compiled = compile_model(data)
    interpreter = Interpreter(model_content=data)
    interpreter.allocate_tensors()
    rng = np.random.default_rng(2)
    for _ in range(3):
        value = rng.standard_normal(compiled.program.input_tensors[0].shape, dtype=np.float32)
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], value)
        interpreter.invoke()
        expected = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        np.testing.assert_allclose(HostModel(compiled).run([value])[0], expected, rtol=1e-3, atol=1e-4)


def test_a_batch_gives_what_single_runs_give() -> None:
    compiled = compile_model(add_model())
    host, rng = HostModel(compiled), np.random.default_rng(3)
    a, b = (rng.integers(-128, 128, (9, 1, 4), dtype=np.int8) for _ in range(2))
    sums, flats = host.run_batch([a, b])
    assert sums.shape == (9, 1, 4)
    assert flats.shape == (9, 4)
    for index in range(9):
        for batched, single in zip((sums, flats), host.run([a[index], b[index]]), strict=True):
            np.testing.assert_array_equal(batched[index], single)


def test_an_empty_batch_gives_empty_outputs() -> None:
    host = HostModel(compile_model(add_model()))
    empty = np.zeros((0, 1, 4), np.int8)
    assert [output.shape for output in host.run_batch([empty, empty])] == [(0, 1, 4), (0, 4)]


@pytest.mark.parametrize(("target", "sanitize"), [(PORTABLE, True), (FAST, True), (FAST, False)])
def test_other_builds_give_the_same(target: Target, sanitize: bool) -> None:
    plain = HostModel(compile_model(add_model()))
    checked = HostModel(compile_model(add_model(), target), sanitize=sanitize)
    rng = np.random.default_rng(4)
    batch = [rng.integers(-128, 128, (5, 1, 4), dtype=np.int8) for _ in range(2)]
    for one, other in zip(plain.run_batch(batch), checked.run_batch(batch), strict=True):
        np.testing.assert_array_equal(one, other)
    first = [value[0] for value in batch]
    traces = plain.trace(first), checked.trace(first)
    assert traces[0].keys() == traces[1].keys() != set()
    for index, value in traces[0].items():
        np.testing.assert_array_equal(value, traces[1][index])


def test_a_compiler_that_does_not_know_its_processor_builds_for_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapper = tmp_path / "plain-cc"
    wrapper.write_text('#!/bin/sh\ncase "$*" in *-march=native*) exit 1;; esac\nexec cc "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("CC", str(wrapper))
    value = np.full((1, 4), 7, np.int8)
    outputs = [HostModel(compile_model(add_model(), t)).run([value, value])[0] for t in (FAST, PORTABLE)]
    np.testing.assert_array_equal(outputs[0], outputs[1])


def test_a_kernel_that_leaves_the_arena_is_found() -> None:
    compiled = compile_model(add_model())
    text = compiled.sources.files["model.c"]
    assert isinstance(text, str)
    broken = text.replace(
        "  return 0;", "  ts_model_arena[TS_MODEL_ARENA_BYTES + ts_model_arena[0] % 2] = 1;\n  return 0;"
    )
    assert broken != text
    files = {**compiled.sources.files, "model.c": broken}
    host = HostModel(replace(compiled, sources=Sources(files, compiled.sources.compile)), sanitize=True)
    zeros = np.zeros((1, 4), np.int8)
    with pytest.raises(ToolError, match=r"global-buffer-overflow|out of bounds"):
        host.run([zeros, zeros])


def test_sources_that_do_not_compile_are_shown() -> None:
    compiled = compile_model(add_model())
    files = {**compiled.sources.files, "model.c": "this is no C"}
    with pytest.raises(ToolError, match=r"model\.c"):
        HostModel(replace(compiled, sources=Sources(files, compiled.sources.compile)))


def test_two_instances_have_two_arenas() -> None:
    compiled = compile_model(add_model())
    one, other = HostModel(compiled), HostModel(compiled)
    zeros, ones = np.zeros((1, 4), np.int8), np.ones((1, 4), np.int8)
    before = one.trace([zeros, zeros])
    other.run([ones, ones])
    after = one.trace([zeros, zeros])
    for index, value in before.items():
        np.testing.assert_array_equal(value, after[index])


@pytest.mark.parametrize(
    "inputs",
    [
        [np.zeros((1, 4), np.int8)],
        [np.zeros((4,), np.int8), np.zeros((1, 4), np.int8)],
        [np.zeros((1, 4), np.float32), np.zeros((1, 4), np.int8)],
    ],
    ids=["too few", "shape", "type"],
)
def test_wrong_inputs_are_refused(inputs: list[np.ndarray]) -> None:
    host = HostModel(compile_model(add_model()))
    with pytest.raises(DataError):
        host.run(inputs)


def test_a_build_that_can_not_be_kept_says_what_the_system_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reason = OSError(errno.ENOSPC, "no space: the disk is full", "some: file")

    def write(compiled: Compiled, directory: Path) -> None:
        raise FileSystemError(f"cannot: write: {directory}", "another directory") from reason

    monkeypatch.setenv("TINYSERVE_CACHE", str(tmp_path))
    monkeypatch.setattr(host_build, "write", write)
    with pytest.raises(FileSystemError, match="cannot keep the host build") as caught:
        host_build.build(compile_model(add_model(), PORTABLE, "kept"))
    assert caught.value.message.endswith("there: no space: the disk is full")
    assert "TINYSERVE_CACHE" in caught.value.hint
