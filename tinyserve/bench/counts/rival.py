# SPDX-License-Identifier: Apache-2.0
"""What a pipeline is held against: the most that an inference of it can take, and the single large model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from tinyserve import bundle
from tinyserve.bench.accuracy import dataset as datasets
from tinyserve.bench.accuracy.batches import run_host
from tinyserve.bench.counts.count import counts_of
from tinyserve.bench.result import BenchResult, Rival
from tinyserve.boards.types import Board
from tinyserve.bundle import Bundle
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import FAST, HostModel
from tinyserve.datasets.named import AS_IT_IS, Reading
from tinyserve.errors import TinyserveError
from tinyserve.pipeline import spec
from tinyserve.pipeline.forced import all_holding
from tinyserve.quality.tasks import ANY, Wanted


def baseline_of(source: Path) -> Path | None:
    """The bundle that a pipeline.toml names as its baseline."""
    named = spec.load(source).baseline
    return source.parent / named if named is not None else None


_MOST_COUNTED = 200


@dataclass(frozen=True)
class Asked:
    """What the rival is run over, and how: as ``bench`` was asked. ``data``: the samples of ``dataset``, as
    the pipeline takes them."""

    data: datasets.TaskData | None = None
    dataset: Path | None = None
    limit: int | None = None
    wanted: Wanted = ANY
    reading: Reading = AS_IT_IS


def held_against(
    result: BenchResult, made: Bundle, board: Board, rival: Path | None, asked: Asked
) -> BenchResult:
    """The result with the bound, counted on the board's emulator, and the rival's cost there and its metrics
    on the same data, run on this computer. Raises what counting raises, of the rival with its name."""
    pipeline = result.pipeline
    if pipeline is None:
        return result
    inputs = asked.data.inputs if asked.data is not None else made.samples().inputs
    seen = max(path.most for path in pipeline.paths)
    bound = max(seen, *_counted(all_holding(made.model_bytes()), board, inputs))
    found = replace(pipeline, bound=float(bound))
    if rival is not None:
        try:
            found = replace(found, rival=_beside(rival, board, asked))
        except TinyserveError as error:
            raise type(error)(f"baseline {rival}: {error.message}", error.hint) from error
    return replace(result, pipeline=found)


def _counted(model: bytes, board: Board, inputs: Sequence[npt.NDArray[Any]]) -> list[int]:
    """Of the first samples: what kernels take depends little on values, and features of silence take less."""
    return counts_of(model, board.id, [array[:_MOST_COUNTED] for array in inputs])


def _beside(path: Path, board: Board, asked: Asked) -> Rival:
    made = bundle.load(path)
    name, model = made.manifest.name, made.model_bytes()
    if asked.dataset is None:
        return Rival(name, float(np.mean(_counted(model, board, made.samples().inputs))))
    data = datasets.unchecked(asked.dataset, made.manifest, asked.limit, "", asked.wanted, asked.reading)
    ticks = float(np.mean(_counted(model, board, data.inputs)))
    if not data.is_measured:
        return Rival(name, ticks)
    compiled = compile_model(model, FAST)
    reset = not made.manifest.stream
    outputs = run_host(HostModel(compiled), compiled, data.inputs, data.place, reset=reset)
    accuracy = datasets.measured(data, list(outputs), made.manifest, [])
    return Rival(name, ticks, accuracy.scores if accuracy is not None else None)
