# SPDX-License-Identifier: Apache-2.0
"""DEQUANTIZE -> QUANTIZE pairs that cancel."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.compiler.passes.changed import check_random_graphs
from tests.compiler.passes.nets import Net, applying
from tests.support import differential
from tinyserve.compiler import passes
from tinyserve.compiler.passes import dead_code, no_ops, quantize_pairs
from tinyserve.compiler.passes.load import load


def pair(net: Net, *, same: bool = True) -> None:
    net.input((1, 4, 4, 3))
    source = net.conv(4, 3, activation="NONE")
    real = net.tensor(source.shape, "float32")
    net.graph.op("DEQUANTIZE", [source], [real])
    back = net.tensor(source.shape, "int8", like=source if same else None)
    net.graph.op("QUANTIZE", [real], [back])
    net.x = back
    net.conv(3, 1)


def test_pairs_cancel_and_bytes_stay(tmp_path: Path) -> None:
    cases = []
    for seed in range(4):
        net = Net(np.random.default_rng(seed))
        pair(net)
        cases.append(net.case(f"seed {seed}"))
    prepare, changes = applying(quantize_pairs.run, dead_code.run)
    differential.check(cases, tmp_path, at_least=4, prepare=prepare)
    assert changes == [2] * 4  # the QUANTIZE by this pass, the DEQUANTIZE as dead code


def test_a_pair_that_writes_an_output_goes_and_the_output_stays(tmp_path: Path) -> None:
    cases = []
    for seed in range(4):
        net = Net(np.random.default_rng(seed))
        pair(net)
        returned = net.graph.operators[2].outputs[0]
        net.graph.outputs.append(returned)
        cases.append(net.case(f"seed {seed}"))
    prepare, changes = applying(quantize_pairs.run, no_ops.run, dead_code.run)
    differential.check(cases, tmp_path, at_least=4, prepare=prepare)
    assert changes == [3] * 4
    model = load(cases[0].model)
    passes.optimize(model)
    assert [op.name for op in model.main.nodes] == ["CONV_2D", "CONV_2D"]


def test_every_value_of_int8_and_int16_survives_the_round_trip() -> None:
    """The claim that makes the pass exact, in TFLM's float32 arithmetic."""
    rng = np.random.default_rng(0)
    for bits in (8, 16):
        values = np.arange(-(2 ** (bits - 1)), 2 ** (bits - 1), dtype=np.int64)
        for _ in range(200):
            scale = np.float32(10 ** rng.uniform(-9, 3))
            zero_point = int(rng.integers(-128, 128)) if bits == 8 else 0
            real = (np.float64(scale) * (values - zero_point)).astype(np.float32)
            back = np.rint((real / scale).astype(np.float32)).astype(np.int64) + zero_point
            assert np.array_equal(back, values)


def test_other_scales_stay() -> None:
    net = Net(np.random.default_rng(1))
    pair(net, same=False)
    model = load(net.case("").model)
    assert quantize_pairs.run(model.main, model) == 0


def test_random_graphs_keep_their_bytes(tmp_path: Path) -> None:
    check_random_graphs(quantize_pairs.run, tmp_path)
