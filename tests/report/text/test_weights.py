# SPDX-License-Identifier: Apache-2.0
"""Only layers that pruning, clustering or packing has touched are listed."""

from __future__ import annotations

import pytest
from rich.console import Console

from tinyserve.bundle import WeightStatistics
from tinyserve.report.text.weights import weights_table

PLAIN = WeightStatistics("net/plain/MatMul", "int8", 1000, 12, 200)


def shown(*layers: WeightStatistics) -> str:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(weights_table(layers))
    return capture.get()


@pytest.mark.parametrize(
    ("layer", "figures"),
    [
        (WeightStatistics("net/pruned/MatMul", "int8", 1000, 500, 150), "50.0 %"),
        (WeightStatistics("net/pruned/MatMul", "int8", 1000, 0, 16), "16"),
        (WeightStatistics("net/pruned/MatMul", "int4", 100, 0, 15), "int4"),
    ],
)
def test_layers_that_training_has_touched_are_listed(layer: WeightStatistics, figures: str) -> None:
    text = shown(PLAIN, layer)
    assert figures in text
    assert "pruned" in text
    assert "plain" not in text


def test_there_is_no_table_where_nothing_is_to_be_said() -> None:
    few = WeightStatistics("net/small/MatMul", "int8", 40, 0, 30)  # few weights share few values anyway
    assert weights_table([PLAIN, few]) is None
