# SPDX-License-Identifier: Apache-2.0
"""Common subexpressions: equal operators are computed once."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.compiler.passes.changed import check_random_graphs
from tests.compiler.passes.nets import Net, applying
from tests.support import differential
from tests.support.flatbuffer_builder import TensorRef
from tinyserve.compiler.passes import common_subexpressions
from tinyserve.compiler.passes.load import load


def twin_convolutions(net: Net, seed: int, second_seed: int) -> tuple[TensorRef, TensorRef]:
    """Two convolutions of one input with weights drawn from the two seeds, quantized alike."""
    x = net.input((1, 5, 5, 3))
    quantized = net.tensor((1,), zero_point=-128)
    net.rng = np.random.default_rng(seed)
    left = net.conv(4, 3, like=quantized)
    net.x, net.rng = x, np.random.default_rng(second_seed)
    right = net.conv(4, 3, like=quantized)
    return left, right


def test_twins_become_one_and_bytes_stay(tmp_path: Path) -> None:
    cases = []
    for seed in range(4):
        net = Net(np.random.default_rng(seed))
        left, right = twin_convolutions(net, seed, seed)
        net.add(left, right)
        cases.append(net.case(f"seed {seed}"))
    prepare, changes = applying(common_subexpressions.run)
    differential.check(cases, tmp_path, at_least=4, prepare=prepare)
    assert changes == [1] * 4


def test_other_weights_or_returned_twins_stay() -> None:
    net = Net(np.random.default_rng(0))
    left, right = twin_convolutions(net, 1, 2)
    net.add(left, right)
    model = load(net.case("").model)
    assert common_subexpressions.run(model.main, model) == 0

    net = Net(np.random.default_rng(0))
    left, right = twin_convolutions(net, 1, 1)
    model = load(net.case("", left, right).model)
    assert common_subexpressions.run(model.main, model) == 0


def test_random_graphs_keep_their_bytes(tmp_path: Path) -> None:
    check_random_graphs(common_subexpressions.run, tmp_path)
