# SPDX-License-Identifier: Apache-2.0
"""Options of custom operators."""

from __future__ import annotations

import numpy as np
import pytest
from flatbuffers import flexbuffers

from tinyserve.compiler.graph.flexbuffer import read_map
from tinyserve.errors import ModelError


@pytest.mark.parametrize(
    "options",
    [
        {"shift": 12},
        {"b": -1, "a": 70000, "c": 1 << 40},
        {"prefill": True, "frame_size": 400, "frame_step": 160},
        {"x": 0.5, "large": 1 << 20, "name": "left out"},
    ],
)
def test_scalars_are_read_by_name(options: dict[str, object]) -> None:
    expected = {key: value for key, value in options.items() if not isinstance(value, str)}
    assert read_map(bytes(flexbuffers.Dumps(options))) == expected


def test_damaged_options_are_a_model_error_or_a_map() -> None:
    rng = np.random.default_rng(0)
    good = bytes(flexbuffers.Dumps({"frame_size": 400, "frame_step": 160, "prefill": True}))
    refused = 0
    for _ in range(2000):
        data = bytearray(good)
        for place in rng.integers(0, len(data), rng.integers(1, 4)):
            data[place] = rng.integers(256)
        try:
            read_map(bytes(data[: rng.integers(0, len(data) + 1)]))
        except ModelError:
            refused += 1
    assert refused > 1000
