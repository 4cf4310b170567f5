# SPDX-License-Identifier: Apache-2.0
"""The matrix on a local Dask cluster: the same results as on this machine, in order, with failures kept."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench.matrix.shuffle import shuffling_cell
from tests.bench.matrix.test_execute import comparable, make_cell
from tests.bench.models import write_dataset
from tests.compiler.tflm.models import add_model, toy_tree
from tinyserve import workflow
from tinyserve.bench.matrix import cluster, execute
from tinyserve.bench.matrix.cell import Cell
from tinyserve.bench.matrix.cluster import deliver
from tinyserve.bundle import Bundle
from tinyserve.cluster import scheduler as scheduler_module
from tinyserve.cluster.scheduler import connected
from tinyserve.errors import DeviceError, UsageError
from tinyserve.progress import silent

distributed = pytest.importorskip("distributed")
dask = pytest.importorskip("dask")


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    once = {"distributed.scheduler.allowed-failures": 0}  # a cell that ends its worker is not tried again
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with dask.config.set(once), distributed.LocalCluster(**options) as local:
        yield local.scheduler_address


def test_a_cluster_gives_what_this_machine_gives(scheduler: str, classifier: Bundle, tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "test.npz")
    good = replace(make_cell(classifier, tmp_path), dataset=data)
    broken = make_cell(classifier, tmp_path, "nowhere")
    with connected(scheduler) as client:
        report = cluster.run([good, broken], client, silent)
    assert comparable(report.results[0]) == comparable(execute.run(good, silent))
    assert [failure.board for failure in report.failures] == ["nowhere"]


def test_ctrl_c_keeps_the_cells_that_are_done(scheduler: str, classifier: Bundle, tmp_path: Path) -> None:
    def interrupt(stage: str, done: int = 0, total: int = 0) -> None:
        raise KeyboardInterrupt

    asked = [make_cell(classifier, tmp_path / name, name) for name in ("cortex-m4", "cortex-m0", "cortex-m3")]
    with connected(scheduler) as client:
        report = cluster.run(asked, client, interrupt)
    assert len(report.results) == 1
    assert [failure.exit_status for failure in report.failures] == [130, 130]


def test_a_parcel_needs_nothing_of_the_machine_that_packed_it(classifier: Bundle, tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "test.npz")
    parcel = cluster.pack(replace(make_cell(classifier, tmp_path), dataset=data))
    elsewhere = replace(
        parcel,
        cell=replace(
            parcel.cell, source=Path("/gone") / parcel.cell.source.name, dataset=Path("/gone/test.npz")
        ),
    )
    outcome = cluster.deliver(elsewhere)
    assert comparable(outcome) == comparable(execute.run(parcel.cell, silent))  # type: ignore[arg-type]


def test_files_that_cannot_be_read_fail_their_own_cell(
    scheduler: str, classifier: Bundle, tmp_path: Path
) -> None:
    good = make_cell(classifier, tmp_path)
    with connected(scheduler) as client:
        report = cluster.run([replace(good, dataset=tmp_path / "gone.npz"), good], client, silent)
    assert [failure.exit_status for failure in report.failures] == [9]
    assert len(report.results) == 1


def kill_worker(parcel: cluster.Parcel) -> cluster.Outcome:
    if parcel.cell.board == "cortex-m0":
        os._exit(1)
    return deliver(parcel)


def test_a_worker_that_dies_loses_its_own_cell_alone(
    scheduler: str, classifier: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "deliver", kill_worker)
    cells = [make_cell(classifier, tmp_path, board) for board in ("cortex-m0", "cortex-m4")]
    with connected(scheduler) as client:
        report = cluster.run(cells, client, silent)
    assert [result.setup.board for result in report.results] == ["cortex-m4"]
    assert [(failure.board, failure.exit_status) for failure in report.failures] == [("cortex-m0", 8)]


def test_a_scheduler_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler_module, "CONNECT_TIMEOUT_S", 0.5)
    with pytest.raises(DeviceError, match="no Dask scheduler"), connected("tcp://127.0.0.1:9"):
        pass


@pytest.mark.parametrize("address", ["foo", "tcp://host", "host:port"])
def test_what_is_no_address_is_said_at_once(address: str) -> None:
    with pytest.raises(UsageError, match="no address"), connected(address):
        pass


def lost_on_the_way(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    """Workers of a cluster are other machines: the directory is gone by the time that they work."""
    pack = cluster.pack

    def packed(cell: Cell) -> cluster.Parcel:
        parcel = pack(cell)
        shutil.rmtree(directory)
        return parcel

    monkeypatch.setattr(cluster, "pack", packed)


def test_operators_from_outside_reach_the_workers(
    scheduler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = shuffling_cell(tmp_path)
    (operators,) = cell.build.operators
    lost_on_the_way(monkeypatch, operators)
    with connected(scheduler) as client:
        report = cluster.run([cell], client, silent)
    assert not report.failures
    assert report.results[0].check.equal == report.results[0].check.samples > 0


def test_the_interpreter_s_library_reaches_the_workers(
    scheduler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "add.tflite").write_bytes(add_model())
    tree = toy_tree(tmp_path)
    convert = workflow.Conversion(output=tmp_path / "add", engine="tflm")
    made = workflow.to_bundle(tmp_path / "add.tflite", convert, silent)
    cell = Cell(made.path, "host", build=workflow.Build(engine="tflm", tflm=str(tree)), runs=1)
    lost_on_the_way(monkeypatch, tree)
    with connected(scheduler) as client:
        report = cluster.run([cell], client, silent)
    assert not report.failures
    assert report.results[0].setup.engine == "tflm"
