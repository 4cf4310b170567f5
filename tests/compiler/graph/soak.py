# SPDX-License-Identifier: Apache-2.0
"""Damaged models by the ten thousand, small ones down to their C and the MLPerf Tiny models down to the
passes: ``python -m tests.compiler.graph.soak --models 50000``. The seeds go on where ``test_mutations``
ends."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from tests.compiler.graph.seeds import small_models
from tests.compiler.graph.test_mutations import fuzz
from tests.support.models import INT8_CRC, model_bytes

_FIRST = 10_000
_SHARE_OF_REAL = 5
_ROUND = 5_000
_TIMEOUT_S = 800.0


def run(seeds: list[bytes], first: int, count: int, *, emit: bool) -> None:
    """Mutations number ``first`` to ``first + count``, each round in a process with bounds of its own."""
    for number in range(first, first + count, _ROUND):
        accepted = fuzz(seeds, number, min(_ROUND, first + count - number), emit=emit, timeout_s=_TIMEOUT_S)
        assert accepted, f"none from {number} on was accepted"
        print(f"{number}: {accepted} accepted", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=50_000, help="how many  [default: 50000]")
    count = parser.parse_args(arguments).models
    real = count // _SHARE_OF_REAL if os.environ.get("TINYSERVE_MODELS") else 0
    run(small_models(), _FIRST, count - real, emit=True)
    if real:
        run([model_bytes(name) for name in sorted(INT8_CRC)], _FIRST + count, real, emit=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
