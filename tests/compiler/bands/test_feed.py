# SPDX-License-Identifier: Apache-2.0
"""Models whose input is fed by rows give the bytes that they give of a whole input, and take no wrong use."""

from __future__ import annotations

import contextlib
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.compiler.bands.machine import BandMachine
from tests.support import feeding
from tests.support.bands import band_calls, banded, image_graph
from tests.support.differential import Case, run_tflm
from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.compiler.compile import Compiled, compile_model, write
from tinyserve.compiler.host.model import HostModel
from tinyserve.compiler.program import PORTABLE, Interface, Target
from tinyserve.compiler.together import Member, compile_together
from tinyserve.errors import UnsupportedError

BY_ROWS = replace(PORTABLE, feed="rows")


def graph(seed: int) -> Case:
    """Layers of images, some of one row, most of them with an input that only the first layer reads."""
    return image_graph(seed, floats=False, reads_once=bool(seed % 3), lines=seed % 5 == 0)


def fed_graphs(first: int, count: int, target: Target = BY_ROWS) -> list[tuple[Case, Compiled]]:
    """The next random graphs that can be fed."""
    found: list[tuple[Case, Compiled]] = []
    for seed in range(first, first + 30 * count):
        case = graph(seed)
        with contextlib.suppress(UnsupportedError):
            found.append((case, banded(case.model, target, seed, name=f"m{seed}")))
        if len(found) == count:
            return found
    raise AssertionError("hardly any graph can be fed")


@pytest.mark.slow
def test_random_graphs_that_are_fed_give_tflm_s_bytes_and_refuse_wrong_use(tmp_path: Path) -> None:
    made = fed_graphs(1000, 6)
    expected = run_tflm([case for case, _ in made])
    cases = [
        (compiled, [inputs[0] for inputs in case.samples], outputs)
        for (case, compiled), outputs in zip(made, expected, strict=True)
        if not isinstance(outputs, str)
    ]
    assert len(cases) >= 5
    assert feeding.run(cases, tmp_path) == ""


@pytest.mark.parametrize("feature", ["", "dsp", "mve", "thumb1", "rv32m", "host"])
def test_no_row_is_overwritten_before_it_was_read_for_the_last_time(feature: str) -> None:
    target = replace(BY_ROWS, features=frozenset({feature} - {""}))
    for _, compiled in fed_graphs(1100, 4, target):
        for call in band_calls(compiled):
            BandMachine(call, compiled.plan).run()


def small(shape: tuple[int, ...] = (1, 12, 6, 4), head: str = "") -> bytes:
    """Two convolutions and a dense layer; before them what ``head`` says."""
    rng = np.random.default_rng(3)
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input(shape, "int8", 0.05)
    if head == "dense":
        y = graph.tensor((1, 5), "int8", 0.1)
        graph.op(
            "FULLY_CONNECTED",
            [x, graph.constant(rng.integers(-9, 9, (5, shape[-1]), np.int8), 0.01), None],
            [y],
        )
        graph.output(y)
        return model.build()
    if head == "two inputs":
        other = graph.input(shape, "int8", 0.05)
        total = graph.tensor(shape, "int8", 0.05)
        graph.op("ADD", [x, other], [total])
        x = total
    if head == "reshape":
        shape = (1, 12, 6, shape[-1] // 72)
        rows = graph.tensor(shape, "int8", 0.05)
        graph.op("RESHAPE", [x], [rows], new_shape=shape)
        x = rows
    first = graph.tensor((1, 12, 6, 8), "int8", 0.05)
    weights = graph.constant(rng.integers(-9, 9, (8, 3, 3, shape[-1]), dtype=np.int8), [0.01] * 8, axis=0)
    graph.op("CONV_2D", [x, weights, None], [first], padding="SAME", stride_h=1, stride_w=1)
    if head == "an output":
        graph.output(x)
    if head == "used again":
        y = graph.tensor((1, 5), "int8", 0.1)
        dense = graph.constant(rng.integers(-9, 9, (5, 288), dtype=np.int8), 0.01)
        graph.op("FULLY_CONNECTED", [x, dense, None], [y])
        graph.output(y)
    second = graph.tensor((1, 6, 3, 8), "int8", 0.05)
    weights = graph.constant(rng.integers(-9, 9, (8, 3, 3, 8), dtype=np.int8), [0.01] * 8, axis=0)
    graph.op("CONV_2D", [first, weights, None], [second], padding="SAME", stride_h=2, stride_w=2)
    scores = graph.tensor((1, 5), "int8", 0.1)
    dense = graph.constant(rng.integers(-9, 9, (5, 144), dtype=np.int8), 0.01)
    graph.op("FULLY_CONNECTED", [second, dense, None], [scores])
    graph.output(scores)
    return model.build()


def drawn(shape: tuple[int, ...]) -> np.ndarray:  # type: ignore[type-arg]
    return np.random.default_rng(4).integers(-128, 128, shape).astype(np.int8)


@pytest.mark.parametrize("optimize", ["balanced", "speed", "size", "ram"])
def test_an_input_that_is_fed_has_no_place_in_the_arena(optimize: str) -> None:
    data = small((1, 12, 6, 16))
    whole, fed = (compile_model(data, Target(optimize=optimize, feed=feed)) for feed in ("whole", "rows"))  # type: ignore[arg-type]
    assert fed.program.fed_rows is not None and fed.program.inputs == []
    assert all(buffer.nbytes < 12 * 6 * 16 for buffer in fed.plan.offsets if buffer.name.startswith("input"))
    assert "_input(" not in fed.sources.files["model.h"]
    assert fed.plan.arena_bytes <= whole.plan.arena_bytes


def test_rows_of_a_flat_input_are_those_of_its_shape_behind_the_reshape() -> None:
    data = small((1, 288), "reshape")
    fed = compile_model(data, BY_ROWS)
    assert fed.program.fed_rows is not None
    assert (fed.program.fed_rows.height, fed.program.fed_rows.row_bytes) == (12, 24)
    value = drawn((1, 288))
    (wanted,) = HostModel(compile_model(data)).run([value])
    host = HostModel(fed)
    assert np.array_equal(host.run([value])[0], wanted)
    trace = host.trace([value])
    assert any(np.array_equal(one, wanted) for one in trace.values())
    assert np.array_equal(host.run([value])[0], wanted)  # a trace is a whole inference


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (small((1, 8), "dense"), "FULLY_CONNECTED, the first layer, can't be computed by rows"),
        (small(head="two inputs"), "the model has 2 inputs"),
        (small(head="used again"), "needed again later"),
        (small(head="an output"), "an output, too"),
    ],
)
def test_what_can_t_be_fed_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason) as found:
        compile_model(data, BY_ROWS)
    assert "without --feed rows" in found.value.hint


@pytest.mark.slow
def test_contexts_of_the_caller_s_are_fed_side_by_side_in_c_and_cpp(tmp_path: Path) -> None:
    data = small()
    value, other = drawn((1, 12, 6, 4)), np.zeros((1, 12, 6, 4), np.int8)
    compiled = compile_model(data, BY_ROWS, "net", interface=Interface("caller"))
    write(compiled, tmp_path)
    wanted = [HostModel(compile_model(data)).run([one])[0] for one in (value, other)]
    (tmp_path / "main.cpp").write_text(
        '#include "net.hpp"\n#include "net_values.h"\n#include <cstring>\n'
        + "\n".join(
            feeding.array(name, one)
            for name, one in (("a", value), ("b", other), ("scores_a", wanted[0]), ("scores_b", wanted[1]))
        )
        + """
alignas(TS_NET_ARENA_ALIGNMENT) static uint8_t first[TS_NET_ARENA_BYTES], second[TS_NET_ARENA_BYTES];
int main() {
  tinyserve::net one(first), two(second);
  float real[24];
  if (one.invoke() || one.step(1) != TS_NET_ROWS_MISSING || one.feed(nullptr, 1)) { return 1; }
  for (std::uint32_t row = 0; row < TS_NET_INPUT_0_ROWS; row++) {
    const int8_t *from = reinterpret_cast<const int8_t *>(a) + 24 * row;
    for (int i = 0; i < 24; i++) { real[i] = 0.05f * static_cast<float>(from[i]); }
    if (row % 2) {
      if (!one.feed(from, 1)) { return 2; }
    } else if (ts_net_feed_f32(one.context(), real, 1) != 0) { return 3; }
    std::memcpy(two.row().data(), b + 24 * row, two.row().size_bytes());
    if (!two.feed(two.row().data(), 1)) { return 4; }
  }
  if (one.feed(reinterpret_cast<const int8_t *>(a), 1) || !one.row().empty() || one.rows_left()) { return 5; }
  if (ts_net_feed_f32(one.context(), real, 1) != TS_NET_TOO_MANY_ROWS) { return 6; }
  while (one.step(1) == 0) {}
  ts_net_result best;
  if (ts_net_classify(two.context(), &best) != 0 || ts_net_classify(two.context(), &best) != 1) { return 7; }
  if (std::memcmp(one.output().data(), scores_a, 5)) { return 8; }
  if (std::memcmp(two.output().data(), scores_b, 5)) { return 8; }
  one.drop_rows();
  one.reset();
  return one.rows_left() == TS_NET_INPUT_0_ROWS ? 0 : 9;
}
"""
    )
    flags = ["-Wall", "-Wextra", "-Wconversion", "-Werror", "-O1", "-fsanitize=address,undefined", "-I."]
    subprocess.run(
        ["gcc", "-std=c11", *flags, "-c", *compiled.sources.compile], cwd=tmp_path, check=True, timeout=100
    )
    objects = [path.name for path in tmp_path.glob("*.o")]
    subprocess.run(
        ["g++", "-std=c++11", *flags, "main.cpp", *objects, "-o", "main"],
        cwd=tmp_path,
        check=True,
        timeout=100,
    )
    assert subprocess.run([tmp_path / "main"], timeout=100, check=False).returncode == 0


def test_builds_without_steps_and_for_profiles_have_no_warnings(tmp_path: Path) -> None:
    for instance in ("static", "caller"):
        write(compile_model(small(), BY_ROWS, "net", interface=Interface(instance)), tmp_path / instance)  # type: ignore[arg-type]
        for define in ("NO_STEP", "PROFILE"):
            subprocess.run(
                ["gcc", "-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Werror", f"-DTS_NET_{define}",
                 "-fsyntax-only", "net.c"],
                cwd=tmp_path / instance, check=True, timeout=100,
            )  # fmt: skip


@pytest.mark.slow
def test_models_in_one_arena_are_fed_one_after_the_other(tmp_path: Path) -> None:
    data, value = small(), drawn((1, 12, 6, 4))
    together = compile_together([Member("one", data), Member("two", data)], BY_ROWS)
    wanted = HostModel(compile_model(data)).run([value])
    assert (
        feeding.run([(one, [value], [wanted]) for one in together.compiled], tmp_path, together.files) == ""
    )
    assert together.arena.nbytes < sum(together.alone_bytes)
    assert "from its first row to its end" in together.files["one.h"]
