# SPDX-License-Identifier: Apache-2.0
"""Ways to quantize one model, each really made and measured: for ``auto``, and for suggestions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tinyserve.bundle import Cost, Tried
from tinyserve.compiler.names import short_name
from tinyserve.convert.check import comparison, fidelity
from tinyserve.convert.check.figures import figures
from tinyserve.convert.session import Session
from tinyserve.convert.settings import Options
from tinyserve.convert.tflite.facts import Inspected
from tinyserve.datasets.dataset import Dataset
from tinyserve.datasets.named import Array
from tinyserve.errors import DataError, DeviceError, FitError, ModelError, ToolError
from tinyserve.words import counted

AGREEMENT = "agreement"
FIT = "fit"


@dataclass(frozen=True)
class Variant:
    """One way: ``name`` is for tables, ``advice`` the command-line options that ask for it."""

    name: str
    advice: str
    scheme: str
    options: Options
    samples: int = 0  # of calibration; 0: all


@dataclass(frozen=True)
class VariantScore:
    """How good a variant is on the held-out samples; 1 is best.

    With labels ``kind`` is the task's own metric (accuracy, R², mean IoU, AUC). Without them it is the
    ``AGREEMENT``: the share of samples with the original's top class; or, where there are no classes, the
    ``FIT``: 1 − (RMS error over the standard deviation of the original's output)², of the worst value.
    """

    kind: str
    value: float


@dataclass(frozen=True)
class Outcome:
    """What became of a variant: its record, and the model (None where it could not be made)."""

    variant: Variant
    tried: Tried
    model: Inspected | None = None
    notes: tuple[str, ...] = ()


def ladder(options: Options) -> list[Variant]:
    """From the cheapest on a microcontroller to the dearest."""
    return [
        Variant("int8", "--quantize int8", "int8", options),
        Variant("int8, least-error ranges", "--clip mse", "int8", replace(options, clip="mse")),
        Variant("int8, 99.9 % ranges", "--clip 99.9", "int8", replace(options, clip="99.9")),
        Variant("int16x8", "--quantize int16x8", "int16x8", replace(options, clip="")),
        Variant("float32", "--quantize float32", "float32", options),
    ]


def suggestions(options: Options, worst: Sequence[str], calibration: int) -> list[Variant]:
    """What may help a model whose layers ``worst`` lose the most, besides the steps of the ladder: these
    layers in float, one more of them each time."""
    found = ladder(options)
    half = max(1, calibration // 2)
    found.insert(
        1,
        Variant(f"int8, {counted(half, 'sample')}", "fewer --representative samples", "int8", options, half),
    )
    for count in range(1, len(worst) + 1):
        names = [short_name(tensor) for tensor in worst[:count]]
        found.append(
            Variant(
                f"int8, {' and '.join(names)} in float",
                " ".join(f"--per-layer keep={name}:float32" for name in names),
                "int8",
                replace(options, keep_float=(*options.keep_float, *worst[:count])),
            )
        )
    if not options.per_channel:
        found.append(
            Variant("int8, per channel", "leave out --per-tensor", "int8", replace(options, per_channel=True))
        )
    return found


class Judge:
    """Makes variants of one model and measures them against the original's outputs on held-out samples."""

    def __init__(self, session: Session, calibration: Dataset, held: Dataset) -> None:
        self._session = session
        self._calibration = calibration
        self._held = held
        self._reference = session.reference(held.inputs)
        original = session.original
        self._task = comparison.task_of(session.record, original.inputs, original.outputs, held)

    def outcome(self, variant: Variant, place: str = "") -> Outcome:
        """A variant, made and measured; one that can't be made is an outcome too. ``place``: which of how
        many it is, for the progress."""
        self._session.worker.progress(f"try {variant.name}" + (f" ({place})" if place else ""))
        try:
            return self._outcome(variant)
        except (ModelError, ToolError, DataError, FitError) as error:
            failed = error.message.splitlines()[0]
            return Outcome(variant, Tried(name=variant.name, options=variant.advice, failed=failed))

    def original_score(self) -> VariantScore:
        """The original's own score: its accuracy where there are labels."""
        return self._score(self._reference)

    def _outcome(self, variant: Variant) -> Outcome:
        from tinyserve.datasets.readers import spread

        calibration = spread(self._calibration, variant.samples) if variant.samples else self._calibration
        model = self._session.original
        if variant.scheme != "float32":
            model = self._session.quantize(calibration, variant.scheme, variant.options)
        real = self._session.real_outputs(model, self._held.inputs)
        notes: list[str] = []
        measured = figures(model.data, "tflm", notes, self._session.options.operators)
        score = self._score(real)
        accuracy = fidelity.compare(self._reference, real, model.inputs, model.outputs)
        tried = Tried(
            name=variant.name,
            options=variant.advice,
            measure=score.kind,
            score=score.value,
            sqnr_db=min((one.sqnr_db for one in accuracy if one.sqnr_db is not None), default=None),
            constant_bytes=measured.constant_bytes,
            arena_bytes=measured.arena_bytes,
            macs=measured.macs,
            cost=self._cost(model, notes) if measured.macs else None,
        )
        return Outcome(variant, tried, model, tuple(notes))

    def _cost(self, model: Inspected, notes: list[str]) -> Cost | None:
        """None where nobody measures, or nothing here can build or emulate (a note says so)."""
        if self._session.options.measure is None:
            return None
        try:
            return self._session.options.measure(model.data)
        except (ToolError, DeviceError) as error:
            notes.append(f"not measured on a board: {error.message.splitlines()[0]}")
            return None

    def _score(self, outputs: list[Array]) -> VariantScore:
        """Of the worst output. Labels say nothing of which of several outputs they are of."""
        found = comparison.score(self._task, outputs[0], self._held) if self._task is not None else []
        if found and found[0].better == "higher":
            return VariantScore(found[0].metric, found[0].value)
        scores = [self._closeness(index, got) for index, got in enumerate(outputs)]
        return min(scores, key=lambda score: score.value)

    def _closeness(self, index: int, got: Array) -> VariantScore:
        """One output beside the original's."""
        wanted, original = self._reference[index], self._session.original
        task = self._task.name if self._task is not None else ""
        if fidelity.has_classes(original.outputs[index], original.inputs, wanted, task):
            return VariantScore(AGREEMENT, fidelity.top1_agreement(wanted, got))
        error = fidelity.error_sigma(wanted, got)
        return VariantScore(FIT, 1.0 if error is None else max(0.0, 1.0 - error**2))
