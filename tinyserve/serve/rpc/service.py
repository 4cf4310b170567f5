# SPDX-License-Identifier: Apache-2.0
"""The protocol's gRPC service over a gateway."""

from __future__ import annotations

import asyncio
import hmac
import logging
import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import grpc
from google.protobuf import json_format
from google.protobuf.message import DecodeError

from tinyserve.errors import TinyserveError
from tinyserve.serve import extensions
from tinyserve.serve.errors import RequestError, UnavailableError
from tinyserve.serve.gateway import Gateway
from tinyserve.serve.request import InferAnswer, InferRequest, Wanted
from tinyserve.serve.rest import oip
from tinyserve.serve.rpc.messages import POOL, SERVICE, message
from tinyserve.serve.served import Served
from tinyserve.serve.tensors import (
    Asked,
    Given,
    Parameter,
    check_datatype,
    check_shape,
    classes_of,
    to_request,
)
from tinyserve.words import counted

_log = logging.getLogger(__name__)
Context = Any
_CONTENTS = {
    "BOOL": "bool_contents", "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents",
    "INT64": "int64_contents", "UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents",
    "UINT64": "uint64_contents", "FP32": "fp32_contents", "FP64": "fp64_contents",
}  # fmt: skip
_STREAM_AHEAD = 64
"""Requests of one stream that may wait: the client is not listened to further."""
_InferRequest = message("ModelInferRequest")
_InferResponse = message("ModelInferResponse")


class Service:
    """Each method takes a request message and returns the response's."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._streams = 0
        self._most_streams = max(1, gateway.config.limits.connections // 2)

    def handlers(self) -> grpc.GenericRpcHandler:
        """For ``Server.add_generic_rpc_handlers``."""
        methods = {}
        service = POOL.FindServiceByName(SERVICE)
        for method in service.methods:
            request, response = (message(kind.name) for kind in (method.input_type, method.output_type))
            call = getattr(self, _snake(method.name))
            # Bytes come as they are: gRPC's own answer to what is no message is a traceback in the log.
            if method.client_streaming:
                handler = grpc.stream_stream_rpc_method_handler(call, None, response.SerializeToString)
            else:
                guarded = _guarded(call, request, response)
                handler = grpc.unary_unary_rpc_method_handler(guarded, None, response.SerializeToString)
            methods[method.name] = handler
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    async def server_live(self, request: Any, context: Context) -> dict[str, object]:
        return {"live": True}

    async def server_ready(self, request: Any, context: Context) -> dict[str, object]:
        return {"ready": self._gateway.is_ready()}

    async def model_ready(self, request: Any, context: Context) -> dict[str, object]:
        try:
            return {"ready": self._gateway.pool(request.name, request.version).is_ready}
        except UnavailableError:
            return {"ready": False}

    async def server_metadata(self, request: Any, context: Context) -> dict[str, object]:
        return extensions.server()

    async def model_metadata(self, request: Any, context: Context) -> dict[str, object]:
        found = oip.metadata(self._gateway.pool(request.name, request.version).model)
        return {key: value for key, value in found.items() if key != "parameters"}

    async def model_config(self, request: Any, context: Context) -> dict[str, object]:
        pool = self._gateway.pool(request.name, request.version)
        return {"config": extensions.config(pool, self._gateway.config.limits)}

    async def model_statistics(self, request: Any, context: Context) -> dict[str, object]:
        if not request.name:
            return {"model_stats": extensions.all_statistics(self._gateway)}
        pool = self._gateway.pool(request.name, request.version)
        return {"model_stats": [extensions.statistics(pool, self._gateway.observer)]}

    async def repository_index(self, request: Any, context: Context) -> dict[str, object]:
        return {"models": extensions.index(self._gateway, request.ready)}

    async def repository_model_load(self, request: Any, context: Context) -> dict[str, object]:
        extensions.check_loading(request.parameters)
        await self._gateway.load(request.model_name)
        return {}

    async def repository_model_unload(self, request: Any, context: Context) -> dict[str, object]:
        extensions.check_loading(request.parameters)
        await self._gateway.unload(request.model_name)
        return {}

    async def model_infer(self, request: Any, context: Context) -> Any:
        return await self._infer(request, context.time_remaining(), _traceparent(context))

    async def model_stream_infer(
        self, requests: AsyncIterator[bytes], context: Context
    ) -> AsyncIterator[Any]:
        """Answers in the order of the requests; an error is an answer, too, and does not end the stream.

        Streams may take half of the places of calls: those that say nothing leave the rest to others.
        """
        if self._streams >= self._most_streams:
            await context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"{self._streams} streams are open, and no more may be",
            )
        self._streams += 1
        try:
            async with aclosing(self._stream(requests, context)) as responses:
                async for response in responses:
                    yield response
        finally:
            self._streams -= 1

    async def _stream(self, requests: AsyncIterator[bytes], context: Context) -> AsyncGenerator[Any, None]:
        tasks: asyncio.Queue[asyncio.Task[Any] | None] = asyncio.Queue(_STREAM_AHEAD)
        begun: set[asyncio.Task[Any]] = set()
        traceparent = _traceparent(context)

        async def read() -> None:
            try:
                async for request in requests:
                    task = asyncio.create_task(self._streamed(request, traceparent))
                    begun.add(task)
                    task.add_done_callback(begun.discard)
                    await tasks.put(task)
            finally:
                await tasks.put(None)

        reading = asyncio.create_task(read())
        try:
            while (task := await tasks.get()) is not None:
                yield await task
        finally:
            left = [reading, *begun]  # also one that found no place in the queue
            while not tasks.empty():
                tasks.get_nowait()
            for one in left:
                one.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _streamed(self, raw: bytes, traceparent: str) -> Any:
        response = message("ModelStreamInferResponse")()
        request = _InferRequest()
        try:
            request = _parsed(raw, _InferRequest)
            response.infer_response.CopyFrom(await self._infer(request, None, traceparent))
        except TinyserveError as error:
            response.error_message = str(error)
            response.infer_response.id = request.id
        except Exception as error:
            _log.error("ModelStreamInfer", exc_info=error)
            response.error_message = "internal error: see the server's log"
        return response

    async def _infer(self, request: Any, left_s: float | None, traceparent: str) -> Any:
        model = self._gateway.pool(request.model_name, request.model_version).model
        asked = replace(_decode(request, model, left_s), traceparent=traceparent)
        return _encode(await self._gateway.infer(asked, "grpc"), asked)


def _traceparent(context: Context) -> str:
    found = dict(context.invocation_metadata() or ()).get("traceparent", "")
    return found if isinstance(found, str) else ""


def _parsed(raw: bytes, kind: Any) -> Any:
    try:
        return kind.FromString(raw)
    except DecodeError as error:
        raise RequestError(f"the request is no {kind.DESCRIPTOR.name}") from error


def _guarded(
    method: Callable[[Any, Context], Awaitable[Any]], request: Any, response: Any
) -> Callable[[bytes, Context], Awaitable[Any]]:
    """With errors as gRPC has them: a status, never a traceback."""

    async def behaviour(raw: bytes, context: Context) -> Any:
        try:
            found = await method(_parsed(raw, request), context)
        except (RequestError, UnavailableError) as error:
            metadata: tuple[tuple[str, str], ...] = ()
            if isinstance(error, UnavailableError):
                metadata = (
                    ("retry-after-ms", str(round(error.retry_after_s * 1e3))),
                    ("reason", error.reason),
                )
            await context.abort(getattr(grpc.StatusCode, error.grpc_code), str(error), metadata)
        except TinyserveError as error:
            await context.abort(grpc.StatusCode.INTERNAL, str(error))
        except asyncio.CancelledError:
            raise
        except Exception as error:
            _log.error("gRPC", exc_info=error)
            await context.abort(grpc.StatusCode.INTERNAL, "internal error: see the server's log")
        return json_format.ParseDict(found, response()) if isinstance(found, dict) else found

    return behaviour


def _decode(request: Any, model: Served, left_s: float | None) -> InferRequest:
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        raise RequestError(
            f"{len(raw)} raw_input_contents for {counted(len(request.inputs), 'input')}", "one for each"
        )
    tensors = [_given(one, raw[index] if raw else None) for index, one in enumerate(request.inputs)]
    wanted = tuple(
        Wanted(one.name, classes_of(one.name, _parameters(one.parameters))) for one in request.outputs
    ) or tuple(map(Wanted, model.output_names))
    asked = Asked(
        model=model.name, version=request.model_version, id=request.id,
        parameters=_parameters(request.parameters), wanted=wanted, timeout_s=left_s,
    )  # fmt: skip
    return to_request(asked, tensors, model)


def _given(one: Any, raw: bytes | None) -> Given:
    check_datatype(one.name, one.datatype)
    values: Any = raw
    if raw is None:
        field = _CONTENTS.get(one.datatype)
        if field is None:
            raise RequestError(f"input {one.name[:80]}: {one.datatype} travels in raw_input_contents alone")
        numbers = getattr(one.contents, field)
        check_shape(one.name, one.shape)
        wanted = math.prod(one.shape)
        if len(numbers) != wanted:  # before they become Python's, which takes long
            raise RequestError(
                f"input {one.name[:80]} has {counted(len(numbers), 'value')}, its shape "
                f"{list(one.shape)} takes {wanted}"
            )
        values = list(numbers)
    elif one.HasField("contents"):
        raise RequestError(f"input {one.name[:80]} has both contents and raw_input_contents", "send one")
    return Given(one.name, one.datatype, tuple(one.shape), values)


def _parameters(given: Any) -> dict[str, Parameter]:
    found: dict[str, Parameter] = {}
    for key, value in given.items():
        choice = value.WhichOneof("parameter_choice")
        if choice is not None:
            found[key] = getattr(value, choice)
    return found


def _encode(answer: InferAnswer, asked: InferRequest) -> Any:
    response = _InferResponse(model_name=answer.model, model_version=answer.version, id=asked.id)
    for key, value in answer.facts().items():
        if isinstance(value, str):
            response.parameters[key].string_param = value
        else:
            response.parameters[key].int64_param = value
    for name, array in answer.outputs.items():
        response.outputs.add(name=name, datatype=oip.datatype(array), shape=array.shape)
        response.raw_output_contents.append(oip.to_bytes(array))
    return response


class TokenInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Refuses calls without the bearer token, but for the health service's."""

    def __init__(self, token: str) -> None:
        self._expected = f"Bearer {token}".encode()

        async def refuse(request: Any, context: Context) -> None:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "a bearer token is needed")

        self._refusal = grpc.unary_unary_rpc_method_handler(refuse)

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        if details.method.startswith("/grpc.health.v1."):
            return await continuation(details)
        given = dict(details.invocation_metadata).get("authorization", "")
        given = given.encode() if isinstance(given, str) else given
        return await continuation(details) if hmac.compare_digest(given, self._expected) else self._refusal


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
