# SPDX-License-Identifier: Apache-2.0
"""The figures of a result that budgets, baselines and comparisons speak of, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tinyserve.bench.result import BenchResult

Value = float | None


@dataclass(frozen=True)
class Metric:
    """A figure: its name in budget files, its unit, which way is better, and how to get it (None: not there).

    ``tolerance_percent`` is how much worse than a baseline a noisy (measured) value may be before that is
    news; exact figures (sizes, emulated counts) have none.
    """

    name: str
    unit: str
    better: Literal["lower", "higher"]
    get: Callable[[BenchResult], Value]
    tolerance_percent: float = 0.0

    def worse_by_percent(self, value: float, reference: float) -> float:
        """How much worse ``value`` is than ``reference``, in % of the reference; negative: better."""
        difference = value - reference if self.better == "lower" else reference - value
        if difference == 0:
            return 0.0
        return 100 * difference / abs(reference) if reference else float("inf") * difference


def _latency(unit: str, scale: float = 1.0, source: str = "") -> Callable[[BenchResult], Value]:
    """p90 latency where it was measured in ``source`` (or ``unit``), in ``unit``."""
    return lambda result: result.latency.p90 * scale if result.latency.unit == (source or unit) else None


def _latency_us(result: BenchResult) -> Value:
    return {"us": 1.0, "ns": 1e-3}.get(result.latency.unit, 0) * result.latency.p90 or None


METRICS: tuple[Metric, ...] = (
    Metric("instructions", "instructions", "lower", _latency("instructions")),
    Metric("cycles", "cycles", "lower", _latency("cycles"), 2.0),
    Metric("latency_us", "us", "lower", _latency_us, 10.0),
    Metric("flash_bytes", "bytes", "lower", lambda r: r.memory.flash_bytes),
    Metric("ram_bytes", "bytes", "lower", lambda r: r.memory.ram_bytes),
    Metric("arena_bytes", "bytes", "lower", lambda r: r.memory.arena_bytes),
    Metric("stack_bytes", "bytes", "lower", lambda r: r.memory.stack_used_bytes),
    Metric("energy_uj", "uJ", "lower", lambda r: r.energy.per_inference_uj if r.energy else None, 5.0),
    Metric("accuracy", "top-1", "higher", lambda r: r.accuracy.top1 if r.accuracy else None),
    Metric(
        "agreement", "with the float model", "higher", lambda r: r.quality.agreement if r.quality else None
    ),
    Metric("sqnr_db", "dB", "higher", lambda r: r.quality.sqnr_db if r.quality else None),
    Metric("drop", "of the task's metric", "lower", lambda r: r.quality.drop if r.quality else None),
)


def named(name: str) -> Metric | None:
    """The metric of that name."""
    return next((metric for metric in METRICS if metric.name == name), None)
