# SPDX-License-Identifier: Apache-2.0
"""Dead-channel elimination: the same bytes as TFLM computes with all channels, and the channels are gone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.compiler.passes.changed import check_random_graphs
from tests.compiler.passes.nets import RELU_ZERO_POINT, Net, applying
from tests.support import differential
from tests.support.models import INT8_CRC, model_bytes
from tinyserve.compiler import passes
from tinyserve.compiler.graph.types import Model
from tinyserve.compiler.passes import dead_channels
from tinyserve.compiler.passes.load import load
from tinyserve.compiler.passes.work.macs import macs


def separable(net: Net, blocks: int, dead: float, unread: float, points: int | None) -> None:
    """Depthwise and pointwise convolutions as MobileNets have them."""
    net.conv(int(net.rng.integers(3, 9)), 3, stride=2, dead_outputs=dead, zero_point=points)
    for _ in range(blocks):
        net.depthwise(
            stride=int(net.rng.integers(1, 3)), multiplier=int(net.rng.integers(1, 3)), zero_point=points
        )
        net.conv(int(net.rng.integers(3, 9)), dead_outputs=dead, dead_inputs=unread, zero_point=points)


@pytest.mark.parametrize("points", [RELU_ZERO_POINT, None], ids=["relu", "any zero point"])
def test_separable_networks_keep_their_bytes(tmp_path: Path, points: int | None) -> None:
    cases = []
    for seed in range(24):
        net = Net(np.random.default_rng(seed))
        net.input((1, 9, 8, 3))
        separable(net, 2, dead=0.5, unread=0.4, points=points)
        net.pool(size=2 if min(net.x.shape[1:3]) > 1 else 1)
        net.dense(4, per_channel=bool(seed % 2))
        cases.append(net.case(f"seed {seed}"))
    prepare, changes = applying(dead_channels.run)
    differential.check(cases, tmp_path, at_least=24, prepare=prepare)
    assert sum(changes) > 24


def test_branches_sums_and_flattening_keep_their_bytes(tmp_path: Path) -> None:
    cases = []
    for seed in range(24):
        net = Net(np.random.default_rng(100 + seed))
        net.input((1, 6, 6, 4))
        trunk = net.conv(8, 3, dead_outputs=0.4, activation="RELU6")
        left = net.conv(6, 1, dead_outputs=0.5, dead_inputs=0.3)
        net.x = trunk
        right = net.conv(6, 3, dead_outputs=0.5, padding="SAME", bias=bool(seed % 2))
        net.add(left, right)
        net.conv(5, 2, padding="VALID", dead_outputs=0.4, dead_inputs=0.4)
        net.reshape((1, int(np.prod(net.x.shape))))
        net.dense(6, dead_outputs=0.4, dead_inputs=0.2, bias=bool(seed % 3), per_channel=bool(seed % 2))
        net.dense(3)
        cases.append(net.case(f"seed {seed}"))
    prepare, changes = applying(dead_channels.run)
    differential.check(cases, tmp_path, at_least=24, prepare=prepare)
    assert sum(changes) > 24


def test_operators_that_treat_channels_alike_keep_their_bytes(tmp_path: Path) -> None:
    """Padding, separate activations, pools, concatenations and means between dead channels and readers."""
    cases = []
    for seed in range(24):
        net = Net(np.random.default_rng(300 + seed))
        net.input((1, 5, 6, 3))
        trunk = net.conv(6, 3, dead_outputs=0.5, activation="NONE", zero_point=RELU_ZERO_POINT)
        net.unary(["RELU", "LEAKY_RELU", "LOGISTIC", "HARD_SWISH"][seed % 4])
        net.pad(1, 0, 0, 1)
        left = net.conv(5, 2, dead_outputs=0.5, dead_inputs=0.3, padding="VALID", activation="RELU6")
        net.x = trunk
        net.pool("MAX_POOL_2D", 1, activation="RELU")
        right = net.conv(4, 1, dead_outputs=0.5, like=left)
        net.concat(left, right)
        net.conv(6, 1, dead_outputs=0.5, dead_inputs=0.4)
        net.mean()
        net.dense(4, per_channel=bool(seed % 2))
        cases.append(net.case(f"seed {seed}"))
    prepare, changes = applying(dead_channels.run)
    differential.check(cases, tmp_path, at_least=24, prepare=prepare)
    assert sum(changes) > 24


def test_float_networks_keep_their_bits(tmp_path: Path) -> None:
    """Only what is zero is taken out of sums of floats, so not even their rounding changes."""
    cases = []
    for seed in range(8):
        net = Net(np.random.default_rng(200 + seed))
        net.input((1, 6, 6, 3), "float32")
        net.conv(8, 3, dead_outputs=0.4)
        net.depthwise()
        net.conv(4, 1, dead_inputs=0.5)
        net.dense(3)
        cases.append(net.case(f"seed {seed}"))
    prepare, changes = applying(dead_channels.run)
    differential.check(
        cases, tmp_path, at_least=8, prepare=prepare, tolerance=differential.Tolerance(1e-5, 1e-5)
    )
    assert sum(changes) > 8


def test_int16_networks_keep_their_bytes(tmp_path: Path) -> None:
    cases = []
    for seed in range(8):
        net = Net(np.random.default_rng(400 + seed))
        net.input((1, 6, 6, 3), "int16")
        net.conv(8, 3, dead_outputs=0.4, bias=bool(seed % 2))
        net.depthwise()
        net.conv(4, 1, dead_inputs=0.5)
        net.dense(3)
        cases.append(net.case(f"seed {seed}"))
    prepare, changes = applying(dead_channels.run)
    differential.check(cases, tmp_path, at_least=8, prepare=prepare)
    assert sum(changes) > 8


def channels_of(model: Model, name: str) -> list[int]:
    return [op.outputs[0].shape[-1] for op in model.main.nodes if op.name == name]


def test_a_dead_channel_goes_through_pool_reshape_and_into_the_bias() -> None:
    net = Net(np.random.default_rng(1))
    net.input((1, 4, 4, 2))
    net.conv(8, 1, dead_outputs=0.5)
    net.pool()
    net.reshape((1, 2 * 2 * 8))
    net.dense(3)
    model = load(net.case("").model)
    bias = model.main.nodes[-1].inputs[2]
    dead_channels.run(model.main, model)
    kept = channels_of(model, "CONV_2D")[0]
    assert 0 < kept < 8
    assert channels_of(model, "AVERAGE_POOL_2D") == [kept] and channels_of(model, "RESHAPE") == [4 * kept]
    assert model.main.nodes[-1].inputs[1].shape == (3, 4 * kept)
    assert (model.main.nodes[-1].inputs[2].data != bias.data).any()


def test_what_nobody_reads_is_not_computed_and_what_the_graph_returns_is() -> None:
    net = Net(np.random.default_rng(2))
    net.input((1, 4, 4, 2))
    net.conv(8, 1)
    net.depthwise()
    middle = net.x
    net.conv(3, 1, dead_inputs=0.6)
    model = load(net.case("").model)
    dead_channels.run(model.main, model)
    kept = channels_of(model, "CONV_2D")[0]
    assert kept < 8 and channels_of(model, "DEPTHWISE_CONV_2D") == [kept]

    returned = Net(np.random.default_rng(2))
    returned.input((1, 4, 4, 2))
    returned.conv(8, 1)
    middle = returned.depthwise()
    last = returned.conv(3, 1, dead_inputs=0.6)
    model = load(returned.case("", middle, last).model)
    assert dead_channels.run(model.main, model) == 0


def test_a_tensor_of_dead_channels_alone_keeps_one() -> None:
    net = Net(np.random.default_rng(3))
    net.input((1, 4, 4, 2))
    net.conv(8, 1, dead_outputs=1.0)
    net.conv(3, 1)
    model = load(net.case("").model)
    dead_channels.run(model.main, model)
    assert channels_of(model, "CONV_2D") == [1, 3]


@pytest.mark.models
def test_the_person_detector_computes_half_of_its_macs() -> None:
    model = load(model_bytes("vww_96_int8"))
    assert macs(model) == 7_489_664
    report = passes.optimize(model)
    assert report.macs_after == macs(model) < 3_740_000
    result = next(result for result in report.passes if result.name == dead_channels.NAME)
    assert any("234 of 256 channels" in line for line in result.removed)


@pytest.mark.models
@pytest.mark.parametrize("name", sorted(INT8_CRC))
def test_optimized_operators_still_pass_their_own_checks(name: str) -> None:
    from tinyserve.compiler import ops

    model = load(model_bytes(name))
    passes.optimize(model)
    for op in model.main.nodes:
        ops.registry()[op.name].check(op)


def test_random_graphs_keep_their_bytes(tmp_path: Path) -> None:
    check_random_graphs(dead_channels.run, tmp_path)
