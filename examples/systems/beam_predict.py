# SPDX-License-Identifier: Apache-2.0
"""An Apache Beam transform that infers on a fleet, and a pipeline of it.

python beam_predict.py --model NAME --data samples.npy --out classes.txt [--url 127.0.0.1:8000] [--runner ...]

The direct runner is the default. Spark, Flink and Dataflow workers run the same transform where they reach
the server; give each fleet one pipeline, and as many workers as it has members. Requests that the fleet
refuses are sent again after a while: a fleet that others use, too, slows the pipeline down, and is not
swamped by it.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator

import apache_beam as beam
import numpy as np
import numpy.typing as npt
from apache_beam.options.pipeline_options import PipelineOptions
from fleet_client import FleetModel
from tritonclient.utils import InferenceServerException

Sample = tuple[int, npt.NDArray[np.float32]]


class Infer(beam.DoFn):
    """Batches of (key, sample) become (key, class). ``patience_s``: how long refusals are waited out."""

    def __init__(self, url: str, model: str, patience_s: float = 300.0) -> None:
        self._url, self._name, self._patience_s = url, model, patience_s

    def setup(self) -> None:
        self._model = FleetModel(self._url, self._name)

    def process(self, batch: list[Sample]) -> Iterator[tuple[int, int]]:
        samples = np.stack([sample for _, sample in batch]).reshape(-1, *self._model.shape)
        scores = self._admitted(samples)
        for (key, _), row in zip(batch, scores, strict=True):
            yield key, int(row.argmax())

    def teardown(self) -> None:
        self._model.close()

    def _admitted(self, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        deadline_s = time.monotonic() + self._patience_s
        while True:
            try:
                return self._model.infer(samples)
            except InferenceServerException as error:
                if str(error.status()) != "503" or time.monotonic() > deadline_s:
                    raise
                time.sleep(random.uniform(0.05, 0.5))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--model", "--data", "--out"):
        parser.add_argument(name, required=True)
    parser.add_argument("--url", default="127.0.0.1:8000")
    asked, rest = parser.parse_known_args()
    samples = np.load(asked.data, allow_pickle=False)
    with beam.Pipeline(options=PipelineOptions(rest)) as pipeline:
        _ = (
            pipeline
            | beam.Create(list(enumerate(samples)))
            | beam.BatchElements(min_batch_size=8, max_batch_size=64)
            | beam.ParDo(Infer(asked.url, asked.model))
            | beam.MapTuple(lambda key, found: f"{key},{found}")
            | beam.io.WriteToText(asked.out, shard_name_template="")
        )


if __name__ == "__main__":
    main()
