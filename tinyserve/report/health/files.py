# SPDX-License-Identifier: Apache-2.0
"""Health as files: JSON, which can be merged again, and Prometheus' text format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec.structs import replace

from tinyserve.documents import from_json
from tinyserve.errors import DataError, FileSystemError
from tinyserve.escapes import visible
from tinyserve.health.counters import Counters
from tinyserve.health.verdict import Verdict

_HINT = "name a file of tinyserve health --json"


class HealthReport(msgspec.Struct, frozen=True):
    """What --json writes."""

    counters: Counters
    verdict: Verdict


def as_json(seen: Counters, verdict: Verdict) -> bytes:
    """Counters and verdict."""
    report = HealthReport(seen, verdict)
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def read_json(path: Path) -> Counters:
    """The counters in a file that ``as_json`` made. Raises FileSystemError and DataError."""
    try:
        return from_json(path.read_bytes(), HealthReport).counters
    except OSError as error:
        raise FileSystemError(f"{path}: {error.strerror}", _HINT) from error
    except msgspec.DecodeError as error:
        raise DataError(f"{path}: {error}", _HINT) from error


def hidden(seen: Counters, min_count: int) -> Counters:
    """Without counts of so few that they could tell of somebody."""

    def kept(counts: list[int]) -> list[int]:
        return [count if count >= min_count else 0 for count in counts]

    codes = [kept(counts) for counts in seen.codes]
    return replace(
        seen,
        confidence=kept(seen.confidence),
        classes=kept(seen.classes),
        codes=codes,
        fine=seen.fine if codes == seen.codes else [],
    )


def as_prometheus(name: str, seen: Counters, verdict: Verdict) -> bytes:
    """Counters as counters, the verdict and the distances as gauges."""
    return "".join(f"{line}\n" for line in _prometheus(name, seen, verdict)).encode()


def _prometheus(name: str, seen: Counters, verdict: Verdict) -> Iterator[str]:
    model = f'model="{_label(name)}",sha256="{seen.model_sha256[:16]}"'
    totals = {
        "inferences": seen.inferences,
        "looked_at": seen.looked_at,
        "faults": seen.faults,
        "resets": seen.resets,
        "unsure": seen.unsure,
        "ticks": seen.ticks_sum,
    }
    for what, value in totals.items():
        yield f"# TYPE tinyserve_{what}_total counter"
        yield f"tinyserve_{what}_total{{{model}}} {value}"
    yield "# TYPE tinyserve_class_total counter"
    for index, count in enumerate(seen.classes):
        yield f'tinyserve_class_total{{{model},class="{index}"}} {count}'
    yield "# TYPE tinyserve_psi gauge"
    for what, psi in verdict.distances.items():
        yield f'tinyserve_psi{{{model},of="{_label(what)}"}} {psi}'
    yield "# TYPE tinyserve_drift gauge"
    yield f"tinyserve_drift{{{model}}} {int(verdict.state == 'drift')}"


def _label(text: str) -> str:
    return visible(text).replace("\\", "\\\\").replace('"', '\\"')
