# SPDX-License-Identifier: Apache-2.0
"""A fleet of twins that is asked for more than it can do: every request is answered in time, or refused at
once.

Requests come over gRPC at a fixed rate, FACTOR times what the members say they can do, whether or not
answers come (an open loop), each with a deadline. Counted: answers, refusals, answers after their deadline
by the client's clock and by the server's, wrong bytes, requests that got neither answer nor refusal, and how
long refusals took. Twins share this computer's cores: what else runs on it makes them slower than they were
when they were admitted.

python benchmarks/overload.py MODEL [--twins 16] [--board cortex-m4] [--factor 4] [--seconds 60] [--json
FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from tinyserve import workflow
from tinyserve.bundle import Bundle
from tinyserve.progress import silent
from tinyserve.serve.asking import Server
from tinyserve.serve.rpc.messages import SERVICE, message
from tinyserve.serve.served import DATATYPES

FLEET = """
[server]
port = 0
grpc_port = 0
[limits]
queue = 1000
connections = 4096
[models.demo]
source = {bundle}
[members.twin]
board = {board}
link = "twin"
count = {twins}
"""


@dataclass
class Tally:
    """Outcomes, and seconds of refusals and answers."""

    outcomes: Counter[str] = field(default_factory=Counter)
    refusals: list[float] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)


def requests(made: Bundle) -> list[tuple[Any, bytes]]:
    """A request for each held-out sample, and the bytes of the first output that it must get."""
    held = made.samples()
    found = []
    for row in range(len(held)):
        tensors, raw = [], []
        for info, array in zip(made.manifest.inputs, held.inputs, strict=True):
            tensors.append({"name": info.name, "datatype": DATATYPES[info.dtype], "shape": info.shape})
            raw.append(array[row].astype(info.dtype).tobytes())
        asked = message("ModelInferRequest")(model_name="demo", inputs=tensors, raw_input_contents=raw)
        found.append((asked, held.expected[0][row].astype(made.manifest.outputs[0].dtype).tobytes()))
    return found


async def one(call: Any, asked: Any, expected: bytes, timeout_s: float, tally: Tally) -> None:
    """A request and what became of it."""
    begin = time.perf_counter()
    try:
        answer = await call(asked)
    except grpc.aio.AioRpcError as error:
        took = time.perf_counter() - begin
        if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
            tally.outcomes["refused"] += 1
            tally.refusals.append(took)
        else:
            tally.outcomes[f"lost: {error.code().name}"] += 1
        return
    took = time.perf_counter() - begin
    tally.answers.append(took)
    tally.outcomes["answered" if answer.raw_output_contents[0] == expected else "wrong"] += 1
    if took > timeout_s:
        tally.outcomes["late by the client's clock"] += 1


async def run(address: str, made: Bundle, rate: float, timeout_s: float, seconds: float) -> Tally:
    """Sends at that rate."""
    tally, tasks = Tally(), set()
    known = requests(made)
    for asked, _ in known:
        asked.parameters["timeout"].int64_param = round(timeout_s * 1e6)
    async with grpc.aio.insecure_channel(address) as channel:
        call = channel.unary_unary(
            f"/{SERVICE}/ModelInfer", message("ModelInferRequest").SerializeToString,
            message("ModelInferResponse").FromString,
        )  # fmt: skip
        begin = time.perf_counter()
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, begin + number / rate - time.perf_counter()))
            asked, expected = known[number % len(known)]
            task = asyncio.create_task(one(call, asked, expected, timeout_s, tally))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)
    return tally


def late_by_the_server(address: str) -> int:
    """What it counted itself."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as reply:
        lines = reply.read().decode().splitlines()
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith("tinyserve_late_total"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("model", type=Path)
    parser.add_argument("--board", default="cortex-m4")
    parser.add_argument("--twins", type=int, default=16)
    parser.add_argument("--factor", type=float, default=4.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        conversion = workflow.Conversion(output=folder / "demo.bundle")
        made = workflow.to_bundle(options.model, conversion, silent)
        text = FLEET.format(
            bundle=json.dumps(str(made.path)), board=json.dumps(options.board), twins=options.twins
        )
        (folder / "fleet.toml").write_text(text)
        command = [sys.executable, "-m", "tinyserve", "serve", str(folder / "fleet.toml")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                lines = [process.stdout.readline() for _ in range(2)]
                rest, rpc = (line.strip().partition("://")[2] for line in lines)
                server = Server(f"http://{rest}")
                while not all(one.state == "ready" for one in server.status().models[0].members):
                    time.sleep(0.2)
                bounds = [one.bound_ms / 1e3 for one in server.status().models[0].members]
                rate = options.factor * sum(1 / bound for bound in bounds)
                timeout_s = 4 * max(bounds)
                tally = asyncio.run(run(rpc, made, rate, timeout_s, options.seconds))
                tally.outcomes["late by the server's clock"] = late_by_the_server(rest)
            finally:
                process.terminate()
    p50, p99 = np.percentile(tally.refusals, [50, 99]) * 1e3 if tally.refusals else (0.0, 0.0)
    print(
        f"{options.twins} twins, {rate:,.0f} requests/s for {options.seconds:g} s, deadline"
        f" {timeout_s * 1e3:.0f} ms: {dict(tally.outcomes)}; refusals p50 {p50:.1f} ms, p99 {p99:.1f} ms"
    )
    if options.json:
        figures = {**tally.outcomes, "refusal_p50_ms": p50, "refusal_p99_ms": p99, "rate": rate}
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
