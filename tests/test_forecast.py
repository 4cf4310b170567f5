# SPDX-License-Identifier: Apache-2.0
"""What a model would take of each board, before any conversion, against what it takes after one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve import boards
from tinyserve.bench.counts.count import cost
from tinyserve.cli.main import main
from tinyserve.convert import convert
from tinyserve.forecast import forecast

BOARD = "cortex-m4"


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A float network of a convolution and a dense layer, 64 x 200 weights."""
    generator = np.random.default_rng(0)
    model = ModelBuilder()
    graph = model.graph()
    image = graph.input((1, 10, 10, 1), "float32")
    filters = graph.constant(generator.normal(0, 0.3, (8, 3, 3, 1)).astype(np.float32))
    offsets = np.where(np.arange(8) % 2, -9.0, 0.0)  # every other channel is dead for small inputs
    bias = graph.constant(offsets.astype(np.float32))
    edges = graph.tensor((1, 5, 5, 8), "float32")
    graph.op(
        "CONV_2D", [image, filters, bias], [edges], padding="SAME", stride_w=2, stride_h=2, activation="RELU",
        dilation_w_factor=1, dilation_h_factor=1,
    )  # fmt: skip
    weights = graph.constant(generator.normal(0, 0.3, (64, 200)).astype(np.float32))
    scores = graph.tensor((1, 64), "float32")
    graph.op("FULLY_CONNECTED", [edges, weights, None], [scores])
    graph.output(scores)
    path = tmp_path_factory.mktemp("forecast") / "network.tflite"
    path.write_bytes(model.build())
    return path


@pytest.mark.slow
def test_each_scheme_is_foretold_as_it_is_after_conversion(network: Path, tmp_path: Path) -> None:
    samples = np.random.default_rng(1).uniform(0, 60, (40, 10, 10, 1)).astype(np.float32)
    np.save(tmp_path / "d.npy", samples)
    found = {f.scheme: f for f in forecast(network, [boards.load(BOARD)])}
    assert list(found) == ["int8", "int16x8", "float32"]
    for scheme, foretold in found.items():
        made = convert(network, representative=tmp_path / "d.npy", quantize=scheme, output=tmp_path / scheme)
        real = cost(made.model_bytes(), BOARD)
        needs = foretold.needs[BOARD]
        assert foretold.arena_bytes == made.manifest.arena_bytes
        assert foretold.macs == made.manifest.macs
        assert needs.ram_bytes >= real.arena_bytes
        assert (
            abs(needs.flash_bytes - real.flash_bytes) <= 0.02 * real.flash_bytes
        )  # the model's name is in it


def test_a_quantized_model_has_its_own_scheme_only(network: Path, tmp_path: Path) -> None:
    made = convert(network, representative="random", output=tmp_path / "b")
    assert [f.scheme for f in forecast(made.path, [boards.load(BOARD)])] == ["int8"]


def test_the_command_needs_no_data(network: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(network), "--fits", "--board", "bluepill"]) == 0
    shown = capsys.readouterr().out
    assert "bluepill" in shown
    assert all(scheme in shown for scheme in ("int8", "int16x8", "float32"))


def test_an_operator_without_a_kernel_is_said_in_its_row(tmp_path: Path) -> None:
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 4), "int8", scale=0.5)
    y = graph.tensor((1, 4), "int8", scale=0.5)
    graph.op("NobodyHasThis", [x], [y])
    graph.output(y)
    (tmp_path / "m.tflite").write_bytes(model.build())
    found = forecast(tmp_path / "m.tflite", [boards.load(BOARD)])
    assert "NobodyHasThis" in found[0].failed
    assert found[0].needs == {}
