# SPDX-License-Identifier: Apache-2.0
"""NAME_values.h: real values as the checks on the computer convert them, classes by name, no cost unused."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.compiler.emit.test_emit import STRICT, compiles
from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve import bundle
from tinyserve.bundle import TensorInfo
from tinyserve.compiler.compile import compile_model, write
from tinyserve.compiler.host.model import HostModel
from tinyserve.compiler.program import Instance, Interface

HOSTILE = ('say "hi"\\', "ü\n*/", "??/")
VALUES = [0.0, -0.0, 0.05, -0.05, 0.15, 1.0, -3.7, 12.75, 1e9, -1e30, float("inf"), -float("inf")]


def scores_model(dtype: str, elements: int = 3, scale: float = 0.1, zero_point: int = 4) -> bytes:
    """y = x + 1, of another rank than the input's, so that the output can be one of classes."""
    model = ModelBuilder()
    graph = model.graph()
    quantization = {} if dtype in ("float32", "int32") else {"scale": scale, "zero_point": zero_point}
    x = graph.input((1, elements, 1), dtype, **quantization)
    one = np.ones((1, elements, 1), dtype)
    constant = graph.constant(one, **quantization)
    y = graph.tensor((1, elements, 1), dtype, **quantization)
    graph.op("ADD", [x, constant], [y])
    scores = graph.tensor((1, elements), dtype, **quantization)
    graph.op("RESHAPE", [y, graph.constant(np.array([1, elements], np.int32))], [scores])
    graph.output(scores)
    return model.build()


def ran(main: str, data: bytes, where: Path, interface: Interface) -> list[str]:
    """What a program around the model prints, word by word."""
    compiled = compile_model(data, interface=interface)
    write(compiled, where)
    text = f'#include <stdio.h>\n#include "model_values.h"\nint main(void) {{ {main} return 0; }}\n'
    (where / "main.c").write_text(text)
    compiles("gcc", [*STRICT, "main.c", *compiled.sources.compile, "-o", "program"], where)
    made = subprocess.run([where / "program"], capture_output=True, timeout=20, check=True)
    return made.stdout.decode().split()


@pytest.mark.parametrize(
    ("dtype", "zero_point"), [("int8", 4), ("int8", -128), ("int16", 0), ("int32", 0), ("float32", 0)]
)
def test_values_are_quantized_and_read_as_on_the_computer(
    dtype: str, zero_point: int, tmp_path: Path
) -> None:
    data = scores_model(dtype, len(VALUES), zero_point=zero_point)
    numbers = ", ".join(
        f"{value}f" if np.isfinite(value) else f"{'-' if value < 0 else ''}(1e30f * 1e30f)"
        for value in VALUES
    )
    info = TensorInfo(
        "x",
        [1, len(VALUES), 1],
        dtype,
        float(np.float32(0.1)) if dtype in ("int8", "int16") else 0.0,
        zero_point,
    )
    given = bundle.quantize(np.array(VALUES, np.float32).reshape(1, -1, 1), info)
    expected = bundle.dequantize(HostModel(compile_model(data)).run([given])[0], info).reshape(-1)
    main = f"""
      static const float in[] = {{{numbers}}}; float out[{len(VALUES)}];
      ts_model_init();
      if (ts_model_set_input_f32(0, in) != 0 || ts_model_set_input_f32(1, in) != 1) {{ return 1; }}
      ts_model_invoke();
      if (ts_model_get_output_f32(0, out) != 0 || ts_model_get_output_f32(7, out) != 1) {{ return 1; }}
      for (int i = 0; i < TS_MODEL_OUTPUT_0_ITEMS; i++) {{ printf("%.9g ", (double)out[i]); }}
    """
    got = np.array([float(word) for word in ran(main, data, tmp_path, Interface())], np.float32)
    assert np.array_equal(got, expected)


@pytest.mark.parametrize("instance", ["static", "caller"])
def test_classes_have_their_names_whatever_is_in_them(instance: Instance, tmp_path: Path) -> None:
    own, init = (
        ("", "ts_model_init();") if instance == "static" else ("&model, ", "ts_model_init(&model, arena);")
    )
    place = (
        "static _Alignas(TS_MODEL_ARENA_ALIGNMENT) uint8_t arena[TS_MODEL_ARENA_BYTES];static ts_model model;"
    )
    main = f"""
      {place if instance == "caller" else ""} {init}
      static const float in[] = {{0.2f, 3.0f, 3.0f}}; ts_model_result best;
      if (ts_model_classify({own}in, &best) != 0) {{ return 1; }}
      printf("%u %.2f %d ", (unsigned)best.index, (double)best.score, ts_model_class_name(3) == NULL);
      for (uint32_t i = 0; i < TS_MODEL_CLASS_COUNT; i++) {{
        for (const char *c = ts_model_class_name(i); *c; c++) {{ printf("%02x", (unsigned char)*c); }}
        printf(" ");
      }}
    """
    words = ran(main, scores_model("int8"), tmp_path, Interface(instance, labels=HOSTILE))
    assert words == ["1", "2.70", "1", *(label.encode().hex() for label in HOSTILE)]


@pytest.mark.parametrize(("value", "taken"), [(0.2, "yes"), (-0.9, "no")])
def test_one_value_is_the_probability_of_the_second_class(value: float, taken: str, tmp_path: Path) -> None:
    main = f"""
      const float in = {value}f; ts_model_result best; ts_model_init();
      if (ts_model_classify(&in, &best) != 0) {{ return 1; }}
      printf("%s", best.name);
    """
    data = scores_model("float32", 1)
    assert ran(main, data, tmp_path, Interface(labels=("no", "yes"))) == [taken]


def test_a_model_without_classes_has_no_function_that_finds_one() -> None:
    model = ModelBuilder()
    graph = model.graph()
    x, y = graph.input((1, 8), "int8", 0.5), graph.tensor((1, 8), "int8", 0.5)
    graph.op("ADD", [x, graph.constant(np.ones((1, 8), np.int8), 0.5)], [y])
    graph.output(y)
    text = str(compile_model(model.build()).sources.files["model_values.h"])
    assert "classify" not in text
    assert "set_input_f32" in text


# What Windows' headers, Arduino's core and impatient people define.
MACROS = """
#include <stdint.h>
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define abs(x) ((x) > 0 ? (x) : -(x))
#define round(x) ((long)(x))
#define sq(x) ((x) * (x))
#define bit(b) (1UL << (b))
#define near
#define far
#define small char
#define interface struct
#define IN
#define OUT
#define INPUT 0x0
#define OUTPUT 0x1
#define DEFAULT 1
#define F(x) x
#define T int
#define I 1
#define PI 3.14
"""


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
@pytest.mark.parametrize("instance", ["static", "caller"])
def test_the_headers_serve_cpp_among_others_macros(compiler: str, instance: Instance, tmp_path: Path) -> None:
    interface = Interface(instance, labels=HOSTILE)
    write(compile_model(scores_model("int8"), interface=interface), tmp_path)
    includes = '#include "model.hpp"\n#include "model_values.h"\n'
    (tmp_path / "main.cpp").write_text(f"{MACROS}{includes}int main() {{ return ts_round_f32(0.4f); }}\n")
    strict = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wold-style-cast", "-Wpedantic", "-Werror"]
    for standard in ("c++11", "c++20"):
        options = [f"-std={standard}", "-fno-exceptions", "-fno-rtti", *strict, "-fsyntax-only", "main.cpp"]
        compiles(compiler, options, tmp_path)


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_the_header_serves_cpp(compiler: str, tmp_path: Path) -> None:
    compiled = compile_model(scores_model("int16", zero_point=0), interface=Interface(labels=HOSTILE))
    write(compiled, tmp_path)
    (tmp_path / "main.cpp").write_text(
        '#include "model_values.h"\nint main() { return ts_round_f32(0.4f); }\n'
    )
    strict = ["-std=c++11", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-fsyntax-only", "main.cpp"]
    compiles(compiler, strict, tmp_path)


def test_what_is_not_called_is_not_in_the_image(tmp_path: Path) -> None:
    write(compile_model(scores_model("int8")), tmp_path)
    (tmp_path / "main.c").write_text(
        '#include "model_values.h"\nint nothing(void);\nint nothing(void) { return 0; }\n'
    )
    compiles("gcc", [*STRICT, "-O0", "-c", "main.c"], tmp_path)
    symbols = subprocess.run(
        ["nm", tmp_path / "main.o"], capture_output=True, text=True, timeout=20, check=True
    )
    assert [line.split()[-1] for line in symbols.stdout.splitlines()] == ["nothing"]
