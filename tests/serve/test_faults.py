# SPDX-License-Identifier: Apache-2.0
"""Members that fail, and requests that can't be on time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.serve.fakes import Script
from tests.serve.running import Reply, Served, serving
from tinyserve.bundle import Bundle
from tinyserve.serve import estimate, member
from tinyserve.serve.config import MemberSpec
from tinyserve.serve.engines import Engine
from tinyserve.serve.gateway import Options
from tinyserve.serve.member import Member
from tinyserve.serve.served import Served as Model

TWO = """
[models.shapes]
source = "{bundle}"
[members.a]
link = "/dev/fake-a"
board = "nano33"
{a}
[members.b]
link = "/dev/fake-b"
board = "nano33"
"""


def fleet(shapes: Bundle, a: str = "", more: str = "") -> str:
    return TWO.format(bundle=shapes.path, a=a) + more


def _members(served: Served) -> dict[str, Member]:
    return {one.name: one for one in served.inside(served.running.gateway.members)}


def _until(is_so: Callable[[], bool], patience_s: float = 60.0) -> None:
    deadline_s = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < deadline_s, "it did not come to that"
        time.sleep(0.01)


def ask(served: Served, samples: int = 1, **parameters: Any) -> Reply:
    body = {
        "inputs": [
            {"name": "image", "datatype": "INT8", "shape": [samples, 8, 8, 1], "data": [1] * 64 * samples}
        ],
        "parameters": parameters,
    }
    return served.ask("/v2/models/shapes/infer", msgspec.json.encode(body))


def test_what_can_not_be_on_time_is_refused_at_once(shapes: Bundle, tmp_path: Path) -> None:
    script = Script(claimed_s=20.0)
    script.gate.clear()  # not even one inference can be waited for
    with serving(fleet(shapes), tmp_path, open_with=script.open, members=2) as served:
        reply = ask(served, timeout=5_000_000)
        assert reply.status == 503 and reply.json["reason"] == "deadline" and reply.json["retry_after_ms"] > 0
        assert int(reply.headers["retry-after"]) >= 1
        script.gate.set()
        assert ask(served, 2, timeout=40_000_000).status == 200
        assert ask(served, 5, timeout=40_000_000).json["reason"] == "deadline"
        assert len(script.ran) == 2


def test_a_full_queue_refuses(shapes: Bundle, tmp_path: Path) -> None:
    script = Script(seconds=0.05)
    script.gate.clear()
    more = "[limits]\nqueue = 1\n"
    with serving(fleet(shapes, more=more), tmp_path, open_with=script.open, members=2) as served:
        with ThreadPoolExecutor(6) as threads:
            replies = [threads.submit(ask, served) for _ in range(6)]
            _until(lambda: sum(reply.done() for reply in replies) >= 3)
            script.gate.set()
            statuses = sorted(reply.result().status for reply in replies)
        assert statuses == [200, 200, 200, 503, 503, 503]


def test_what_a_failing_member_computed_is_computed_by_another(shapes: Bundle, tmp_path: Path) -> None:
    script = Script(seconds=0.05)
    script.gate.clear()
    with serving(fleet(shapes), tmp_path, open_with=script.open, members=2) as served:
        with ThreadPoolExecutor(4) as threads:
            replies = [threads.submit(ask, served) for _ in range(4)]
            pool = served.running.gateway.pool("shapes")
            _until(lambda: served.inside(lambda: pool.waiting) == 2)  # and each member has one
            script.broken["a"] = "unplugged"
            script.gate.set()
            answers = [reply.result() for reply in replies]
        assert [answer.status for answer in answers] == [200] * 4
        assert {answer.json["parameters"]["member"] for answer in answers} == {"b"}
        states = {one.name: (one.state, one.reason) for one in served.inside(served.running.gateway.members)}
        assert states["a"] == ("broken", "unplugged")


def test_a_broken_member_comes_back(shapes: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(member, "FIRST_PAUSE_S", 0.02)
    script = Script(seconds=0.01, broken={"a": "not there"})
    with serving(fleet(shapes), tmp_path, open_with=script.open, members=1) as served:
        assert served.ask("/v2/health/ready").status == 200
        script.broken.clear()
        served.wait_ready(2)
        assert script.opened.count("a") >= 2


def test_without_members_the_reasons_are_said(shapes: Bundle, tmp_path: Path) -> None:
    script = Script(seconds=0.01, broken={"a": "no port", "b": "other firmware"})
    with serving(fleet(shapes), tmp_path, open_with=script.open, members=0) as served:
        _until(lambda: all(one.state != "starting" for one in _members(served).values()))
        reply = ask(served)
        assert reply.status == 503 and "a: no port; b: other firmware" in reply.json["error"]
        assert served.ask("/v2/health/ready").status == 503
        assert served.ask("/v2/models/shapes/ready").status == 503


def test_a_member_that_gives_wrong_answers_is_found_out(shapes: Bundle, tmp_path: Path) -> None:
    script = Script(seconds=0.01)
    with serving(fleet(shapes, "verify = 1.0"), tmp_path, open_with=script.open, members=2) as served:
        script.lying.add("a")
        answers = [ask(served) for _ in range(4)]
        assert {answer.json["parameters"]["member"] for answer in answers} == {"b"}
        assert (
            len({bytes(answer.json["outputs"][0]["data"][0] & 255 for _ in "x") for answer in answers}) == 1
        )
        found = _members(served)
        assert found["a"].state == "broken" and found["b"].state == "ready"


def test_a_member_whose_first_answer_is_wrong_never_serves(shapes: Bundle, tmp_path: Path) -> None:
    script = Script(seconds=0.01, lying={"a"})
    with serving(fleet(shapes), tmp_path, open_with=script.open, members=1) as served:
        found = _members(served)
        _until(lambda: found["a"].state != "starting")
        assert "known input" in found["a"].reason


def test_this_computer_answers_what_members_can_not(shapes: Bundle, tmp_path: Path) -> None:
    script = Script(claimed_s=20.0)
    with serving(fleet(shapes), tmp_path, Options(spill=True), script.open, members=3) as served:
        script.claimed_s = 0.01
        served.inside(lambda: served.running.gateway.reset("spill-shapes"))
        _until(lambda: _members(served)["spill-shapes"].bound_s < 0.1)
        reply = ask(served, timeout=10_000_000)
        assert reply.status == 200 and reply.json["parameters"]["member"] == "spill-shapes"


def test_known_answers_are_not_computed_again(shapes: Bundle, tmp_path: Path) -> None:
    script = Script(seconds=0.01)
    with serving(fleet(shapes), tmp_path, Options(cache=10), script.open, members=2) as served:
        first, second = ask(served).json, ask(served).json
        assert first["outputs"] == second["outputs"]
        assert second["parameters"]["ran_on"] == "cache" and len(script.ran) == 1


def test_a_client_that_goes_away_frees_its_place(shapes: Bundle, tmp_path: Path) -> None:
    script = Script(seconds=0.05)
    script.gate.clear()
    with serving(fleet(shapes), tmp_path, open_with=script.open, members=2) as served:
        import http.client

        body = msgspec.json.encode(
            {"inputs": [{"name": "image", "datatype": "INT8", "shape": [4, 8, 8, 1], "data": [0] * 256}]}
        )
        connection = http.client.HTTPConnection(served.rest)
        connection.request("POST", "/v2/models/shapes/infer", body)
        pool = served.running.gateway.pool("shapes")
        _until(lambda: served.inside(lambda: pool.waiting) == 2)
        connection.close()
        _until(lambda: not served.inside(lambda: pool.waiting))
        script.gate.set()
        assert ask(served).status == 200


def test_what_was_admitted_is_answered_when_the_server_ends(shapes: Bundle, tmp_path: Path) -> None:
    script = Script(seconds=0.3)
    with ThreadPoolExecutor(1) as threads:
        with serving(fleet(shapes), tmp_path, open_with=script.open, members=2) as served:
            reply = threads.submit(ask, served, 2)
            _until(lambda: not served.inside(lambda: served.running.gateway.pool("shapes").is_idle))
        assert reply.result().status == 200


def test_loading_and_unloading(shapes: Bundle, tmp_path: Path) -> None:
    script = Script(seconds=0.01)
    with serving(fleet(shapes), tmp_path, open_with=script.open, members=2) as served:
        assert served.ask("/v2/repository/models/shapes/unload", b"").status == 200
        assert served.ask("/v2/repository/index", b"{}").json[0]["state"] == "UNAVAILABLE"
        assert served.ask("/v2/repository/index", b'{"ready": true}').json == []
        reply = ask(served)
        assert reply.status == 503 and reply.json["reason"] == "unloaded"
        assert served.ask("/v2/repository/models/shapes/load", b"{}").status == 200
        served.wait_ready(2)
        assert ask(served).status == 200
        refused = served.ask("/v2/repository/models/shapes/load", b'{"parameters": {"config": "{}"}}')
        assert refused.status == 400


def test_one_slow_inference_refuses_later_requests_for_a_minute_at_most(
    shapes: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script(seconds=0.01)
    with serving(fleet(shapes), tmp_path, open_with=script.open, members=2) as served:
        script.seconds = 1.5
        assert ask(served, samples=2, timeout=60_000_000).status == 200
        script.seconds = 0.01
        assert ask(served, timeout=1_500_000).status == 503
        monkeypatch.setattr(estimate, "REMEMBERED_S", 0.1)  # the minute is over
        time.sleep(0.2)
        assert ask(served, timeout=1_500_000).status == 200


def test_a_member_that_goes_while_nobody_asks_is_missed(
    shapes: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(member, "LOOK_S", 0.01)
    monkeypatch.setattr(member, "FIRST_PAUSE_S", 0.01)
    script = Script(seconds=0.01)
    with serving(fleet(shapes), tmp_path, open_with=script.open, members=2) as served:
        script.broken["a"] = script.absent["a"] = "/dev/ttyA is gone"
        a = next(one for one in served.inside(served.running.gateway.members) if one.name == "a")
        _until(lambda: a.state != "ready")
        assert a.reason == "/dev/ttyA is gone" and script.ran == []
        script.broken.clear()
        script.absent.clear()
        served.wait_ready(2)


def test_a_refusal_names_each_member_once(shapes: Bundle, tmp_path: Path) -> None:
    script = Script(broken={"a": "a: the twin's process has ended", "b": "no such port"})
    with serving(fleet(shapes), tmp_path, open_with=script.open, members=0) as served:
        gateway = served.running.gateway
        _until(lambda: all(one.state == "broken" for one in served.inside(gateway.members)))
        assert "(a: the twin's process has ended; b: no such port)" in ask(served).json["error"]


def test_what_opens_too_late_is_closed(shapes: Bundle, tmp_path: Path) -> None:
    """A member that is stopped while it opens gives its port back once it has it."""
    script = Script()
    is_opening, may_open = threading.Event(), threading.Event()

    def slowly(spec: MemberSpec, model: Model) -> Engine:
        is_opening.set()
        may_open.wait(60)
        return script.open(spec, model)

    with serving(fleet(shapes), tmp_path, open_with=slowly, members=0) as served:
        assert is_opening.wait(60)
        assert served.ask("/v2/repository/models/shapes/unload", b"").status == 200
        assert not script.closed
        may_open.set()
        _until(lambda: sorted(script.closed) == ["a", "b"])


def test_metrics_have_the_members_of_loaded_models(
    shapes: Bundle, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "tinyserve")

    def states(served: Served) -> set[tuple[str, str]]:
        text = served.ask("/metrics").body.decode()
        return {
            (sample.labels["member"], sample.labels["state"])
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "tinyserve_member_state" and sample.value
        }

    script = Script(broken={"a": "no such port"})
    with serving(fleet(shapes), tmp_path, open_with=script.open, members=1) as served:
        _until(lambda: states(served) >= {("b", "ready")})
        assert served.ask("/fleet/b/reset", b"").status == 200
        _until(lambda: script.opened.count("b") == 2)
        served.wait_ready()
        assert served.ask("/v2/repository/models/shapes/unload", b"").status == 200
        assert states(served) == set()
    said = [vars(record)["fields"] for record in caplog.records if record.getMessage().startswith("member")]
    assert [one["state"] for one in said if one["member"] == "b"] == [
        "ready", "starting", "ready", "stopped",
    ]  # fmt: skip
