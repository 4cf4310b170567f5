# SPDX-License-Identifier: Apache-2.0
"""KServe's Python server with the benchmark's model: python kserve_server.py BUNDLE REST-PORT GRPC-PORT"""

from __future__ import annotations

import sys
from pathlib import Path

from kernels import Kernels
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer


class Shapes(Model):
    """The kernels are loaded before it serves; prediction is synchronous, as they take microseconds."""

    def __init__(self, path: Path) -> None:
        super().__init__("shapes")
        self._kernels = Kernels(path)
        self.ready = True

    async def predict(self, payload: InferRequest, headers=None, response_headers=None) -> InferResponse:  # type: ignore[no-untyped-def]
        scores = self._kernels.run(payload.inputs[0].as_numpy().astype("int8"))
        output = InferOutput("scores", list(scores.shape), "INT8")
        output.set_data_from_numpy(scores, binary_data=False)
        return InferResponse(payload.id or "", self.name, [output])


if __name__ == "__main__":
    rest_port, grpc_port = int(sys.argv[2]), int(sys.argv[3])
    server = ModelServer(http_port=rest_port, grpc_port=grpc_port, enable_latency_logging=False)
    server.start([Shapes(Path(sys.argv[1]))])
