"""Merging of activations: the same bytes with an operator less."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.passes.changed import check_random_graphs
from tests.passes.nets import Net, applying
from tests.support import differential
from tinyserve.ops.quantize_params import Activation
from tinyserve.passes import activations
from tinyserve.passes.load import load


def network(seed: int, fused: str, name: str, *, same: bool = True) -> Net:
    net = Net(np.random.default_rng(seed))
    net.input((1, 4, 5, 3))
    net.conv(4, 3, activation=fused)
    net.unary(name, same=same)
    return net


@pytest.mark.parametrize("name", ["RELU", "RELU6"])
def test_activations_merge_and_bytes_stay(tmp_path: Path, name: str) -> None:
    cases = [
        network(seed, fused, name).case(f"{fused} {name} {seed}")
        for fused in ("NONE", "RELU", "RELU6")
        for seed in range(4)
    ]
    for seed in range(4):
        net = Net(np.random.default_rng(seed))
        x = net.input((1, 4, 5, 3))
        net.add(x, net.conv(3, 3))
        net.unary(name, same=True)
        cases.append(net.case(f"add {seed}"))
    prepare, changes = applying(activations.run)
    differential.check(cases, tmp_path, at_least=len(cases), prepare=prepare)
    assert changes == [1] * len(cases)


def test_merged_attributes_and_tensors() -> None:
    model = load(network(1, "RELU", "RELU6").case("").model)
    output = model.main.outputs[0]
    activations.run(model.main, model)
    (convolution,) = model.main.operators
    assert convolution.attributes.activation is Activation.RELU6 and convolution.outputs == [output]


def test_other_quantization_and_other_readers_stay() -> None:
    model = load(network(1, "NONE", "RELU", same=False).case("").model)
    assert activations.run(model.main, model) == 0
    net = network(2, "NONE", "RELU")
    middle = net.graph.operators[0].outputs[0]
    net.graph.outputs.append(middle)
    model = load(net.case("").model)
    assert activations.run(model.main, model) == 0


def test_random_graphs_keep_their_bytes(tmp_path: Path) -> None:
    check_random_graphs(activations.run, tmp_path)
