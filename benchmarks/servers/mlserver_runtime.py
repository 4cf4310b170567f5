# SPDX-License-Identifier: Apache-2.0
"""MLServer's runtime of the benchmark's model; its settings name the bundle as the model's URI."""

from __future__ import annotations

from pathlib import Path

from kernels import Kernels
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Shapes(MLModel):  # type: ignore[misc]
    """In MLServer's own process (parallel_workers 0): a worker more costs more than the kernels take."""

    async def load(self) -> bool:
        self._kernels = Kernels(Path(self.settings.parameters.uri))
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        sample = NumpyCodec.decode_input(payload.inputs[0]).astype("int8")
        output = NumpyCodec.encode_output("scores", self._kernels.run(sample))
        return InferenceResponse(model_name=self.name, outputs=[output])
