# SPDX-License-Identifier: Apache-2.0
"""A scale per feature (trees): every language stores real values as NAME_values.h does, in C."""

from __future__ import annotations

import ctypes
import json
import re
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from flatbuffers import flexbuffers

from tests.compiler.ops.trees.test_tree_ensemble import random_ensemble
from tests.firmware.export.test_libraries import STRICT, STUBS, make, need, run, said_by_rust, with_crates
from tests.firmware.export.test_wasm import node
from tests.support.flatbuffer_builder import ModelBuilder

SCALES = [0.02, 10.0, 1e-4, 3.0]
POINTS = [5, -300, 0, 127]
ROWS = np.array(
    [
        [0.03, 50.0, 0.0031, -40.0],
        [-9.0, 1e9, -1e9, 2e9],
        [float("nan"), 0.0, float("inf"), 1.5],
        [0.01, -5.0, 0.00005, 4.5],
    ],
    np.float32,
)
LABELS = ("low {x}", 'say "hé"', "\\three", "four")


@cache
def tree() -> bytes:
    """Of four features, each with a scale and a zero point of its own."""
    one = random_ensemble(32, "int8", "rows", features=4)  # its four outputs differ by sample, unsaturated
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 4), "int8", SCALES, POINTS, axis=1, name="features")
    y = graph.tensor((1, 4), "int8", 0.5, name="scores")
    t = one.tables
    tables = [graph.constant(v) for v in (t.feature, t.threshold, t.children, t.roots, t.leaves, t.base)]
    graph.op("TreeEnsemble", [x, *tables], [y], custom_options=bytes(flexbuffers.Dumps(one.options)))
    graph.output(y)
    return model.build()


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[list[int]], list[list[float]]]:
    """What the header in C stores and answers."""
    need("gcc")
    directory = tmp_path_factory.mktemp("c")
    place = make("cmake", directory, data=tree(), labels=LABELS)
    (directory / "all.c").write_text(
        '#include "kws_values.h"\n'
        "int stored(const float *x, int8_t *y, float *z) {\n"
        "  ts_kws_init();\n  if (ts_kws_set_input_f32(0, x)) { return 1; }\n"
        "  for (int i = 0; i < 4; i++) { y[i] = ((int8_t *)ts_kws_input(0))[i]; }\n"
        "  return ts_kws_invoke() || ts_kws_get_output_f32(0, z);\n}\n"
    )
    sources = [*(place / "src").glob("*.c"), "all.c"]
    run("gcc", "-shared", "-fPIC", "-O1", f"-I{place / 'src'}", *sources, "-o", "all.so", cwd=directory)
    library = ctypes.CDLL(str(directory / "all.so"))
    inputs, outputs = [], []
    for row in ROWS:
        y, z = np.zeros(4, np.int8), np.zeros(4, np.float32)
        assert library.stored(row.ctypes, y.ctypes, z.ctypes) == 0
        inputs.append(y.tolist())
        outputs.append(z.tolist())
    return inputs, outputs


def test_the_header_saturates_and_rounds_by_feature(
    stored: tuple[list[list[int]], list[list[float]]],
) -> None:
    assert stored[0][1] == [-128, 127, -128, 127]
    assert stored[0][0] == [7, -128, 31, 114]
    assert stored[0][2][0] == -128


def test_the_module_for_browsers_does_the_same(
    stored: tuple[list[list[int]], list[list[float]]], tmp_path: Path
) -> None:
    pytest.importorskip("ziglang")
    place = make("wasm", tmp_path, data=tree(), labels=LABELS)
    rows = "[" + ",".join(f"[{','.join(repr(float(v)) for v in row)}]" for row in ROWS) + "]"
    said = node(
        f"""
        import {{ inputs, load, quantize }} from "./kws.mjs";
        const [nan, inf] = [NaN, Infinity];
        const model = await load();
        const rows = {rows}.map((row) => Float32Array.from(row));
        console.log(JSON.stringify([rows.map((row) => Array.from(quantize(row, inputs[0]))),
                                    rows.map((row) => Array.from(model.run(row)))]));
        """,
        place,
    )
    inputs, outputs = json.loads(said)
    assert inputs == stored[0]
    np.testing.assert_allclose(outputs, stored[1], rtol=1e-6)


@with_crates
def test_a_crate_does_the_same_and_names_the_classes(
    stored: tuple[list[list[int]], list[list[float]]], tmp_path: Path
) -> None:
    make("rust", tmp_path, data=tree(), labels=LABELS)
    rows = ",".join(
        "["
        + ",".join({"nan": "f32::NAN", "inf": "f32::INFINITY"}.get(str(v), f"{v!r}f32") for v in row)
        + "]"
        for row in ROWS.tolist()
    )
    main = (
        "fn main() {\n    let mut arena = kws::Arena::new();\n"
        "    let mut model = kws::Model::new(&mut arena);\n"
        f"    let rows: [[f32; 4]; 4] = [{rows}];\n"
        "    for row in rows.iter() {\n"
        '        model.set_input_f32(row); print!("{:?};", model.input().to_vec());\n'
        '        model.invoke().unwrap(); println!("{:?}", model.output_f32());\n    }\n'
        '    println!("{}", kws::CLASSES.join("|"));\n'
        "    assert_eq!(kws::INPUT_0_ZERO_POINTS[1], -300);\n}\n"
    )
    *lines, classes = said_by_rust(main, ["kws"], tmp_path).splitlines()
    parts = [line.split(";") for line in lines]
    assert [json.loads(one) for one, _ in parts] == stored[0]
    np.testing.assert_allclose([json.loads(other) for _, other in parts], stored[1], rtol=1e-6)
    assert classes == "|".join(LABELS)


@pytest.mark.parametrize("instance", ["static", "caller"])
@pytest.mark.parametrize("row", [0, 1])
def test_the_sketch_does_the_same_and_prints_names(
    row: int, instance: str, stored: tuple[list[list[int]], list[list[float]]], tmp_path: Path
) -> None:
    need("g++", "gcc")
    place = make("arduino-library", tmp_path, data=tree(), labels=LABELS, instance=instance)
    sketch = (place / "examples/classify/classify.ino").read_text()
    values = ", ".join(f"{value!r}f" for value in ROWS[row].tolist())
    sensor = f"static const float rows[] = {{{values}}}; return rows[index];"
    body = re.compile(r"(float read_sensor\(uint32_t index\)\n\{).*?\n\}", re.DOTALL)
    sketch = body.sub(rf"\1 {sensor} }}", sketch)
    assert sensor in sketch
    (tmp_path / "main.cpp").write_text(f"#include <Arduino.h>\n{sketch}\nint main() {{ setup(); loop(); }}\n")
    run("gcc", "-std=gnu11", "-O1", "-c", *(place / "src").rglob("*.c"), cwd=tmp_path)
    includes = [f"-I{STUBS}", f"-I{place / 'src'}"]
    command = ["g++", "-std=gnu++11", *STRICT, *includes, "main.cpp", *tmp_path.glob("*.o"), "-o", "program"]
    run(*command, cwd=tmp_path)
    done = subprocess.run([tmp_path / "program"], capture_output=True, timeout=60, check=True)
    lines = done.stdout.decode().splitlines()
    said = dict(line.split(": ", 1) for line in lines)
    best = int(np.argmax(stored[1][row]))
    assert said["class"] == LABELS[best]
    assert float(said["score"]) == pytest.approx(stored[1][row][best], abs=6e-4)


def test_the_samples_tell_classes_apart(stored: tuple[list[list[int]], list[list[float]]]) -> None:
    assert np.argmax(stored[1][0]) != np.argmax(stored[1][1])
