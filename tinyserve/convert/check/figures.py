# SPDX-License-Identifier: Apache-2.0
"""What the compiler says of a model: MACs and arena, for the manifest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tinyserve.errors import UnsupportedError, UsageError


@dataclass(frozen=True)
class Figures:
    """Of one inference with the portable kernels and default options. ``constant_bytes``: weights and
    tables in flash."""

    macs: int
    arena_bytes: int
    constant_bytes: int


def figures(data: bytes, engine: str, notes: list[str], operators: tuple[Path, ...] = ()) -> Figures:
    """Compiles the model to find out. With the engine "tflm" operators that the compiler lacks are noted.

    Raises UnsupportedError, which names all of them, with the engine "aot".
    """
    from tinyserve.compiler.compile import compile_model  # not at the top: the worker does without a compiler
    from tinyserve.compiler.program import Target

    if engine not in ("aot", "tflm"):
        raise UsageError(f"--engine {engine}: not known", "use aot or tflm")
    try:
        compiled = compile_model(data, Target(operators=operators))
    except UnsupportedError as error:
        if engine == "aot":
            raise
        notes.append(f"only for the engine tflm: {error.message}")
        return Figures(0, 0, len(data))
    program = compiled.program
    return Figures(
        macs=sum(call.macs for call in program.calls),
        arena_bytes=compiled.plan.arena_bytes,
        constant_bytes=sum(constant.nbytes for constant in program.constants),
    )
