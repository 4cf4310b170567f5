# SPDX-License-Identifier: Apache-2.0
"""The result as JSON: docs/bench-schema.md."""

from __future__ import annotations

from tinyserve.bench import result
from tinyserve.bench.judge.budget import Violation
from tinyserve.bench.judge.compare import Comparison
from tinyserve.bench.result import BenchReport


def encode(report: BenchReport, violations: list[Violation], comparison: Comparison | None) -> bytes:
    """Results and failures; verdicts are left to those who read them."""
    return result.encode(report)
