# SPDX-License-Identifier: Apache-2.0
"""Models with state: a sequence has a member of its own, everybody else starts afresh."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc

from tests.compiler.ops.control.test_control_flow import running_sum
from tests.serve.running import Reply, Served, serving
from tinyserve.serve import pool

FLEET = """
[limits]
sequences_idle_s = 3600
[models.sum]
source = "sum.tflite"
quantize = "float32"
[members.m]
link = "host"
count = 2
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("sum")
    (folder / "sum.tflite").write_bytes(running_sum(1, "int32", once=True).model)
    with serving(FLEET, folder, members=2) as running:
        yield running


def metadata(served: Served) -> dict[str, Any]:
    return dict(served.ask("/v2/models/sum").json)


def ask(served: Served, value: int, **parameters: Any) -> Reply:
    (info,) = metadata(served)["inputs"]
    shape = [abs(extent) for extent in info["shape"]]
    tensor = {**info, "shape": shape, "data": [value] * int(np.prod(shape))}
    return served.ask(
        "/v2/models/sum/infer", json.dumps({"inputs": [tensor], "parameters": parameters}).encode()
    )


def value(reply: Reply) -> int:
    assert reply.status == 200, reply.body
    return int(reply.json["outputs"][0]["data"][0])


def test_steps_of_a_sequence_follow_each_other_whatever_else_is_asked(served: Served) -> None:
    first = value(ask(served, 5))
    alone = value(ask(served, 5))
    assert alone == first  # the state of the one before is gone
    steps = [value(ask(served, 5, sequence_id=7, sequence_start=True))]
    others = [value(ask(served, 5)) for _ in range(3)]
    steps.append(value(ask(served, 5, sequence_id=7)))
    steps.append(value(ask(served, 5, sequence_id=7, sequence_end=True)))
    assert others == [first] * 3
    assert steps == [first, first + 5, first + 10]
    again = ask(served, 5, sequence_id=7)
    assert again.status == 409 and "sequence_start" in again.json["error"]


def test_a_sequence_stays_on_its_member_and_leaves_one_to_others(served: Served) -> None:
    members = {
        ask(served, 1, sequence_id="s", sequence_start=step == 0).json["parameters"]["member"]
        for step in range(4)
    }
    assert len(members) == 1
    others = {ask(served, 1).json["parameters"]["member"] for _ in range(4)}
    assert others and not others & members
    assert value(ask(served, 1, sequence_id="t", sequence_start=True)) >= 0
    third = ask(served, 1, sequence_id="u", sequence_start=True)
    assert third.status == 503 and third.json["reason"] == "sequences"
    plain = ask(served, 1)
    assert plain.status == 503 and plain.json["reason"] == "members"
    for name in ("s", "t"):
        assert ask(served, 1, sequence_id=name, sequence_end=True).status == 200
    assert ask(served, 1).status == 200


def test_a_number_and_a_string_name_different_sequences(served: Served) -> None:
    assert ask(served, 1, sequence_id=3, sequence_start=True).status == 200
    assert ask(served, 1, sequence_id="3").status == 409
    assert ask(served, 1, sequence_id=3, sequence_end=True).status == 200


def test_an_idle_sequence_is_ended(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(served, 1, sequence_id=9, sequence_start=True).status == 200
    model = served.running.gateway.pool("sum")
    assert isinstance(model, pool.Pool)
    monkeypatch.setattr(model, "_idle_s", 0.0)
    assert ask(served, 1, sequence_id=9).status == 409
    monkeypatch.undo()


def test_a_member_that_is_reset_loses_its_sequence(served: Served) -> None:
    reply = ask(served, 1, sequence_id=11, sequence_start=True)
    served.inside(lambda: served.running.gateway.reset(reply.json["parameters"]["member"]))
    served.wait_ready(2)
    assert ask(served, 1, sequence_id=11).status == 409


def test_tritons_client_runs_a_sequence(served: Served) -> None:
    (info,) = metadata(served)["inputs"]
    shape = [abs(extent) for extent in info["shape"]]
    found = []
    with tritonclient.grpc.InferenceServerClient(served.grpc) as client:
        for step in range(3):
            tensor = tritonclient.grpc.InferInput(info["name"], shape, info["datatype"])
            tensor.set_data_from_numpy(np.full(shape, 2, np.int32))
            answer = client.infer(
                "sum", [tensor], sequence_id=42, sequence_start=step == 0, sequence_end=step == 2
            )
            name = answer.get_response().outputs[0].name
            found.append(int(answer.as_numpy(name).reshape(-1)[0]))
    assert [found[1] - found[0], found[2] - found[1]] == [2, 2]
