# SPDX-License-Identifier: Apache-2.0
"""A device's counters and the verdict, in lines."""

from __future__ import annotations

from collections.abc import Iterator

from tinyserve.health.counters import Counters
from tinyserve.health.reach import Reach
from tinyserve.health.shift import SHIFT
from tinyserve.health.verdict import LEAST_LOOKS, Verdict
from tinyserve.slots.audit import Audit
from tinyserve.slots.fleet.watch import Reading
from tinyserve.slots.reasons import Reason
from tinyserve.words import counted

_SHOWN = 5

_RESETS: dict[int, str] = {Reason.FAULT: "a fault", Reason.TIME_OUT: "the watchdog"}


def health_lines(seen: Counters, verdict: Verdict) -> Iterator[str]:
    """What was counted, then what moved."""
    model = seen.model_sha256[:16]
    yield f"{counted(seen.inferences, 'inference')}, {seen.looked_at:,} of them looked at, model {model}"
    if seen.inferences:
        mean = seen.ticks_sum / seen.inferences
        yield f"ticks: {seen.ticks_min:,} to {seen.ticks_max:,}, mean {mean:,.0f}"
    if seen.resets or seen.faults:
        last = _RESETS.get(seen.last_reason, "asked for, or by the supply")
        happened = f"{counted(seen.resets, 'reset')}, {counted(seen.faults, 'fault')}"
        yield f"{happened}; the last reset: {last}"
    if seen.full:
        yield "a bin is full: nothing is looked at any more until --clear"
    for what, psi in verdict.distances.items():
        yield f"{what}: PSI {psi:.3f}"
    if verdict.state == "too few":
        yield (
            f"no verdict: {counted(verdict.looked_at, 'inference was', 'inferences were')} "
            f"looked at, {LEAST_LOOKS} are needed" + _as_many(seen)
        )
    elif verdict.state == "ok":
        yield f"no drift (false-alarm rate at most {verdict.false_alarm_rate:g})"
    for finding in verdict.findings:
        yield (
            f"drift: {finding.what} {finding.words} "
            f"(PSI {finding.psi:.2f}, Jensen-Shannon {finding.jensen_shannon:.3f}, p {finding.p_value:.1g})"
        )


def _as_many(seen: Counters) -> str:
    """The inferences in which a verdict's sample is looked at, where most are not."""
    if seen.looked_at in (0, seen.inferences):
        return ""
    return f": some {-(-LEAST_LOOKS * seen.inferences // seen.looked_at):,} in all"


def audit_lines(audit: Audit) -> Iterator[str]:
    """What an audit found; of wrong answers the first few."""
    right = audit.tried - len(audit.wrong)
    yield f"audit: {right} of {audit.tried} answers are the bytes that this computer gets"
    for one in audit.wrong[:_SHOWN]:
        again = "the same bytes again" if one.repeats else "right at the second try"
        yield (
            f"audit: input {one.sample}, output {one.output}, byte {one.offset}: "
            f"{one.found} instead of {one.expected}, {again}"
        )


def reading_line(reading: Reading, verdict: Verdict | None) -> str:
    """A device of a fleet."""
    if reading.counters is None or verdict is None:
        return f"{reading.name}: {reading.failure}"
    moved = "; ".join(f"{finding.what} {finding.words}" for finding in verdict.findings)
    state = {"too few": "too few to tell", "ok": "no drift"}.get(verdict.state, f"drift: {moved}")
    return f"{reading.name}: {counted(reading.counters.inferences, 'inference')}, {state}"


def reach_line(found: Reach) -> str:
    """What shift of input 0 a profile is large enough for."""
    several = f"in {found.looks:,} inferences"
    if found.smallest is None:
        line = f"no shift of the input is found for sure {several}"
    else:
        line = f"a shift of the input by {found.smallest:.1%} of its range or more is found {several}"
    if found.is_enough:
        return f"{line} (an estimate)"
    more = (
        f"a profile of {found.samples:,} samples would do for {SHIFT:.0%}"
        if found.samples is not None
        else f"{SHIFT:.0%} takes more inferences, whatever the profile"
    )
    return f"{line}; {more} (estimates)"
