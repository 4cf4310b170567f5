# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from flatbuffers import flexbuffers

from tests.compiler.ops.features.streams import Array
from tests.compiler.ops.generate import Random
from tests.support.differential import run_c
from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.compiler.lower import lower
from tinyserve.compiler.passes.load import load
from tinyserve.compiler.program import PORTABLE
from tinyserve.errors import ModelError


def model(classes: int, levels: Array, ignored: Array, **options: int) -> bytes:
    built = ModelBuilder()
    graph = built.graph()
    x, y = graph.input((1, classes), "float32"), graph.tensor((2,), "int32")
    inputs = [x, graph.constant(ignored.astype(np.int32)), graph.constant(levels.astype(np.float32))]
    graph.op("FeatureDecision", inputs, [y], custom_options=bytes(flexbuffers.Dumps(options)))
    graph.output(y)
    return built.build()


def decided(
    stream: Array, levels: Array, ignored: Array, *, smoothing: int, hold: int, within: int, refractory: int
) -> list[list[int]]:
    """In Python, with the whole stream at hand."""
    enter, leave, margin = levels
    active, candidates, quiet, found = -1, [], 0, []
    for t in range(len(stream)):
        mean = stream[max(0, t + 1 - smoothing) : t + 1].mean(axis=0)
        if active >= 0 and mean[active] < leave:
            active = -1
        ranked = np.sort(mean)[::-1]
        best = int(np.argmax(mean))
        far = len(mean) == 1 or ranked[0] - ranked[1] >= margin
        candidates.append(best if mean[best] >= enter and far and not ignored[best] else -1)
        agreed = candidates[-max(hold, within) :].count(candidates[-1]) >= hold
        event = -1
        if quiet:
            quiet -= 1
        elif candidates[-1] >= 0 and candidates[-1] != active and agreed:
            event = active = candidates[-1]
            quiet = refractory
        found.append([event, active])
    return found


def test_events_of_random_streams_are_those_of_the_definition(tmp_path: Path) -> None:
    programs, wanted = [], []
    for index in range(60):
        r = Random(index, 46)
        classes, length = r.integer(1, 5), 60
        options = {"smoothing": r.integer(1, 5), "hold": r.integer(1, 4), "refractory": r.integer(0, 6)}
        options["within"] = options["hold"] + r.integer(0, 4) if r.chance(0.6) else 0
        # Between the quotients of quarters, so that no rounding decides.
        levels = np.array([r.choice((0.26, 0.51, 0.76)), r.choice((-1.0, 0.27, 0.52)), r.choice((0.0, 0.23))])
        ignored = np.array([r.chance(0.2) for _ in range(classes)])
        stream = np.repeat(r.rng.integers(0, 5, (length // 3, classes)) / 4, 3, axis=0).astype(np.float32)
        program = lower(load(model(classes, levels, ignored, **options)), PORTABLE, "case")
        programs.append((program, [[row[None]] for row in stream]))
        wanted.append(decided(stream.astype(np.float64), levels, ignored, **options))
    for runs, expected in zip(run_c(programs, tmp_path), wanted, strict=True):
        assert [run.outputs[0].tolist() for run in runs] == expected
    assert sum(event[0] >= 0 for events in wanted for event in events) > 100


@pytest.mark.parametrize(
    "options",
    [
        {"smoothing": 0},
        {"hold": 0},
        {"refractory": -1},
        {"smoothing": 1 << 20},
        {"within": 2, "hold": 3},
        {"within": 1 << 20},
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, int]) -> None:
    whole = {"smoothing": 1, "hold": 1, "refractory": 0} | options
    with pytest.raises(ModelError):
        load(model(3, np.zeros(3), np.zeros(3), **whole))
    with pytest.raises(ModelError):
        load(model(3, np.full(3, np.nan), np.zeros(3), smoothing=1, hold=1, refractory=0))
