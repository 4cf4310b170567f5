# SPDX-License-Identifier: Apache-2.0
"""The single-stream scenario on a device: one inference after the other, outputs checked byte by byte."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import KW_ONLY, dataclass
from datetime import datetime, timezone
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.bench.accuracy import dataset as datasets
from tinyserve.bench.clock import clock_of
from tinyserve.bench.counts import estimates, paths
from tinyserve.bench.counts.layers import arena_blocks, layers_of
from tinyserve.bench.counts.memory import memory_of
from tinyserve.bench.energy import open_meter
from tinyserve.bench.energy import run as energy_run
from tinyserve.bench.result import (
    Accuracy,
    BenchResult,
    Check,
    Energy,
    Estimate,
    EventCount,
    Events,
    Layer,
    ScenarioResult,
    Setup,
)
from tinyserve.bench.scenarios.outputs import FLOAT_TOLERANCE, difference
from tinyserve.bench.scenarios.statistics import summarize
from tinyserve.bench.setup import as_flashed, model_identity, setup_of
from tinyserve.bundle import Bundle, Samples, sample_shape
from tinyserve.devices import open_device
from tinyserve.devices.client import Client
from tinyserve.devices.client.answers import DeviceInfo, MemoryUse
from tinyserve.errors import DataError, DeviceError
from tinyserve.firmware.build import Firmware
from tinyserve.progress import Progress
from tinyserve.quality.limits import Quality, doubt, judge, of_bundle

NO_SIZES = "flash and RAM are unknown: only the board's own toolchain builds for its core"
TWIN_SIZES = "flash and RAM are those of the twin's firmware, not of what is on the board"


@dataclass(frozen=True)
class Options:
    """How to measure. ``emulator`` and ``port`` choose the device; ``data`` is run for accuracy.

    ``runs`` inferences of the first held-out sample are timed, after ``warmup`` that are not. ``meter`` (see
    energy.METERS) records the current while another ``runs`` run.
    """

    _: KW_ONLY
    runs: int = 10
    warmup: int = 1
    emulator: str | None = None
    port: str | None = None
    data: datasets.TaskData | None = None
    meter: str | None = None
    supply_v: float | None = None
    profile: bool = True
    optimize: str = "balanced"
    seed: int = 0


@dataclass(frozen=True)
class _Measured:
    """What the device gave. ``twin``: at a serial port, and yet emulated."""

    info: DeviceInfo
    unit: str
    ticks: list[int]
    latency_ms: Estimate | None
    check: Check
    memory: MemoryUse
    layers: list[Layer]
    energy: Energy | None
    seen: paths.Seen
    outputs: list[npt.NDArray[Any]]
    twin: bool


def run(bundle: Bundle, firmware: Firmware, options: Options, progress: Progress) -> BenchResult:
    """Runs a bundle's firmware on its device. Raises DeviceError where that hangs, crashes or vanishes."""
    compiled, board = firmware.project.compiled, firmware.project.board
    found = _measured(bundle, firmware, options, progress)
    accuracy = None
    if options.data:
        original = datasets.original_scores(bundle, options.data, compiled.program.target.operators)
        accuracy = datasets.measured(options.data, found.outputs, bundle.manifest, original)
    latencies = [float(value) for value in found.ticks]
    statistics = summarize(latencies, found.unit, options.warmup)
    setup, notes = _setup(firmware, options, found)
    if options.data and not options.data.is_measured:
        notes.append(
            f"{options.data.name} has no labels: paths and events are counted, no metric is measured"
        )
    energy_estimate = estimates.energy_uj(found.latency_ms, board)
    return BenchResult(
        created_utc=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        model=model_identity(bundle, compiled),
        setup=setup,
        memory=memory_of(firmware, board, found.memory.stack_used, found.memory.stack_size),
        latency=statistics,
        latencies=latencies,
        scenario=ScenarioResult(
            name="single-stream", method="measured", metric="p90 latency", value=statistics.p90,
            unit=found.unit, queries=options.runs,
        ),
        latency_ms=found.latency_ms,
        energy=found.energy,
        energy_uj=energy_estimate,
        check=found.check,
        accuracy=accuracy,
        quality=_quality(bundle, accuracy),
        events=_events(found.seen, bundle) if found.info.events else None,
        pipeline=paths.cost_of(found.seen, found.unit, statistics, energy_estimate),
        layers=found.layers,
        arena=arena_blocks(compiled),
        notes=notes,
    )  # fmt: skip


def _measured(bundle: Bundle, firmware: Firmware, options: Options, progress: Progress) -> _Measured:
    """Opens the device, makes sure that it is the one meant, checks it and measures."""
    board, samples = firmware.project.board, bundle.samples()
    if not len(samples):
        raise DataError(f"{bundle.path}: the bundle holds no samples", "convert again with --representative")
    flashed = options.port is not None
    with ExitStack() as stack:
        # The meter first: it may be what supplies the board.
        meter = (
            stack.enter_context(closing(open_meter(options.meter, options.supply_v)))
            if options.meter
            else None
        )
        device = stack.enter_context(
            open_device(None if flashed else firmware, board, options.emulator, options.port)
        )
        client = Client(device.link)
        info = client.identify()
        client.expect_board(board.id)
        client.expect_model(bundle.manifest.model_sha256)
        client.expect_firmware(firmware.project.firmware_id)
        unit = device.tick_unit or info.tick_unit
        seen = paths.watcher(bundle)
        check = _check(client, bundle, samples, progress, seen)
        ticks = _timed(client, samples, options, progress)
        _expect_time(ticks, f"{device.description}: every inference took 0 {unit}")
        twin = flashed and client.is_emulated()
        latency = estimates.latency_ms(device, board)
        memory = client.memory()
        layers = layers_of(firmware.project.compiled, client.profile()) if options.profile else []
        energy = energy_run.run(meter, client, options.runs) if meter else None
        if options.data:
            seen = paths.watcher(bundle)
        outputs = _outputs(client, bundle, options.data, progress, seen) if options.data else []
    return _Measured(info, unit, ticks, latency, check, memory, layers, energy, seen, outputs, twin)


def _timed(client: Client, samples: Samples, options: Options, progress: Progress) -> list[int]:
    """The ticks of each run on the first sample."""
    progress("measuring", 0, 0)
    _load(client, [array[0].tobytes() for array in samples.inputs])
    return client.infer(options.runs, options.warmup)


def _expect_time(ticks: list[int], found: str) -> None:
    """Raises DeviceError where no run took any; one alone may be shorter than a tick."""
    if len(ticks) > 1 and not any(ticks):
        raise DeviceError(
            f"{found}: its clock stands still, or is too coarse for this model",
            "check the port_ticks() of its firmware",
        )


def _setup(firmware: Firmware, options: Options, found: _Measured) -> tuple[Setup, list[str]]:
    """What was measured with, and the notes on what it can't tell."""
    board = firmware.project.board
    setup = setup_of(firmware, board, options.emulator or "serial", options.optimize, options.seed)
    if options.port is None:
        return setup, estimates.why_none(found.unit, board) if found.latency_ms is None else []
    clock = clock_of(found.info, board)
    notes = [TWIN_SIZES if firmware.sizes else NO_SIZES, *([clock.note] if clock.note else [])]
    return as_flashed(setup, found.info, clock, emulated=found.twin), notes


def _events(seen: paths.Seen, bundle: Bundle) -> Events:
    """How often each event happened, in the order of names and classes."""
    labels = bundle.manifest.labels
    counts = Counter((event.name, event.class_number, bool(event.payload)) for event in seen.events)
    tallied = [
        EventCount(name, number, count, labels[number] if number < len(labels) and not carries else "")
        for (name, number, carries), count in sorted(counts.items())
    ]
    return Events(seen.inferences, tallied)


def _check(client: Client, bundle: Bundle, samples: Samples, progress: Progress, seen: paths.Seen) -> Check:
    """Every held-out sample through the device, every output compared.

    State is kept from sample to sample, as it was when the expected outputs were made.
    """
    equal, first = 0, ""
    client.reset()
    for index in range(len(samples)):
        progress("checking outputs", index, len(samples))
        _load(client, [array[index].tobytes() for array in samples.inputs])
        (ticks,) = client.infer(1, 0)
        given = client.outputs()
        seen.add(ticks, client.events, given)
        found = difference(given, [array[index] for array in samples.expected])
        equal += not found
        first = first or (f"sample {index}: {found}" if found else "")
    is_float = any(array.dtype.kind == "f" for array in samples.expected)
    tolerance = FLOAT_TOLERANCE if is_float else 0.0
    return Check(len(samples), equal, bundle.manifest.expected_from, first, tolerance)


def _outputs(
    client: Client, bundle: Bundle, data: datasets.TaskData, progress: Progress, seen: paths.Seen
) -> list[npt.NDArray[Any]]:
    """The device's output for each sample of the data set, in the model's own type."""
    info = bundle.manifest.outputs[data.place]
    dtype = np.dtype(info.dtype).newbyteorder("<")
    outputs = []
    client.reset()  # of what the timed runs left
    for index in range(len(data)):
        progress("data set on the device", index, len(data))
        _load(client, data.sample(index))
        (ticks,) = client.infer(1, 0)
        given = client.outputs()
        seen.add(ticks, client.events, given)
        raw = np.frombuffer(given[data.place], dtype=dtype)
        outputs.append(raw.reshape(sample_shape(info)))
        if not bundle.manifest.stream:
            client.reset()
    return outputs


def _quality(bundle: Bundle, accuracy: Accuracy | None) -> Quality | None:
    """Against the float original: as the conversion measured it, the task's metric as the device has it.
    Where the original has none on this data, that is not known: the conversion's was of other data."""
    manifest = bundle.manifest
    if accuracy is None or accuracy.scores is None:
        return of_bundle(manifest)
    scores = accuracy.scores if accuracy.scores.original else None
    return judge(manifest.accuracy, scores, manifest.compared or manifest.samples, doubt(manifest))


def _load(client: Client, inputs: list[bytes]) -> None:
    for index, data in enumerate(inputs):
        client.load(data, index)
