# SPDX-License-Identifier: Apache-2.0
"""An event of a model's inference as its subscribers read it."""

from __future__ import annotations

import base64
from typing import Any

from tinyserve.compiler.events import Event
from tinyserve.serve.request import Done, InferRequest
from tinyserve.serve.served import Served


def described(event: Event, model: Served, request: InferRequest, done: Done) -> dict[str, Any]:
    """Where and when it happened. ``inference`` and ``sample`` count since the member's last reset (the start
    of a sequence); ``payload``: for another model, base64 of each of its inputs."""
    data: dict[str, Any] = {
        "member": done.member,
        "ran_on": done.kind,
        "inference": event.inference,
        "sample": event.sample,
    }
    if request.id:
        data["request"] = request.id
    if request.sequence is not None:
        data["sequence"] = request.sequence.id.partition(":")[2]  # behind its type, which tells 5 from "5"
    if event.payload:
        data["payload"] = [base64.b64encode(one).decode() for one in event.payload]
        return data
    data["class"] = event.class_number
    if event.class_number < len(model.labels):
        data["label"] = model.labels[event.class_number]
    return data
