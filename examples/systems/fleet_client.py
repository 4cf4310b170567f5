# SPDX-License-Identifier: Apache-2.0
"""A model behind the Open Inference Protocol, by Triton's client: what all programs here use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tritonclient.http as triton


@dataclass
class FleetModel:
    """``url``: HOST:PORT. The model's first input takes real units; its first output comes in them."""

    url: str
    name: str

    def __post_init__(self) -> None:
        self._client = triton.InferenceServerClient(self.url)
        metadata = self._client.get_model_metadata(self.name)
        self._input, self._output = metadata["inputs"][0], metadata["outputs"][0]["name"]
        self.shape = tuple(int(extent) for extent in self._input["shape"][1:])

    def infer(self, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Outputs (N, …) of samples (N, and ``shape``). All of them are admitted, or none: then it raises
        InferenceServerException, which says when to come back."""
        given = triton.InferInput(self._input["name"], samples.shape, "FP32")
        given.set_data_from_numpy(np.ascontiguousarray(samples, np.float32))
        wanted = [triton.InferRequestedOutput(self._output)]
        answer = self._client.infer(self.name, [given], outputs=wanted, parameters={"dequantize": True})
        found: Any = answer.as_numpy(self._output)
        return np.asarray(found, np.float32)

    def close(self) -> None:
        self._client.close()
