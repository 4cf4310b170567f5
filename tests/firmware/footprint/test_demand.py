# SPDX-License-Identifier: Apache-2.0
"""What is said of flash and RAM before a build, against the build."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from tests.compiler.ops.trees.test_tree_ensemble import random_ensemble
from tests.support.flatbuffer_builder import ModelBuilder
from tests.support.graphs.random_graph import random_graph
from tinyserve import boards, workflow
from tinyserve.boards.fit import Demand, estimate, fit, is_certain
from tinyserve.boards.types import Board, Region
from tinyserve.compiler.compile import Compiled, compile_model
from tinyserve.compiler.program import Target
from tinyserve.errors import ToolError
from tinyserve.firmware.build import build
from tinyserve.firmware.footprint import demand as demands
from tinyserve.firmware.render import render
from tinyserve.firmware.sizes import of_sizes
from tinyserve.workflow import Sizing


def unrolled(steps: int) -> bytes:
    """A recurrent layer as converters unroll it: a dense layer, a sum and a TANH for each step."""
    r = np.random.default_rng(1)
    model = ModelBuilder()
    graph = model.graph()
    state = graph.input((1, 16), "float32")
    weights = graph.constant(r.normal(size=(16, 16)).astype(np.float32))
    for _ in range(steps):
        dense, added, after = (graph.tensor((1, 16), "float32") for _ in range(3))
        graph.op("FULLY_CONNECTED", [state, weights, None], [dense])
        graph.op("ADD", [dense, graph.constant(r.normal(size=(1, 16)).astype(np.float32))], [added])
        graph.op("TANH", [added], [after])
        state = after
    graph.output(state)
    return model.build()


def dense(width: int) -> bytes:
    """One int8 layer of ``width`` × ``width`` weights."""
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, width), "int8", scale=0.5)
    weights = graph.constant(
        np.random.default_rng(0).integers(-127, 127, (width, width), np.int8), scale=0.02
    )
    y = graph.tensor((1, width), "int8", scale=0.5)
    graph.op("FULLY_CONNECTED", [x, weights, None], [y])
    graph.output(y)
    return model.build()


def _random(seed: int, *, floats: bool) -> bytes:
    return random_graph(seed, floats=floats).case.model


MODELS: dict[str, Callable[[], bytes]] = {
    "unrolled": lambda: unrolled(30),
    "trees": lambda: random_ensemble(3, "int16", "votes").model(),
    "dense": lambda: dense(100),
    **{f"integers {seed}": partial(_random, seed, floats=False) for seed in (1, 2)},
    **{f"floats {seed}": partial(_random, seed, floats=True) for seed in (3, 4, 5)},
}
BOARDS = ["nano33", "pico", "cortex-m55", "esp32-c3", "bluepill", "teensy41", "xiao-rp2350", "nucleo-h743zi"]


def compiled_for(data: bytes, board: str) -> Compiled:
    return compile_model(data, workflow.target(boards.load(board), "balanced"))


@pytest.mark.parametrize(("model", "board"), list(zip(MODELS, BOARDS, strict=True)))
def test_what_is_foretold_is_what_the_build_takes(model: str, board: str, tmp_path: Path) -> None:
    compiled, target = compiled_for(MODELS[model](), board), boards.load(board)
    foretold = demands.demand(compiled, target, "own")
    sizes = build(render(compiled, target, tmp_path, emulate=True, model_id="own")).sizes
    assert sizes is not None
    assert foretold == of_sizes(sizes)
    assert not foretold.estimated


@pytest.mark.parametrize(("model", "board"), list(zip(MODELS, BOARDS[::-1], strict=True)))
def test_an_estimate_s_bounds_hold_what_is_built(model: str, board: str) -> None:
    compiled, target = compiled_for(MODELS[model](), board), boards.load(board)
    known, guessed = demands.demand(compiled, target), estimate(compiled)
    least, most = guessed.flash_range
    assert least <= known.flash_bytes <= most
    assert abs(guessed.constant_bytes - known.constant_bytes) < 32  # alignment
    assert known.ram_bytes <= guessed.ram_bytes <= known.ram_bytes + 4_500  # a small board's stack is smaller


def test_a_board_is_built_for_where_an_estimate_leaves_it_open(monkeypatch: pytest.MonkeyPatch) -> None:
    board = boards.load("cortex-m4")
    compiled = compiled_for(dense(100), "cortex-m4")
    built = demands.demand(compiled, board).flash_bytes
    exact, less = (_with_flash(board, built + more) for more in (2_000, -1))
    assert fit(demands.demand_in_doubt(compiled, exact), exact) == "tight"
    assert fit(demands.demand_in_doubt(compiled, less), less) == "too large"
    assert fit(estimate(compiled), less) == "tight"

    def refuse(*_: object) -> Demand:
        raise AssertionError("built without need")

    monkeypatch.setattr(demands, "demand", refuse)
    assert demands.demand_in_doubt(compiled, board).estimated
    assert is_certain(estimate(compiled), board)


def test_without_a_compiler_sizes_are_estimates(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Path:
        raise ToolError("the cross compiler (ziglang) is not installed", "")

    monkeypatch.setattr(demands, "zig_path", missing)
    compiled, board = compiled_for(dense(100), "cortex-m4"), boards.load("cortex-m4")
    assert demands.demand(compiled, board) == estimate(compiled)
    assert demands.demand(compiled, boards.load("esp32dev")).estimated  # Xtensa, with a compiler or without


def test_a_model_is_compiled_once_for_each_instruction_set() -> None:
    data, seen = dense(20), list[Target]()

    def compiled(target: Target) -> Compiled:
        seen.append(target)
        return compile_model(data, target)

    chosen = [boards.load(name) for name in ("nano33", "nucleo-f446re", "pico", "nrf52840-dk")]
    needs = Sizing("m", compiled, "balanced").on(chosen, lambda *_: None)
    assert list(needs) == [board.id for board in chosen]
    assert len(seen) == len(set(seen)) == 2


def _with_flash(board: Board, nbytes: int) -> Board:
    assert board.flash is not None
    return replace(board, flash=Region(board.flash.origin, nbytes))
