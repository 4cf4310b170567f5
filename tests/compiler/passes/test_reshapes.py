# SPDX-License-Identifier: Apache-2.0
"""Chains of RESHAPE and TRANSPOSE: only the last shape counts, and what moves no data is a RESHAPE."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.compiler.passes.changed import check_random_graphs
from tests.compiler.passes.nets import Net, applying
from tests.support import differential
from tests.support.differential import Case
from tests.support.flatbuffer_builder import ModelBuilder
from tests.support.fuzz_seed import fuzz_seed
from tests.support.tflm import Tflm
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import HostModel
from tinyserve.compiler.passes import dead_channels, dead_code, no_ops, reshapes
from tinyserve.compiler.passes.load import load


def test_chains_of_reshapes_merge_and_bytes_stay(tmp_path: Path) -> None:
    net = Net(np.random.default_rng(1))
    net.input((1, 4, 4, 3))
    net.conv(4, 3)
    net.reshape((1, 64))
    net.reshape((2, 32))
    net.reshape((1, 4, 4, 4))
    net.conv(2, 1)
    prepare, changes = applying(reshapes.run, dead_code.run, no_ops.run)
    differential.check([net.case("chain")], tmp_path, at_least=1, prepare=prepare)
    assert changes == [2 + 2 + 1]


def random_chain(seed: int, dtype: str) -> Case:
    """TRANSPOSE and RESHAPE in any order between two layers; what lies between is returned now and then."""
    net = Net(np.random.default_rng((seed, *fuzz_seed())))
    shape = tuple(int(extent) for extent in net.rng.integers(1, 5, 4))
    net.input(shape, dtype)
    net.unary("RELU")
    middle = []
    for _ in range(int(net.rng.integers(2, 7))):
        if net.rng.random() < 0.6:
            net.transpose(*(int(axis) for axis in net.rng.permutation(len(net.x.shape))))
        else:
            shapes = [
                net.x.shape[::-1],
                shape,
                (shape[0] * shape[1], shape[2] * shape[3]),
                (1, *net.x.shape[-3:]),
            ]
            fitting = [new for new in shapes if np.prod(new) == np.prod(shape)]
            net.reshape(fitting[int(net.rng.integers(len(fitting)))])
        if net.rng.random() < 0.15:
            middle.append(net.x)
    net.unary("RELU6")
    return net.case(f"seed {seed}", *dict.fromkeys([net.x, *middle]), samples=2)


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_random_chains_keep_their_bytes(tmp_path: Path, dtype: str) -> None:
    cases = [random_chain(seed, dtype) for seed in range(60)]
    prepare, changes = applying(reshapes.run, no_ops.run, dead_code.run, dead_channels.run)
    differential.check(cases, tmp_path, at_least=60, prepare=prepare)
    assert sum(changes) > 60


@pytest.mark.parametrize("axes", [(1,), (-2,), (2,), (1, 2), (0, 1)])
def test_reductions_read_the_image_whose_row_was_taken_away(axes: tuple[int, ...], tmp_path: Path) -> None:
    net = Net(np.random.default_rng(5))
    net.input((1, 1, 9, 4))
    net.unary("RELU")
    net.reshape((1, 9, 4))
    net.mean_over(*axes)
    case = net.case(f"mean over {axes}")
    prepare, changes = applying(reshapes.run, dead_code.run)
    differential.check([case], tmp_path, at_least=1, prepare=prepare)
    assert changes == [2]
    model = load(case.model)
    prepare(model)
    assert [(op.name, op.inputs[0].shape) for op in model.main.nodes if op.inputs[0]][-1] == (
        "MEAN",
        (1, 1, 9, 4),
    )


@pytest.mark.parametrize(("scale", "zero_point"), [(0.05, 0), (0.1, 0), (0.05, 5)])
def test_reductions_mean_what_the_reshape_says_that_codes_mean(scale: float, zero_point: int) -> None:
    """A RESHAPE whose output has another scale copies codes, in TFLM, and gives them another meaning."""
    r = np.random.default_rng(3)
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 1, 12, 4), "int8", 0.05)
    y = graph.tensor((1, 1, 12, 4), "int8", 0.05)
    graph.op("LEAKY_RELU", [x], [y], alpha=0.5)
    reshaped = graph.tensor((1, 12, 4), "int8", scale, zero_point)
    graph.op("RESHAPE", [y], [reshaped], new_shape=(1, 12, 4))
    z = graph.tensor((1, 4), "int8", 0.05)
    graph.op("MEAN", [reshaped, graph.constant(np.array([1], np.int32))], [z], keep_dims=False)
    graph.output(z)
    data = model.build()
    values = r.integers(-128, 128, (1, 1, 12, 4)).astype(np.int8)
    oracle = Tflm(data)
    oracle.invoke([values])
    (found,) = HostModel(compile_model(data)).run([values])
    np.testing.assert_array_equal(found.reshape(-1), oracle.output().reshape(-1))


def test_transposes_compose_in_the_right_order() -> None:
    net = Net(np.random.default_rng(2))
    net.input((2, 3, 4, 5))
    net.transpose(1, 2, 3, 0)
    net.transpose(3, 0, 2, 1)
    model = load(net.case("").model)
    values = np.arange(120, dtype=np.int8).reshape(2, 3, 4, 5)
    expected = values.transpose(1, 2, 3, 0).transpose(3, 0, 2, 1)
    assert reshapes.run(model.main, model) == 1
    dead_code.run(model.main, model)
    (only,) = model.main.nodes
    assert np.array_equal(values.transpose(only.inputs[1].data), expected)


def test_transposes_that_cancel_disappear() -> None:
    net = Net(np.random.default_rng(3))
    net.input((2, 3, 4, 5))
    net.unary("RELU", same=True)
    net.transpose(0, 3, 1, 2)
    net.transpose(0, 2, 3, 1)
    net.unary("RELU", same=True)
    model = load(net.case("").model)
    for module in (reshapes, no_ops, dead_code):
        module.run(model.main, model)
    assert [op.name for op in model.main.nodes] == ["RELU", "RELU"]


def test_only_a_transpose_that_moves_data_stays() -> None:
    for order, name in (((0, 3, 1, 2), "TRANSPOSE"), ((0, 2, 1, 3), "RESHAPE"), ((2, 0, 1, 3), "RESHAPE")):
        net = Net(np.random.default_rng(4))
        net.input((1, 4, 1, 3))
        net.transpose(*order)
        model = load(net.case("").model)
        reshapes.run(model.main, model)
        assert model.main.nodes[0].name == name
        values = np.arange(12).reshape(1, 4, 1, 3)
        kept = np.array_equal(values.transpose(order).reshape(-1), values.reshape(-1))
        assert kept == (name == "RESHAPE")


def test_random_graphs_keep_their_bytes(tmp_path: Path) -> None:
    check_random_graphs(reshapes.run, tmp_path)
