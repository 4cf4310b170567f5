# SPDX-License-Identifier: Apache-2.0
"""What a pipeline's paths cost on a twin: by their shares, bounded, beside the single large model."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from tests.slots.models import bundle_of, classifier
from tinyserve import workflow
from tinyserve.bench.counts import paths
from tinyserve.bench.matrix import execute
from tinyserve.bench.matrix.cell import Cell
from tinyserve.bench.result import BenchResult
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import HostModel
from tinyserve.pipeline.forced import all_holding
from tinyserve.progress import silent
from tinyserve.report.paths import pipeline_view
from tinyserve.workflow import Conversion

TEXT = """
baseline = "large.bundle"
nodes = [
    {name = "small", model = "small.bundle"},
    {name = "large", model = "large.bundle", when = "not max(small) >= 0.9 and argmax(small) != 3"},
]
outputs = {scores = ["large", "small"]}
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("router")
    bundle_of(classifier(1, 8), made, "small")
    bundle_of(classifier(2, 120), made, "large")
    x = np.random.default_rng(0).integers(-128, 128, (40, 1, 16)).astype(np.int8)
    best = HostModel(compile_model(classifier(2, 120))).run_batch([x])[0][:, 0].argmax(1)
    np.savez(made / "data.npz", x=x[:, 0].astype(np.float32) * 0.05, y=best)
    (made / "router.toml").write_text(TEXT)
    return made


def cell_of(directory: Path, data: Path) -> Cell:
    conversion = Conversion(output=directory / "out.bundle")
    return Cell(directory / "router.toml", "cortex-m4", conversion=conversion, dataset=data)


@pytest.fixture(scope="module")
def result(directory: Path) -> BenchResult:
    return execute.run(cell_of(directory, directory / "data.npz"), silent)


def test_paths_have_the_shares_that_conditions_give_them(result: BenchResult, directory: Path) -> None:
    cost = result.pipeline
    assert cost is not None
    assert (cost.unit, cost.samples) == ("instructions", 40)
    x = (np.load(directory / "data.npz")["x"] / 0.05).round().astype(np.int8)[:, None]
    (scores,) = HostModel(compile_model(classifier(1, 8))).run_batch([x])
    real = (scores[:, 0].astype(np.float32) + 128) / 256
    asks = int(((real.max(1) < 0.9) & (real.argmax(1) != 3)).sum())
    assert {tuple(path.nodes): path.samples for path in cost.paths} == {
        ("small", "large"): asks,
        ("small",): 40 - asks,
    }
    mean = sum(path.mean * path.samples for path in cost.paths) / 40
    assert cost.mean == pytest.approx(mean)


def test_no_inference_takes_more_than_the_bound(result: BenchResult) -> None:
    cost = result.pipeline
    assert cost is not None and cost.bound is not None
    most = max(path.most for path in cost.paths)
    assert most * 0.99 <= cost.bound <= most * 1.05  # softmax takes a little more or less for other values


def test_all_conditions_hold_where_they_are_forced(directory: Path) -> None:
    made = workflow.to_bundle(directory / "router.toml", Conversion(output=directory / "o.bundle"), silent)
    x = np.random.default_rng(1).integers(-128, 128, (50, 1, 16)).astype(np.int8)
    ran = HostModel(compile_model(all_holding(made.model_bytes()))).run_batch([x])[-1]
    assert ran.all()


def test_the_single_large_model_stands_beside_it(result: BenchResult) -> None:
    cost = result.pipeline
    assert cost is not None and cost.rival is not None and cost.rival.scores is not None
    assert cost.rival.name == "large"
    assert cost.rival.scores.converted[0].value == 1.0
    assert result.accuracy is not None and result.accuracy.samples == 40
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(pipeline_view(cost))
    shown = console.export_text()
    for word in ("small + large", "on average", "all conditions hold (bound)", "large alone"):
        assert word in shown


def test_a_model_that_is_no_pipeline_has_no_paths(directory: Path) -> None:
    made = workflow.to_bundle(directory / "small.bundle", Conversion(), silent)
    assert paths.watcher(made).place == -1


def test_paths_and_events_need_no_labels(directory: Path, result: BenchResult, tmp_path: Path) -> None:
    data = tmp_path / "unlabelled.npz"
    np.savez(data, x=np.load(directory / "data.npz")["x"])
    found = execute.run(cell_of(directory, data), silent)
    assert found.accuracy is None
    assert found.pipeline is not None and result.pipeline is not None
    assert found.pipeline.paths == result.pipeline.paths
    assert found.pipeline.rival is not None and result.pipeline.rival is not None
    assert found.pipeline.rival.ticks == result.pipeline.rival.ticks
    assert found.pipeline.rival.scores is None
    assert any("unlabelled.npz has no labels" in note for note in found.notes)
