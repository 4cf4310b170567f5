# SPDX-License-Identifier: Apache-2.0
"""What a compiled model's accuracy is compared with: the float original, and TFLM's interpreter."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tinyserve.bench.accuracy.run import Summary, run_reference
from tinyserve.bundle import Bundle
from tinyserve.datasets.named import AS_IT_IS, Reading
from tinyserve.errors import ModelError, ToolError
from tinyserve.progress import Progress, silent


@dataclass(frozen=True)
class References:
    """None where a model is missing or could not be run; ``notes`` say why it could not."""

    original: Summary | None
    interpreted: Summary | None
    notes: tuple[str, ...] = ()


def references(
    made: Bundle,
    dataset: Path,
    limit: int,
    *,
    reading: Reading = AS_IT_IS,
    progress: Progress = silent,
    output: str = "",
) -> References:
    """The float original in LiteRT (where the bundle has one) and the quantized model in TFLM, over the first
    ``limit`` samples. Raises DataError."""
    notes: list[str] = []

    def attempt(engine: Literal["float", "tflm"], name: str) -> Summary | None:
        try:
            return run_reference(
                made, dataset, engine, limit=limit, reading=reading, progress=progress, output=output
            )
        except (ToolError, ModelError) as error:
            notes.append(f"{name} was not run: {error.message.splitlines()[0]}")
            return None

    original = attempt("float", "the float original") if made.original_path() else None
    interpreted = attempt("tflm", "TFLM")
    return References(original, interpreted, tuple(notes))


def agreement(compiled: Summary, interpreted: Summary) -> float:
    """Share of the samples that both ran, and on which both took the same class (0..1)."""
    count = min(len(compiled.predicted), len(interpreted.predicted))
    same = compiled.predicted[:count] == interpreted.predicted[:count]
    return float(same.mean()) if count else 1.0


def disagreement(made: Bundle, compiled: Summary, found: References) -> str:
    """What is wrong where the compiled model and TFLM, given the same samples, differ; '' where nothing is.

    Integer models are bit-identical. Those in float may differ where two classes are nearly equal. Models
    with state are no matter of comparison: TFLM goes on with it from sample to sample, a data set's samples
    begin afresh.
    """
    if found.interpreted is None or _STATEFUL & set(made.manifest.ops):
        return ""
    share = agreement(compiled, found.interpreted)
    least = 0.9 if made.manifest.quantize == "float32" else 1.0
    if share >= least:
        return ""
    return f"the compiled model and TFLM take the same class for {100 * share:.1f} % of the samples only"


_STATEFUL = frozenset({"SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM", "READ_VARIABLE", "CIRCULAR_BUFFER"})
