# SPDX-License-Identifier: Apache-2.0
"""Merging of activations: the same bytes with an operator less."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.generate import Random
from tests.compiler.passes.changed import check_random_graphs
from tests.compiler.passes.nets import Net, applying
from tests.support import differential
from tests.support.differential import Case
from tests.support.flatbuffer_builder import ModelBuilder
from tests.support.fuzz_seed import fuzz_seed
from tests.support.graphs.grower import Grower
from tests.support.graphs.patterns import ACTIVATED
from tests.support.graphs.random_graph import LAYERS
from tinyserve.compiler.ops.support.quantize_params import Activation
from tinyserve.compiler.passes import activations
from tinyserve.compiler.passes.load import load


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


def activated(seed: int, name: str) -> Case:
    r, model = Random(seed, 230), ModelBuilder()
    g = Grower(r, model.graph())
    x = g.input((1, 4, 5, 3), "int8")
    LAYERS[name](g)
    y = g.like(g.values[-1])
    g.add(r.choice(("RELU", "RELU6")), [g.values[-1]], y)
    g.graph.output(y)
    return Case(f"{name} {seed}", model.build(), r.samples([x], 2))


def test_every_operator_that_clamps_takes_an_activation_over(tmp_path: Path) -> None:
    names = [name for name in ACTIVATED for _ in range(4)]
    cases = [activated(seed, name) for seed, name in enumerate(names)]
    prepare, changes = applying(activations.run)
    differential.check(cases, tmp_path, at_least=len(cases) - 2, prepare=prepare)
    if not fuzz_seed():  # RELU_N1_TO_1 in the operator and RELU behind it are no one activation
        merged = {name for name, changed in zip(names, changes, strict=True) if changed}
        assert merged == set(ACTIVATED)


def test_merged_attributes_and_tensors() -> None:
    model = load(network(1, "RELU", "RELU6").case("").model)
    output = model.main.outputs[0]
    activations.run(model.main, model)
    (convolution,) = model.main.nodes
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
