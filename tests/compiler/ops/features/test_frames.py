# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.features.streams import Array, Step, check
from tests.compiler.ops.generate import Random
from tinyserve.compiler.passes.load import load
from tinyserve.errors import ModelError


def framed(stream: Array, length: int, hop: int) -> Array:
    """All frames of samples (n, width)."""
    count = 1 + (len(stream) - length) // hop
    return np.stack([stream[k * hop : k * hop + length] for k in range(count)])


def frames(index: int) -> Step:
    r = Random(index, 41)
    history, width, hop, length = int(r.chance(0.6)), r.integer(1, 3), r.integer(1, 6), r.integer(1, 12)
    count = r.integer(1, 4)
    samples = hop * count if history else length + hop * (count - 1) + r.integer(0, hop - 1)
    kept = max(0, length - hop) * history
    if history and length > samples + kept:
        samples = -(-length // hop) * hop
    dtype = r.choice(("int8", "uint8", "int16", "float32"))

    def expected(given: list[Array]) -> list[Array]:
        older = np.zeros((kept, width), dtype)
        found = []
        for x in given:
            stream = np.concatenate([older, x.reshape(samples, width)])
            found.append(framed(stream, length, hop))
            older = stream[len(stream) - kept :]
        return found

    total = 1 + (samples + kept - length) // hop
    return Step(
        "FeatureFrames", (samples, width), (total, length, width),
        {"width": width, "length": length, "hop": hop, "history": history}, expected, dtype=dtype,
    )  # fmt: skip


def test_frames_of_a_stream_across_inferences(tmp_path: Path) -> None:
    check([frames(index) for index in range(60)], tmp_path, 0.0)


@pytest.mark.parametrize(
    "options",
    [{"hop": 0}, {"length": 9}, {"history": 1, "hop": 3}, {"width": 3}, {"length": -1}, {"history": 2}],
)
def test_options_that_contradict_the_shapes_are_refused(options: dict[str, int]) -> None:
    whole = {"width": 1, "length": 4, "hop": 2, "history": 0} | options
    with pytest.raises(ModelError):
        load(Step("FeatureFrames", (8,), (3, 4), whole, lambda given: given).model())
