# SPDX-License-Identifier: Apache-2.0
"""KServe's own clients (V1, V2, gRPC) call a fleet: python kserve_client.py MODEL [URL [GRPC]]"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig


async def answers(url: str, grpc: str, model: str) -> dict[str, Any]:
    """The output for one sample, by protocol; all in real units but V2's, which are the model's own."""
    v2 = InferenceRESTClient(RESTConfig(protocol="v2"))
    ready = await v2.is_server_ready(url) and await v2.is_model_ready(url, model)
    shape = [1, 8, 8, 1]
    samples = np.arange(64, dtype=np.float32).reshape(shape) / 8
    given = InferInput("image", shape, "FP32")
    given.set_data_from_numpy(samples, binary_data=False)
    request = InferRequest(model, [given], parameters={"dequantize": True})
    rest = await v2.infer(url, request, model)
    v1 = InferenceRESTClient(RESTConfig(protocol="v1"))
    predictions = await v1.infer(url, {"instances": samples.tolist()}, model)
    async with InferenceGRPCClient(grpc) as client:
        remote = await client.infer(request)
    return {
        "ready": ready,
        "v1": np.ravel(predictions["predictions"]).tolist(),
        "v2": np.ravel(rest.outputs[0].as_numpy()).tolist(),
        "grpc": np.ravel(remote.outputs[0].as_numpy()).tolist(),
    }


def main() -> None:
    defaults = ["", "http://127.0.0.1:8000", "127.0.0.1:8001"]  # kserve takes options for its own
    model, url, grpc = [*sys.argv[1:4], *defaults[len(sys.argv) - 1 :]]
    found = asyncio.run(answers(url, grpc, model))
    print(found)
    same = np.allclose(found["v1"], found["v2"]) and np.allclose(found["v2"], found["grpc"])
    raise SystemExit(not (found["ready"] and same))


if __name__ == "__main__":
    main()
