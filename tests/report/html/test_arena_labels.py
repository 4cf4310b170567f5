# SPDX-License-Identifier: Apache-2.0
"""Names in pictures of the arena: where nothing else is."""

from __future__ import annotations

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tinyserve.bench.result import ArenaBlock
from tinyserve.report.html import svg
from tinyserve.report.html.arena_labels import clear_span, short_name
from tinyserve.report.html.arena_picture import named_columns


def block(name: str, offset: int, size: int, first: int, last: int) -> ArenaBlock:
    return ArenaBlock(name, "activation", offset, size, first, last)


def test_a_name_avoids_the_edges_of_what_overlaps_at_its_layer() -> None:
    wide, over = block("wide", 0, 1000, 3, 5), block("over", 600, 400, 2, 3)
    later = block("later", 100, 100, 4, 6)
    assert clear_span(wide, [wide, over, later]) == (0, 600)
    assert clear_span(over, [wide, over, later]) == (600, 1000)


blocks = st.builds(block, st.just("b"), st.integers(0, 50), st.integers(1, 50), st.integers(0, 4), st.just(4))


@given(st.lists(blocks, min_size=1, max_size=8))
def test_the_span_lies_in_its_box_and_no_edge_in_the_span(drawn: list[ArenaBlock]) -> None:
    for own in drawn:
        low, high = clear_span(own, drawn)
        assert own.offset <= low < high <= own.offset + own.bytes
        for other in drawn:
            if other.first <= own.first:
                assert not low < other.offset < high
                assert not low < other.offset + other.bytes < high


def test_the_short_name_is_the_last_part() -> None:
    assert short_name("model/conv/BiasAdd;model/conv/Relu") == "Relu"


def test_in_narrow_boxes_names_stand_and_where_none_fits_there_is_none() -> None:
    made = [block(f"depthwise_conv2d_{i}", 0, 8000, i, i + 1) for i in range(12)]
    texts = re.findall(r'<text class="inside"[^>]*>[^<]*</text>', svg.arena(made))
    assert len(texts) == 12
    assert all("rotate(-90" in text for text in texts)
    assert len({re.search(r'x="([\d.]+)"', text)[1] for text in texts}) == 12  # type: ignore[index]
    crowded = [block(f"depthwise_conv2d_{i}", 0, 8000, i, i + 1) for i in range(60)]
    assert 'class="inside"' not in svg.arena(crowded)


def test_of_hundreds_of_layers_some_are_named_far_enough_apart() -> None:
    made = [block(f"b{i}", 0, 80, i, i + 1) for i in range(636)]
    picture = svg.arena(made, [f"gru_cell_{i}" for i in range(636)])
    places = sorted(float(x) for x in re.findall(r'<text class="below"[^>]* x="([\d.]+)"', picture))
    assert 20 <= len(places) <= 24
    assert min(b - a for a, b in pairwise(places)) > 12
    assert places[-1] - places[0] > 0.9 * (len(places) - 1) / len(places) * (svg.WIDTH - 100)
    assert "27 gru_cell_27" in picture


def test_below_a_picture_names_keep_apart() -> None:
    assert len(named_columns([f"layer_{i}" for i in range(10)], 500)) == 12
    many = named_columns([f"layer_{i}" for i in range(636)], 1800)
    assert 1800 / len(many) > 12 and many[1][1].endswith(f"layer_{many[1][0]}")


def test_names_are_drawn_over_all_boxes() -> None:
    picture = svg.arena([block("a", 0, 900, 0, 1), block("b", 0, 900, 1, 2)])
    assert picture.rindex("<rect") < picture.index('class="inside"')
