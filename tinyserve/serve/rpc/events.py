# SPDX-License-Identifier: Apache-2.0
"""Events over gRPC: tinyserve.v1.Events/Subscribe, a stream of CloudEvents. Request and answers are
google.protobuf.Struct, which every client has."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

from tinyserve.serve.errors import UnavailableError
from tinyserve.serve.events.hub import Hub

SERVICE = "tinyserve.v1.Events"
_QUIET_S = 60.0
_KEYS = frozenset({"model", "name", "last_id"})


def handlers(hub: Hub) -> grpc.GenericRpcHandler:
    """For ``Server.add_generic_rpc_handlers``. The request may have ``model``, ``name`` and ``last_id``."""

    async def subscribe(request: Struct, context: Any) -> AsyncIterator[Struct]:
        asked = json_format.MessageToDict(request)
        if not asked.keys() <= _KEYS or not all(isinstance(value, str) for value in asked.values()):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"texts: {', '.join(sorted(_KEYS))}")
        try:
            with hub.subscribed(
                *(asked.get(key, "") for key in ("model", "name", "last_id"))
            ) as subscription:
                while not subscription.ended:
                    event = await subscription.next(_QUIET_S)
                    if event is not None:
                        yield json_format.ParseDict(json.loads(event.content), Struct())
                await context.abort(grpc.StatusCode.UNAVAILABLE, subscription.ended)
        except UnavailableError as error:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, error.message)

    method = grpc.unary_stream_rpc_method_handler(subscribe, Struct.FromString, Struct.SerializeToString)
    return grpc.method_handlers_generic_handler(SERVICE, {"Subscribe": method})
