# SPDX-License-Identifier: Apache-2.0
"""CMake: the kernels' C tests, and a firmware project that compiles a model as part of its build."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.compiler.host.test_model import add_model
from tests.support.flatbuffer_builder import ModelBuilder
from tests.support.models import pattern
from tests.support.places import CHECKOUT
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import HostModel

ROOT = CHECKOUT
CLI = Path(sys.executable).with_name("tinyserve")

pytestmark = pytest.mark.skipif(
    not (shutil.which("cmake") and shutil.which("ninja")), reason="cmake or ninja is not installed"
)


def cmake(*arguments: object, fails: bool = False) -> str:
    environment = {**os.environ, "PATH": f"{CLI.parent}{os.pathsep}{os.environ['PATH']}"}
    result = subprocess.run(
        ["cmake", *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=280,
        check=False,
    )
    assert (result.returncode != 0) == fails, result.stdout
    return result.stdout


def one_input_model(zero_point: int) -> bytes:
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 2, 2, 8), "int8", 0.5, zero_point, name="x")
    y = graph.tensor((1, 2, 2, 8), "int8", 0.25, 7, name="y")
    rng = np.random.default_rng(6)
    weights = graph.constant(rng.integers(-127, 128, (8, 1, 1, 8), dtype=np.int8), [0.01] * 8)
    graph.op("CONV_2D", [x, weights, None], [y], padding="VALID", stride_w=1, stride_h=1)
    graph.output(y)
    return model.build()


def expected(data: bytes) -> str:
    compiled = compile_model(data)
    (output,) = HostModel(compiled).run([pattern(compiled.program.input_tensors[0].shape)])
    return output.tobytes().hex() + "\n"


def test_the_kernels_c_tests_hold_under_sanitizers(tmp_path: Path) -> None:
    cmake("-S", ROOT, "-B", tmp_path, "-G", "Ninja")
    cmake("--build", tmp_path)
    result = subprocess.run(
        ["ctest", "--test-dir", str(tmp_path), "--output-on-failure", "--no-tests=error"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout


def test_a_firmware_project_compiles_its_model_and_again_when_it_changes(tmp_path: Path) -> None:
    model, build = tmp_path / "models" / "a b.tflite", tmp_path / "build"
    model.parent.mkdir()
    for zero_point in (3, -9):
        model.write_bytes(one_input_model(zero_point))
        if not build.exists():
            cmake("-S", ROOT / "examples/cmake_firmware", "-B", build, "-G", "Ninja", f"-DMODEL={model}")
        cmake("--build", build)
        answer = subprocess.run(
            [build / "firmware"], capture_output=True, text=True, check=True, timeout=30
        ).stdout
        assert answer == expected(model.read_bytes())
    assert "no work to do" in cmake("--build", build)


def project(directory: Path, call: str, languages: str = "C ASM") -> Path:
    """A project that has one model as a library."""
    (directory / "CMakeLists.txt").write_text(
        f"cmake_minimum_required(VERSION 3.16)\nproject(test LANGUAGES {languages})\n"
        f"include({ROOT}/tinyserve/cmake/tinyserve-config.cmake)\n{call}\n"
    )
    return directory


def cross_flags(core: str) -> list[str]:
    return [
        "-DCMAKE_SYSTEM_NAME=Generic",
        "-DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY",
        "-DCMAKE_C_COMPILER=arm-none-eabi-gcc",
        "-DCMAKE_ASM_COMPILER=arm-none-eabi-gcc",
        f"-DCMAKE_C_FLAGS={core}",
        f"-DCMAKE_ASM_FLAGS={core}",
    ]


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")
def test_a_boards_assembly_kernels_are_built_into_the_library(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(one_input_model(0))
    source = project(tmp_path, "tinyserve_add_model(kws m.tflite BOARD cortex-m4 OPTIMIZE speed)")
    flags = cross_flags("-mcpu=cortex-m4 -mthumb -mfpu=fpv4-sp-d16 -mfloat-abi=hard")
    cmake("-S", source, "-B", tmp_path / "build", "-G", "Ninja", *flags)
    cmake("--build", tmp_path / "build")
    symbols = subprocess.run(
        ["arm-none-eabi-nm", str(tmp_path / "build" / "libkws.a")], capture_output=True, text=True, check=True
    ).stdout
    defined = {
        line.split()[-1] for line in symbols.splitlines() if " U " not in line and len(line.split()) == 3
    }
    needed = {line.split()[-1] for line in symbols.splitlines() if " U " in line}
    assert "ts_kws_invoke" in defined
    assert {name for name in needed if name.startswith("ts_")} <= defined


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("tinyserve_add_model(kws m.tflite NAM kws)", "unknown arguments NAM"),
        ("tinyserve_add_model(kws m.tflite NAME 2nd)", "no C identifier"),
        ("tinyserve_add_model(kws gone.tflite BOARD cortex-m4)", "gone.tflite"),
        ("tinyserve_add_model(kws m.tflite BOARD cortex-m99)", "cortex-m99"),
    ],
)
def test_mistakes_are_named_when_cmake_runs(tmp_path: Path, call: str, message: str) -> None:
    (tmp_path / "m.tflite").write_bytes(add_model())
    output = cmake("-S", project(tmp_path, call), "-B", tmp_path / "build", "-G", "Ninja", fails=True)
    assert message in " ".join(output.split())
