# SPDX-License-Identifier: Apache-2.0
"""Triton's own client, unmodified, over HTTP and gRPC: its answers are TFLM's bytes."""

from __future__ import annotations

import asyncio
import queue
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.grpc.aio
import tritonclient.http
import tritonclient.http.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tritonclient.utils import InferenceServerException

from tests.serve.running import Served, triton_client
from tinyserve.bundle import Bundle


def samples(shapes: Bundle) -> tuple[Any, Any]:
    """Held-out inputs and what TFLM gave for them."""
    assert shapes.manifest.expected_from.startswith("tflite-micro")
    held = shapes.samples()
    return held.inputs[0].astype(np.int8).reshape(-1, 8, 8, 1), held.expected[0].astype(np.int8).reshape(
        -1, 3
    )


@pytest.fixture(params=["http", "grpc"])
def client(request: pytest.FixtureRequest, host: Served) -> Any:
    module = {"http": tritonclient.http, "grpc": tritonclient.grpc}[request.param]
    with triton_client(module, host.rest if request.param == "http" else host.grpc) as made:
        yield made, module


def given(module: Any, array: Any, datatype: str = "INT8") -> Any:
    tensor = module.InferInput("image", list(array.shape), datatype)
    tensor.set_data_from_numpy(array)
    return tensor


def test_answers_are_tflms_bytes(client: Any, shapes: Bundle) -> None:
    connection, module = client
    inputs, expected = samples(shapes)
    for image, scores in zip(inputs[:4], expected, strict=False):
        answer = connection.infer("shapes", [given(module, image[None])], request_id="7")
        assert answer.as_numpy("scores").tobytes() == scores.tobytes()


def test_a_batch_has_all_answers_in_order(client: Any, shapes: Bundle) -> None:
    connection, module = client
    inputs, expected = samples(shapes)
    answer = connection.infer(
        "shapes", [given(module, inputs)], outputs=[module.InferRequestedOutput("scores")]
    )
    assert answer.as_numpy("scores").tobytes() == expected.tobytes()


def test_json_data_is_as_good_as_binary(host: Served, shapes: Bundle) -> None:
    inputs, expected = samples(shapes)
    with triton_client(tritonclient.http, host.rest) as connection:
        tensor = tritonclient.http.InferInput("image", [1, 8, 8, 1], "INT8")
        tensor.set_data_from_numpy(inputs[:1], binary_data=False)
        wanted = tritonclient.http.InferRequestedOutput("scores", binary_data=False)
        answer = connection.infer("shapes", [tensor], outputs=[wanted], request_compression_algorithm="gzip")
        assert answer.as_numpy("scores").tobytes() == expected[:1].tobytes()


def test_real_values_are_quantized(client: Any, shapes: Bundle) -> None:
    connection, module = client
    real = shapes.samples().float_inputs
    assert real is not None
    _, expected = samples(shapes)
    image = real[0][:1].astype(np.float32).reshape(1, 8, 8, 1)
    answer = connection.infer("shapes", [given(module, image, "FP32")])
    assert answer.as_numpy("scores").tobytes() == expected[:1].tobytes()


def test_classification_gives_the_best_classes(client: Any, shapes: Bundle) -> None:
    connection, module = client
    inputs, expected = samples(shapes)
    wanted = module.InferRequestedOutput("scores", class_count=2)
    answer = connection.infer("shapes", [given(module, inputs[:1])], outputs=[wanted])
    best = answer.as_numpy("scores").reshape(-1)
    assert [int(one.split(b":")[1]) for one in best] == np.argsort(-expected[0].astype(int), kind="stable")[
        :2
    ].tolist()


def test_an_answer_says_where_it_ran_and_what_it_took(client: Any, shapes: Bundle) -> None:
    connection, module = client
    inputs, _ = samples(shapes)
    response = connection.infer("shapes", [given(module, inputs[:1])]).get_response()
    if isinstance(response, dict):
        facts = response["parameters"]
    else:
        facts = {k: getattr(v, v.WhichOneof("parameter_choice")) for k, v in response.parameters.items()}
    assert facts["member"] == "here" and facts["ran_on"] == "host"
    assert facts["model_sha256"] == shapes.manifest.model_sha256
    assert {"queue_us", "link_us", "compute_us"} <= set(facts)


def test_what_the_server_says_of_itself(client: Any) -> None:
    connection, _ = client
    assert (
        connection.is_server_live() and connection.is_server_ready() and connection.is_model_ready("shapes")
    )
    for call in ("get_server_metadata", "get_model_repository_index"):
        assert getattr(connection, call)()
    metadata = connection.get_model_metadata("shapes")
    inputs = metadata["inputs"][0]["shape"] if isinstance(metadata, dict) else metadata.inputs[0].shape
    assert [int(extent) for extent in inputs] == [-1, 8, 8, 1]
    config = connection.get_model_config("shapes")
    most = config["max_batch_size"] if isinstance(config, dict) else config.config.max_batch_size
    assert most == 256
    assert connection.get_inference_statistics("shapes") and connection.get_inference_statistics()


@pytest.mark.parametrize("name", ["nothing", "shapes"])
def test_wrong_requests_are_errors_of_the_client(client: Any, name: str) -> None:
    connection, module = client
    with pytest.raises(InferenceServerException) as raised:
        connection.infer(name, [given(module, np.zeros((1, 7, 8, 1), np.int8))])
    assert raised.value.status() in ("400", "404", "StatusCode.INVALID_ARGUMENT", "StatusCode.NOT_FOUND")


def test_asyncio_clients(host: Served, shapes: Bundle) -> None:
    inputs, expected = samples(shapes)

    async def ask(module: Any, aio: Any, address: str) -> list[bytes]:
        async with aio.InferenceServerClient(address) as connection:
            calls = [connection.infer("shapes", [given(module, image[None])]) for image in inputs[:8]]
            return [answer.as_numpy("scores").tobytes() for answer in await asyncio.gather(*calls)]

    wanted = [scores.tobytes() for scores in expected[:8]]
    assert asyncio.run(ask(tritonclient.http, tritonclient.http.aio, host.rest)) == wanted
    assert asyncio.run(ask(tritonclient.grpc, tritonclient.grpc.aio, host.grpc)) == wanted


def test_a_stream_answers_in_order_and_survives_an_error(host: Served, shapes: Bundle) -> None:
    inputs, expected = samples(shapes)
    answers: queue.Queue[Any] = queue.Queue()
    with tritonclient.grpc.InferenceServerClient(host.grpc) as connection:
        connection.start_stream(lambda result, error: answers.put((result, error)))
        connection.async_stream_infer("shapes", [given(tritonclient.grpc, inputs[:1])])
        connection.async_stream_infer("shapes", [given(tritonclient.grpc, inputs[:1, :2])])
        connection.async_stream_infer("shapes", [given(tritonclient.grpc, inputs[1:2])])
        found = [answers.get(timeout=30) for _ in range(3)]
        connection.stop_stream()
    assert found[0][0].as_numpy("scores").tobytes() == expected[:1].tobytes()
    assert found[1][1] is not None and "shape" in str(found[1][1])
    assert found[2][0].as_numpy("scores").tobytes() == expected[1:2].tobytes()


def test_grpc_health_and_reflection(host: Served) -> None:
    with grpc.insecure_channel(host.grpc) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        assert health.Check(health_pb2.HealthCheckRequest(), timeout=30).status == 1
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = [
            reflection_pb2.ServerReflectionRequest(list_services=""),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol="inference.GRPCInferenceService"),
        ]
        listed, file = stub.ServerReflectionInfo(iter(asked), timeout=30)
    assert "inference.GRPCInferenceService" in {one.name for one in listed.list_services_response.service}
    assert b"ModelInferRequest" in file.file_descriptor_response.file_descriptor_proto[0]


def test_shared_memory_is_refused_in_words(host: Served, shapes: Bundle) -> None:
    with triton_client(tritonclient.http, host.rest) as connection:
        for ask in (connection.get_system_shared_memory_status, connection.get_cuda_shared_memory_status):
            with pytest.raises(InferenceServerException, match="shared memory is not supported"):
                ask()
        tensor = tritonclient.http.InferInput("image", [1, 8, 8, 1], "INT8")
        tensor.set_shared_memory("region", 64)
        with pytest.raises(InferenceServerException, match="image: shared memory is not supported"):
            connection.infer("shapes", [tensor])
