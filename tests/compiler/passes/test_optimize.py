# SPDX-License-Identifier: Apache-2.0
"""All passes together: random graphs keep their bytes, the report adds up, and nothing is left to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.compiler.passes.nets import Net
from tests.support import differential
from tests.support.differential import Case
from tests.support.flatbuffer_builder import TensorRef
from tests.support.fuzz_seed import fuzz_seed
from tests.support.models import model_bytes, pattern
from tinyserve.compiler import ops, passes
from tinyserve.compiler.graph.types import Model
from tinyserve.compiler.passes.load import load


def grow(net: Net, seen: list[TensorRef]) -> None:
    """One more layer, on the newest activation or an older one."""
    rng = net.rng
    net.x = seen[-1] if rng.random() < 0.7 else seen[int(rng.integers(len(seen)))]
    _, height, width, channels = net.x.shape
    dead = {"dead_outputs": float(rng.uniform(0, 0.7))}
    kind = int(rng.integers(9))
    if kind <= 1:
        net.conv(int(rng.integers(2, 8)), 1, dead_inputs=float(rng.uniform(0, 0.5)), **dead)
    elif kind == 2:
        net.conv(int(rng.integers(2, 8)), 3, stride=int(rng.integers(1, 3)), activation="NONE", **dead)
    elif kind == 3:
        net.depthwise(stride=int(rng.integers(1, 3)), dead=float(rng.uniform(0, 0.5)))
    elif kind == 4:
        net.pad(*(int(amount) for amount in rng.integers(0, 2, 4)))
    elif kind == 5:
        net.unary(str(rng.choice(["RELU", "RELU6", "QUANTIZE"])), same=bool(rng.random() < 0.7))
    elif kind == 6:
        net.reshape((1, width, height, channels))
        net.reshape((1, height, width, channels))
    elif kind == 7 and min(height, width) > 2:
        net.pool(str(rng.choice(["MAX_POOL_2D", "AVERAGE_POOL_2D"])))
    else:
        partners = [other for other in seen if other.shape == net.x.shape]
        net.add(net.x, partners[int(rng.integers(len(partners)))], str(rng.choice(["NONE", "RELU"])))
    seen.append(net.x)


def random_case(seed: int) -> Case:
    """2 to 12 layers with branches, one or two outputs."""
    net = Net(np.random.default_rng((seed, *fuzz_seed())))
    zero_point = -128 if seed % 2 else None
    net.input((1, int(net.rng.integers(3, 9)), int(net.rng.integers(3, 9)), 3), zero_point=zero_point)
    # No output is the input under another shape: the comparison may let an operator write over its input.
    seen = [net.conv(int(net.rng.integers(2, 8)), int(net.rng.integers(1, 4)), dead_outputs=0.3)]
    for _ in range(int(net.rng.integers(2, 12))):
        grow(net, seen)
    outputs = [seen[-1]]
    if net.rng.random() < 0.3:
        outputs.append(seen[int(net.rng.integers(0, len(seen) - 1))])
    if net.rng.random() < 0.5:
        net.x = seen[-1]
        outputs[0] = net.dense(4, per_channel=bool(net.rng.random() < 0.5))
    return net.case(f"seed {seed}", *dict.fromkeys(outputs), samples=2)


def checked(model: Model) -> None:
    """Optimizes; every operator that is left passes its own check, and a second run finds nothing."""
    report = passes.optimize(model)
    for op in model.main.nodes:
        ops.registry()[op.name].check(op)
    assert report.macs_after == passes.macs(model) <= report.macs_before
    assert report.operators_after == len(model.main.nodes)
    assert sum(op.index >= 0 for op in model.main.nodes) == len(model.main.nodes)
    assert passes.optimize(model).changes == 0


def test_random_graphs_keep_their_bytes(tmp_path: Path) -> None:
    cases = [random_case(seed) for seed in range(60)]
    differential.check(cases, tmp_path, at_least=60, prepare=checked)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(4))
def test_many_random_graphs_keep_their_bytes(tmp_path: Path, block: int) -> None:
    cases = [random_case(seed) for seed in range(1000 + 100 * block, 1100 + 100 * block)]
    differential.check(cases, tmp_path, at_least=100, prepare=checked)


@pytest.mark.models
def test_the_person_detector_keeps_its_bytes(tmp_path: Path) -> None:
    data = model_bytes("vww_96_int8")
    shape = load(data).main.inputs[0].shape
    rng = np.random.default_rng(0)
    noise = [rng.integers(-128, 128, shape, dtype=np.int8) for _ in range(4)]
    flat = [np.full(shape, value, np.int8) for value in (-128, 0, 127)]
    samples = [[value] for value in [pattern(shape), *noise, *flat]]
    differential.check([Case("vww", data, samples)], tmp_path, at_least=1, prepare=checked)


def test_the_report_names_what_went() -> None:
    net = Net(np.random.default_rng(1))
    net.input((1, 6, 6, 3))
    net.pad(0, 1, 0, 1)
    net.conv(4, 3, padding="VALID", activation="NONE")
    net.unary("RELU", same=True)
    net.conv(8, 1, dead_outputs=0.5)
    net.conv(3, 1)
    model = load(net.case("").model)
    report = passes.optimize(model)
    removed = {result.name: " ".join(result.removed) for result in report.passes}
    assert "RELU #2" in removed["activations"]
    assert "CONV_2D #1" in removed["padding"]
    assert "PAD #0" in removed["dead code"]
    assert "of 8 channels" in removed["dead channels"]
    assert (report.operators_before, report.operators_after) == (5, 3)
    assert report.macs_after < report.macs_before
