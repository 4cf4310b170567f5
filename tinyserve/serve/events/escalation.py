# SPDX-License-Identifier: Apache-2.0
"""Events that ask for another model: the node of a pipeline that runs on the gateway (``where = "gateway"``),
or on another endpoint of the Open Inference Protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tinyserve.compiler.events import Event
from tinyserve.errors import TinyserveError
from tinyserve.serve.errors import RequestError
from tinyserve.serve.events.hub import Hub
from tinyserve.serve.events.remote import Remote
from tinyserve.serve.request import InferAnswer, InferRequest
from tinyserve.serve.served import DATATYPES, Served, nbytes

MOST_AT_ONCE = 64
"""Further ones are failures: a device that asks in every inference is not queued without end."""
Infer = Callable[[InferRequest, str], Awaitable[InferAnswer]]
Find = Callable[[str], Served]


class Escalation:
    """``routes``: by model and name of its events, what is asked: a model of this fleet, or a URL."""

    def __init__(self, routes: Mapping[str, Mapping[str, str]], find: Find, infer: Infer, hub: Hub) -> None:
        self._routes = routes
        self._find = find
        self._infer = infer
        self._hub = hub
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, model: str, event: Event, cause: str) -> None:
        """Asks in the background, where the event is one that asks. ``cause``: the event's id."""
        target = self._routes.get(model, {}).get(event.name, "")
        if not target:
            return
        if len(self._tasks) >= MOST_AT_ONCE:
            self._failed(model, event, cause, target, f"{MOST_AT_ONCE} are asked for already")
            return
        task = asyncio.create_task(self._ask(model, event, cause, target))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """What was asked for is still answered."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _ask(self, model: str, event: Event, cause: str, target: str) -> None:
        try:
            answer = await self._answer(event, target)
        except TinyserveError as error:
            self._failed(model, event, cause, target, error.message)
        except Exception as error:
            self._failed(model, event, cause, target, f"{type(error).__name__}: {error}")
            raise
        else:
            self._hub.publish(
                model, event.name, "answered",
                {"cause": cause, "by": target, "inference": event.inference, **answer},
            )  # fmt: skip

    async def _answer(self, event: Event, target: str) -> dict[str, Any]:
        """The outputs, as the protocol's JSON has them."""
        if "://" in target:
            return await asyncio.to_thread(Remote(target).infer, event.payload)
        model = self._find(target)
        sizes = [nbytes(info) for info in model.inputs]
        if sizes != [len(one) for one in event.payload]:
            given = [len(one) for one in event.payload]
            raise RequestError(f"{event.name} gives {given} bytes, {target} takes {sizes}")
        answer = await self._infer(InferRequest(target, [event.payload]), "event")
        datatypes = {info.name: DATATYPES[info.dtype] for info in model.outputs}
        outputs = [
            {
                "name": name,
                "datatype": datatypes[name],
                "shape": list(array.shape),
                "data": array.ravel().tolist(),
            }
            for name, array in answer.outputs.items()
        ]
        return {"outputs": outputs, "parameters": answer.facts()}

    def _failed(self, model: str, event: Event, cause: str, target: str, why: str) -> None:
        self._hub.publish(
            model, event.name, "failed",
            {"cause": cause, "by": target, "inference": event.inference, "error": why},
        )  # fmt: skip
