# SPDX-License-Identifier: Apache-2.0
"""The fleet's state, the API's description, metrics."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.serve.fakes import Script
from tests.serve.running import Served, serving
from tests.serve.test_faults import ask, fleet
from tinyserve.bundle import Bundle
from tinyserve.serve import config
from tinyserve.serve.jobs.jobs import Jobs
from tinyserve.serve.rest import app
from tinyserve.serve.rest.openapi import description


def test_the_fleets_state_names_members_and_why_they_do_not_serve(shapes: Bundle, tmp_path: Path) -> None:
    script = Script(seconds=0.01, broken={"a": "no such port"})
    with serving(fleet(shapes), tmp_path, open_with=script.open, members=1) as served:
        assert ask(served).status == 200
        (model,) = served.ask("/fleet").json["models"]
        a, b = model["members"]
        assert (a["state"], a["reason"]) == ("broken", "no such port") and a["faults"] >= 1
        assert (b["state"], b["inferences"], b["kind"]) == ("ready", 1, "board")
        script.broken.clear()
        assert served.ask("/fleet/a/reset", b"").status == 200
        served.wait_ready(2)
        assert served.ask("/fleet/none/reset", b"").status == 404


def test_metrics_are_prometheus_and_count(host: Served) -> None:
    def counted() -> dict[str, float]:
        text = host.ask("/metrics").body.decode()
        return {
            sample.name: sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.labels.get("model") == "shapes"
        }

    before = counted()
    assert ask(host).status == 200
    after = counted()
    assert after["tinyserve_inferences_total"] == before.get("tinyserve_inferences_total", 0) + 1
    assert {"tinyserve_queue_seconds_count", "tinyserve_link_seconds_sum", "tinyserve_member_state"} <= set(
        after
    )


def test_the_description_has_every_path_that_is_served(host: Served, tmp_path: Path) -> None:
    jobs = Jobs(host.running.gateway, config.Jobs(database="jobs.sqlite"), tmp_path)
    paths = description()["paths"]
    routes = {
        (method.lower(), route.path)
        for route in app.build(host.running.gateway, jobs=jobs).routes
        for method in route.methods - {"HEAD"}
    }
    described = {(method, path) for path, methods in paths.items() for method in methods}
    assert described <= routes
    left_out = {path for _, path in routes - described}
    assert all(re.search(r"/versions/|^/(docs|metrics|openapi.json)?$", path) for path in left_out)


def test_pages_load_nothing_from_elsewhere(host: Served) -> None:
    for path in ("/", "/docs"):
        reply = host.ask(path)
        assert reply.status == 200 and "default-src 'none'" in reply.headers["content-security-policy"]
        assert not re.search(rb"(src|href)=.?https?:", reply.body)
