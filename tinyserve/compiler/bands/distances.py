# SPDX-License-Identifier: Apache-2.0
"""How close the buffers of a band may lie: from the bytes of each that are needed at each moment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinyserve.compiler.bands.schedule import MOMENTS, NOWHERE, Ints, Schedule
from tinyserve.compiler.program import Buffer, KernelCall, Overlap, RowStage


def overlaps(
    schedule: Schedule,
    stages: Sequence[RowStage],
    windows: Sequence[Buffer],
    scratch: Sequence[set[Buffer]],
    running: Sequence[Buffer | None],
) -> list[Overlap]:
    """For each two buffers of a band how far the one that lies higher must start behind the other.
    Of each stage ``scratch`` is what its kernels work in, ``running`` what they keep from the first step to
    the last."""
    working = dict.fromkeys(one for buffers in scratch for one in sorted(buffers, key=_name))
    pieces = [*windows, *working, *(one for one in running if one is not None)]
    low, high = _lives(schedule, pieces, len(windows), scratch)
    _keep(schedule, pieces, running, low, high)
    shared = _shared(schedule, stages)
    found = []
    for a, below in enumerate(pieces):
        distances = (high[a] - low).max(axis=1)
        for b, above in enumerate(pieces):
            if a == b:
                continue
            distance = int(distances[b])
            if (a, b) in shared:
                distance = _closer(schedule, stages, high[a] - low[b], b, shared[a, b])
            if distance < below.nbytes:
                found.append(Overlap(above, below, max(distance, -above.nbytes), timed=True))
    return found


def _name(buffer: Buffer) -> str:
    return buffer.name


def _lives(
    schedule: Schedule, pieces: Sequence[Buffer], windows: int, scratch: Sequence[set[Buffer]]
) -> tuple[Ints, Ints]:
    """Of each piece the bytes that are needed, by moments."""
    stage_of = np.repeat(np.array([event.stage for event in schedule.events]), MOMENTS)
    working = np.arange(len(stage_of)) % MOMENTS == 1
    low = np.full((len(pieces), len(stage_of)), NOWHERE, np.int32)
    high = np.full_like(low, -NOWHERE)
    low[:windows], high[:windows] = schedule.low, schedule.high
    for number in range(windows, len(pieces)):
        users = [stage for stage, buffers in enumerate(scratch) if pieces[number] in buffers]
        busy = working & np.isin(stage_of, users)
        low[number, busy], high[number, busy] = 0, pieces[number].nbytes
    return low, high


def _keep(
    schedule: Schedule, pieces: Sequence[Buffer], running: Sequence[Buffer | None], low: Ints, high: Ints
) -> None:
    """Notes that what a stage keeps is needed between its steps."""
    for stage, kept in enumerate(running):
        if kept is not None:
            taken = [index for index, event in enumerate(schedule.events) if event.stage == stage]
            busy = slice(MOMENTS * taken[0] + 1, MOMENTS * taken[-1] + 2)
            number = pieces.index(kept)
            low[number, busy], high[number, busy] = 0, kept.nbytes


def _shared(schedule: Schedule, stages: Sequence[RowStage]) -> dict[tuple[int, int], list[int]]:
    """For (output, input) windows of stages whose kernel may write over what it has read: the stages."""
    found: dict[tuple[int, int], list[int]] = {}
    for number, stage in enumerate(stages):
        for place, taken in enumerate(stage.inputs):
            if all(_lead(calls, stage, place) is not None for calls in stage.records):
                found.setdefault((stage.output, taken.window), []).append(number)
    return found


def _lead(calls: Sequence[KernelCall], stage: RowStage, place: int) -> int | None:
    """How far before an input's rows the output's must start, where the kernel says so."""
    if len(calls) != 1 or stage.places[place] in (*stage.places[:place], *stage.places[place + 1 :]):
        return None
    found = [
        overlap.lead_bytes
        for overlap in calls[0].overlaps
        if overlap.input is stage.places[place]
        and overlap.output is stage.places[-1]
        and not overlap.in_place
    ]
    return max(found, default=None)


def _closer(
    schedule: Schedule,
    stages: Sequence[RowStage],
    apart: Ints,
    source: int,
    numbers: list[int],
) -> int:
    """The distance from an output's start to that of an input above it, which ``apart`` holds by moments:
    while a kernel works, its lead will do."""
    apart = apart.copy()
    for index, event in enumerate(schedule.events):
        if event.stage not in numbers:
            continue
        stage = stages[event.stage]
        moment = MOMENTS * index + 1
        permitted = -NOWHERE
        for place, taken in enumerate(stage.inputs):
            if taken.window == source:
                lead = _lead(stage.records[stage.kind(event.step)], stage, place)
                assert lead is not None
                permitted = max(permitted, schedule.written[index] + lead - schedule.read[index][place])
        apart[moment] = min(int(apart[moment]), permitted)
    return int(apart.max())
