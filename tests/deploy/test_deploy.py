# SPDX-License-Identifier: Apache-2.0
"""What deploy/ holds is well-formed to the tools it is for, and names what the gateway really has."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import mosquitto
from tests.support.places import CHECKOUT
from tinyserve.serve import config
from tinyserve.serve.observe.observer import Observer
from tinyserve.serve.observe.states import MemberStates

DEPLOY = CHECKOUT / "deploy"
TOOLS = Path(sys.executable).parent


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_the_containerfile_is_clean() -> None:
    hadolint = shutil.which("hadolint", path=str(TOOLS)) or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed")
    done = run(hadolint, DEPLOY / "Containerfile")
    assert done.returncode == 0, done.stdout


def test_the_container_has_what_compose_and_kubernetes_ask_of_it() -> None:
    text = (DEPLOY / "Containerfile").read_text()
    user = re.search(r"^USER (\d+)", text, re.MULTILINE)
    assert user is not None and user[1] != "0"
    for name in ("deployment.yaml", "serving-runtime.yaml"):
        manifest = (DEPLOY / "kserve" / name).read_text()
        assert f"runAsUser: {user[1]}" in manifest and "readOnlyRootFilesystem: true" in manifest
    copied = [line.split()[1] for line in text.splitlines() if line.startswith("COPY deploy/")]
    assert copied and all((CHECKOUT / name).is_file() for name in copied)


def test_compose_follows_its_specification() -> None:
    done = run(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    mounted = [
        volume.split(":")[0]
        for one in services.values()
        for volume in one.get("volumes", [])
        if "./" in volume
    ]
    missing = [name for name in mounted if not (DEPLOY / name).exists()]
    assert missing == ["./secrets"] * len(missing)  # each operator's own


def pod(spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "runtime"}, "spec": spec}


def test_manifests_are_kubernetes(tmp_path: Path) -> None:
    runtime = yaml.safe_load((DEPLOY / "kserve" / "serving-runtime.yaml").read_text())["spec"]
    inner = {key: runtime[key] for key in ("containers", "volumes")}
    (tmp_path / "pod.yaml").write_text(yaml.safe_dump(pod(inner)))
    done = run(
        TOOLS / "kubernetes-validate",
        "--strict",
        DEPLOY / "kserve" / "deployment.yaml",
        tmp_path / "pod.yaml",
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_service_finds_its_runtime() -> None:
    runtime = yaml.safe_load((DEPLOY / "kserve" / "serving-runtime.yaml").read_text())
    service = yaml.safe_load((DEPLOY / "kserve" / "inference-service.yaml").read_text())
    model = service["spec"]["predictor"]["model"]
    assert model["runtime"] == runtime["metadata"]["name"]
    formats = {(one["name"], one["version"]) for one in runtime["spec"]["supportedModelFormats"]}
    assert (model["modelFormat"]["name"], model["modelFormat"]["version"]) in formats
    assert model["protocolVersion"] in runtime["spec"]["protocolVersions"]


_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}


def exported() -> set[str]:
    """The names of all metrics, as Prometheus sees them."""
    names = set()
    for family in [*Observer().registry.collect(), *MemberStates(dict).collect()]:
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}.get(
            family.type, ("",)
        )
        names |= {family.name + suffix for suffix in suffixes}
    return names


def test_the_dashboard_asks_for_metrics_that_are_there() -> None:
    board = json.loads((DEPLOY / "grafana" / "fleet.json").read_text())
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    queries += [one["query"]["query"] for one in board["templating"]["list"] if one["type"] == "query"]
    asked = {name for query in queries for name in re.findall(r"tinyserve_\w+", query)}
    assert asked and asked <= exported()
    assert {name.rpartition("_")[0] if name.endswith("_bucket") else name for name in asked} >= {
        "tinyserve_queue_seconds", "tinyserve_link_seconds", "tinyserve_compute_seconds",
        "tinyserve_refusals_total", "tinyserve_late_total", "tinyserve_member_state",
    }  # fmt: skip
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
    assert len(set(places)) == len(places)


def test_prometheus_takes_its_file(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    settings = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
    (job,) = settings["scrape_configs"]
    assert job["static_configs"][0]["targets"] == ["gateway:8000"]
    if promtool is not None:
        (tmp_path / "p.yml").write_text(
            (DEPLOY / "prometheus.yml").read_text().replace("/run/secrets", str(tmp_path))
        )
        (tmp_path / "token").touch()
        done = run(promtool, "check", "config", tmp_path / "p.yml")
        assert done.returncode == 0, done.stderr


def test_the_fleet_is_one_that_is_served() -> None:
    parsed = config.load(DEPLOY / "fleet" / "fleet.toml")
    assert parsed.server.token_file and parsed.jobs.database.startswith("postgresql://")
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    assert parsed.mqtt.broker.removeprefix("mqtt://") in services
    assert parsed.jobs.database.rpartition("@")[2].partition("/")[0] in services
    assert f"user {parsed.mqtt.user}" in (DEPLOY / "mosquitto" / "rules").read_text()


def test_the_broker_takes_its_file(tmp_path: Path) -> None:
    command = mosquitto.program()
    if command is None:
        pytest.skip("mosquitto is not installed")
    text = (DEPLOY / "mosquitto" / "mosquitto.conf").read_text()
    shutil.copy(DEPLOY / "mosquitto" / "rules", tmp_path / "rules")
    (tmp_path / "passwords").touch()
    for inside in ("/mosquitto/config", "/mosquitto/data"):
        text = text.replace(inside, str(tmp_path))
    port = mosquitto.free_port()
    (tmp_path / "m.conf").write_text(text.replace("listener 1883", f"user root\nlistener {port} 127.0.0.1"))
    process = subprocess.Popen([command, "-c", tmp_path / "m.conf"], stderr=subprocess.PIPE, text=True)
    try:
        mosquitto.wait_for(port)
    finally:
        process.kill()
        process.communicate(timeout=30)


@pytest.mark.parametrize(("status", "expected"), [(200, 0), (503, 1), (None, 1)])
def test_the_health_check_sees_whether_the_gateway_lives(status: int | None, expected: int) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status or 500)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))  # and does not listen: whoever connects is refused
            port = server.server_port if status else silent.getsockname()[1]
            done = subprocess.run(
                [sys.executable, DEPLOY / "healthcheck.py"],
                env={"TINYSERVE_PORT": str(port)},
                timeout=60,
                check=False,
            )
        assert done.returncode == expected
    finally:
        server.shutdown()
        server.server_close()
