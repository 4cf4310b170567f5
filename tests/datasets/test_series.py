# SPDX-License-Identifier: Apache-2.0
"""Rows with times and entities become windows: the same of CSV and Parquet, whatever the batches."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tinyserve.bundle import TensorInfo
from tinyserve.datasets import series
from tinyserve.datasets.named import Reading
from tinyserve.datasets.series import _plain
from tinyserve.datasets.stream import load, open_stream
from tinyserve.errors import DataError

INPUT = [TensorInfo("samples", [1, 4, 2], "float32")]
START = datetime(2026, 1, 31, tzinfo=timezone.utc)
READING = Reading(sample_rate=10, time="when", entity="machine")


def table(rows: int = 400, machines: int = 3) -> dict[str, list]:
    """Interleaved rows of several machines at 10 Hz, with a gap in each."""
    rng = np.random.default_rng(4)
    at = [0] * machines
    found: dict[str, list] = {"when": [], "machine": [], "a": [], "b": [], "label": []}
    for _ in range(rows):
        one = int(rng.integers(machines))
        at[one] += 7 if at[one] in (20, 61) else 1
        found["when"].append(START + timedelta(milliseconds=100 * at[one]))
        found["machine"].append(f"m{one}")
        found["a"].append(float(100 * one + at[one]))
        found["b"].append(float(rng.normal()))
        found["label"].append(float(at[one] % 3))
    return found


def wanted(rows: dict[str, list], stride: int) -> list[tuple[list, float]]:
    """Machine by machine, with all of the data at hand."""
    found = []
    for name in sorted(set(rows["machine"])):
        mine = [i for i, one in enumerate(rows["machine"]) if one == name]
        gaps = [k for k in range(1, len(mine)) if rows["a"][mine[k]] - rows["a"][mine[k - 1]] > 1]
        for low, high in pairwise([0, *gaps, len(mine)]):
            for first in range(low, high - 3, stride):
                window = mine[first : first + 4]
                found.append(([[rows["a"][i], rows["b"][i]] for i in window], rows["label"][window[-1]]))
    return sorted(found)


def parquet(path: Path, rows: dict[str, list]) -> Path:
    pq.write_table(pa.table(rows), path, row_group_size=37)
    return path


def csv(path: Path, rows: dict[str, list]) -> Path:
    lines = [",".join(rows)]
    for one in zip(*rows.values(), strict=True):
        lines.append(",".join(v.isoformat() if isinstance(v, datetime) else repr(v).strip("'") for v in one))
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("stride", [0, 1, 3, 6])
@pytest.mark.parametrize("write", [parquet, csv])
def test_windows_are_of_rows_of_one_machine_without_a_gap(
    write: object, stride: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = table()
    path = write(tmp_path / f"data.{write.__name__}", rows)  # type: ignore[operator, attr-defined]
    reading = Reading(stride=stride, sample_rate=10, time="when", entity="machine")
    for batch in (23, 1 << 14):
        monkeypatch.setattr(series, "_ROWS", batch)
        stream = open_stream(path, INPUT, 7, reading)
        parts = [part.read() for part in stream.pieces]
        assert all(len(part) == 7 for part in parts[:-1])
        assert sum(map(len, parts)) == stream.total
        pairs = [
            (window.tolist(), label)
            for part in parts
            for window, label in zip(part.inputs[0].astype(float), part.labels, strict=True)
        ]
        expected = wanted(rows, stride or 4)
        assert len(pairs) == len(expected) > 10
        for (window, label), (other, known) in zip(sorted(pairs), expected, strict=True):
            np.testing.assert_allclose(window, other, rtol=1e-6)
            assert label == known


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
@pytest.mark.parametrize("label", ["label", ""])
def test_y_beside_x_and_z_is_an_axis_and_no_label(ending: str, label: str, tmp_path: Path) -> None:
    rows: dict[str, list] = {"t": [i / 10 for i in range(8)]}
    rows |= {axis: [float(10 * place + i) for i in range(8)] for place, axis in enumerate("xyz")}
    rows |= {label: [1.0] * 8} if label else {}
    info = [TensorInfo("samples", [1, 4, 3], "float32")]
    path = tmp_path / f"rows{ending}"
    if ending == ".parquet":
        pq.write_table(pa.table(rows), path)
    else:
        lines = [",".join(map(str, values)) for values in zip(*rows.values(), strict=True)]
        path.write_text("\n".join([",".join(rows), *lines]) + "\n")
    found = load(path, info, Reading(sample_rate=10, time="t"))
    assert found.inputs[0][0].tolist() == [[i, 10 + i, 20 + i] for i in range(4)]
    assert (found.labels is None) == (label == "") and (not label or (found.labels == 1).all())


def test_without_entities_all_rows_are_one_series(tmp_path: Path) -> None:
    path = tmp_path / "one.parquet"
    pq.write_table(pa.table({"t": np.arange(20) / 50, "x": np.arange(20.0), "z": np.zeros(20)}), path)
    whole = load(path, INPUT, Reading(time="t", sample_rate=50))
    assert whole.inputs[0][:, :, 0].tolist() == np.arange(20).reshape(5, 4).tolist()


@pytest.mark.parametrize(
    ("change", "reading", "says"),
    [
        ({}, Reading(time="then"), "no column 'then'"),
        ({}, Reading(time="when", entity="who"), "no column 'who'"),
        ({"when": table()["when"][::-1]}, READING, "row \\d+: its time of m\\d is not after"),
        ({}, Reading(sample_rate=12, time="when", entity="machine"), "10 per second, the model takes 12"),
        ({}, Reading(sample_rate=1000, time="when", entity="machine"), "no two rows are within"),
        ({"c": [1.0] * 400}, READING, "3 columns of values do not fit"),
        ({"a": ["x"] * 400}, READING, "a|could not"),
    ],
)
@pytest.mark.parametrize("write", [parquet, csv])
def test_what_does_not_fit_is_said(
    write: object, change: dict[str, list], reading: Reading, says: str, tmp_path: Path
) -> None:
    path = write(tmp_path / f"data.{write.__name__}", table() | change)  # type: ignore[operator, attr-defined]
    with pytest.raises(DataError, match=says):
        [part.read() for part in open_stream(path, INPUT, 7, reading).pieces]


def test_a_time_that_is_missing_or_none_is_refused(tmp_path: Path) -> None:
    rows = table(20, 1)
    path = parquet(tmp_path / "a.parquet", rows | {"when": [None, *rows["when"][1:]]})
    with pytest.raises(DataError, match="a time is missing"):
        open_stream(path, INPUT, 7, READING)
    path = parquet(tmp_path / "b.parquet", rows | {"when": ["noon"] * 20})
    with pytest.raises(DataError, match="no times"):
        open_stream(path, INPUT, 7, READING)
    (tmp_path / "c.csv").write_text("when,a,b\nnoon,1,2\n")
    with pytest.raises(DataError, match="row 1"):
        open_stream(tmp_path / "c.csv", INPUT, 7, Reading(time="when"))


def log(path: Path, times: np.ndarray, label: str = "", unit: float = 1) -> Path:
    """A recording of three axes, as loggers write it."""
    path.parent.mkdir(exist_ok=True)
    lines = ["at,x,y,z" + (",label" if label else "")]
    lines += [f"{time * unit:.10g},{k},0,1{',' + label if label else ''}" for k, time in enumerate(times)]
    path.write_text("\n".join(lines) + "\n")
    return path


AXES = [TensorInfo("samples", [1, 4, 3], "float32")]


def test_labels_may_be_names(tmp_path: Path) -> None:
    path = log(tmp_path / "a.csv", np.arange(8) / 50, "shake it")
    text = path.read_text().splitlines()
    path.write_text("\n".join([*text[:5], *(line.replace("shake it", "7") for line in text[5:])]) + "\n")
    for reading in (Reading(time="at", sample_rate=50), Reading()):
        info = AXES if reading.time else [TensorInfo("samples", [1, 4, 4], "float32")]
        assert load(path, info, reading).labels.tolist() == ["shake it", "7"]


def test_a_name_among_numbers_is_no_label(tmp_path: Path) -> None:
    path = log(tmp_path / "a.csv", np.arange(8) / 50, "1")
    text = path.read_text()
    path.write_text(text[: text.rindex("1")] + "shake\n")
    with pytest.raises(DataError, match="row 8") as caught:
        load(path, AXES, Reading(time="at", sample_rate=50))
    assert "all names" in caught.value.hint


@pytest.mark.parametrize(("unit", "per_second"), [("ms", 1e3), ("us", 1e6), ("ns", 1e9)])
@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_times_have_a_unit(unit: str, per_second: float, ending: str, tmp_path: Path) -> None:
    path = log(tmp_path / "a.csv", np.arange(9) / 50, unit=per_second)
    if ending == ".parquet":
        values = np.genfromtxt(path, delimiter=",", names=True)
        path = tmp_path / "a.parquet"
        whole = {"at": values["at"].astype(np.int64)} | {name: values[name] for name in "xyz"}
        pq.write_table(pa.table(whole), path)
    found = load(path, AXES, Reading(time="at", sample_rate=50, time_unit=unit))
    assert found.inputs[0][:, 0, 0].tolist() == [0, 4]
    with pytest.raises(DataError, match=r"no two rows|rows are") as caught:
        load(path, AXES, Reading(time="at", sample_rate=50))
    assert "--time-unit" in caught.value.hint or "resample" in caught.value.hint


def test_times_beyond_64_bits_are_none(tmp_path: Path) -> None:
    """Milliseconds that are taken for seconds do not wrap around."""
    at = np.arange(8) * 20 + 1_750_000_000_000
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"at": at, "x": at * 0.0, "y": at * 0.0, "z": at * 0.0}), path)
    with pytest.raises(DataError, match="the times are no times") as caught:
        load(path, AXES, Reading(time="at", sample_rate=50))
    assert "--time-unit" in caught.value.hint
    assert len(load(path, AXES, Reading(time="at", sample_rate=50, time_unit="ms"))) == 2


def test_a_directory_of_recordings_has_no_window_across_two(tmp_path: Path) -> None:
    for number in range(3):
        log(tmp_path / f"{number}.csv", np.arange(6) / 50)
    found = load(tmp_path, AXES, Reading(time="at", sample_rate=50))
    assert len(found) == 3 and found.labels is None
    assert (found.inputs[0][:, :, 0] == [0, 1, 2, 3]).all()


@pytest.mark.parametrize("reading", [Reading(time="at", sample_rate=50), Reading()])
def test_directories_of_recordings_are_classes(reading: Reading, tmp_path: Path) -> None:
    info = AXES if reading.time else [TensorInfo("samples", [1, 4, 4], "float32")]
    for name, count in (("shake", 8), ("idle", 4)):
        log(tmp_path / name / "0.csv", np.arange(count) / 50)
    found = load(tmp_path, info, reading)
    assert found.classes == ("idle", "shake")
    assert found.labels.tolist() == [0, 1, 1]
    log(tmp_path / "shake" / "1.csv", np.arange(8) / 50, "7")
    if reading.time:
        with pytest.raises(DataError, match="only some of its files have labels"):
            load(tmp_path, info, reading)
    else:
        assert load(tmp_path, info, reading).labels is None


@pytest.mark.parametrize(
    ("header", "change", "said"),
    [
        ("at,x,x,z", None, "two columns are called 'x'"),
        ("at,x,y,z", "0.1,5", "row 6: 2 cells, and the header has 4"),
        ("at,x,y,z", "0.1,5,0,1,9", "row 6: 5 cells"),
        ("at,x,y,label", "0.1,5,0,", "row 6: its label is missing"),
        ("at,x,y,z", "nan,5,0,1", "row 6"),
        ("at,x,y,z", "0.1,1e300,0,1", "values beyond float32"),
    ],
)
def test_a_damaged_table_is_named(header: str, change: str | None, said: str, tmp_path: Path) -> None:
    path = log(tmp_path / "a.csv", np.arange(8) / 50)
    lines = [header, *path.read_text().splitlines()[1:]]
    if change is not None:
        lines[6] = change
    path.write_text("\n".join(lines) + "\n")
    info = [TensorInfo("samples", [1, 2, 2 if "label" in header else 3], "float32")]
    with pytest.raises(DataError, match=said):
        load(path, info, Reading(time="at", missing=True))


@pytest.mark.parametrize("reading", [Reading(time="at"), Reading()])
def test_y_is_an_axis_where_another_column_is_the_label(reading: Reading, tmp_path: Path) -> None:
    """Of a joystick: x and y."""
    (tmp_path / "a.csv").write_text("at,x,y,label\n0,1,2,left\n1,3,4,left\n")
    info = [TensorInfo("samples", [1, 2, 2 if reading.time else 3], "float32")]
    found = load(tmp_path / "a.csv", info, reading)
    assert found.inputs[0][0, :, -2:].tolist() == [[1, 2], [3, 4]]
    assert found.labels.tolist() == ["left"]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("2026-01-31T12:00:00.25Z", "2026-01-31T12:00:00.250000+00:00"),
        ("2026-01-31 12:00:00.123456789+01:00", "2026-01-31 12:00:00.123456+01:00"),
        ("2026-01-31T12:00:00", "2026-01-31T12:00:00"),
    ],
)
def test_times_of_iso_8601_have_the_form_that_every_python_reads(text: str, plain: str) -> None:
    assert _plain(text) == plain


def test_lists_are_no_values_of_a_row(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"at": np.arange(8) / 50, "x": [[1.0, 2.0]] * 8, "z": np.zeros(8)}), path)
    with pytest.raises(DataError, match="'x' holds no numbers"):
        load(path, INPUT, Reading(time="at"))
