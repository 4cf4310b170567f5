# SPDX-License-Identifier: Apache-2.0
"""What `inspect` says of a compiled model: sizes of firmware, boards, and layers that do not scroll away."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tests.firmware.footprint.test_demand import unrolled
from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve import boards
from tinyserve.boards.fit import Demand, estimate
from tinyserve.compiler.compile import Compiled, compile_model
from tinyserve.report.layer_groups import MOST_ROWS
from tinyserve.report.text.inspection import Needs, summary

STEPS = 30


@pytest.fixture(scope="module")
def recurrent() -> Compiled:
    return compile_model(unrolled(STEPS))


def shown(compiled: Compiled, needs: Needs) -> str:
    output = io.StringIO()
    Console(file=output, width=150).print(summary(compiled, "gru", needs))
    return output.getvalue()


def needs(demand: Demand, board: str = "nano33") -> Needs:
    chosen = boards.load(board)
    return Needs(chosen, demand, [(chosen, demand)])


def test_layers_of_an_unrolled_network_are_a_few_rows_and_lose_no_macs(recurrent: Compiled) -> None:
    lines = shown(recurrent, needs(Demand(100_000, 10_000))).splitlines()
    table = lines[lines.index(next(line for line in lines if "live bytes" in line)) + 1 :]
    rows = table[: next(at for at, line in enumerate(table) if "alike ones in one row" in line)]
    assert 0 < len(rows) < MOST_ROWS
    assert f"{len(recurrent.program.calls)} layers, alike ones in one row" in table[len(rows)]
    dense = next(line for line in rows if "FULLY_CONNECTED" in line)
    assert f"{STEPS * 256:,}" in dense
    assert f"and {STEPS - 1} more" in dense


def test_inputs_and_outputs_have_the_names_of_the_model_not_of_its_tensors() -> None:
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((2,), "float32", name="serving_default_x:0")
    y = graph.tensor((2,), "float32", name="PartitionedCall:0")
    graph.op("RELU", [x], [y])
    graph.output(y)
    model.signature("serving_default", {"image": x}, {"scores": y})
    text = shown(compile_model(model.build()), needs(Demand(100_000, 10_000)))
    assert [line.split()[:2] for line in text.splitlines() if line.startswith(("input", "output"))] == [
        ["input", "image"],
        ["output", "scores"],
    ]


def test_linked_sizes_are_said_beside_what_the_board_has(recurrent: Compiled) -> None:
    text = shown(recurrent, needs(Demand(100_000, 10_000)))
    assert "bench firmware for nano33: 100,000 of 983,040 bytes of flash" in text
    assert "(linked; the Arduino core comes on top)" in text


def test_an_estimate_is_called_one_with_its_bounds(recurrent: Compiled) -> None:
    text = " ".join(shown(recurrent, needs(estimate(recurrent), "esp32dev")).split())
    assert "bench firmware for esp32dev: about " in text
    assert "(code is estimated:" in text
    assert "pip install" not in text  # no compiler of ours builds for Xtensa
    assert "tinyserve[embedded]" in " ".join(shown(recurrent, needs(estimate(recurrent))).split())
