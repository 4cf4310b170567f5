# SPDX-License-Identifier: Apache-2.0
"""Which layer loses the accuracy, and what would help: each remedy is made and measured first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from tinyserve.bundle import Bundle, TensorInfo
from tinyserve.compiler.ops.trees.tree_ensemble import NAME as TREES
from tinyserve.convert import sources
from tinyserve.convert.check import quality
from tinyserve.convert.check.quality import INPUT, LayerQuality
from tinyserve.convert.quantize.schemes import Judge, Outcome, suggestions
from tinyserve.convert.session import Session, opened
from tinyserve.convert.settings import Options
from tinyserve.datasets import readers, stream
from tinyserve.errors import UnsupportedError, UsageError
from tinyserve.progress import Progress, silent

_SUSPECTS = 3
_LOSS_DB = 3.0
_GOOD_DB = 30.0
_WEIGHTS_LOST = 0.25
_FEW_LEVELS = 32
_SATURATED = 0.01
_DEFAULTS = Options()


@dataclass(frozen=True)
class Diagnosis:
    """``layers`` in the model's order; ``suspects`` are those that lose most, worst first.

    ``outcomes``: what the remedies gave and cost, the first being int8 as it would be converted by default;
    empty without representative data.
    """

    layers: list[LayerQuality]
    suspects: list[LayerQuality]
    outcomes: list[Outcome]


def diagnose(
    made: Bundle,
    representative: Path | str | None = None,
    samples: int = 50,
    options: Options = _DEFAULTS,
    progress: Progress = silent,
) -> Diagnosis:
    """Compares every tensor with the float model's; with ``representative`` data tries what may help.

    Raises UsageError where the bundle has no float original, UnsupportedError where that is trees, which have
    no layers, and what ``data.load`` raises.
    """
    if TREES in made.manifest.ops:
        raise UnsupportedError(
            f"{made.path}: trees have no layers to compare: what moves is thresholds and leaves, by rounding",
            "measure it with `tinyserve accuracy`; --quantize int16x8 rounds 256 times finer than int8",
        )
    layers = quality.per_layer(made, samples, progress, options.operators)
    suspects = suspected(layers)
    outcomes = [] if representative is None else _try(made, representative, suspects, options, progress)
    return Diagnosis(layers, suspects, outcomes)


def suspected(layers: list[LayerQuality]) -> list[LayerQuality]:
    """Inputs of which a feature is blurred, and up to three layers that lose 3 dB or more themselves and end
    below 30 dB, worst first."""
    inputs = [layer for layer in layers if layer.blurred]
    losing = [layer for layer in layers if (layer.loss_db or 0.0) >= _LOSS_DB and _is_poor(layer)]
    worst = sorted(losing, key=lambda layer: -(layer.loss_db or 0.0))[:_SUSPECTS]
    return [*inputs, *(layer for layer in worst if layer not in inputs)]


def cause(layer: LayerQuality) -> str:
    """Why a layer loses, as far as its figures tell."""
    if layer.blurred:
        return f"the input's range is the cause: {layer.blurred}"
    if layer.weights_lost is not None and layer.weights_lost > _WEIGHTS_LOST:
        return f"outliers among its weights: {100 * layer.weights_lost:.0f} % of them became 0"
    if layer.levels is not None and layer.levels < _FEW_LEVELS:
        return f"outliers among its values: 99 % of them share {layer.levels:.0f} levels"
    if layer.saturated > _SATURATED:
        return f"its range is too small: {100 * layer.saturated:.0f} % of its values lie beyond it"
    return "many small errors: 8 bits are few for it"


def _is_poor(layer: LayerQuality) -> bool:
    return layer.sqnr_db is not None and layer.sqnr_db < _GOOD_DB


def _as_converted(made: Bundle, session: Session) -> list[TensorInfo]:
    """The inputs of the float original, which data may reach in the source's layout, as when it was
    converted."""
    kept = {info.name: info for info in made.manifest.inputs}
    return [
        replace(info, form=kept[info.name].form, source_dtype=kept[info.name].source_dtype)
        if info.name in kept
        else info
        for info in session.original.inputs
    ]


def _try(
    made: Bundle,
    representative: Path | str,
    suspects: list[LayerQuality],
    options: Options,
    progress: Progress,
) -> list[Outcome]:
    path = made.original_path()
    if path is None:
        raise UsageError(f"{made.path}: has no float original", "convert from the float model")
    with opened(sources.identify(path), options, progress) as session:
        dataset = stream.load(representative, _as_converted(made, session), options.reading)
        calibration, held = readers.split(dataset, options.held_samples)
        judge = Judge(session, calibration, held)
        worst = [layer.tensor for layer in suspects if layer.index != INPUT]
        tried = suggestions(options, worst, len(calibration))
        return [
            judge.outcome(variant, f"{place} of {len(tried)}") for place, variant in enumerate(tried, start=1)
        ]
