"""Mutation fuzzing: damaged models compile or end in ModelError; never a traceback, a hang, or big memory.

The mutated models run in a child process with a limit on its address space, so that an allocation beyond it
fails there. Time is CPU time of one model, measured in the child.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.passes.nets import Net
from tests.support.fuzz_seed import fuzz_seed
from tests.support.models import INT8_CRC, model_bytes

_ROOT = Path(__file__).resolve().parents[2]
_EXTRA_BYTES = 500 << 20
_CPU_SECONDS = 2.0

_CHILD = """
import pickle, resource, sys, time
import numpy as np
from tinyserve import passes
from tinyserve.codegen.compile import compile_model
from tinyserve.errors import ModelError
from tests.graph.mutate import mutate

seeds, first, count, emit, extra, limit = pickle.load(sys.stdin.buffer)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + extra, used + extra))
loaded = 0
for number in range(first, first + count):
    rng = np.random.default_rng(number)
    data = mutate(seeds[number % len(seeds)], rng)
    began = time.process_time()
    try:
        if emit:
            compile_model(data)
        else:
            passes.optimize(passes.load(data))
        loaded += 1
    except ModelError as error:
        assert error.message, number
    except BaseException as error:
        raise SystemExit(f"mutation {number}: {type(error).__name__}: {error}") from error
    took = time.process_time() - began
    if took > limit:
        raise SystemExit(f"mutation {number}: {took:.1f} s")
print(loaded)
"""


def fuzz(seeds: list[bytes], first: int, count: int, emit: bool) -> int:
    """Mutations number ``first`` to ``first + count``, up to their C code or up to the passes.

    Returns how many of them were accepted.
    """
    first += 100_000 * sum(fuzz_seed())
    job = pickle.dumps((seeds, first, count, emit, _EXTRA_BYTES, _CPU_SECONDS))
    child = subprocess.run(
        [sys.executable, "-c", _CHILD], input=job, capture_output=True, cwd=_ROOT, timeout=1500, check=False
    )
    assert child.returncode == 0, child.stderr.decode(errors="replace")[-3000:]
    return int(child.stdout)


def small_models() -> list[bytes]:
    """Models of a few kilobytes, so that mutations hit the structure rather than weights."""
    models = []
    for seed in range(6):
        net = Net(np.random.default_rng(seed))
        net.input((1, 6, 6, 3), "float32" if seed == 5 else "int8")
        left = net.conv(4, 3, dead_outputs=0.3)
        net.depthwise(multiplier=1 + seed % 2)
        net.conv(4, 1, dead_inputs=0.3)
        net.add(left, net.x)
        net.pool()
        net.dense(3)
        models.append(net.case("").model)
    return models


def test_thousands_of_damaged_models() -> None:
    accepted = fuzz(small_models(), 0, 3000, emit=True)
    assert 100 < accepted < 2900


@pytest.mark.models
def test_damaged_real_models() -> None:
    accepted = fuzz([model_bytes(name) for name in sorted(INT8_CRC)], 0, 300, emit=False)
    assert 0 < accepted < 300


@pytest.mark.slow
@pytest.mark.models
@pytest.mark.timeout(1800)
def test_fifty_thousand_damaged_models() -> None:
    assert fuzz(small_models(), 10_000, 40_000, emit=True) > 1000
    assert fuzz([model_bytes(name) for name in sorted(INT8_CRC)], 50_000, 10_000, emit=False) > 1000
