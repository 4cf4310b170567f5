# SPDX-License-Identifier: Apache-2.0
"""What the gateway costs: requests per second of one process, and the latency that it adds to an inference.

Serves a small classifier on this computer (`tinyserve serve`, a process of its own) and asks it from here
over connections that stay open: REST with binary tensor data, REST with JSON, gRPC. The overhead is what a
request takes beyond the computing that its answer reports; client and server share the machine, so it is an
upper bound. The server's processor time per request depends on no other load.

    python benchmarks/serving.py [--seconds 5] [--connections 16] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import grpc
import numpy as np

from tests.bench.models import write_classifier
from tests.serve.conftest import HOST
from tests.serve.running import FREE
from tinyserve.serve.rpc.messages import SERVICE, message

FLEET = FREE + HOST.format(bundle="shapes.tflite")
IMAGE = bytes(range(64))
Ask = Callable[[], Awaitable[float]]
"""One request; gives the microseconds of computing that its answer reports."""


@dataclass(frozen=True)
class Figures:
    """Of one protocol. Latencies and overheads are of one connection, requests per second of all."""

    protocol: str
    connections: int
    requests_per_s: float
    server_cpu_us: float
    p50_us: float
    p99_us: float
    overhead_p50_us: float
    overhead_p99_us: float


@asynccontextmanager
async def rest(address: str, head: dict[str, object], tail: bytes) -> AsyncIterator[Ask]:
    """A connection that asks with a body of JSON and bytes behind it."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    encoded = json.dumps(head).encode()
    kind = f"Inference-Header-Content-Length: {len(encoded)}" if tail else "Content-Type: application/json"
    request = (
        f"POST /v2/models/shapes/infer HTTP/1.1\r\nHost: {address}\r\n{kind}\r\n"
        f"Content-Length: {len(encoded) + len(tail)}\r\n\r\n"
    ).encode() + encoded + tail  # fmt: skip

    async def ask() -> float:
        writer.write(request)
        answer = await reader.readuntil(b"\r\n\r\n")
        status = answer[9:12]
        size = int(answer.lower().partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(size)
        if status != b"200":
            raise SystemExit(body.decode())
        return float(body.partition(b'"compute_us":')[2].partition(b",")[0] or 0)

    try:
        yield ask
    finally:
        writer.close()


@asynccontextmanager
async def rpc(address: str) -> AsyncIterator[Ask]:
    """A channel that asks over gRPC."""
    request, response = message("ModelInferRequest"), message("ModelInferResponse")
    tensor = {"name": "image", "datatype": "INT8", "shape": [1, 8, 8, 1]}
    asked = request(model_name="shapes", inputs=[tensor], raw_input_contents=[IMAGE])
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        call = channel.unary_unary(f"/{SERVICE}/ModelInfer", request.SerializeToString, response.FromString)

        async def ask() -> float:
            return float((await call(asked)).parameters["compute_us"].int64_param)

        yield ask


def cpu_s(pid: int) -> float:
    """Processor time that a process has taken (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(
    name: str, connect: Callable[[], object], seconds: float, connections: int, server: int
) -> Figures:
    """First one connection alone, then all of them at once."""
    latencies, overheads = [], []
    async with connect() as ask:  # type: ignore[attr-defined]
        end = time.perf_counter() + seconds
        for _ in range(100):
            await ask()
        while time.perf_counter() < end:
            begin = time.perf_counter()
            compute_us = await ask()
            latencies.append((time.perf_counter() - begin) * 1e6)
            overheads.append(latencies[-1] - compute_us)
    count = 0

    async def load(end: float) -> None:
        nonlocal count
        async with connect() as ask:  # type: ignore[attr-defined]
            while time.perf_counter() < end:
                await ask()
                count += 1

    begin, begin_cpu_s = time.perf_counter(), cpu_s(server)
    await asyncio.gather(*(load(begin + seconds) for _ in range(connections)))
    rate = count / (time.perf_counter() - begin)
    server_us = (cpu_s(server) - begin_cpu_s) / count * 1e6
    p50, p99 = np.percentile(latencies, [50, 99])
    over50, over99 = np.percentile(overheads, [50, 99])
    return Figures(
        name, connections, *(round(float(v), 1) for v in (rate, server_us, p50, p99, over50, over99))
    )


async def run(
    rest_address: str, rpc_address: str, seconds: float, connections: int, server: int
) -> list[Figures]:
    """All protocols, one after the other."""
    tensor: dict[str, object] = {"name": "image", "datatype": "INT8", "shape": [1, 8, 8, 1]}
    binary = {
        "inputs": [{**tensor, "parameters": {"binary_data_size": 64}}],
        "parameters": {"binary_data_output": True},
    }
    plain = {"inputs": [{**tensor, "data": list(IMAGE)}]}
    kinds: list[tuple[str, Callable[[], object]]] = [
        ("REST, binary", lambda: rest(rest_address, binary, IMAGE)),
        ("REST, JSON", lambda: rest(rest_address, plain, b"")),
        ("gRPC", lambda: rpc(rpc_address)),
    ]
    return [await measure(name, connect, seconds, connections, server) for name, connect in kinds]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_classifier(folder / "shapes.tflite")
        (folder / "fleet.toml").write_text(FLEET)
        command = [sys.executable, "-m", "tinyserve", "serve", "fleet.toml"]
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            addresses = [process.stdout.readline().strip().partition("://")[2] for _ in range(2)]
            time.sleep(1)
            try:
                found = asyncio.run(run(*addresses, options.seconds, options.connections, process.pid))
            finally:
                process.terminate()
    for one in found:
        print(
            f"{one.protocol:13} {one.requests_per_s:8,.0f} requests/s with {one.connections}"
            f" ({one.server_cpu_us:,.0f} us of the server's processor each); alone p50 {one.p50_us:,.0f} us,"
            f" p99 {one.p99_us:,.0f} us; overhead p50 {one.overhead_p50_us:,.0f} us, p99"
            f" {one.overhead_p99_us:,.0f} us"
        )
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in found], indent=2) + "\n")


if __name__ == "__main__":
    main()
