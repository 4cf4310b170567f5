# SPDX-License-Identifier: Apache-2.0
"""TensorFlow Serving's REST predict API."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.serve.running import Served
from tests.serve.test_tritonclient import samples
from tinyserve import bundle
from tinyserve.bundle import Bundle

PREDICT = "/v1/models/shapes:predict"


def test_instances_are_real_values_and_so_are_predictions(host: Served, shapes: Bundle) -> None:
    real = shapes.samples().float_inputs
    assert real is not None
    images = np.asarray(real[0]).reshape(-1, 8, 8, 1)[:3]
    reply = host.ask(PREDICT, json.dumps({"instances": images.tolist()}).encode())
    expected = bundle.dequantize(samples(shapes)[1][:3], shapes.manifest.outputs[0])
    assert reply.status == 200
    assert np.array_equal(np.array(reply.json["predictions"], np.float32), expected)


def test_the_raw_signature_has_the_models_integers(host: Served, shapes: Bundle) -> None:
    inputs, expected = samples(shapes)
    body = {"signature_name": "raw", "inputs": {"image": inputs[:2].tolist()}}
    reply = host.ask("/v1/models/shapes/versions/1:predict", json.dumps(body).encode())
    assert reply.json == {"outputs": expected[:2].tolist()}


def test_rows_may_name_their_inputs(host: Served, shapes: Bundle) -> None:
    inputs, expected = samples(shapes)
    body = {"signature_name": "raw", "instances": [{"image": image.tolist()} for image in inputs[:2]]}
    assert host.ask(PREDICT, json.dumps(body).encode()).json == {"predictions": expected[:2].tolist()}


def test_classes_come_best_first(host: Served, shapes: Bundle) -> None:
    inputs, _ = samples(shapes)
    body = {"signature_name": "raw", "instances": inputs[:1].tolist()}
    (row,) = host.ask("/v1/models/shapes:classify", json.dumps(body).encode()).json["results"]
    assert len(row) == 3 and [score for _, score in row] == sorted((score for _, score in row), reverse=True)


def test_status_and_metadata(host: Served) -> None:
    status = host.ask("/v1/models/shapes").json
    assert status["ready"] is True and status["model_version_status"][0]["state"] == "AVAILABLE"
    signatures = host.ask("/v1/models/shapes/metadata").json["metadata"]["signature_def"]["signature_def"]
    assert signatures["serving_default"]["inputs"]["image"]["dtype"] == "DT_FLOAT"
    assert signatures["raw"]["inputs"]["image"]["dtype"] == "DT_INT8"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"instances": []}',
        b'{"instances": 1}',
        b'{"instances": [], "inputs": []}',
        b'{"instances": [[[[0]]]]}',
        b'{"instances": [{"a": 1}]}',
        b'{"instances": [{"a": 1}, {"b": 1}]}',
        b'{"instances": [[1], [1, 2]]}',
        b'{"inputs": {"image": "x"}}',
        b'{"inputs": "x"}',
        b'{"inputs": null}',
        b'{"instances": [[[["x"]]]], "signature_name": "raw"}',
        b'{"instances": [1], "signature_name": "none"}',
    ],
)
def test_malformed_requests_are_the_clients_fault(host: Served, body: bytes) -> None:
    reply = host.ask(PREDICT, body)
    assert reply.status == 400 and reply.json["error"]
