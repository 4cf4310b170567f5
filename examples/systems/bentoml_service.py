# SPDX-License-Identifier: Apache-2.0
"""A BentoML service in front of a fleet.

FLEET=127.0.0.1:8000 MODEL=NAME bentoml serve bentoml_service:Classifier
"""

from __future__ import annotations

import os

import bentoml
import numpy as np
import numpy.typing as npt
from fleet_client import FleetModel


@bentoml.service(traffic={"timeout": 30, "concurrency": 64})
class Classifier:
    """BentoML batches and documents; the fleet admits, queues and infers."""

    def __init__(self) -> None:
        self._model = FleetModel(os.environ.get("FLEET", "127.0.0.1:8000"), os.environ["MODEL"])

    @bentoml.api(batchable=True, max_batch_size=64)
    def classify(self, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
        """The class of each sample (N, …), in the units that the model was trained with."""
        scores = self._model.infer(samples.reshape(-1, *self._model.shape))
        return scores.reshape(len(scores), -1).argmax(axis=1)
