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
    made: Bundle, dataset: Path, limit: int, reading: Reading = AS_IT_IS, progress: Progress = silent
) -> References:
    """The float original in LiteRT (where the bundle has one) and the quantized model in TFLM, over the first
    ``limit`` samples. Raises DataError."""
    notes: list[str] = []

    def attempt(engine: Literal["float", "tflm"], name: str) -> Summary | None:
        try:
            return run_reference(made, dataset, engine, limit=limit, reading=reading, progress=progress)
        except (ToolError, ModelError) as error:
            notes.append(f"{name} was not run: {error.message.splitlines()[0]}")
            return None

    original = attempt("float", "the float original") if made.original_path() else None
    interpreted = attempt("tflm", "TFLM")
    return References(original, interpreted, tuple(notes))
