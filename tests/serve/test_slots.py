# SPDX-License-Identifier: Apache-2.0
"""Loading a model is an update of the slots of the devices that hold it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.serve.running import Served, serving
from tests.slots.fleet import test_rollout
from tinyserve import bundle
from tinyserve.cli.main import main
from tinyserve.errors import DeviceError
from tinyserve.serve.engines.twin import TwinEngine
from tinyserve.serve.served import Served as Model

place = test_rollout.place

FLEET = """
[server]
port = 0
grpc_port = 0
[models.m]
source = "m.bundle"
images = "images"
[members.device]
link = "twin:device"
board = "{board}"
"""
LOAD = "/v2/repository/models/m/load"


def infer(served: Served, model: Model) -> None:
    """It is this model that the twin serves, and its answer is right."""
    sample, expected = model.golden
    (info,) = model.inputs
    values = list(memoryview(sample[0]).cast("b"))
    asked = {"inputs": [{"name": info.name, "shape": info.shape, "datatype": "INT8", "data": values}]}
    answer = served.ask("/v2/models/m/infer", json.dumps(asked).encode()).json
    assert answer["parameters"]["model_sha256"] == model.sha256
    assert answer["parameters"]["ran_on"] == "twin"
    assert answer["outputs"][0]["data"] == list(memoryview(expected[0]).cast("b"))


def put(place: Path, folder: Path, number: int, images: int) -> Model:
    """A model's bundle and the images of one, where the fleet's file names them."""
    for source, target in ((f"m{number}.bundle", "m.bundle"), (f"i{images}", "images")):
        shutil.rmtree(folder / target, ignore_errors=True)
        shutil.copytree(place / source, folder / target)
    model = Model("m", "1", bundle.load(folder / "m.bundle"))
    _ = model.golden  # while its files are there
    return model


def test_a_load_puts_the_signed_model_on_the_device(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "firmware", tmp_path / "device")  # without any model
    put(place, tmp_path, 1, images=1)
    with serving(FLEET.format(board=place / "small.toml"), tmp_path) as served:
        for number in (1, 2):
            if number == 2:
                put(place, tmp_path, 2, images=1)
                reply = served.ask(LOAD, b"")
                assert reply.status == 503 and "images of another model" in reply.json["error"]
                served.wait_ready()  # with the model before
            model = put(place, tmp_path, number, images=number)
            assert served.ask(LOAD, b"").status == 200
            infer(served, model)
    assert main(["slots", "--emulate", str(tmp_path / "device")]) == 0


def test_a_device_that_fails_the_check_gets_its_model_before(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(place / "firmware", tmp_path / "device")
    before = put(place, tmp_path, 1, images=1)
    with serving(FLEET.format(board=place / "small.toml"), tmp_path) as served:
        served.wait_ready()
        after = put(place, tmp_path, 2, images=2)
        check = TwinEngine.check

        def failing(engine: TwinEngine, model: Model) -> None:
            if model.sha256 == after.sha256:
                raise DeviceError("its answer to a known input is wrong")
            check(engine, model)

        monkeypatch.setattr(TwinEngine, "check", failing)
        reply = served.ask(LOAD, b"")
        assert reply.status == 503 and "a known input is wrong" in reply.json["error"]
        served.wait_ready()
        infer(served, before)
    assert main(["slots", "--emulate", str(tmp_path / "device")]) == 0
