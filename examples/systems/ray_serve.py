# SPDX-License-Identifier: Apache-2.0
"""A fleet behind a deployment of Ray Serve: Ray scales what comes before and after, the boards infer.

python ray_serve.py --model NAME [--url 127.0.0.1:8000]
"""

from __future__ import annotations

import argparse

import numpy as np
import requests
from fleet_client import FleetModel
from ray import serve
from starlette.requests import Request


@serve.deployment(num_replicas=2, ray_actor_options={"num_cpus": 0.1})
class Classifier:
    """Each replica has a connection of its own; the fleet's one queue serves them all."""

    def __init__(self, url: str, model: str) -> None:
        self._model = FleetModel(url, model)

    async def __call__(self, request: Request) -> dict[str, list[int]]:
        samples = np.asarray((await request.json())["samples"], np.float32)
        scores = self._model.infer(samples.reshape(-1, *self._model.shape))
        return {"classes": scores.reshape(len(scores), -1).argmax(axis=1).tolist()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--url", default="127.0.0.1:8000")
    asked = parser.parse_args()
    serve.run(Classifier.bind(asked.url, asked.model), route_prefix="/classify")
    direct = FleetModel(asked.url, asked.model)
    samples = np.random.default_rng(1).uniform(0, 15, (4, *direct.shape)).astype(np.float32)
    reply = requests.post("http://127.0.0.1:8000/classify", json={"samples": samples.tolist()}, timeout=60)
    expected = direct.infer(samples).reshape(4, -1).argmax(axis=1).tolist()
    print("Ray Serve:", reply.json()["classes"], "the fleet:", expected)
    serve.shutdown()
    raise SystemExit(reply.json()["classes"] != expected)


if __name__ == "__main__":
    main()
