# SPDX-License-Identifier: Apache-2.0
"""Identifiers that people recognise and compilers accept."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyserve.compiler.names import UniqueNames, constant_name, identifier, short_name


@pytest.mark.parametrize(
    ("tensor", "layer"),
    [
        (
            "model/activation/Relu;model/batch_normalization/FusedBatchNormV3;model/conv2d/BiasAdd;x/Conv2D1",
            "conv2d",
        ),
        ("functional_1/depthwise_conv2d_3/depthwise;functional_1/conv2d_4/Conv2D", "depthwise_conv2d_3"),
        ("model/activation_2/Relu;model/add/add", "add"),
        ("sequential/dense/MatMul", "dense"),
        ("Identity", "Identity"),
        ("StatefulPartitionedCall:0", "StatefulPartitionedCall"),
        ("block/conv_a/Conv2D", "conv_a"),
    ],
)
def test_a_layer_is_called_what_its_author_called_it(tensor: str, layer: str) -> None:
    assert short_name(tensor) == layer


def test_a_constant_keeps_what_it_is_for() -> None:
    assert constant_name("model/conv2d/Conv2D;model/bn/FusedBatchNormV3_shifts") == "conv2d_shifts"


@given(st.text())
def test_any_text_becomes_an_identifier(text: str) -> None:
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,60}", identifier(short_name(text)))


@pytest.mark.parametrize("word", ["int", "main", "exp", "class", "memcpy"])
def test_words_that_c_knows_are_changed(word: str) -> None:
    assert identifier(word) == f"{word}_"


@given(st.lists(st.sampled_from(["add", "Add", "add_2", "a/d", "a d", ""]), max_size=12))
def test_no_name_is_given_twice(wanted: list[str]) -> None:
    names = UniqueNames()
    given_names = [names.take(name) for name in wanted]
    assert len({name.lower() for name in given_names}) == len(given_names)
