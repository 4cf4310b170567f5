# SPDX-License-Identifier: Apache-2.0
"""Layouts are followed by permutations: what a reshape of memory means, numpy knows."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tinyserve.convert.frameworks.onnx_import.values import channels_last, permuted, reshaped, same_order


@st.composite
def reshapes(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """A shape, another of as many elements, and a form of the first."""
    factors = draw(st.lists(st.sampled_from((1, 2, 3)), min_size=1, max_size=6))

    def grouped() -> tuple[int, ...]:
        cuts = sorted(draw(st.sets(st.integers(1, len(factors)), max_size=4)) | {len(factors)})
        shape, start = list[int](), 0
        for cut in cuts:
            shape.append(int(np.prod(factors[start:cut])))
            start = cut
        return tuple(shape)

    source, target = grouped(), grouped()
    return source, target, tuple(draw(st.permutations(range(len(source)))))


@given(reshapes())
def test_a_reshape_of_memory_is_the_logical_one_where_a_form_is_given(
    case: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]],
) -> None:
    source, target, form = case
    logical = np.arange(np.prod(source)).reshape(source)
    memory = np.ascontiguousarray(logical.transpose(form))
    moved = reshaped(source, target, form)
    if moved is not None:
        wanted = logical.reshape(target).transpose(moved)
        np.testing.assert_array_equal(memory.reshape(permuted(target, moved)), wanted)
    if form == tuple(range(len(source))):
        assert moved == tuple(range(len(target)))


def test_axes_of_one_element_do_not_count_as_moved() -> None:
    assert same_order((1, 5, 1, 1), (0, 1, 2, 3), channels_last(4))
    assert not same_order((1, 5, 2, 1), (0, 1, 2, 3), channels_last(4))


def test_channels_and_places_change_places_in_no_reshape() -> None:
    assert reshaped((1, 4, 3, 3), (1, 36), channels_last(4)) is None
    assert reshaped((1, 4, 3, 3), (1, 4, 9), channels_last(4)) == (0, 2, 1)
