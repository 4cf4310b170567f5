# SPDX-License-Identifier: Apache-2.0
"""Whatever comes over the wire is answered with 4xx, and reaches no member unless it is whole."""

from __future__ import annotations

import json
import logging
import socket
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.serve.conftest import HOST
from tests.serve.running import FREE, Served, serving
from tinyserve.bundle import Bundle
from tinyserve.serve.errors import RequestError
from tinyserve.serve.rest import oip
from tinyserve.serve.served import Served as Model

INFER = "/v2/models/shapes/infer"
GOOD: dict[str, Any] = {"name": "image", "datatype": "INT8", "shape": [1, 8, 8, 1], "data": [0] * 64}


def body(**changes: Any) -> bytes:
    return json.dumps({"inputs": [{**GOOD, **changes}]}).encode()


def more(**said: Any) -> bytes:
    return json.dumps({"inputs": [GOOD], **said}).encode()


def without(name: str) -> bytes:
    return json.dumps({"inputs": [{k: v for k, v in GOOD.items() if k != name}]}).encode()


HOSTILE = [
    b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"inputs":' + b"[" * 5_000, b'{"inputs": []}',
    without("data"), without("name"), without("shape"), without("datatype"),
    body(shape=[-1, 8, 8, 1]), body(shape=[1, 8, 8]), body(shape=[2**62, 2**62]),
    body(shape=[0, 8, 8, 1], data=[]), body(shape=[0, 2**40, 2**40], data=[]),
    body(shape=[2, 8, 8, 1]), body(shape=[1] * 1000), body(shape=[1.5, 8]), body(shape="1"),
    body(shape=[2**70]),
    body(data=[128] + [0] * 63), body(data=[0.5] * 64), body(data=["0"] * 64), body(data=[None] * 64),
    body(data=[True] * 64), body(data="0" * 64), body(data={"a": 1}), body(data=[[0, [0]]]),
    body(data=[10**400] + [0] * 63), body(datatype="BYTES"), body(datatype="INT4"),
    body(datatype="int8"),
    body(datatype="FP32", data=[1e400] * 64), body(datatype="FP32", data=[10**400] * 64), body(name="other"),
    body(parameters={"binary_data_size": 64}), body(parameters={"binary_data_size": -1}),
    body().replace(b"[0, ", b"[NaN, "), json.dumps({"inputs": [GOOD, GOOD]}).encode(),
    more(outputs=[{"name": "x"}]), more(outputs=[{"name": "scores"}] * 2),
    more(outputs=[{"name": "scores", "parameters": {"classification": -1}}]),
    more(outputs=[{"name": "scores", "parameters": {"classification": "2"}}]),
    more(parameters={"timeout": -1}),
    more(parameters={"timeout": 2**64}),
    more(parameters={"priority": "high"}),
    more(parameters={"sequence_id": -1}),
    more(parameters={"sequence_start": 1}),
    more(parameters={"sequence_id": {"a": 1}}),
    more(id="x" * 10_000),
]  # fmt: skip


def inferences(host: Served) -> int:
    return sum(member.inferences for member in host.inside(host.running.gateway.members))


def test_malformed_requests_are_the_clients_fault(host: Served, caplog: pytest.LogCaptureFixture) -> None:
    before = inferences(host)
    for hostile in HOSTILE:
        reply = host.ask(INFER, hostile)
        assert 400 <= reply.status < 500, (hostile[:200], reply.body)
        assert set(reply.json) == {"error"} and "Traceback" not in reply.json["error"]
    assert inferences(host) == before
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize(
    ("length", "size", "tail"),
    [
        ("-1", 64, 64), ("99999", 64, 64), ("1e3", 64, 64), ("", 64, 64), ("9" * 5000, 64, 64), ("0", 64, 64),
        (None, 63, 63), (None, 64, 63), (None, 64, 65), (None, -1, 64), (None, 2**70, 64), (None, "64", 64),
        (None, True, 1), (None, 1.0, 1),
    ],
)  # fmt: skip
def test_binary_data_of_wrong_sizes(host: Served, length: str | None, size: Any, tail: int) -> None:
    tensor = {key: value for key, value in GOOD.items() if key != "data"}
    head = json.dumps({"inputs": [{**tensor, "parameters": {"binary_data_size": size}}]}).encode()
    said = str(len(head)) if length is None else length
    reply = host.ask(INFER, head + bytes(tail), inference_header_content_length=said)
    assert reply.status == 400, reply.body


@pytest.mark.parametrize(
    "path",
    [
        "/v2/models/none", "/v2/models/shapes/versions/2", "/v2/models/none/infer",
        "/v2/models/%2e%2e/infer", "/v3",
        "/v2/models/shapes/versions/2/infer", "/v1/models/none:predict", "/v2/models/none/stats",
    ],
)  # fmt: skip
def test_what_is_not_there_is_not_found(host: Served, path: str) -> None:
    method = "POST" if path.endswith(("infer", "predict")) else "GET"
    reply = host.ask(path, body() if method == "POST" else None, method)
    assert reply.status == 404 and "error" in reply.json


def test_methods_that_do_not_fit(host: Served) -> None:
    assert host.ask(INFER).status == 405
    assert host.ask("/v2", b"{}").status == 405


def test_a_compressed_bomb_is_not_inflated(host: Served) -> None:
    bomb = zlib.compress(bytes(200 << 20), 9)
    assert host.ask(INFER, bomb, content_encoding="deflate").status == 413
    assert host.ask(INFER, b"no gzip", content_encoding="gzip").status == 400
    assert host.ask(INFER, bomb[:100], content_encoding="deflate").status == 400
    assert host.ask(INFER, b"x", content_encoding="br").status == 400


def test_a_body_beyond_the_limit_is_not_read(host: Served) -> None:
    with socket.create_connection(tuple(host.rest.split(":")), timeout=30) as connection:
        connection.sendall(
            f"POST {INFER} HTTP/1.1\r\nHost: {host.rest}\r\nContent-Length: {1 << 40}\r\n\r\n".encode()
        )
        assert connection.recv(4096).startswith(b"HTTP/1.1 413")


def test_a_body_beyond_what_its_model_takes_is_not_parsed(
    host: Served, caplog: pytest.LogCaptureFixture
) -> None:
    """It is under limits.body_bytes; its many lists would hold up all other requests."""
    lists = b"[" + b"[1]," * 600_000 + b"[1]]"
    head = b'{"inputs":[{"name":"image","shape":[9376,8,8,1],"datatype":"INT8","data":'
    assert host.ask(INFER, head + lists + b"}]}").status == 413
    assert host.ask("/v1/models/shapes:predict", b'{"instances":' + lists + b"}").status == 413
    assert not caplog.records


@pytest.mark.parametrize("values", [[1] * 65, [[1]] * 65, [[1, 2]] * 64, [[[1] * 8] * 9]])
def test_values_beyond_the_shape_are_not_flattened(host: Served, values: list[Any]) -> None:
    reply = host.ask(INFER, body(data=values))
    assert reply.status == 400 and "more values than its shape takes, which is 64" in reply.json["error"]


def test_the_longest_request_that_a_model_takes_is_read(host: Served) -> None:
    values = (np.arange(256 * 64).reshape(256, 8, 8, 1) / 7).tolist()
    wide = json.dumps(
        {"inputs": [{"name": "image", "shape": [256, 8, 8, 1], "datatype": "FP32", "data": values}]}, indent=2
    )
    assert host.ask(INFER, wide.encode()).status == 200


@pytest.mark.parametrize("rubbish", [b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"POST / HTTP/9\r\n\r\n"])
def test_what_is_not_http(host: Served, rubbish: bytes) -> None:
    with socket.create_connection(tuple(host.rest.split(":")), timeout=30) as connection:
        connection.sendall(rubbish)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass
    assert host.ask("/v2/health/live").status == 200


def test_pages_of_other_sites_and_other_names_are_refused(host: Served) -> None:
    assert host.ask(INFER, body(), Origin="https://evil.example").status == 403
    assert host.ask(INFER, body(), Host="evil.example").status == 421
    assert host.ask(INFER, body(), Origin=f"http://{host.rest}").status == 200


def test_too_many_samples_in_one_request(host: Served) -> None:
    many = body(shape=[300, 8, 8, 1], data=[0] * 64 * 300)
    assert host.ask(INFER, many).status == 413


def test_a_token_is_asked_for(shapes: Bundle, tmp_path: Path) -> None:
    import tritonclient.grpc
    from tritonclient.utils import InferenceServerException

    (tmp_path / "token").write_text("correct-horse-battery\n")
    fleet = FREE + 'token_file = "token"\n' + HOST.format(bundle=shapes.path)
    with serving(fleet, tmp_path) as served:
        assert served.ask("/v2/health/ready").status == 200
        for wrong in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "correct-horse-battery"}):
            assert served.ask("/v2", **wrong).status == 401
        assert served.ask("/v2", Authorization="Bearer correct-horse-battery").status == 200
        with tritonclient.grpc.InferenceServerClient(served.grpc) as client:
            with pytest.raises(InferenceServerException, match="token"):
                client.get_server_metadata()
            good = {"authorization": "Bearer correct-horse-battery"}
            assert client.get_server_metadata(headers=good).name == "tinyserve"


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
KEYS = st.sampled_from(["name", "datatype", "shape", "data", "parameters"])


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.dictionaries(KEYS, ANY, max_size=3), st.binary(max_size=8), st.integers(0, 400) | st.none())
def test_any_change_of_a_request_is_read_or_refused(
    shapes: Bundle, changes: dict[str, Any], tail: bytes, length: int | None
) -> None:
    model = Model("shapes", "1", shapes)
    whole = body(**changes) + tail
    try:
        request, _ = oip.decode(whole, None if length is None else str(length), "", model)
    except RequestError:
        return
    assert all([len(data) for data in sample] == [64] for sample in request.samples)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.binary(max_size=200), st.text(max_size=10) | st.none())
def test_any_bytes_are_refused(shapes: Bundle, content: bytes, length: str | None) -> None:
    with pytest.raises(RequestError):
        oip.decode(content, length, "", Model("shapes", "1", shapes))
