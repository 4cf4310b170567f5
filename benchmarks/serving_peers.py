# SPDX-License-Identifier: Apache-2.0
"""Requests per second of the gateway beside KServe's and MLServer's Python servers: the same model, kernels,
client and machine, one server after the other, several rounds.

    python benchmarks/serving_peers.py [--kserve PYTHON] [--mlserver PYTHON] [--rounds 3] [--json FILE]

PYTHON is that of an environment with kserve or mlserver and with tinyserve. What a request takes beyond
computing is the server's own; KServe and MLServer do not say what computing took, so all is compared.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving import FLEET, IMAGE, measure, rest, rpc
from tests.bench.models import classifier_bundle

SERVERS = Path(__file__).parent / "servers"
TENSOR: dict[str, object] = {"name": "image", "datatype": "INT8", "shape": [1, 8, 8, 1], "data": list(IMAGE)}
PATIENCE_S = 90.0


@dataclass(frozen=True)
class Server:
    """``command`` serves the bundle at two ports, in a directory of its own."""

    name: str
    command: Callable[[Path, int, int], list[str]]


def free_port() -> int:
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        port: int = line.getsockname()[1]
        return port


def tinyserve(folder: Path, rest_port: int, grpc_port: int) -> list[str]:
    text = FLEET.replace("port = 0\ngrpc_port = 0", f"port = {rest_port}\ngrpc_port = {grpc_port}")
    (folder / "fleet.toml").write_text(text.replace("shapes.tflite", "shapes"))
    return [sys.executable, "-m", "tinyserve", "serve", "fleet.toml"]


def kserve(python: Path) -> Callable[[Path, int, int], list[str]]:
    def command(folder: Path, rest_port: int, grpc_port: int) -> list[str]:
        program = SERVERS / "kserve_server.py"
        return [str(python), str(program), str(folder / "shapes"), str(rest_port), str(grpc_port)]

    return command


def mlserver(python: Path) -> Callable[[Path, int, int], list[str]]:
    def command(folder: Path, rest_port: int, grpc_port: int) -> list[str]:
        settings = {
            "http_port": rest_port, "grpc_port": grpc_port, "metrics_port": free_port(),
            "parallel_workers": 0, "debug": False, "host": "127.0.0.1",
        }  # fmt: skip
        model = {
            "name": "shapes", "implementation": "mlserver_runtime.Shapes",
            "parameters": {"uri": str(folder / "shapes")},
        }  # fmt: skip
        (folder / "settings.json").write_text(json.dumps(settings))
        (folder / "model-settings.json").write_text(json.dumps(model))
        return [str(python), "-c", "from mlserver.cli import main; main()", "start", str(folder)]

    return command


@contextmanager
def serving(server: Server) -> Iterator[tuple[str, str, int]]:
    """Its addresses and process, once it answers."""
    with tempfile.TemporaryDirectory() as name:
        classifier_bundle(Path(name))
        ports = free_port(), free_port()
        environment = {**os.environ, "PYTHONPATH": f"{SERVERS}:{os.environ.get('PYTHONPATH', '')}"}
        command = server.command(Path(name), *ports)
        process = subprocess.Popen(
            command, cwd=name, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            addresses = [f"127.0.0.1:{port}" for port in ports]
            asyncio.run(until_it_answers(addresses[0], process))
            yield addresses[0], addresses[1], process.pid
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


async def until_it_answers(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            async with rest(address, {"inputs": [TENSOR]}, b"") as ask:
                await ask()
            return
        except (OSError, SystemExit, asyncio.IncompleteReadError) as error:
            if process.poll() is not None or time.monotonic() > deadline_s:
                raise SystemExit(f"{process.args!r} does not serve: {error}") from error
            await asyncio.sleep(0.2)


def one_round(server: Server, seconds: float, connections: int) -> dict[str, float]:
    with serving(server) as (rest_address, rpc_address, pid):
        kinds: dict[str, Callable[[], object]] = {
            "REST": lambda: rest(rest_address, {"inputs": [TENSOR]}, b""),
            "gRPC": lambda: rpc(rpc_address),
        }
        found = {}
        for kind, connect in kinds.items():
            figures = asyncio.run(measure(kind, connect, seconds, connections, pid))
            found[f"{kind} requests/s"] = figures.requests_per_s
            found[f"{kind} server us"] = figures.server_cpu_us
            found[f"{kind} p50 us"] = figures.p50_us
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kserve", type=Path)
    parser.add_argument("--mlserver", type=Path)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    servers = [Server("tinyserve", tinyserve)]
    servers += [Server("kserve", kserve(options.kserve))] if options.kserve else []
    servers += [Server("mlserver", mlserver(options.mlserver))] if options.mlserver else []
    rounds: dict[str, list[dict[str, float]]] = {server.name: [] for server in servers}
    for _ in range(options.rounds):  # interleaved: what else the machine does hits all of them
        for server in servers:
            rounds[server.name].append(one_round(server, options.seconds, options.connections))
    table = {
        name: {key: round(statistics.median(one[key] for one in found), 1) for key in found[0]}
        for name, found in rounds.items()
    }
    for name, found in table.items():
        print(f"{name:10} " + "; ".join(f"{key} {value:,.0f}" for key, value in found.items()))
    if options.json:
        options.json.write_text(json.dumps(table, indent=2) + "\n")


if __name__ == "__main__":
    main()
