# SPDX-License-Identifier: Apache-2.0
"""An inference in steps comes back between rows, too, and gives the bytes of one invoke."""

from __future__ import annotations

import ctypes
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.compiler.emit.test_interface import ARENA_ALIGNMENT, CALLER, STRICT, compiles
from tests.support.bands import band_calls, banded, image_graph
from tinyserve.compiler.compile import Compiled, write
from tinyserve.compiler.emit.emit import emit
from tinyserve.compiler.program import STATIC, Interface

MOST_STEPS = 10_000


class Model:
    """The compiled C; ``self`` is a context of the caller's, or none."""

    def __init__(self, compiled: Compiled, directory: Path, caller: bool) -> None:
        write(compiled, directory)
        compiles("gcc", [*STRICT, "-shared", "-fPIC", *compiled.sources.compile, "-o", "m.so"], directory)
        self.library = ctypes.CDLL(str(directory / "m.so"))
        self.tensors = compiled.program.output_tensors
        for name in ("input", "output"):
            getattr(self.library, f"ts_model_{name}").restype = ctypes.c_void_p
        self.memory = bytearray(b"\xa5" * (compiled.plan.arena_bytes + ARENA_ALIGNMENT))
        self.context = ctypes.create_string_buffer(256)
        self.self = [ctypes.byref(self.context)] if caller else []
        at = ctypes.addressof((ctypes.c_uint8 * len(self.memory)).from_buffer(self.memory))
        start = -(-at // ARENA_ALIGNMENT) * ARENA_ALIGNMENT
        assert self.call("init", *([ctypes.c_void_p(start)] if caller else [])) in (0, None) or not caller

    def call(self, what: str, *arguments: object) -> int:
        return int(getattr(self.library, f"ts_model_{what}")(*self.self, *arguments) or 0)

    def fill(self, data: bytes) -> None:
        ctypes.memmove(self.call("input", 0), data, len(data))

    def outputs(self) -> list[bytes]:
        return [ctypes.string_at(self.call("output", i), t.nbytes) for i, t in enumerate(self.tensors)]

    def in_steps(self, budget: int) -> int:
        """Runs the inference; how many calls it took."""
        return next(calls for calls in range(1, MOST_STEPS) if self.call("step", budget))


def made(seed: int, caller: bool, directory: Path) -> tuple[Model, Compiled, list[bytes]]:
    case = image_graph(seed)
    compiled = banded(case.model, seed=seed)
    assert band_calls(compiled)
    interface: Interface = CALLER if caller else STATIC
    compiled = replace(compiled, sources=emit(compiled.program, compiled.plan, interface))
    samples = [np.ascontiguousarray(sample[0]).tobytes() for sample in case.samples]
    return Model(compiled, directory, caller), compiled, samples


@pytest.mark.parametrize("caller", [False, True])
@pytest.mark.parametrize("seed", [1, 2, 6, 7])
def test_steps_of_any_budget_give_what_one_invoke_gives(seed: int, caller: bool, tmp_path: Path) -> None:
    model, compiled, samples = made(seed, caller, tmp_path)
    pieces = sum(
        sum(stage.steps for stage in call.stages) if call in band_calls(compiled) else 1
        for call in compiled.program.calls
    )
    for sample in samples:
        model.fill(sample)
        assert model.call("invoke") == 0
        wanted = model.outputs()
        for budget in (1, 3, 0xFFFFFFFF):
            model.fill(sample)
            calls = model.in_steps(budget)
            assert model.outputs() == wanted
            ends_in_rows = compiled.program.calls[-1] in band_calls(compiled)
            whole = -(-pieces // budget)
            assert whole <= calls <= whole + ends_in_rows  # one more finds that no row is left


def test_invoke_and_reset_abandon_rows_that_were_begun(tmp_path: Path) -> None:
    model, _, samples = made(2, False, tmp_path)
    model.fill(samples[0])
    model.call("invoke")
    wanted = model.outputs()
    for abandon in ("invoke", "reset"):
        for begun in (1, 2, 5):
            model.fill(samples[1])
            for _ in range(begun):
                model.call("step", 1)
            model.call(abandon)
            model.fill(samples[0])
            model.in_steps(2)
            assert model.outputs() == wanted
