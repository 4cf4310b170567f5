# SPDX-License-Identifier: Apache-2.0
"""Whatever comes over gRPC is answered with a status, and reaches no member unless it is whole."""

from __future__ import annotations

import asyncio
import logging
import queue
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.serve.conftest import HOST
from tests.serve.running import FREE, Served, serving
from tests.serve.test_hostile import inferences
from tinyserve.bundle import Bundle
from tinyserve.serve.errors import RequestError
from tinyserve.serve.rpc.messages import SERVICE, message
from tinyserve.serve.rpc.service import _STREAM_AHEAD, Service, _decode
from tinyserve.serve.served import Served as Model

GOOD: dict[str, Any] = {"name": "image", "datatype": "INT8", "shape": [1, 8, 8, 1]}
RAW = [bytes(64)]
NO_COUNT = {"bool_param": True}


def request(inputs: list[dict[str, Any]], raw: list[bytes], **more: Any) -> Any:
    return message("ModelInferRequest")(model_name="shapes", inputs=inputs, raw_input_contents=raw, **more)


def contents(**values: Any) -> dict[str, Any]:
    return {**GOOD, "contents": values}


@pytest.fixture
def call(host: Served) -> Iterator[Any]:
    with grpc.insecure_channel(host.grpc) as channel:
        yield channel.unary_unary(f"/{SERVICE}/ModelInfer", lambda raw: raw, lambda raw: raw)


HOSTILE = [
    request([], []), request([], RAW), request([GOOD], []), request([GOOD], [b""]),
    request([GOOD], [bytes(63)]), request([{**GOOD, "shape": [0, 2**40, 2**40]}], [b""]),
    request([GOOD], [bytes(65)]), request([GOOD], RAW * 2), request([GOOD, GOOD], RAW * 2),
    request([{**GOOD, "shape": [-1, 8, 8, 1]}], RAW), request([{**GOOD, "shape": [2**62, 2**62, 2]}], RAW),
    request([{**GOOD, "shape": []}], RAW),
    request([{**GOOD, "shape": [0, 8, 8, 1]}], [b""]),
    request([{**GOOD, "shape": [1] * 100_000}], RAW), request([{**GOOD, "datatype": "BYTES"}], RAW),
    request([{**GOOD, "datatype": ""}], RAW), request([{**GOOD, "name": ""}], RAW),
    request([{**contents(int_contents=[0]), "shape": [2**62] * 200_000}], []),
    request([contents(int_contents=[0] * 63)], []), request([contents(int_contents=[128] * 64)], []),
    request([{**contents(int_contents=[0] * 64), "shape": [2**62] * 50_000}], []),
    request([{**contents(int_contents=[0] * 64), "shape": [-1, -64]}], []),
    request([contents(fp32_contents=[0.0] * 64)], []), request([contents(int_contents=[0] * 64)], RAW),
    request([GOOD], RAW, outputs=[{"name": "none"}]), request([GOOD], RAW, id="x" * 10_000),
    request([GOOD], RAW, parameters={"timeout": {"int64_param": -1}}),
    request([GOOD], RAW, parameters={"priority": {"string_param": "high"}}),
    request([GOOD], RAW, parameters={"sequence_id": {"double_param": 1.5}}),
    request([GOOD], RAW, outputs=[{"name": "scores", "parameters": {"classification": NO_COUNT}}]),
]  # fmt: skip


def test_malformed_requests_are_the_clients_fault(
    call: Any, host: Served, caplog: pytest.LogCaptureFixture
) -> None:
    before = inferences(host)
    for hostile in HOSTILE:
        with pytest.raises(grpc.RpcError) as raised:
            call(hostile.SerializeToString(), timeout=30)
        assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT, (hostile, raised.value)
        assert "Traceback" not in raised.value.details()
    assert inferences(host) == before
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_what_is_no_message_is_a_status_too(call: Any, caplog: pytest.LogCaptureFixture) -> None:
    for rubbish in (b"\xff" * 100, b"\x0a\xff\xff\xff\xff\x0f", b"\x2a\x05"):
        with pytest.raises(grpc.RpcError) as raised:
            call(rubbish, timeout=30)
        assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_message_beyond_the_limit_is_refused(call: Any) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        call(request([GOOD], [bytes(17 << 20)]).SerializeToString(), timeout=30)
    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_deadline_that_can_not_be_met_is_refused(call: Any) -> None:
    hopeless = request([GOOD], RAW, parameters={"timeout": {"int64_param": 1}})
    with pytest.raises(grpc.RpcError) as raised:
        call(hopeless.SerializeToString(), timeout=30)
    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    said = dict(raised.value.trailing_metadata())
    assert said["reason"] == "deadline" and int(said["retry-after-ms"]) >= 0


NUMBERS = st.lists(st.integers(-(2**40), 2**40), max_size=5)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    NUMBERS,
    st.sampled_from(["INT8", "FP32", "INT64", "BOOL", "x"]),
    st.lists(st.binary(max_size=70), max_size=3),
)
def test_any_request_is_read_or_refused(
    shapes: Bundle, shape: list[int], datatype: str, raw: list[bytes]
) -> None:
    asked = request([{**GOOD, "shape": shape or [1, 8, 8, 1], "datatype": datatype}], raw)
    try:
        found = _decode(asked, Model("shapes", "1", shapes), None)
    except RequestError:
        return
    assert all([len(data) for data in sample] == [64] for sample in found.samples)


class Stream:
    """A stream of inferences; each request is sent when it is asked for."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._sent: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        call = channel.stream_stream(f"/{SERVICE}/ModelStreamInfer", lambda raw: raw, lambda raw: raw)
        self._answers = call(iter(self._sent.get, None), timeout=60)

    def ask(self) -> None:
        """Raises grpc.RpcError where the stream was not taken."""
        self._sent.put(request([GOOD], RAW).SerializeToString())
        next(self._answers)

    def end(self) -> None:
        self._sent.put(None)
        list(self._answers)


def test_streams_that_say_nothing_leave_places_for_calls(shapes: Bundle, tmp_path: Path) -> None:
    text = f"{FREE}[limits]\nconnections = 4\n{HOST.format(bundle=shapes.path)}"
    with serving(text, tmp_path) as served, grpc.insecure_channel(served.grpc) as channel:
        idle = [Stream(channel), Stream(channel)]
        for one in idle:
            one.ask()
        third = Stream(channel)
        with pytest.raises(grpc.RpcError) as caught:
            third.ask()
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        with pytest.raises(grpc.RpcError):
            third.end()
        infer = channel.unary_unary(f"/{SERVICE}/ModelInfer", lambda raw: raw, lambda raw: raw)
        assert infer(request([GOOD], RAW).SerializeToString(), timeout=60)
        for one in idle:
            one.end()
        again = Stream(channel)
        again.ask()
        again.end()


def test_a_stream_that_is_given_up_leaves_no_inference_behind(host: Served) -> None:
    service = Service(host.running.gateway)
    context = SimpleNamespace(invocation_metadata=dict)

    async def streamed(raw: bytes, traceparent: str) -> bytes:
        if raw != b"first":
            await asyncio.Event().wait()
        return raw

    async def requests() -> AsyncIterator[bytes]:
        yield b"first"
        while True:
            yield b"another"

    async def given_up() -> int:
        stream: Any = service._stream(requests(), context)
        assert await anext(stream) == b"first"
        while sum(task.get_coro().__name__ == "streamed" for task in asyncio.all_tasks()) <= _STREAM_AHEAD:
            await asyncio.sleep(0)  # until the queue is full, and one finds no place
        await stream.aclose()
        return len(asyncio.all_tasks())

    service._streamed = streamed  # type: ignore[method-assign]
    assert asyncio.run(given_up()) == 1
