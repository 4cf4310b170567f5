# SPDX-License-Identifier: Apache-2.0
"""Accuracy over data that is much larger than the memory it may take, and runs that are killed."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.bench.accuracy import run as accuracy
from tinyserve.bundle import Bundle
from tinyserve.convert import convert

MEBIBYTE = 1 << 20
_START_TIMEOUT_S = 120


def relu_bundle(directory: Path, values: int) -> Bundle:
    """y = relu(x) over so many scores."""
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, values), "int8", scale=0.1, zero_point=0)
    y = graph.tensor((1, values), "int8", scale=0.1, zero_point=0)
    graph.op("RELU", [x], [y])
    graph.output(y)
    (directory / "m.tflite").write_bytes(model.build())
    return convert(directory / "m.tflite", output=directory / "bundle")


def sparse_npy(path: Path, rows: int, values: int) -> Path:
    """Zeros that take no room on the disk."""
    path = path.with_suffix(".npy")
    np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(rows, values)).flush()
    return path


def compressed_npz(path: Path, rows: int, values: int) -> Path:
    path = path.with_suffix(".npz")
    np.savez_compressed(path, x=np.zeros((rows, values), np.float32))
    return path


def single_row_group(path: Path, rows: int, values: int) -> Path:
    """Parquet without anything to cut it by, or to make it smaller."""
    path = path.with_suffix(".parquet")
    flat = pa.array(np.zeros(rows * values, np.float32))
    table = pa.table({"x": pa.FixedSizeListArray.from_arrays(flat, values)})
    pq.write_table(table, path, row_group_size=rows, use_dictionary=False, compression=None)
    return path


_MEASURE = """
import resource, sys
from pathlib import Path
from tinyserve import bundle
from tinyserve.bench.accuracy import run as accuracy
made = bundle.load(Path(sys.argv[1]))
for data in sys.argv[2:]:
    summary = accuracy.run(made, Path(data), jobs=2)
    print(summary.samples, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ru_maxrss is in KiB on Linux")
def test_memory_does_not_grow_with_the_data(tmp_path: Path) -> None:
    values, few, many = 16_384, 256, 2048  # 16 and 128 MiB as float32
    made = relu_bundle(tmp_path, values)
    writers = (sparse_npy, compressed_npz, single_row_group)
    sizes = {write(tmp_path / f"{rows}", rows, values): rows for rows in (few, many) for write in writers}
    command = [sys.executable, "-c", _MEASURE, str(made.path), *map(str, sizes)]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
    samples, peaks = zip(*(map(int, line.split()) for line in shown.splitlines()), strict=True)
    assert list(samples) == list(sizes.values())
    after_small, after_large = peaks[len(writers) - 1] * 1024, peaks[-1] * 1024
    assert after_large - after_small < 24 * MEBIBYTE


def test_a_killed_run_is_taken_up(tmp_path: Path) -> None:
    made = relu_bundle(tmp_path, 3)
    rows = 2_000_000
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "d.npz", x=rng.uniform(-9, 9, (rows, 3)).astype(np.float32), y=np.zeros(rows, np.int8)
    )
    predictions = tmp_path / "p"
    command = [
        *(
            sys.executable,
            "-m",
            "tinyserve",
            "accuracy",
            str(made.path),
            "--dataset",
            str(tmp_path / "d.npz"),
        ),
        *("--predictions", str(predictions), "--jobs", "1"),
    ]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not list(predictions.glob("part-*")) and time.monotonic() < deadline and child.poll() is None:
            time.sleep(0.005)
    finally:
        child.kill()
        child.wait()
    done = len(list(predictions.glob("part-*.parquet")))
    found = accuracy.run(made, tmp_path / "d.npz", predictions=predictions)
    assert 0 < found.resumed < rows
    assert found.resumed == done * accuracy.piece_samples(made.manifest.inputs)
    assert found.samples == found.labelled == rows
    table = pq.ParquetDataset(predictions).read()
    assert np.array_equal(np.sort(np.asarray(table.column("sample"))), np.arange(rows))
    assert found.correct == int((np.asarray(table.column("predicted")) == 0).sum())
