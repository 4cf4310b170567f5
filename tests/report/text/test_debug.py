# SPDX-License-Identifier: Apache-2.0
"""The layers of a diagnosis: all of a few, of many those that lose the most."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tinyserve.convert.check.debug import Diagnosis
from tinyserve.convert.check.quality import LayerQuality
from tinyserve.report.layer_groups import MOST_ROWS
from tinyserve.report.text.debug import diagnosis_view


def layer(index: int, sqnr_db: float, loss_db: float) -> LayerQuality:
    return LayerQuality(
        index, "ADD", f"layer_{index:03}", sqnr_db, cosine=1.0, max_error=0.1, saturated=0.0, loss_db=loss_db
    )


@pytest.mark.parametrize("count", [MOST_ROWS, 300])
def test_those_that_lose_the_most_are_shown_and_the_others_counted(count: int) -> None:
    layers = [layer(index, 40.0 + index % 3, 0.1) for index in range(count)]
    layers[17] = suspect = layer(17, 9.0, 30.0)
    output = io.StringIO()
    Console(file=output, width=120).print(diagnosis_view(Diagnosis(layers, [suspect], [])))
    lines = output.getvalue().splitlines()
    rows = [line for line in lines if " ADD " in line]
    assert len(rows) == min(count, MOST_ROWS)
    assert any("layer_017" in line and "9.0 dB" in line for line in rows)
    rest = [line for line in lines if "layers that lose less" in line]
    assert rest == ([] if count <= MOST_ROWS else [rest[0]])
    assert count <= MOST_ROWS or "and 260 layers that lose less, 40.0 dB or more" in rest[0]
