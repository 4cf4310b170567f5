# SPDX-License-Identifier: Apache-2.0
"""Firmware whose model is fed by rows, on emulated cores: rows go into the model as the line brings them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.compiler.bands.test_feed import drawn, fed_graphs, small
from tests.support.differential import run_tflm
from tinyserve import boards
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import HostModel
from tinyserve.devices import open_device, select_emulator
from tinyserve.devices.client import Client
from tinyserve.firmware.build import build
from tinyserve.firmware.render import render
from tinyserve.workflow import target


@pytest.mark.slow
@pytest.mark.parametrize(
    ("core", "seed"), [("cortex-m0", 1001), ("cortex-m4", 1004), ("cortex-m55", 1007), ("rv32imc", 1010)]
)
def test_a_random_graph_that_is_fed_gives_tflm_s_bytes(core: str, seed: int, tmp_path: Path) -> None:
    board = boards.load(core)
    if select_emulator(board).kind == "qemu" and shutil.which("qemu-system-arm") is None:
        pytest.skip("needs QEMU")
    ((case, compiled),) = fed_graphs(seed, 1, target(board, "balanced", feed="rows"))
    (expected,) = run_tflm([case])
    assert not isinstance(expected, str)
    with open_device(build(render(compiled, board, tmp_path, emulate=True)), board) as device:
        client = Client(device.link)
        for inputs, outputs in zip(case.samples, expected, strict=True):
            client.load(inputs[0].tobytes())
            client.infer(1)
            assert client.outputs() == [np.ascontiguousarray(one).tobytes() for one in outputs]


@pytest.mark.slow
def test_every_run_is_counted_from_its_first_row_on(tmp_path: Path) -> None:
    board, value = boards.load("cortex-m4"), drawn((1, 12, 6, 4))
    fed = compile_model(small(), replace(target(board, "balanced"), feed="rows"))
    firmware = build(render(fed, board, tmp_path, emulate=True))
    with open_device(firmware, board) as device:
        client = Client(device.link)
        client.load(value.tobytes())
        ticks = client.infer(3, 1)
        functions = device.function_counts()
        assert ticks == [ticks[0]] * 3
        assert ticks[0] * 0.97 < sum(functions.values()) <= ticks[0]
        assert sum(layer.ticks for layer in client.profile()) == pytest.approx(ticks[0], rel=0.03)
        assert sum(client.steps(99)) < ticks[0]  # of the rows, that which takes longest
        client.load(value.tobytes())
        client.infer(1)
        (got,) = client.outputs()
        assert client.identify().input_rows == 12
        assert firmware.stack is not None and "ts_model_feed" in firmware.stack.invoke_path
    assert got == HostModel(compile_model(small())).run([value])[0].tobytes()
