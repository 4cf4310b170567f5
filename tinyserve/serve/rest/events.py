# SPDX-License-Identifier: Apache-2.0
"""Events over HTTP, as they come: server-sent events, each a CloudEvent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tinyserve.serve.events.hub import Hub

QUIET_S = 15.0
"""Then a comment says that the line is alive, to us and to proxies between."""


def routes(hub: Hub) -> list[Route]:
    """Their path: ?model=, ?name=; the header Last-Event-ID goes on after an event."""

    async def events(request: Request) -> Response:
        stack = ExitStack()
        model, name = (request.query_params.get(key, "") for key in ("model", "name"))
        last_id = request.headers.get("last-event-id", "")
        subscription = stack.enter_context(hub.subscribed(model, name, last_id))

        async def lines() -> AsyncIterator[bytes]:
            with stack:
                yield b": tinyserve\n\n"
                while True:
                    event = await subscription.next(QUIET_S)
                    if event is not None:
                        yield b"id: %b\ndata: %b\n\n" % (event.id.encode(), event.content)
                    elif subscription.ended:
                        yield b": %b\n\n" % subscription.ended.encode()
                        return
                    else:
                        yield b":\n\n"

        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(lines(), media_type="text/event-stream", headers=headers)

    return [Route("/v2/events", events, methods=["GET"])]
