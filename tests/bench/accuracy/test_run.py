# SPDX-License-Identifier: Apache-2.0
"""Accuracy over data sets: right counts, Parquet, and runs that are taken up where they ended."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve import bundle
from tinyserve.bench.accuracy import batches
from tinyserve.bench.accuracy import run as accuracy
from tinyserve.bundle import Bundle
from tinyserve.convert import convert
from tinyserve.datasets.named import Reading
from tinyserve.errors import DataError, DeviceError, FileSystemError, UsageError
from tinyserve.quality.tasks import Wanted


@pytest.fixture
def made(tmp_path: Path) -> Bundle:
    """y = relu(x) over three scores: predicts the largest positive one."""
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 3), "int8", scale=0.1, zero_point=0)
    y = graph.tensor((1, 3), "int8", scale=0.1, zero_point=0)
    graph.op("RELU", [x], [y])
    graph.output(y)
    (tmp_path / "m.tflite").write_bytes(model.build())
    return convert(tmp_path / "m.tflite", output=tmp_path / "bundle")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """100 samples of which the model is right on 90."""
    labels = np.arange(100) % 3
    values = np.eye(3, dtype=np.float32)[labels] * 5
    values[::10] = np.roll(values[::10], 1, axis=1)
    np.savez(tmp_path / "d.npz", x=values, y=labels)
    return tmp_path / "d.npz"


def test_counts_and_confusion(made: Bundle, dataset: Path) -> None:
    seen: list[tuple[int, int]] = []
    found = accuracy.run(
        made, dataset, piece=7, jobs=3, progress=lambda _, done=0, total=0: seen.append((done, total))
    )
    assert (found.samples, found.labelled, found.correct) == (100, 100, 90)
    assert found.accuracy == 0.9
    assert found.confusion is not None
    assert np.trace(found.confusion) == 90
    assert found.confusion.sum() == 100
    assert found.confusion[0, 1] + found.confusion[1, 2] + found.confusion[2, 0] == 10
    assert seen[-1] == (100, 100)
    assert found.samples_per_second > 0


def test_without_labels_there_are_predictions_and_no_accuracy(made: Bundle, tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", np.eye(3, dtype=np.float32))
    asked = Wanted("classification")  # without labels, an output of the input's shape may repeat it
    found = accuracy.run(made, tmp_path / "d.npy", predictions=tmp_path / "p", wanted=asked)
    assert found.accuracy is None
    assert found.confusion is None
    table = pq.read_table(tmp_path / "p" / "part-000000.parquet")
    assert table.column("predicted").to_pylist() == [0, 1, 2]
    assert table.column("label").to_pylist() == [-1, -1, -1]


def test_predictions_are_one_parquet_data_set(made: Bundle, dataset: Path, tmp_path: Path) -> None:
    accuracy.run(made, dataset, predictions=tmp_path / "p", piece=30)
    table = pq.ParquetDataset(tmp_path / "p").read()
    assert table.column("sample").to_pylist() == list(range(100))
    same = np.array(table.column("predicted")) == np.array(table.column("label"))
    assert same.sum() == 90


def test_a_stopped_run_is_taken_up_where_it_ended(
    made: Bundle, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_host, calls = batches.run_host, 0

    def stops(*arguments: object) -> np.ndarray:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return run_host(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(batches, "run_host", stops)
    with pytest.raises(KeyboardInterrupt):
        accuracy.run(made, dataset, predictions=tmp_path / "p", piece=20, jobs=1)
    monkeypatch.undo()
    finished = len(list((tmp_path / "p").glob("part-*")))
    assert finished == 2
    found = accuracy.run(made, dataset, predictions=tmp_path / "p", piece=20, jobs=1)
    assert found.resumed == 40
    assert (found.samples, found.correct) == (100, 90)


def test_other_data_or_another_model_starts_afresh(made: Bundle, dataset: Path, tmp_path: Path) -> None:
    accuracy.run(made, dataset, predictions=tmp_path / "p", piece=20)
    with np.load(dataset) as old:
        np.savez(dataset, x=old["x"][:50], y=old["y"][:50])
    found = accuracy.run(made, dataset, predictions=tmp_path / "p", piece=20)
    assert (found.samples, found.resumed) == (50, 0)
    assert len(list((tmp_path / "p").glob("part-*"))) == 3


def test_samples_that_are_read_in_another_way_start_afresh(
    made: Bundle, dataset: Path, tmp_path: Path
) -> None:
    accuracy.run(made, dataset, predictions=tmp_path / "p", reading=Reading(pixel_range=(0, 1)))
    again = accuracy.run(made, dataset, predictions=tmp_path / "p", reading=Reading(pixel_range=(-1, 1)))
    assert again.resumed == 0


def test_half_a_file_is_made_again(made: Bundle, dataset: Path, tmp_path: Path) -> None:
    accuracy.run(made, dataset, predictions=tmp_path / "p", piece=50)
    (tmp_path / "p" / "part-000001.parquet").write_bytes(b"PAR1")
    found = accuracy.run(made, dataset, predictions=tmp_path / "p", piece=50)
    assert (found.resumed, found.correct) == (50, 90)


def test_what_a_killed_run_left_half_written_is_no_obstacle(
    made: Bundle, dataset: Path, tmp_path: Path
) -> None:
    accuracy.run(made, dataset, predictions=tmp_path / "p", piece=50)
    (tmp_path / "p" / ".part-000001.parquet.x1y2").write_bytes(b"PAR1")
    found = accuracy.run(made, dataset, predictions=tmp_path / "p", piece=40)
    assert (found.samples, found.resumed) == (100, 0)
    assert sorted(path.name for path in (tmp_path / "p").iterdir())[0] == "_run.json"


def test_a_directory_of_other_things_is_left_alone(made: Bundle, dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "thesis.txt").write_text("mine")
    with pytest.raises(FileSystemError, match=r"thesis\.txt"):
        accuracy.run(made, dataset, predictions=tmp_path / "p")


@pytest.mark.parametrize("label", [3, -1, 0.5])
def test_labels_that_are_no_class(made: Bundle, tmp_path: Path, label: float) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros((9, 3)), y=np.where(np.arange(9) == 7, label, 0))
    with pytest.raises(DataError, match="label of sample 7"):
        accuracy.run(made, tmp_path / "d.npz", piece=5)


def test_other_engines_count_the_same(made: Bundle, dataset: Path) -> None:
    task = accuracy.run(made, dataset).task
    assert accuracy.run_reference(made, dataset, "tflm", task).correct == 90
    some = accuracy.run_reference(made, dataset, "tflm", task, limit=25)
    assert some.samples == 25
    with pytest.raises(UsageError, match="no float original"):
        accuracy.run_reference(made, dataset, "float", task)


def test_a_cluster_gives_the_same_counts(made: Bundle, dataset: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
    ) as cluster:
        found = accuracy.run(made, dataset, piece=20, scheduler=cluster.scheduler_address)
    assert (found.samples, found.correct) == (100, 90)


def test_a_cluster_without_workers_is_named(made: Bundle, dataset: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=None) as cluster,
        pytest.raises(DeviceError, match="no workers"),
    ):
        accuracy.run(made, dataset, scheduler=cluster.scheduler_address)


def test_a_cluster_that_loses_a_piece_is_named(
    made: Bundle, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributed = pytest.importorskip("distributed")

    def dies(*_: object) -> None:
        raise OSError("the worker went away")

    monkeypatch.setattr(batches, "infer_remotely", dies)
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        pytest.raises(DeviceError, match="OSError: the worker went away"),
    ):
        accuracy.run(made, dataset, predictions=tmp_path / "p", scheduler=cluster.scheduler_address)


def test_a_scheduler_that_does_not_answer(
    made: Bundle, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributed = pytest.importorskip("distributed")

    def refuse(*_: object, **__: object) -> None:
        raise OSError("Timed out trying to connect to tcp://127.0.0.1:1")

    monkeypatch.setattr(distributed, "Client", refuse)
    with pytest.raises(DeviceError, match="no Dask scheduler answers"):
        accuracy.run(made, dataset, scheduler="tcp://127.0.0.1:1")


def test_every_sample_starts_with_fresh_state_and_its_own_bytes(made: Bundle, tmp_path: Path) -> None:
    """Threads do not mix samples: outputs are those of one run at a time."""
    values = np.random.default_rng(0).uniform(-12, 12, (500, 3)).astype(np.float32)
    np.save(tmp_path / "d.npy", values)
    accuracy.run(
        made, tmp_path / "d.npy", predictions=tmp_path / "p", piece=9, jobs=4, wanted=Wanted("classification")
    )
    predicted = np.array(pq.ParquetDataset(tmp_path / "p").read().column("predicted"))
    quantized = bundle.quantize(values, made.manifest.inputs[0])
    np.testing.assert_array_equal(predicted, np.maximum(quantized, 0).argmax(axis=1))


def test_regression_keeps_numbers_and_is_taken_up_again(made: Bundle, tmp_path: Path) -> None:
    values = np.random.default_rng(2).uniform(0, 12, (60, 3)).astype(np.float32)
    np.savez(tmp_path / "d.npz", x=values, y=values + 1)
    found = accuracy.run(made, tmp_path / "d.npz", predictions=tmp_path / "p", piece=25)
    assert found.task.name == "regression"
    assert [score.metric for score in found.scores] == ["R²", "RMSE", "MAE"]
    assert found.scores[1].value == pytest.approx(1.0, abs=0.06)
    (tmp_path / "p" / "part-000001.parquet").unlink()
    again = accuracy.run(made, tmp_path / "d.npz", predictions=tmp_path / "p", piece=25)
    assert again.resumed == 35
    assert again.scores == found.scores
    table = pq.read_table(tmp_path / "p" / "part-000000.parquet")
    assert len(table.column("predicted")[0]) == 3


def test_predictions_of_another_task_start_afresh(made: Bundle, dataset: Path, tmp_path: Path) -> None:
    accuracy.run(made, dataset, predictions=tmp_path / "p")
    again = accuracy.run(made, dataset, predictions=tmp_path / "p", wanted=Wanted("classification", top=2))
    assert again.resumed == 0
    assert [score.metric for score in again.scores] == ["accuracy", "top-2 accuracy"]
