# SPDX-License-Identifier: Apache-2.0
"""A fleet of four Cortex-M0 twins behind the Open Inference Protocol, seen by Triton's own client.

    python examples/fleet/demo.py MODEL [--representative DATA]

Three twins run in the server, the fourth is a program of its own at a pseudo-terminal, as a board at a
serial port, and is killed while requests run. Then the model's held-out samples go through `tinyserve
predict`. Every answer is compared with the bytes that TFLM gave when the model was converted; the first
difference ends the demo.
"""

from __future__ import annotations

import argparse
import json
import queue
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

from tinyserve import bundle, workflow
from tinyserve.bundle import Bundle
from tinyserve.progress import silent
from tinyserve.serve.asking import Server
from tinyserve.serve.served import DATATYPES
from tinyserve.serve.status import MemberStatus

BOARD = "cortex-m0"
FLEET = """
[server]
port = 0
grpc_port = 0
[models.demo]
source = {bundle}
[groups.m0]
board = "cortex-m0"
[members.twin]
group = "m0"
link = "twin"
count = 3
[members.desk]
group = "m0"
link = {port}
"""
TINYSERVE = [sys.executable, "-m", "tinyserve"]
READY_S = 120


@dataclass(frozen=True)
class Demo:
    """A server that runs, and the samples whose answers are known."""

    rest: str
    grpc: str
    made: Bundle
    inputs: list[Any]
    expected: list[Any]

    def rows(self, first: int, count: int = 1) -> list[int]:
        """So many samples; after the last one comes the first again."""
        return [(first + index) % len(self.inputs[0]) for index in range(count)]

    def tensor(self, module: Any, rows: list[int]) -> list[Any]:
        """Held-out samples as a client's inputs."""
        found = []
        for info, array in zip(self.made.manifest.inputs, self.inputs, strict=True):
            values = np.ascontiguousarray(array[rows]).reshape(-1, *info.shape[1:])
            one = module.InferInput(info.name, list(values.shape), DATATYPES[info.dtype])
            one.set_data_from_numpy(values)
            found.append(one)
        return found

    def check(self, answer: Any, rows: list[int]) -> None:
        """Ends the demo unless the answer has TFLM's bytes."""
        for info, array in zip(self.made.manifest.outputs, self.expected, strict=True):
            if answer.as_numpy(info.name).tobytes() != np.ascontiguousarray(array[rows]).tobytes():
                raise SystemExit(f"samples {rows}: {info.name} differs from TFLM's")

    def fleet(self) -> list[MemberStatus]:
        """The members' states."""
        return Server(f"http://{self.rest}").status().models[0].members

    def state(self, name: str) -> str:
        """A member's, with the reason."""
        (one,) = (one for one in self.fleet() if one.name == name)
        return f"{one.state}: {one.reason}" if one.reason else one.state

    def late(self) -> int:
        """Samples that the server answered after their deadline, by its own count."""
        with urllib.request.urlopen(f"http://{self.rest}/metrics", timeout=30) as reply:
            lines = reply.read().decode().splitlines()
        return sum(int(float(line.split()[-1])) for line in lines if line.startswith("tinyserve_late_total"))


def first_line(process: subprocess.Popen[str]) -> str:
    """What a program says when it is ready."""
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line:
        raise SystemExit(f"{process.args!r} ended with status {process.wait(30)}")
    return line


def start(stack: ExitStack, arguments: list[str]) -> subprocess.Popen[str]:
    """A command of ours in the background, until the demo ends."""
    process = subprocess.Popen([*TINYSERVE, *arguments], stdout=subprocess.PIPE, text=True)

    def end() -> None:
        process.terminate()
        process.communicate(timeout=60)

    stack.callback(end)
    return process


def wait_ready(demo: Demo, count: int) -> None:
    """Until so many members serve."""
    deadline = time.monotonic() + READY_S
    while sum(one.state == "ready" for one in demo.fleet()) < count:
        if time.monotonic() > deadline:
            raise SystemExit(f"members are not ready: {[(one.name, one.reason) for one in demo.fleet()]}")
        time.sleep(0.1)


def answers_are_tflms(demo: Demo) -> None:
    """A Triton client over REST and gRPC."""
    for module, address in ((tritonclient.http, demo.rest), (tritonclient.grpc, demo.grpc)):
        with module.InferenceServerClient(address) as client:
            rows = demo.rows(0, 8)
            answer = client.infer("demo", demo.tensor(module, rows))
            demo.check(answer, rows)
            print(f"  {module.__name__}: 8 samples in one request, split over the members: TFLM's bytes")


def overload_is_refused(demo: Demo, seconds: float = 5.0, threads: int = 32) -> None:
    """Four times what the members can do, with deadlines: answered in time, or refused at once."""
    bound_s = max(one.bound_ms for one in demo.fleet()) / 1e3
    timeout_s = 2.5 * bound_s
    outcomes: queue.SimpleQueue[str] = queue.SimpleQueue()
    end = time.monotonic() + seconds

    def load(number: int) -> None:
        with tritonclient.http.InferenceServerClient(demo.rest, network_timeout=60) as client:
            while time.monotonic() < end:
                rows = demo.rows(number)
                try:
                    answer = client.infer(
                        "demo", demo.tensor(tritonclient.http, rows), timeout=int(timeout_s * 1e6)
                    )
                    demo.check(answer, rows)
                    outcomes.put("answered")
                except InferenceServerException as error:
                    outcomes.put("refused" if error.status() == "503" else str(error))
                    time.sleep(bound_s / 4)

    workers = [threading.Thread(target=load, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    counts = Counter(outcomes.get() for _ in range(outcomes.qsize()))
    if set(counts) != {"answered", "refused"}:
        raise SystemExit(f"not only answers and refusals: {counts}")
    print(
        f"  {threads} clients, deadline {timeout_s * 1e3:.0f} ms: {counts['answered']} answered, of which"
        f" {demo.late()} late by the server's clock; {counts['refused']} refused"
    )


def a_member_dies(demo: Demo, board: subprocess.Popen[str]) -> None:
    """What the killed member had is computed by others."""
    with tritonclient.grpc.InferenceServerClient(demo.grpc) as client:
        rows = demo.rows(0, 16)
        answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        inputs = demo.tensor(tritonclient.grpc, rows)
        client.async_infer("demo", inputs, lambda result, error: answers.put((result, error)))
        time.sleep(0.05)
        board.kill()
        answer, error = answers.get(timeout=60)
        if error is not None:
            raise SystemExit(f"the request was lost with the member: {error}")
        demo.check(answer, rows)
        deadline, count = time.monotonic() + READY_S, 0
        while demo.state("desk").startswith("ready"):  # it is missed when it is asked
            if time.monotonic() > deadline:
                raise SystemExit("nobody misses the member that was killed")
            demo.check(client.infer("demo", inputs), rows)
            count += 1
    print(
        f"  desk was killed: the 16 samples in flight are answered, and {count} requests after them; desk is"
        f" {demo.state('desk')}"
    )


def batches(demo: Demo, data: Path | None, folder: Path) -> None:
    """Data, else the held-out samples, through `tinyserve predict`, into SQLite and Parquet."""
    if data is None:
        names = [info.name for info in demo.made.manifest.inputs]
        held = demo.made.samples().float_inputs
        if held is None:
            raise SystemExit("the bundle has no samples in real units: name --data")
        data = folder / "data.npz"
        np.savez(data, **dict(zip(names, held, strict=True)))
    for out, on in (("p.sqlite", ["--on", f"http://{demo.rest}", "--model-name", "demo"]), ("p", [])):
        arguments = ["predict", str(demo.made.path), str(data), "--out", str(folder / out), *on]
        subprocess.run([*TINYSERVE, *arguments, "--verify", "100%"], check=True, timeout=300)
    with sqlite3.connect(folder / "p.sqlite") as database:
        stored = database.execute("SELECT label, class, count(*) FROM predictions GROUP BY class").fetchall()
    manifest = json.loads((folder / "p" / "_manifest.json").read_text())
    if sorted(count for *_, count in stored) != sorted(manifest["classes"].values()):
        raise SystemExit("the twins' predictions are not this computer's")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("model", type=Path)
    parser.add_argument("--representative")
    parser.add_argument("--data", type=Path, help="what to predict in the end")
    options = parser.parse_args()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        print(f"converting {options.model.name}")
        conversion = workflow.Conversion(options.representative, output=folder / "demo.bundle", name="demo")
        made = workflow.to_bundle(options.model, conversion, silent)
        print("starting a board at a pseudo-terminal, and the server")
        board = start(stack, ["device", str(made.path), "--board", BOARD, "--pty"])
        port = first_line(board)
        fleet = FLEET.format(bundle=json.dumps(str(made.path)), port=json.dumps(port))
        (folder / "fleet.toml").write_text(fleet)
        server = start(stack, ["serve", str(folder / "fleet.toml")])
        rest, grpc = (first_line(server).partition("://")[2] for _ in range(2))
        held = made.samples()
        inputs = [a.astype(i.dtype) for a, i in zip(held.inputs, made.manifest.inputs, strict=True)]
        expected = [a.astype(o.dtype) for a, o in zip(held.expected, made.manifest.outputs, strict=True)]
        demo = Demo(rest, grpc, bundle.load(made.path), inputs, expected)
        wait_ready(demo, 4)
        print(f"four members serve; status page: http://{rest}/")
        answers_are_tflms(demo)
        overload_is_refused(demo)
        a_member_dies(demo, board)
        print("batches, on the twins and on this computer")
        batches(demo, options.data, folder)
    print(f"done in {time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
