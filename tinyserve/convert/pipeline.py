# SPDX-License-Identifier: Apache-2.0
"""Conversion from end to end: a trained model and samples to a bundle."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from tinyserve import bundle
from tinyserve.bundle import (
    Bundle,
    InputStatistics,
    Manifest,
    OutputAccuracy,
    Samples,
    Source,
    TaskScores,
    TensorInfo,
)
from tinyserve.compiler.passes.load import load
from tinyserve.convert import sources
from tinyserve.convert.check import comparison, doubts, fidelity, floats, stage
from tinyserve.convert.check.figures import Figures, figures
from tinyserve.convert.quantize import auto, extremes, signal_front
from tinyserve.convert.quantize.schemes import Judge, ladder
from tinyserve.convert.session import Session, opened
from tinyserve.convert.settings import Options
from tinyserve.convert.sources import SourceModel
from tinyserve.convert.tflite import facts
from tinyserve.convert.tflite.facts import Inspected
from tinyserve.datasets import readers, synthetic
from tinyserve.datasets import stream as streams
from tinyserve.datasets.dataset import Dataset
from tinyserve.errors import DataError, UsageError
from tinyserve.escapes import visible
from tinyserve.features.spec import Decision
from tinyserve.health.profile import PROFILE_FILE, Profile, profile_of
from tinyserve.health.reach import reach
from tinyserve.health.shift import SHIFT
from tinyserve.health.verdict import FALSE_ALARM_RATE
from tinyserve.progress import Progress, silent
from tinyserve.words import counted

AUTO = "auto"
SCHEMES = ("int8", "int16x8", "float32", AUTO)
_DEFAULTS = Options()
_BEYOND = 0.2  # of the range of the data
_MOST_COMPARED = 1000
_COMPARED_MACS = 200_000_000


def convert(
    source: Path,
    *,
    output: Path,
    representative: Path | str | None = None,
    quantize: str = "int8",
    progress: Progress = silent,
    name: str | None = None,
    samples: Path | str | None = None,
    options: Options = _DEFAULTS,
) -> Bundle:
    """Converts a trained model, checks the result against the original, and writes the bundle ``output``.

    ``representative``: typical inputs in real units, preprocessed as in training (see ``data.load``).
    ``samples``: a data set to check with, instead of a part of the representative data that is held out.
    ``quantize``: int8 (full integer, int8 inputs and outputs), int16x8, float32, or auto (the cheapest that
    holds ``options.min_accuracy``). A .tflite that is
    quantized already is checked and passed through.

    Raises UsageError, ModelError, UnsupportedError, DataError, ToolError or FileSystemError; then nothing is
    written.
    """
    _check_scheme(quantize)
    _check_clip(options.clip)
    if name is not None:
        bundle.check_name(name)
    bundle.check_mlperf_id(options.mlperf_id)
    model = sources.identify(source)
    _check_data(model.kind, quantize, representative)
    bundle.check_place(output)
    with opened(model, options, progress) as session:
        dataset = (
            None
            if representative is None
            else streams.load(representative, session.original.inputs, options.reading)
        )
        made = _made(session, dataset, samples, quantize)
    session.record.notes.extend(_profile_of_few(made.checked.profile))
    session.record.notes.extend(_clipped(made.converted.inputs, made.seen))
    manifest = _manifest(name or bundle.name_of(source), model, session, made)
    progress("write the bundle")
    kept = session.original.data if made.converted is not session.original else None
    profile = made.checked.profile
    extra = {PROFILE_FILE: msgspec.json.encode(profile)} if profile else {}
    return bundle.write(output, manifest, made.converted.data, made.checked.samples, kept, extra=extra)


@dataclass(frozen=True)
class _Made:
    """A converted model, what its check and its compilation gave, and what the data was like."""

    converted: Inspected
    checked: _Checked
    measured: Figures
    seen: list[InputStatistics]
    synthetic: bool


def _made(session: Session, dataset: Dataset | None, samples: Path | str | None, quantize: str) -> _Made:
    """Quantizes, checks and adds the decision that the features ask for."""
    options, notes = session.options, session.record.notes
    calibration, held = _split(session, dataset, samples)
    stage.verify(session, held.inputs)
    converted = _quantized(session, calibration, held, quantize)
    measured = figures(converted.data, options.engine, notes, options.operators)
    extra = None if samples is not None else _extra(calibration, held, measured.macs, options.is_stream)
    checked = _check(session, converted, held, extra)
    decision = options.features.decision if options.features is not None else None
    if decision is not None:
        converted, checked = _decided(session, converted, checked, decision)
        measured = figures(converted.data, options.engine, [], options.operators)
    seen = readers.statistics(dataset, session.original.inputs) if dataset else []
    synthetic = converted is not session.original and calibration is not None and calibration.synthetic
    return _Made(converted, checked, measured, seen, synthetic)


def _manifest(name: str, source: SourceModel, session: Session, made: _Made) -> Manifest:
    """What the bundle says of its model."""
    converted, checked, measured = made.converted, made.checked, made.measured
    options, record = session.options, session.record
    weights = facts.weights(converted.model)
    if any(layer.dtype == "int4" for layer in weights):
        record.notes.append("4-bit weights: compiled code has each in a byte of flash")
    return Manifest(
        name=name,
        model_sha256=converted.model.sha256,
        source=Source(visible(source.path.name), source.sha256, session.front.framework),
        quantize=converted.scheme,
        inputs=converted.inputs,
        outputs=converted.outputs,
        ops=converted.ops,
        macs=measured.macs,
        arena_bytes=measured.arena_bytes,
        samples=len(checked.samples),
        expected_from=checked.expected_from,
        tools=dict(sorted(record.tools.items())),
        accuracy=checked.accuracy,
        compared=checked.compared,
        scores=checked.scores,
        synthetic=made.synthetic,
        stream=options.is_stream,
        rate_hz=options.features.input.rate_hz if options.features is not None else 0.0,
        representative=made.seen,
        mlperf_id=options.mlperf_id or facts.mlperf_id(converted.inputs, converted.outputs),
        weights=weights,
        variants=record.variants,
        input_layout=_input_layout(converted.inputs),
        labels=record.labels,
        notes=record.notes,
    )


def _profile_of_few(profile: Profile | None) -> list[str]:
    """Where drift on a device will be found late."""
    found = reach(profile, FALSE_ALARM_RATE) if profile is not None else None
    if profile is None or found is None or found.is_enough or found.samples is None:
        return []
    return [
        f"the health profile is of {counted(profile.samples, 'sample')}: an input on a device that shifts by "
        f"{SHIFT:.0%} of its range may not be found in {found.looks} inferences; with {found.samples:,} it is"
    ]


def _input_layout(inputs: list[TensorInfo]) -> str:
    """Of images, and what it is in the source where that differs."""
    letters = {3: ("NWC", "NCW"), 4: ("NHWC", "NCHW"), 5: ("NDHWC", "NCDHW")}
    moved = next((letters[len(info.shape)] for info in inputs if len(info.form) in letters), None)
    return "NHWC" if moved is None else f"{moved[0]} ({moved[1]} in the source)"


@dataclass(frozen=True)
class _Checked:
    """The held-out samples with what they must give, and how close the converted model is to the original."""

    samples: Samples
    expected_from: str
    accuracy: list[OutputAccuracy] = field(default_factory=list)
    compared: int = 0
    scores: TaskScores | None = None
    profile: Profile | None = None


def _check_scheme(quantize: str) -> None:
    if quantize == "dynamic":
        raise UsageError(
            "dynamic-range quantization keeps activations in float and quantizes them again in every "
            "inference; microcontroller kernels do not do that",
            "use --quantize int8 with --representative DATA",
        )
    if quantize not in SCHEMES:
        raise UsageError(f"--quantize {quantize}: not known", f"use one of: {', '.join(SCHEMES)}")


def _check_data(kind: str, quantize: str, representative: Path | str | None) -> None:
    """What can be known of missing data before a framework is loaded. Raises DataError."""
    if representative is None and quantize != "float32" and kind in ("keras", "saved_model", "pytorch"):
        raise _no_data(quantize)
    if representative is not None:
        readers.check_place(representative)


def _no_data(quantize: str) -> DataError:
    return DataError(
        f"{quantize} needs representative data, and none was given",
        "--representative DATA (.npz, .npy, directory of .npy) with some 100 typical inputs, "
        "preprocessed as in training; --representative random only for a first try",
    )


def _check_clip(clip: str) -> None:
    try:
        sound = clip in ("", "mse") or 50 < float(clip) <= 100
    except ValueError:
        sound = False
    if not sound:
        raise UsageError(f"--clip {clip}: not known", "give a percentile above 50 (99.9), or 'mse'")


def _split(
    session: Session, dataset: Dataset | None, samples: Path | str | None
) -> tuple[Dataset | None, Dataset]:
    """What to calibrate with, and what to check with."""
    inputs, most, notes = session.original.inputs, session.options.held_samples, session.record.notes
    notes.extend(dataset.notes if dataset else ())
    stream = session.options.is_stream
    if samples is not None:
        given = streams.load(samples, inputs, session.options.reading)
        return dataset, _some(given, most, stream)
    if dataset is None:
        notes.append("held-out samples are synthetic: no data was given, so they say nothing of accuracy")
        return None, synthetic.pattern(inputs)
    calibration, held = (readers.split_stream if stream else readers.split)(dataset, most)
    if calibration is held:
        notes.append(
            f"checked with the {counted(len(held), 'sample')} it was calibrated with: too few to hold any out"
        )
    return calibration, held


def _some(dataset: Dataset, most: int, stream: bool) -> Dataset:
    """Up to ``most`` samples from all over the data; of a stream the first, without a gap."""
    return dataset.take(np.arange(min(most, len(dataset)))) if stream else readers.spread(dataset, most)


def _quantized(session: Session, calibration: Dataset | None, held: Dataset, quantize: str) -> Inspected:
    """The model in the scheme asked for; one that is quantized already, or has no floats, stays as it is."""
    original = session.original
    if original.scheme != "float32":
        if quantize == "float32":
            raise UsageError(
                f"the model is quantized already ({original.scheme}): float32 can't be had from it",
                "convert the original float model",
            )
        if quantize not in (original.scheme, AUTO):
            session.record.notes.append(f"already quantized as {original.scheme}: kept, not {quantize}")
        return original
    if quantize == "float32" or not facts.left_in_float(original.model):
        return original
    if session.front.float_only:
        session.record.notes.append(f"not {quantize}: {session.front.float_only}")
        return original
    if calibration is None:
        if session.options.engine == "aot":
            load(original.data, session.options.operators)  # says what no data would help against
        raise _no_data(quantize)
    session.record.notes.extend(doubts.about(calibration, original.inputs))
    if calibration.synthetic:
        session.record.notes.append("calibrated with random data: its accuracy says nothing")
    if quantize == AUTO:
        if calibration is not held:
            session.record.notes.extend(doubts.beyond(calibration, held, original.inputs))
        converted = _cheapest(session, calibration, held)
    else:
        converted = extremes.calibrated(session, calibration, held, quantize)
    in_float = floats.note(converted, session.options)
    if in_float:
        session.record.notes.append(in_float)
    return converted


def _cheapest(session: Session, calibration: Dataset, held: Dataset) -> Inspected:
    """The variant that ``auto`` takes; the record keeps what each one gave and cost."""
    judge, record, wanted = Judge(session, calibration, held), session.record, session.options.min_accuracy
    original = judge.original_score()
    taken, outcomes = auto.choose(ladder(session.options), judge.outcome, wanted, original)
    record.variants.extend(replace(outcome.tried, taken=outcome is taken) for outcome in outcomes)
    record.notes.append(
        f"auto: took {taken.variant.name}, the cheapest with {wanted:g} of the original's "
        f"{original.kind} ({original.value:.4f})"
    )
    record.notes.extend(dict.fromkeys(note for outcome in outcomes for note in outcome.notes))
    assert taken.model is not None
    return taken.model


def _extra(calibration: Dataset | None, held: Dataset, macs: int, stream: bool) -> Dataset | None:
    """Calibration samples that quality is judged by as well: the few that are held out say little of a share.
    As many as take TFLM's interpreter some seconds; of a stream without a gap."""
    if calibration is None or calibration is held or calibration.synthetic:
        return None
    count = min(_MOST_COMPARED - len(held), _COMPARED_MACS // max(macs, 1))
    if count <= 0:
        return None
    return _some(calibration, count, stream)


def _clipped(inputs: list[TensorInfo], seen: list[InputStatistics]) -> list[str]:
    """A note for an input whose integers reach much less far than its data: converters take the range of an
    activation beside it, and everything beyond becomes the same."""
    notes = []
    for info, data in zip(inputs, seen, strict=False):
        if not info.scale or info.scales:
            continue
        limits = np.iinfo(info.dtype)
        low, high = ((limit - info.zero_point) * info.scale for limit in (limits.min, limits.max))
        beyond = max(low - data.minimum, data.maximum - high)
        if beyond > _BEYOND * (data.maximum - data.minimum):
            notes.append(
                f"input '{info.name}' holds {low:.4g} to {high:.4g}, and its data reaches "
                f"{data.minimum:.4g} to {data.maximum:.4g}: what is beyond is clipped (int16x8 or --per-layer"
                " keep may hold it)"
            )
    return notes


def _decided(
    session: Session, converted: Inspected, checked: _Checked, decision: Decision
) -> tuple[Inspected, _Checked]:
    """The model with the decision as its second output, and what that must give for the held-out samples."""
    model, samples = session.with_decision(converted, decision), checked.samples
    expected, expected_from = session.expected(model, samples.inputs)
    kept = dataclasses.replace(samples, expected=expected)
    return model, dataclasses.replace(checked, samples=kept, expected_from=expected_from)


def _check(session: Session, converted: Inspected, held: Dataset, extra: Dataset | None) -> _Checked:
    """Runs both models over the held-out samples, and over more where there are. The original runs first:
    TFLM may bring the worker down."""
    has_reference = session.original.scheme == "float32" or session.front.has_original
    if not has_reference or (extra is not None and (extra.labels is None) != (held.labels is None)):
        extra = None
    seen = held if extra is None else held.joined(extra)
    quantized = [bundle.quantize(a, info) for a, info in zip(seen.inputs, converted.inputs, strict=True)]
    reference = _reference(session, held, extra, seen) if has_reference else None
    expected, expected_from = session.expected(converted, quantized)
    kept = Samples(
        [array[: len(held)] for array in quantized],
        [array[: len(held)] for array in expected],
        _classes(held),
        held.inputs,
    )
    profile = profile_of(quantized[0], expected[0]) if quantized and expected and not seen.synthetic else None
    if reference is None:
        return _Checked(kept, expected_from, profile=profile)
    real = [bundle.dequantize(a, info) for a, info in zip(expected, converted.outputs, strict=True)]
    scores = comparison.task_scores(session.record, converted, seen, reference, real)
    tasks = [scores.task] if scores is not None else []
    accuracy = fidelity.compare(reference, real, converted.inputs, converted.outputs, tasks)
    return _Checked(kept, expected_from, accuracy, len(seen), scores, profile)


def _reference(
    session: Session, held: Dataset, extra: Dataset | None, seen: Dataset
) -> list[npt.NDArray[Any]]:
    """The original's outputs. Beyond the held-out samples those of the .tflite that the front end made, which
    are known to be the same, and come faster; not where the converted model always is that .tflite, which
    would be compared with itself (it came quantized, or stays in float). A model with state sees all samples
    in one sequence, as the converted one does: the second half would begin without what the first left
    behind."""
    if extra is None:
        return session.reference(held.inputs)
    custom = session.front.has_original and signal_front.custom_operators(session.original.model)
    stays = session.front.float_only or session.original.scheme != "float32"
    if custom or stays or session.in_order:
        return session.reference(seen.inputs)
    own, others = session.reference(held.inputs), session.float_outputs(extra.inputs)
    return [np.concatenate([a, b.reshape(len(b), *a.shape[1:])]) for a, b in zip(own, others, strict=True)]


def _classes(held: Dataset) -> npt.NDArray[Any] | None:
    """The labels that are class indices: other targets are of no use to later steps."""
    return held.labels if readers.are_classes(held.labels) else None
