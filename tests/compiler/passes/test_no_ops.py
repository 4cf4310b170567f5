# SPDX-License-Identifier: Apache-2.0
"""No-op removal: what returns its input's bytes goes, what looks alike and does not stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.compiler.passes.changed import check_random_graphs
from tests.compiler.passes.nets import Net, applying
from tests.support import differential
from tinyserve.compiler.passes import no_ops
from tinyserve.compiler.passes.load import load


def chain(net: Net) -> None:
    """RESHAPE to the same shape, PAD by nothing, QUANTIZE to the same scale, TRANSPOSE in order."""
    net.input((1, 4, 4, 3))
    net.conv(4, 3)
    net.reshape(net.x.shape)
    net.pad(0, 0, 0, 0)
    net.unary("QUANTIZE", same=True)
    net.conv(2, 1)
    net.reshape(net.x.shape)


def test_no_ops_go_and_bytes_stay(tmp_path: Path) -> None:
    cases = []
    for seed in range(4):
        net = Net(np.random.default_rng(seed))
        chain(net)
        cases.append(net.case(f"seed {seed}"))
    prepare, changes = applying(no_ops.run)
    differential.check(cases, tmp_path, at_least=4, prepare=prepare)
    assert changes == [4] * 4


def test_the_output_keeps_its_place_when_its_no_op_goes() -> None:
    net = Net(np.random.default_rng(1))
    chain(net)
    model = load(net.case("").model)
    output = model.main.outputs[0]
    no_ops.run(model.main, model)
    assert [op.name for op in model.main.nodes] == ["CONV_2D", "CONV_2D"]
    assert model.main.nodes[-1].outputs == [output] == model.main.outputs


def test_requantization_and_passing_an_input_through_stay() -> None:
    net = Net(np.random.default_rng(2))
    net.input((1, 4, 4, 3))
    net.unary("QUANTIZE")
    model = load(net.case("").model)
    assert no_ops.run(model.main, model) == 0

    net = Net(np.random.default_rng(3))
    net.input((1, 4, 4, 3))
    net.reshape(net.x.shape)
    model = load(net.case("").model)
    assert no_ops.run(model.main, model) == 0


def test_a_reshape_that_changes_the_quantization_stays() -> None:
    net = Net(np.random.default_rng(4))
    x = net.input((1, 4))
    y = net.tensor((1, 4))
    net.graph.op("RESHAPE", [x, net.graph.constant(np.array([1, 4], np.int32))], [y])
    net.x = y
    net.unary("RELU")
    model = load(net.case("").model)
    assert no_ops.run(model.main, model) == 0


def test_random_graphs_keep_their_bytes(tmp_path: Path) -> None:
    check_random_graphs(no_ops.run, tmp_path)
