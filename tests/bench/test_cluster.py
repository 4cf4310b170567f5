"""The matrix on a local Dask cluster: the same results as on this machine, in order, with failures kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench.models import write_dataset
from tests.bench.test_cell import comparable, make_cell
from tinyserve.bench import cell, cluster
from tinyserve.bundle import Bundle
from tinyserve.errors import DeviceError
from tinyserve.progress import silent

distributed = pytest.importorskip("distributed")


def ignore(done: int, total: int, what: str) -> None:
    return


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as local:
        yield local.scheduler_address


def test_a_cluster_gives_what_this_machine_gives(scheduler: str, classifier: Bundle, tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "test.npz")
    good = replace(make_cell(classifier, tmp_path), dataset=data)
    broken = make_cell(classifier, tmp_path, "nowhere")
    report = cluster.run([good, broken], scheduler, ignore)
    assert comparable(report.results[0]) == comparable(cell.run(good, silent))
    assert [failure.board for failure in report.failures] == ["nowhere"]


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
    assert comparable(outcome) == comparable(cell.run(parcel.cell, silent))  # type: ignore[arg-type]


def test_a_scheduler_that_is_not_there_is_an_error(
    classifier: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "CONNECT_TIMEOUT_S", 0.5)
    with pytest.raises(DeviceError, match="no Dask scheduler"):
        cluster.run([make_cell(classifier, tmp_path)], "tcp://127.0.0.1:9", ignore)
