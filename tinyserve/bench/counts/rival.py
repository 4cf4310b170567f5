# SPDX-License-Identifier: Apache-2.0
"""What a pipeline is held against: the most that an inference of it can take, and the single large model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from tinyserve import bundle
from tinyserve.bench.accuracy import dataset as datasets
from tinyserve.bench.accuracy.batches import run_host
from tinyserve.bench.counts.count import cost
from tinyserve.bench.result import BenchResult, Rival
from tinyserve.boards.types import Board
from tinyserve.bundle import Bundle
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import FAST, HostModel
from tinyserve.errors import TinyserveError
from tinyserve.pipeline import spec
from tinyserve.pipeline.forced import all_holding
from tinyserve.quality.tasks import ANY, Wanted


def baseline_of(source: Path) -> Path | None:
    """The bundle that a pipeline.toml names as its baseline."""
    named = spec.load(source).baseline
    return source.parent / named if named is not None else None


@dataclass(frozen=True)
class Asked:
    """What the rival is run over, and how: as ``bench`` was asked."""

    dataset: Path | None = None
    limit: int | None = None
    wanted: Wanted = ANY


def held_against(
    result: BenchResult, made: Bundle, board: Board, rival: Path | None, asked: Asked
) -> BenchResult:
    """The result with the bound, counted on the board's emulator, and the rival's cost there and its metrics
    on the same data, run on this computer. Raises what counting raises, of the rival with its name."""
    pipeline = result.pipeline
    if pipeline is None:
        return result
    bound = float(cost(all_holding(made.model_bytes()), board.id).instructions)
    found = replace(pipeline, bound=bound)
    if rival is not None:
        try:
            found = replace(found, rival=_counted(rival, board, asked))
        except TinyserveError as error:
            raise type(error)(f"baseline {rival}: {error.message}", error.hint) from error
    return replace(result, pipeline=found)


def _counted(path: Path, board: Board, asked: Asked) -> Rival:
    made = bundle.load(path)
    ticks = float(cost(made.model_bytes(), board.id).instructions)
    if asked.dataset is None:
        return Rival(made.manifest.name, ticks)
    data = datasets.load(asked.dataset, made.manifest, asked.limit, "", asked.wanted)
    compiled = compile_model(made.model_bytes(), FAST)
    reset = not made.manifest.stream
    outputs = run_host(HostModel(compiled), compiled, data.inputs, data.place, reset=reset)
    return Rival(made.manifest.name, ticks, datasets.measured(data, list(outputs), made.manifest, []).scores)
