# SPDX-License-Identifier: Apache-2.0
"""A cascade on a stream: what it gives here, in Python node by node, and on every core with its events."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.pipeline.streams import HOP, sound, write_models
from tinyserve import boards
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.events import Event
from tinyserve.compiler.host.model import FAST, HostModel
from tinyserve.devices import open_device
from tinyserve.devices.client.client import Client
from tinyserve.firmware.build import build
from tinyserve.firmware.render import render
from tinyserve.pipeline.compose import Composed, compose
from tinyserve.pipeline.spec import load
from tinyserve.workflow import target

HOPS = 60


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("cascade")
    write_models(made)
    return made


@pytest.fixture(scope="module")
def composed(directory: Path) -> Composed:
    return compose(load(directory / "pipeline.toml"), directory)


def alone(directory: Path, name: str, hops: np.ndarray) -> np.ndarray:
    model = HostModel(compile_model((directory / f"{name}.tflite").read_bytes()))
    return model.run_batch([hops], reset=False)[0]


def test_a_stage_that_did_not_run_has_heard_what_it_did_not_see(composed: Composed, directory: Path) -> None:
    hops = sound(200)
    outputs, events = HostModel(compile_model(composed.data)).events([hops])
    given = dict(zip(composed.output_names, outputs, strict=True))
    wake, verify = alone(directory, "wake", hops), alone(directory, "verify", hops)
    runs = (wake[:, 0, 1].astype(np.float32) + 128) / 256 > 0.5
    assert 0.2 < runs.mean() < 0.95
    assert np.array_equal(given["ran"][:, 0, 1], runs)
    assert np.array_equal(given["scores"], np.where(runs[:, None, None], verify, wake))
    ranked = np.sort((verify[:, 0].astype(np.float32) + 128) / 256)
    asked = runs & (ranked[:, -1] - ranked[:, -2] < 0.4)
    large = [event for event in events if event.name == "large"]
    assert [event.inference for event in large] == np.flatnonzero(asked).tolist()
    assert [event.payload for event in large] == [(hops[n].tobytes(),) for n in np.flatnonzero(asked)]
    assert all(event.sample == HOP * (event.inference + 1) for event in events)
    assert sum(event.name == "heard" for event in events) > 3


def test_features_that_both_stages_have_are_computed_once(composed: Composed) -> None:
    layers = [call.layer for call in compile_model(composed.data).program.calls]
    assert any("wake_2_window" in layer for layer in layers)
    assert not any("verify_2_window" in layer for layer in layers)


def test_it_is_the_same_for_this_very_processor(composed: Composed) -> None:
    plain, fast = (
        HostModel(compile_model(composed.data, one)).events([sound(HOPS)])
        for one in (target(None, "size"), FAST)
    )
    assert plain[1] == fast[1]
    assert all(np.array_equal(a, b) for a, b in zip(plain[0], fast[0], strict=True))


@pytest.mark.parametrize("cpu", ["cortex-m0", "cortex-m4", "cortex-m55", "rv32imc"])
def test_a_twin_gives_the_same_bytes_and_events(cpu: str, composed: Composed, tmp_path: Path) -> None:
    if cpu == "cortex-m55" and shutil.which("qemu-system-arm") is None:
        pytest.skip("needs qemu-system-arm")
    hops = sound(HOPS)
    outputs, wanted = HostModel(compile_model(composed.data)).events([hops])
    board = boards.load(cpu)
    compiled = compile_model(composed.data, target(board, "balanced"))
    firmware = build(render(compiled, board, tmp_path, "aot", emulate=True))
    found: list[Event] = []
    with open_device(firmware, board) as device:
        client = Client(device.link)
        assert client.identify().events == 2
        client.reset()
        for number, hop in enumerate(hops):
            client.load(hop.tobytes())
            client.infer(1)
            found += client.events
            assert client.outputs() == [output[number].tobytes() for output in outputs]
    assert found == wanted
    assert {event.name for event in wanted} == {"heard", "large"}
