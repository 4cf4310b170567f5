# SPDX-License-Identifier: Apache-2.0
"""What is suggested where a firmware does not fit is what makes it fit."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from tests.firmware.footprint.test_demand import dense, unrolled
from tests.support.flatbuffer_builder import ModelBuilder
from tests.support.graphs.random_graph import random_graph
from tinyserve import boards, workflow
from tinyserve.boards.types import Board, Region
from tinyserve.compiler.compile import Compiled, compile_model
from tinyserve.compiler.program import Optimize
from tinyserve.errors import FitError
from tinyserve.firmware.build import build, linked_sizes
from tinyserve.firmware.footprint.remedies import Excess, remedies
from tinyserve.firmware.render import render

M4 = boards.load("cortex-m4")
SPARE = 200  # of what is not the point of a test
OPTIONS: tuple[Optimize, ...] = ("balanced", "size", "ram")


def compiled(data: bytes, optimize: Optimize) -> Compiled:
    return compile_model(data, workflow.target(M4, optimize))


def taken(data: bytes, optimize: Optimize) -> tuple[int, int]:
    """Flash and RAM of the firmware, bytes."""
    sizes = linked_sizes(compiled(data, optimize), M4)
    assert sizes is not None
    return sizes.flash_bytes, sizes.ram_bytes


def with_memory(flash: int, ram: int) -> Board:
    return replace(M4, id="small", flash=Region(0, flash), ram=Region(0x2000_0000, ram))


def refused(data: bytes, board: Board, directory: Path, optimize: Optimize = "balanced") -> FitError:
    with pytest.raises(FitError) as caught:
        build(render(compiled(data, optimize), board, directory, emulate=True, stack_bytes=4096))
    return caught.value


@pytest.mark.parametrize(
    ("data", "helps"),
    [(random_graph(42, floats=False).case.model, "ram"), (random_graph(1).case.model, "size")],
    ids=["arena", "code"],
)
def test_an_option_that_is_suggested_makes_it_fit_and_no_other_is_suggested(
    data: bytes, helps: Optimize, tmp_path: Path
) -> None:
    sizes = {option: taken(data, option) for option in OPTIONS}
    memory = 0 if helps == "size" else 1
    assert sizes[helps][memory] < sizes["balanced"][memory] - 100
    room = [max(size[one] for size in sizes.values()) + SPARE for one in (0, 1)]
    room[memory] = sizes[helps][memory] + SPARE // 2
    board = with_memory(*room)
    error = refused(data, board, tmp_path / "balanced")
    for option in OPTIONS:
        fits = all(used <= there for used, there in zip(sizes[option], room, strict=True))
        assert (f"--optimize {option}, with which it fits" in error.hint) == fits
        if fits:
            build(render(compiled(data, option), board, tmp_path / option, emulate=True, stack_bytes=4096))


def test_options_that_would_not_do_are_no_suggestion_but_said_with_what_is_missing(tmp_path: Path) -> None:
    data = random_graph(42, floats=False).case.model
    least = min(taken(data, option)[1] for option in OPTIONS)
    error = refused(data, with_memory(1 << 20, least - 300), tmp_path)
    assert "with which it fits" not in error.hint
    assert "(--optimize size and --optimize ram would not do: 300 bytes of RAM over at best)" in error.hint


def test_what_was_chosen_already_is_not_tried_again(tmp_path: Path) -> None:
    data = random_graph(42, floats=False).case.model
    error = refused(data, with_memory(1 << 20, taken(data, "ram")[1] - 300), tmp_path, "ram")
    assert "--optimize size would not do" in error.hint
    assert "--optimize ram" not in error.hint


def test_int8_is_suggested_to_floats_where_a_quarter_of_them_would_fit() -> None:
    floats = compiled(unrolled(10), "balanced")
    weights = sum(one.nbytes for one in floats.program.constants)
    little, much = Excess(weights // 2, -1000), Excess(weights, -1000)
    assert "--quantize int8, which saves about" in remedies(floats, M4, little, None)
    assert "--quantize" not in remedies(floats, M4, much, None)
    assert "--quantize" not in remedies(compiled(dense(50), "balanced"), M4, Excess(10, -1000), None)


def test_weights_are_to_shrink_where_they_are_what_is_too_large() -> None:
    layer = compiled(dense(50), "balanced")
    hint = remedies(layer, M4, Excess(1000, -1000), None)
    share = re.search(r"weights (\d+) % smaller", hint)
    assert share is not None
    total = sum(one.nbytes for one in layer.program.constants)
    assert 1000 <= int(share[1]) / 100 * total < 1200
    assert "% smaller" not in remedies(layer, M4, Excess(total, -1000), None)
    assert "% smaller" not in remedies(layer, M4, Excess(1000, 1000), None)


def image(side: int) -> bytes:
    """A convolution at full resolution: all of its arena are images."""
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, side, side, 3), "int8", scale=0.5)
    weights = graph.constant(np.ones((8, 3, 3, 3), np.int8), scale=0.1)
    y = graph.tensor((1, side, side, 8), "int8", scale=0.5)
    graph.op(
        "CONV_2D", [x, weights, None], [y], padding="SAME", stride_w=1, stride_h=1,
        dilation_w_factor=1, dilation_h_factor=1,
    )  # fmt: skip
    graph.output(y)
    return model.build()


def test_a_smaller_image_is_suggested_by_the_side_that_would_fit() -> None:
    large = compiled(image(48), "balanced")
    excess = Excess(-1000, taken(image(48), "balanced")[1] - 20_000)
    found = re.search(r"inputs of (\d+)×(\d+) instead of 48×48", remedies(large, M4, excess, None))
    assert found is not None
    side = int(found[1])
    assert taken(image(side), "balanced")[1] <= 20_000 < taken(image(side + 6), "balanced")[1]
    hopeless = Excess(-1000, taken(image(48), "balanced")[1] - 5_000)
    assert "instead of" not in remedies(large, M4, hopeless, None)
    assert "instead of" not in remedies(compiled(dense(50), "balanced"), M4, Excess(-1000, 50), None)


def test_boards_that_are_named_have_the_room(tmp_path: Path) -> None:
    data = dense(300)
    error = refused(data, with_memory(64_000, 1 << 16), tmp_path)
    named = re.search(r"a board that it fits: ([\w, -]+)", error.hint)
    assert named is not None
    for name in named[1].split(", "):
        board = boards.load(name.strip())
        made = compile_model(data, workflow.target(board, "balanced"))
        if board.core.zig_target:
            build(render(made, board, tmp_path / board.id, emulate=True))
