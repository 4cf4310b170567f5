# SPDX-License-Identifier: Apache-2.0
"""The matrix: order, isolation of what breaks, and no process left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.bench.matrix.shuffle import shuffling_cell
from tests.bench.models import write_classifier
from tinyserve import workflow
from tinyserve.bench.matrix import run as matrix
from tinyserve.bench.matrix.cell import Cell
from tinyserve.bundle import Bundle
from tinyserve.errors import Terminated
from tinyserve.progress import silent


def cells(made: Bundle, folder: Path, *boards: str) -> list[Cell]:
    return [
        Cell(made.path, board, build=workflow.Build(emulate=True, directory=folder / board), runs=1)
        for board in boards
    ]


def test_results_keep_the_order_of_the_cells_and_a_broken_one_loses_no_other(
    classifier: Bundle, tmp_path: Path
) -> None:
    report = matrix.run(cells(classifier, tmp_path, "cortex-m4", "nowhere", "cortex-m0"), 2, silent)
    assert [result.setup.board for result in report.results] == ["cortex-m4", "cortex-m0"]
    (failure,) = report.failures
    assert (failure.board, failure.exit_status) == ("nowhere", 2)


def test_operators_from_outside_reach_worker_processes(tmp_path: Path) -> None:
    report = matrix.run([shuffling_cell(tmp_path)], 1, silent)
    assert not report.failures
    assert report.results[0].check.equal == report.results[0].check.samples > 0


def test_a_source_that_cannot_be_converted_fails_its_own_cells_alone(
    classifier: Bundle, tmp_path: Path
) -> None:
    (tmp_path / "broken.tflite").write_bytes(b"TFL3, but not really")
    good = Cell(classifier.path, "cortex-m4")
    bad = Cell(
        tmp_path / "broken.tflite", "cortex-m4", conversion=workflow.Conversion(output=tmp_path / "out")
    )
    ready, failures = matrix.converted([bad, good, bad], silent)
    assert [cell.source for cell in ready] == [classifier.path]
    assert [(failure.model, failure.exit_status) for failure in failures] == [("broken", 4)] * 2


def test_a_cell_that_takes_too_long_is_ended_and_named(classifier: Bundle, tmp_path: Path) -> None:
    report = matrix.run(cells(classifier, tmp_path, "cortex-m4"), 1, silent, timeout_s=0.01)
    (failure,) = report.failures
    assert "took too long" in failure.error


@pytest.mark.parametrize(("stop", "status"), [(KeyboardInterrupt(), 130), (Terminated(143), 143)])
def test_a_signal_keeps_the_cells_that_are_done(
    classifier: Bundle, tmp_path: Path, stop: BaseException, status: int
) -> None:
    def interrupt(stage: str, done: int = 0, total: int = 0) -> None:
        raise stop

    report = matrix.run(cells(classifier, tmp_path, "cortex-m4", "cortex-m3", "cortex-m0"), 1, interrupt)
    assert [result.setup.board for result in report.results] == ["cortex-m4"]
    assert [(failure.board, failure.exit_status) for failure in report.failures] == [
        ("cortex-m3", status),
        ("cortex-m0", status),
    ]


def children(of: int) -> list[int]:
    done = subprocess.run(["pgrep", "-P", str(of)], capture_output=True, text=True, check=False)
    return [int(line) for line in done.stdout.split()]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_matrix_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    write_classifier(tmp_path / "shapes.tflite")
    command = [
        sys.executable, "-m", "tinyserve", "bench", "shapes.tflite", "--board", "cortex-m4",
        "--board", "cortex-m3", "--runs", "100000", "--jobs", "2", "--fresh",
    ]  # fmt: skip
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while len(children(process.pid)) < 2 and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.05)
        workers = children(process.pid)
        assert len(workers) >= 2
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    lines = [line for line in said.decode().splitlines() if not line.startswith("…")]
    assert lines == [
        f"error: {matrix.STOPS[128 + number]}: 0 of 2 cells are done and reported;"
        " run it again for the others"
    ]
    # multiprocessing's own helper ends by itself once its pipe is closed.
    deadline = time.monotonic() + 20
    while any(map(is_running, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [worker for worker in workers if is_running(worker)]


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
