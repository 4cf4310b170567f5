# SPDX-License-Identifier: Apache-2.0
"""Features have the same bytes here, built for this processor, and on every core: floats included."""

from __future__ import annotations

import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest

from tests.features.specs import ALL, spec
from tests.support import traces
from tinyserve.compiler.compile import Compiled, compile_model
from tinyserve.compiler.host.model import FAST, HostModel
from tinyserve.compiler.program import Target
from tinyserve.features.model import written

INFERENCES = 6


def inputs(name: str) -> list[np.ndarray]:
    taken = spec(ALL[name]).input
    shape, rng = (INFERENCES, 1, *taken.shape), np.random.default_rng(3)
    if taken.type in ("uint8", "int32"):  # a camera's bytes, and any second of Unix time
        kind = np.iinfo(taken.type)
        return list(rng.integers(0, kind.max, shape, dtype=taken.type, endpoint=True))
    return list((rng.normal(size=shape) * 1000).astype(taken.type))


def last(compiled: Compiled, checksums: list[int]) -> list[dict[str, int]]:
    """Of each inference the checksum of each tensor after the last call that writes it: what is joined of
    several parts is whole then alone."""
    names = [tensor.name for layer in traces.written(compiled) for tensor, _ in layer]
    return [
        dict(zip(names, checksums[i : i + len(names)], strict=True))
        for i in range(0, len(checksums), len(names))
    ]


def on_this_computer(data: bytes, samples: list[np.ndarray]) -> list[dict[str, int]]:
    compiled = compile_model(data)
    host, found = HostModel(compiled), []
    for sample in samples:
        values = host.trace([sample])
        tensors = [tensor for layer in traces.written(compiled) for tensor, _ in layer]
        found += [zlib.crc32(values[tensor.index].tobytes()) for tensor in tensors]
    return last(compiled, found)


@pytest.mark.parametrize("cpu", traces.FEATURES)
@pytest.mark.parametrize("name", ALL)
def test_every_tensor_is_the_same_on_the_core(name: str, cpu: str, tmp_path: Path) -> None:
    if cpu == "cortex-m55" and shutil.which("qemu-system-arm") is None:
        pytest.skip("needs qemu-system-arm")
    data = written(spec(ALL[name]))[0]
    compiled = compile_model(data, Target(traces.FEATURES[cpu]))
    there = last(compiled, traces.emulated(compiled, inputs(name), cpu, tmp_path))
    assert len(there) == INFERENCES
    assert there == on_this_computer(data, inputs(name))


@pytest.mark.parametrize("name", ALL)
def test_the_build_for_this_processor_gives_the_same(name: str) -> None:
    data = written(spec(ALL[name]))[0]
    slow, fast = HostModel(compile_model(data)), HostModel(compile_model(data, FAST))
    for sample in inputs(name):
        assert slow.run([sample])[0].tobytes() == fast.run([sample])[0].tobytes()
