# SPDX-License-Identifier: Apache-2.0
"""Names of classes come back as a further output of a model that has some, over every protocol that names
outputs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http

from tests.serve.conftest import HOST
from tests.serve.running import Served, serving, triton_client
from tests.serve.test_hostile import INFER, body, more
from tests.serve.test_tritonclient import given
from tinyserve.bundle import MANIFEST_FILE, Bundle

NAMES = ["circle", "square", "triangle"]


@pytest.fixture(scope="module")
def named(shapes: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The classifier with names for its classes."""
    folder = tmp_path_factory.mktemp("named")
    path = Path(shutil.copytree(shapes.path, folder / "shapes"))
    manifest = json.loads((path / MANIFEST_FILE).read_text())
    (path / MANIFEST_FILE).write_text(json.dumps({**manifest, "labels": NAMES}))
    with serving(HOST.format(bundle=path), folder) as served:
        yield served


@pytest.mark.parametrize("module", [tritonclient.http, tritonclient.grpc])
@pytest.mark.parametrize("asked", [None, ["label"], ["label", "scores"]])
def test_each_sample_has_the_name_of_its_best_class(
    named: Served, module: Any, asked: list[str] | None
) -> None:
    stripes = np.where(np.arange(64) % 8 < 4, -128, 127)
    inputs = np.stack([np.full(64, -128), np.full(64, -60), stripes]).astype(np.int8).reshape(3, 8, 8, 1)
    outputs = [module.InferRequestedOutput(name) for name in asked] if asked else None
    with triton_client(module, named.rest if module is tritonclient.http else named.grpc) as client:
        scores = client.infer(
            "shapes", [given(module, inputs)], outputs=[module.InferRequestedOutput("scores")]
        )
        assert scores.as_numpy("label") is None
        answer = client.infer("shapes", [given(module, inputs)], outputs=outputs)
        wanted = [[NAMES[place].encode()] for place in scores.as_numpy("scores").argmax(axis=1)]
        assert wanted == [[b"square"], [b"circle"], [b"triangle"]]
        assert np.array_equal(answer.as_numpy("label"), np.array(wanted, object))
        if asked != ["label"]:
            assert np.array_equal(answer.as_numpy("scores"), scores.as_numpy("scores"))


def test_it_is_declared_and_comes_as_text_in_json(named: Served) -> None:
    *_, last = named.ask("/v2/models/shapes").json["outputs"]
    assert last == {"name": "label", "datatype": "BYTES", "shape": [-1, 1]}
    assert named.ask("/v2/models/shapes/config").json["output"][-1]["data_type"] == "TYPE_STRING"
    answer = named.ask(INFER, body()).json["outputs"]
    assert [one["name"] for one in answer] == ["scores", "label"] and answer[1]["data"][0] in NAMES
    binary = named.ask(INFER, more(parameters={"binary_data_output": True}))
    assert int(binary.headers["inference-header-content-length"]) < len(binary.body)


def test_names_have_no_best_classes(named: Served) -> None:
    asked = more(outputs=[{"name": "label", "parameters": {"classification": 2}}])
    assert named.ask(INFER, asked).status == 400


def test_answers_of_tensorflow_serving_stay_as_they_are(named: Served) -> None:
    reply = named.ask(
        "/v1/models/shapes:predict", json.dumps({"instances": np.zeros((2, 8, 8, 1)).tolist()}).encode()
    )
    assert np.shape(reply.json["predictions"]) == (2, 3)


def test_a_model_without_names_has_no_such_output(host: Served) -> None:
    assert [one["name"] for one in host.ask("/v2/models/shapes").json["outputs"]] == ["scores"]
    assert host.ask(INFER, more(outputs=[{"name": "label"}])).status == 400
