# SPDX-License-Identifier: Apache-2.0
"""What a compiled model's accuracy is compared with: the float original, and TFLM's interpreter."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from msgspec import structs

from tinyserve.bench.accuracy.run import Summary, run_reference
from tinyserve.bundle import Bundle, OutputAccuracy, TaskScores
from tinyserve.compiler.graph import reader
from tinyserve.datasets.named import AS_IT_IS, Reading
from tinyserve.errors import ModelError, ToolError
from tinyserve.progress import Progress, silent
from tinyserve.quality.limits import Quality, doubt, judge, of_bundle
from tinyserve.quality.orders import doubt_of
from tinyserve.quality.rows import Task


@dataclass(frozen=True)
class References:
    """None where a model is missing or could not be run; ``notes`` say why it could not."""

    original: Summary | None
    interpreted: Summary | None
    notes: tuple[str, ...] = ()


def references(
    made: Bundle,
    dataset: Path,
    task: Task,
    limit: int,
    *,
    reading: Reading = AS_IT_IS,
    progress: Progress = silent,
    output: str = "",
    operators: tuple[Path, ...] = (),
) -> References:
    """The float original in LiteRT (where the bundle has one) and the quantized model in TFLM, over the first
    ``limit`` samples. Raises DataError."""
    notes: list[str] = []

    def attempt(engine: Literal["float", "tflm"], name: str) -> Summary | None:
        try:
            return run_reference(
                made,
                dataset,
                engine,
                task,
                limit=limit,
                reading=reading,
                progress=progress,
                output=output,
                operators=operators,
            )
        except (ToolError, ModelError) as error:
            notes.append(f"{name} was not run: {error.message.splitlines()[0]}")
            return None

    original = attempt("float", "the float original") if made.original_path() else None
    interpreted = attempt("tflm", "TFLM")
    return References(original, interpreted, tuple(notes))


def agreement(compiled: Summary, other: Summary) -> float:
    """Share of the samples that both ran, and of which both say the same (0..1): the same class, or the same
    numbers."""
    count = min(len(compiled.kept), len(other.kept))
    same = compiled.kept.predicted[:count] == other.kept.predicted[:count]
    return float(same.reshape(count, -1).all(axis=1).mean()) if count else 1.0


def against_original(made: Bundle, compiled: Summary, original: Summary | None) -> Quality | None:
    """The verdict on the compiled model, by the float original over the same samples, which a model in float
    is itself; without that, or where it says nothing, as the conversion measured it."""
    if original is None and made.manifest.quantize == "float32":
        original = compiled
    if original is None:
        return of_bundle(made.manifest)
    count = min(len(compiled.kept), len(original.kept))
    scores = TaskScores(
        task=compiled.task.name,
        why=compiled.task.why,
        output="",
        samples=count,
        converted=compiled.scores_of_first(count),
        original=original.scores_of_first(count),
        doubt=doubt_of(compiled.task, compiled.confusion, made.manifest.labels),
    )
    outputs = _outputs(made, compiled, original, count)
    return judge(outputs, scores if scores.converted else None, count, doubt(made.manifest))


def _outputs(made: Bundle, compiled: Summary, original: Summary, count: int) -> list[OutputAccuracy]:
    """What the conversion measured of the outputs, the agreement that of these samples."""
    if compiled.task.name != "classification":
        return made.manifest.accuracy
    share = agreement(compiled, original)
    return [
        structs.replace(one, top1_agreement=share) if one.top1_agreement is not None else one
        for one in made.manifest.accuracy
    ]


def disagreement(made: Bundle, compiled: Summary, found: References) -> str:
    """What is wrong where the compiled model and TFLM, given the same samples, differ; '' where nothing is.

    Integer models are bit-identical. Those in float may differ where two classes are nearly equal. Models
    with state are no matter of comparison: TFLM goes on with it from sample to sample, a data set's samples
    begin afresh.
    """
    if found.interpreted is None or reader.read(made.model_bytes()).keeps_state:
        return ""
    if made.manifest.quantize == "float32" and compiled.task.name != "classification":
        return ""  # floats differ in their last digits
    share = agreement(compiled, found.interpreted)
    least = 0.9 if made.manifest.quantize == "float32" else 1.0
    if share >= least:
        return ""
    return f"the compiled model and TFLM say the same of {100 * share:.1f} % of the samples only"
