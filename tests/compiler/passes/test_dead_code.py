# SPDX-License-Identifier: Apache-2.0
"""Dead code: operators without readers go, those with effects stay."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.compiler.passes.changed import check_random_graphs
from tests.compiler.passes.nets import Net
from tinyserve.compiler.passes import dead_code
from tinyserve.compiler.passes.load import load


def test_a_branch_that_nobody_reads_goes_with_its_tensors() -> None:
    net = Net(np.random.default_rng(1))
    x = net.input((1, 4, 4, 3))
    kept = net.conv(4, 3)
    net.x = x
    net.conv(2, 1)
    net.conv(2, 1)
    model = load(net.case("", kept).model)
    assert dead_code.run(model.main, model) == 2
    assert [op.index for op in model.main.nodes] == [0]
    assert {tensor.index for tensor in model.main.tensors} == {
        t.index for t in (*model.main.nodes[0].inputs, *model.main.nodes[0].outputs)
    }


def test_inputs_stay_even_if_unread() -> None:
    net = Net(np.random.default_rng(1))
    net.input((1, 4, 4, 3))
    net.input((1, 4, 4, 3))
    net.conv(2, 1)
    model = load(net.case("").model)
    dead_code.run(model.main, model)
    assert len(model.main.inputs) == 2


def test_random_graphs_keep_their_bytes(tmp_path: Path) -> None:
    check_random_graphs(dead_code.run, tmp_path)
