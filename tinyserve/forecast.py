# SPDX-License-Identifier: Apache-2.0
"""Which boards a trained model would fit in each scheme, before it is converted for good.

The model is really quantized and compiled, with random samples, and built where that decides whether it fits.
Channels that turn out dead with real data are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tinyserve import workflow
from tinyserve.boards.fit import Demand
from tinyserve.boards.types import Board
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.passes import dead_channels
from tinyserve.compiler.program import Optimize
from tinyserve.convert import sources
from tinyserve.convert.session import opened
from tinyserve.convert.settings import Options
from tinyserve.datasets import synthetic
from tinyserve.errors import FitError, ModelError, ToolError
from tinyserve.progress import Progress, silent

SCHEMES = ("int8", "int16x8", "float32")
_DEFAULTS = Options()
_LEFT_OUT = (dead_channels.NAME,)  # random samples make channels look dead that are not


@dataclass(frozen=True)
class Forecast:
    """A model in one scheme. ``needs``: by the board's id, what its bench firmware needs there.

    ``constant_bytes`` (weights and tables) and ``arena_bytes`` are of the portable build. ``failed`` says why
    there is nothing: the scheme can't be made, or the compiler lacks an operator of it.
    """

    scheme: str
    macs: int = 0
    constant_bytes: int = 0
    arena_bytes: int = 0
    needs: dict[str, Demand] = field(default_factory=dict)
    failed: str = ""


def forecast(
    source: Path,
    boards: Sequence[Board],
    optimize: Optimize = "balanced",
    options: Options = _DEFAULTS,
    progress: Progress = silent,
) -> list[Forecast]:
    """The model at ``source`` (a bundle, too) in each scheme; one that is quantized already only in its own.

    Raises what loading the model raises.
    """
    found = []
    for scheme, made in _schemes(source, options, progress):
        if isinstance(made, str):
            found.append(Forecast(scheme, failed=made))
            continue
        compiled_for = partial(compile_model, made, without=_LEFT_OUT)
        sizing = workflow.Sizing(source.stem, compiled_for, optimize, options.operators)
        found.append(_forecast(scheme, sizing, boards, progress))
    return found


def _schemes(source: Path, options: Options, progress: Progress) -> Iterator[tuple[str, bytes | str]]:
    """Each scheme's .tflite, or why there is none."""
    path = source / "model.tflite" if workflow.is_bundle(source) else source
    with opened(sources.identify(path), options, progress) as session:
        original = session.original
        if original.scheme != "float32":
            yield original.scheme, original.data
            return
        samples = synthetic.random(original.inputs, 8)
        for scheme in SCHEMES:
            if scheme == "float32":
                yield scheme, original.data
                continue
            try:
                yield scheme, session.quantize(samples, scheme, options).data
            except (ModelError, ToolError) as error:
                yield scheme, error.message.splitlines()[0]


def _forecast(scheme: str, sizing: workflow.Sizing, boards: Sequence[Board], progress: Progress) -> Forecast:
    try:
        portable = sizing.compiled(None)
        if len(boards) == 1:
            needs = {boards[0].id: sizing.linked(boards[0])}
        else:
            needs = sizing.on(boards, lambda what, *at: progress(f"{scheme}: {what}", *at))
    except (ModelError, FitError) as error:
        return Forecast(scheme, failed=error.message.splitlines()[0])
    return Forecast(
        scheme,
        macs=sum(call.macs for call in portable.program.calls),
        constant_bytes=sum(constant.nbytes for constant in portable.program.constants),
        arena_bytes=portable.plan.arena_bytes,
        needs=needs,
    )
