# SPDX-License-Identifier: Apache-2.0
"""Members that break, lie, hang and come back at random while clients ask: `python -m tests.serve.soak
--seconds 3600`.

Every request is answered once, with the right bytes or a refusal; nothing hangs. `tests/serve/test_soak.py`
runs a few seconds of it.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import numpy as np

from tests.bench.models import classifier_bundle
from tests.serve.fakes import Script
from tests.serve.running import Served, serving
from tinyserve.bundle import Bundle
from tinyserve.serve import member
from tinyserve.serve.gateway import Options

MEMBERS = ("a", "b", "c")
CLIENTS = 8
FAULTS = ("break", "mend", "lie", "honest", "hang", "reset", "load", "nothing")


def fleet(made: Bundle) -> str:
    """Three boards, all of whose answers are checked."""
    boards = "".join(
        f'[members.{name}]\nlink = "/dev/fake-{name}"\nboard = "nano33"\nverify = 1.0\n' for name in MEMBERS
    )
    return f'[models.shapes]\nsource = "{made.path}"\n{boards}'


def run(seconds: float, seed: int, folder: Path, made: Bundle) -> Counter[str]:
    """How requests were answered. Raises AssertionError for a wrong answer, and one that never came."""
    script = Script(seconds=0.002)
    outcomes: Counter[str] = Counter()
    lock = threading.Lock()
    end = time.monotonic() + seconds
    with serving(fleet(made), folder, Options(spill=seed % 2 == 0), script.open) as served:
        model = served.running.gateway.pool("shapes").model

        def client(number: int) -> None:
            chance = np.random.default_rng([seed, number])
            asked = 0
            while time.monotonic() < end or not asked:
                asked += 1
                count = int(chance.integers(1, 4))
                images = chance.integers(-128, 128, (count, 64), dtype=np.int8)
                outcome = ask(served, images, [model.expected((row.tobytes(),))[0] for row in images])
                with lock:
                    outcomes[outcome] += 1

        with ThreadPoolExecutor(CLIENTS + 1) as threads:
            clients = [threads.submit(client, number) for number in range(CLIENTS)]
            threads.submit(harm, served, script, random.Random(seed), end).result()
            for one in clients:
                one.result(timeout=60)
        script.broken.clear()
        script.lying.clear()
        for name in MEMBERS:
            served.inside(lambda name=name: served.running.gateway.reset(name))
        served.wait_ready(3)
        pool = served.running.gateway.pool("shapes")
        assert served.inside(lambda: pool.is_idle), "something is left in the queue"
        image = np.ones((1, 64), np.int8)
        outcomes[f"healed: {ask(served, image, [model.expected((image.tobytes(),))[0]])}"] += 1
    return outcomes


def ask(served: Served, images: np.ndarray, expected: list[bytes]) -> str:
    """A request; "answered", or the reason of its refusal."""
    tensor = {
        "name": "image", "datatype": "INT8", "shape": [len(images), 8, 8, 1], "data": images.ravel().tolist()
    }  # fmt: skip
    content = msgspec.json.encode({"inputs": [tensor], "parameters": {"timeout": 5_000_000}})
    reply = served.ask("/v2/models/shapes/infer", content)
    if reply.status == 503:
        return str(reply.json["reason"])
    assert reply.status == 200, reply.body
    got = np.array(reply.json["outputs"][0]["data"], np.int8).tobytes()
    assert got == b"".join(expected), reply.json["parameters"]
    return "answered"


def harm(served: Served, script: Script, chance: random.Random, end: float) -> None:
    """One fault after the other."""
    while time.monotonic() < end:
        name, fault = chance.choice(MEMBERS), chance.choice(FAULTS)
        if fault == "break":
            script.broken[name] = "unplugged"
        elif fault == "mend":
            script.broken.clear()
        elif fault == "lie":
            script.lying.add(name)
        elif fault == "honest":
            script.lying.clear()
        elif fault == "hang":
            script.gate.clear()
            threading.Event().wait(0.05)
            script.gate.set()
        elif fault == "reset":
            served.inside(lambda name=name: served.running.gateway.reset(name))
        elif fault == "load" and chance.random() < 0.2:
            served.ask("/v2/repository/models/shapes/load", b"")
        threading.Event().wait(chance.uniform(0, 0.1))
    script.gate.set()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    member.FIRST_PAUSE_S = 0.05
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = classifier_bundle(folder)
        end, seed = time.monotonic() + options.seconds, options.seed
        while time.monotonic() < end:
            outcomes = run(min(60.0, max(1.0, end - time.monotonic())), seed, folder, made)
            print(f"seed {seed}: {dict(outcomes)}", flush=True)
            seed += 1


if __name__ == "__main__":
    main()
