# SPDX-License-Identifier: Apache-2.0
"""Feature operators over several inferences against numpy in double precision: TFLM has none of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from flatbuffers import flexbuffers

from tests.compiler.ops.generate import Random
from tests.support.differential import run_c
from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.compiler.lower import lower
from tinyserve.compiler.passes.load import load
from tinyserve.compiler.program import PORTABLE

Array = npt.NDArray[Any]
INFERENCES = 4


@dataclass
class Step:
    """One operator, and what it must give for the inputs of consecutive inferences."""

    name: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    options: dict[str, int]
    expected: Callable[[list[Array]], list[Array]]
    constants: tuple[Array, ...] = ()
    dtype: str = "float32"
    output_dtype: str = ""

    def model(self) -> bytes:
        model = ModelBuilder()
        graph = model.graph()
        x = graph.input(self.input_shape, self.dtype)
        y = graph.tensor(self.output_shape, self.output_dtype or self.dtype)
        inputs = [x, *(graph.constant(values) for values in self.constants)]
        graph.op(self.name, inputs, [y], custom_options=bytes(flexbuffers.Dumps(self.options)))
        graph.output(y)
        return model.build()


def check(steps: list[Step], directory: Path, tolerance: float) -> None:
    """Asserts that the compiled C, under sanitizers, gives what the oracle does, relative to the largest."""
    r = Random(7)
    inputs = [[r.values(step.input_shape, step.dtype) for _ in range(INFERENCES)] for step in steps]
    programs = [
        (lower(load(step.model()), PORTABLE, "case"), [[x] for x in given])
        for step, given in zip(steps, inputs, strict=True)
    ]
    for step, given, got in zip(steps, inputs, run_c(programs, directory), strict=True):
        wanted = step.expected(given)
        wanted *= len(got) // len(wanted)  # once in each layout that the call permits
        for inference, (mine, theirs) in enumerate(zip(got, wanted, strict=True)):
            limit = tolerance * max(1.0, float(np.abs(theirs).max()))
            np.testing.assert_allclose(
                mine.outputs[0].reshape(-1), theirs.reshape(-1), rtol=0, atol=limit,
                err_msg=f"{step.name} {step.options} inference {inference}",
            )  # fmt: skip
