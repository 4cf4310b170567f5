# SPDX-License-Identifier: Apache-2.0
"""Mutation fuzzing: damaged models compile or end in ModelError; never a traceback, a hang, or big memory.

The mutated models run in a child process with a limit on its address space, so that an allocation beyond it
fails there. Time is CPU time of one model: a timer in the child stops it.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.compiler.graph.mutate import mutate
from tests.compiler.graph.seeds import GRAPHS, small_models
from tests.compiler.ops.generate import Random
from tests.compiler.passes.nets import Net
from tests.support.differential import Array, run_c
from tests.support.fuzz_seed import fuzz_seed
from tests.support.graphs.random_graph import random_graph
from tests.support.models import INT8_CRC, model_bytes
from tests.support.places import CHECKOUT
from tinyserve.compiler.lower import lower
from tinyserve.compiler.passes.load import load
from tinyserve.compiler.program import PORTABLE, Constant, Program
from tinyserve.errors import ModelError

_ROOT = CHECKOUT
_EXTRA_BYTES = 500 << 20
_CPU_SECONDS = 2.0

_CHILD = """
import pickle, resource, signal, sys, warnings
import numpy as np
from tinyserve.compiler import passes
from tinyserve.compiler.compile import compile_model
from tinyserve.errors import ModelError
from tests.compiler.graph.mutate import mutate

class TooSlow(BaseException):
    pass

def stop(*_):
    raise TooSlow(f"over {limit} s")

small, seeds, first, count, emit, extra, limit = pickle.load(sys.stdin.buffer)
compile_model(small)  # imports what it needs before memory is counted, and leaves no freed heap to speak of
signal.signal(signal.SIGPROF, stop)
if emit:
    warnings.simplefilter("error")  # users would see them
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + extra, used + extra))
accepted = 0
for number in range(first, first + count):
    data = mutate(seeds[number % len(seeds)], np.random.default_rng(number))
    signal.setitimer(signal.ITIMER_PROF, limit)
    try:
        if emit:
            compile_model(data)
        else:
            passes.optimize(passes.load(data))
        accepted += 1
    except ModelError as error:
        assert error.message, number
    except BaseException as error:
        raise SystemExit(f"mutation {number}: {type(error).__name__}: {error}") from error
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
print(accepted)
"""


def fuzz(
    seeds: list[bytes],
    first: int,
    count: int,
    emit: bool,
    *,
    extra_bytes: int = _EXTRA_BYTES,
    cpu_seconds: float = _CPU_SECONDS,
    timeout_s: float = 240,
) -> int:
    """Mutations number ``first`` to ``first + count``, up to their C code or up to the passes.

    Returns how many of them were accepted.
    """
    first += 100_000 * sum(fuzz_seed())
    job = pickle.dumps((small_models()[0], seeds, first, count, emit, extra_bytes, cpu_seconds))
    child = subprocess.run(
        [sys.executable, "-c", _CHILD],
        input=job,
        capture_output=True,
        cwd=_ROOT,
        timeout=timeout_s,
        check=False,
    )
    assert child.returncode == 0, child.stderr.decode(errors="replace")[-3000:]
    return int(child.stdout)


def test_thousands_of_damaged_models() -> None:
    accepted = fuzz(small_models(), 0, 3000, emit=True)
    assert 100 < accepted < 2900


def test_a_model_that_takes_too_long_is_found() -> None:
    with pytest.raises(AssertionError, match=r"mutation \d+: TooSlow: over 0.02 s"):
        fuzz([large_model()], 0, 20, emit=True, cpu_seconds=0.02)


def test_a_model_that_takes_too_much_memory_is_found() -> None:
    with pytest.raises(AssertionError, match=r"mutation \d+: MemoryError"):
        fuzz([large_model()], 0, 20, emit=True, extra_bytes=32 << 20)


def large_model() -> bytes:
    """A valid model that takes more than what the tests above allow: some 170 MB while it is compiled."""
    net = Net(np.random.default_rng(0))
    net.input((1, 2048))
    net.dense(1024)
    return net.case("").model


@np.errstate(all="ignore")
def test_the_c_of_damaged_models_has_no_undefined_behaviour(tmp_path: Path) -> None:
    """Those that are accepted and compute something else than before the damage, under ASan and UBSan."""
    seeds = [random_graph(seed).case.model for seed in range(GRAPHS)]
    seen = {_kernels(lower(load(seed), PORTABLE, "case")) for seed in seeds}
    chosen: list[tuple[Program, list[list[Array]]]] = []
    for number in range(3000):
        r = Random(number, 220)
        try:
            program = lower(load(mutate(seeds[number % len(seeds)], r.rng, 1)), PORTABLE, "case")
        except ModelError:
            continue
        kernels = _kernels(program)
        if kernels not in seen:
            seen.add(kernels)
            chosen.append((program, [[r.values(x.shape, x.dtype.value) for x in program.input_tensors]]))
    assert len(chosen) > 15
    run_c(chosen[:80], tmp_path)


def _kernels(program: Program) -> str:
    """All calls with the parameters that do not lie in tables."""
    plain = [{k: v for k, v in call.fields.items() if not isinstance(v, Constant)} for call in program.calls]
    return repr([(call.function, params) for call, params in zip(program.calls, plain, strict=True)])


@pytest.mark.models
def test_damaged_real_models() -> None:
    accepted = fuzz([model_bytes(name) for name in sorted(INT8_CRC)], 0, 300, emit=False)
    assert 0 < accepted < 300
