# SPDX-License-Identifier: Apache-2.0
"""PAD merged into convolutions: the same bytes, also together with the convolution's own padding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.compiler.passes.changed import check_random_graphs
from tests.compiler.passes.nets import Net, applying
from tests.support import differential
from tinyserve.compiler.passes import dead_code, padding
from tinyserve.compiler.passes.load import load


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_padding_merges_and_bytes_stay(tmp_path: Path, dtype: str) -> None:
    cases = []
    for seed in range(16):
        net = Net(np.random.default_rng(seed))
        net.input((1, int(net.rng.integers(3, 8)), int(net.rng.integers(3, 8)), 3), dtype)
        net.pad(*(int(amount) for amount in net.rng.integers(0, 2, 3)), 1)
        own = "SAME" if seed % 3 == 0 else "VALID"
        stride = int(net.rng.integers(1, 3))
        if seed % 2:
            net.conv(4, 3, stride=stride, padding=own)
        else:
            net.depthwise(3, stride=stride, padding=own)
        cases.append(net.case(f"seed {seed}"))
    prepare, changes = applying(padding.run)
    close = differential.Tolerance(1e-5, 1e-5) if dtype == "float32" else differential.EXACT
    differential.check(cases, tmp_path, at_least=16, prepare=prepare, tolerance=close)
    assert changes == [1] * 16


def test_a_merged_pad_is_dead_code() -> None:
    net = Net(np.random.default_rng(1))
    net.input((1, 6, 6, 3))
    net.pad(0, 1, 0, 1)
    net.conv(4, 3, stride=2, padding="VALID")
    model = load(net.case("").model)
    padding.run(model.main, model)
    dead_code.run(model.main, model)
    (convolution,) = model.main.nodes
    pads = convolution.attributes.pads
    assert (pads.top, pads.bottom, pads.left, pads.right) == (0, 1, 0, 1)
    assert convolution.inputs[0] is model.main.inputs[0]


def test_windows_wholly_in_the_padding_and_other_values_stay() -> None:
    net = Net(np.random.default_rng(2))
    net.input((1, 6, 6, 3))
    net.pad(3, 0, 0, 0)
    net.conv(4, 3, padding="VALID")
    model = load(net.case("").model)
    assert padding.run(model.main, model) == 0

    net = Net(np.random.default_rng(3))
    x = net.input((1, 6, 6, 3), zero_point=5)
    y = net.tensor((1, 7, 6, 3), like=x)
    table = np.array([[0, 0], [1, 0], [0, 0], [0, 0]], np.int32)
    value = net.graph.constant(np.array([6], np.int8), *net.quantization[x.index])
    net.graph.op("PADV2", [x, net.graph.constant(table), value], [y])
    net.x = y
    net.conv(4, 3, padding="VALID")
    model = load(net.case("").model)
    assert padding.run(model.main, model) == 0


def test_random_graphs_keep_their_bytes(tmp_path: Path) -> None:
    check_random_graphs(padding.run, tmp_path)
