# SPDX-License-Identifier: Apache-2.0
"""Autotuning: every kernel variant of every layer is counted on the emulated core, and the best are kept.

Counts are exact, so one run of each is enough; a round gives every layer its next variant, so that there are
as many rounds as the layer with the most variants has. What was measured is cached by content.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from pathlib import Path

import msgspec

from tinyserve import workflow
from tinyserve.bench.counts import profiling
from tinyserve.bench.setup import board_digest
from tinyserve.boards.types import Board
from tinyserve.bundle import SAMPLES_FILE, Bundle
from tinyserve.cache import cache_directory, keep_newest
from tinyserve.compiler.choose import offers
from tinyserve.compiler.program import Choice
from tinyserve.documents import from_json
from tinyserve.errors import DataError
from tinyserve.files import write
from tinyserve.progress import Progress

CACHED_TUNINGS = 500
_FORMAT = 1


class TunedLayer(msgspec.Struct, frozen=True, kw_only=True):
    """What a layer takes with each of its variants, in the tuning's unit. ``variant`` is the one to use."""

    layer: str
    variant: str
    ticks: dict[str, int]


class Tuning(msgspec.Struct, frozen=True, kw_only=True):
    """What tuning found, as it is written to a file.

    ``default_ticks``: one inference as the compiler chooses; ``tuned_ticks``: as tuned, never more.
    """

    format: int = _FORMAT
    model_sha256: str
    board: str
    core: str
    optimize: str
    unit: str
    default_ticks: int
    tuned_ticks: int
    layers: list[TunedLayer]

    def choices(self) -> tuple[Choice, ...]:
        """For the compiler."""
        return tuple(Choice(layer.layer, layer.variant) for layer in self.layers)


def run(bundle: Bundle, board: Board, build: workflow.Build, emulator: str, progress: Progress) -> Tuning:
    """Tunes a bundle's model for a board, or takes the result of an equal tuning from the cache.

    Raises DeviceError where an emulated run fails, and what building raises.
    """
    cached = _cache_path(bundle, board, build, emulator)
    if cached.is_file():
        return from_json(cached.read_bytes(), Tuning)
    tuning = _measured(bundle, board, build, emulator, progress)
    write(cached, msgspec.json.encode(tuning))
    keep_newest(cached.parent, CACHED_TUNINGS)
    return tuning


def load(path: Path, model_sha256: str) -> Tuning:
    """Reads what was written. Raises DataError for anything else, and for the tuning of another model."""
    try:
        tuning = from_json(path.read_bytes(), Tuning)
    except (OSError, msgspec.DecodeError) as error:
        raise DataError(f"{path}: not a tuning: {error}", "make one with `tinyserve tune`") from error
    if tuning.format != _FORMAT:
        raise DataError(f"{path}: format {tuning.format} is unknown", "tune again with this version")
    if tuning.model_sha256 != model_sha256:
        raise DataError(f"{path}: the tuning of another model", "tune this one with `tinyserve tune`")
    return tuning


def _measured(
    bundle: Bundle, board: Board, build: workflow.Build, emulator: str, progress: Progress
) -> Tuning:
    default = _profile(bundle, board, build, emulator, progress)
    variants = offers(bundle.model_bytes(), replace(build, choices=()).target(board))
    variants = {layer: names for layer, names in variants.items() if len(names) > 1}
    ticks: dict[str, dict[str, int]] = {layer: {} for layer in variants}
    for number in range(max(map(len, variants.values()), default=0)):
        taken = {layer: names[min(number, len(names) - 1)] for layer, names in variants.items()}
        profile = _profile(bundle, board, _with(build, taken), emulator, progress)
        counts: Counter[str] = Counter()
        for measured in profile.layers:
            counts[measured.name] += measured.ticks
        for layer, variant in taken.items():
            ticks[layer].setdefault(variant, counts[layer])
    best = {layer: min(counts, key=lambda name: counts[name]) for layer, counts in ticks.items()}
    tuned = _profile(bundle, board, _with(build, best), emulator, progress).total if best else default.total
    if tuned >= default.total:
        kept = {layer.name: layer.variant for layer in default.layers if layer.name in best}
        best, tuned = best | kept, default.total
    return Tuning(
        model_sha256=bundle.manifest.model_sha256,
        board=board.id,
        core=board.core.name,
        optimize=build.optimize,
        unit=default.unit,
        default_ticks=default.total,
        tuned_ticks=tuned,
        layers=[TunedLayer(layer=layer, variant=best[layer], ticks=ticks[layer]) for layer in best],
    )


def _with(build: workflow.Build, taken: dict[str, str]) -> workflow.Build:
    return replace(build, choices=tuple(Choice(layer, variant) for layer, variant in taken.items()))


def _profile(
    bundle: Bundle, board: Board, build: workflow.Build, emulator: str, progress: Progress
) -> profiling.Profile:
    compiled = workflow.to_compiled(bundle, board, build, progress)
    with workflow.at_work(bundle, board, build, progress):
        firmware = workflow.to_firmware(bundle, compiled, board, build, progress)
        return profiling.run(bundle, firmware, emulator, build.optimize, progress)


def _cache_path(bundle: Bundle, board: Board, build: workflow.Build, emulator: str) -> Path:
    inputs = [
        workflow.package_digest(build.operators),
        hashlib.sha256(bundle.model_bytes()).hexdigest(),
        workflow.digest([bundle.path / SAMPLES_FILE]),
        board_digest(board),
        f"{emulator} {build.optimize} {build.toolchain}",
    ]
    return cache_directory() / "tune" / f"{hashlib.sha256(chr(0).join(inputs).encode()).hexdigest()}.json"
