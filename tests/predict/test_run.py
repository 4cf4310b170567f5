# SPDX-License-Identifier: Apache-2.0
"""Predictions are there exactly once, whatever ended earlier runs, and only when they are as expected."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psycopg
import pyarrow.parquet
import pytest

from tests.bench.models import classifier_bundle
from tests.serve.conftest import HOST
from tests.serve.running import serving
from tests.support.postgres import Server
from tinyserve import bundle, databases
from tinyserve.bench.accuracy.batches import Work
from tinyserve.bundle import Bundle
from tinyserve.cli.main import main
from tinyserve.datasets.named import Reading
from tinyserve.errors import BudgetError, DataError, FileSystemError, UsageError
from tinyserve.health.profile import PROFILE_FILE, profile_of
from tinyserve.predict import engines, gate
from tinyserve.predict.engines import Computed, Devices, Endpoint, Host
from tinyserve.predict.run import Settings, Summary, predict
from tinyserve.predict.sinks import open_sink
from tinyserve.predict.sinks.base import Job
from tinyserve.predict.watch import place_of, watch
from tinyserve.progress import silent

SAMPLES = 500
JOB = Job(model="m", model_sha256="", data="d", data_sha256="", samples=1, piece=1, reading="", output="o")


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return classifier_bundle(tmp_path_factory.mktemp("shapes"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("data") / "x.npz", SAMPLES)


def write(path: Path, samples: int) -> Path:
    rng = np.random.default_rng(3)
    np.savez(path, x=rng.uniform(0, 15, (samples, 8, 8, 1)).astype(np.float32))
    return path


def expected(shapes: Bundle, data: Path) -> Any:
    images = bundle.quantize(np.load(data)["x"], shapes.manifest.inputs[0])
    from tinyserve.compiler.compile import compile_model
    from tinyserve.compiler.host.model import HostModel

    return (
        HostModel(compile_model(shapes.model_bytes()))
        .run_batch([images.reshape(-1, 1, 8, 8, 1)])[0]
        .reshape(-1, 3)
    )


QUERY = "SELECT sample, output, class FROM predictions ORDER BY sample"


def read(out: Path | str) -> tuple[list[int], Any, list[int]]:
    """Sample numbers, values and classes, in the order of samples."""
    if isinstance(out, str):
        with psycopg.connect(out) as connection:
            rows = connection.execute(QUERY).fetchall()
        return (
            [row[0] for row in rows],
            np.array([row[1] for row in rows], np.float32),
            [row[2] for row in rows],
        )
    if out.suffix == ".sqlite":
        with sqlite3.connect(out) as database:
            rows = database.execute(QUERY).fetchall()
        values = np.array([np.frombuffer(row[1], "<f4") for row in rows]).reshape(-1, 3)
        return [row[0] for row in rows], values, [row[2] for row in rows]
    table = pyarrow.parquet.read_table(out).sort_by("sample").to_pydict() if out.is_dir() else {"sample": []}
    return table["sample"], np.array(table.get("output", []), np.float32), table.get("class", [])


@pytest.fixture(params=["p.sqlite", "parquet", "postgresql"])
def out(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("postgres_server")
        return server.database()
    return tmp_path / str(request.param)


def test_all_predictions_are_there_and_right(shapes: Bundle, data: Path, out: Path | str) -> None:
    summary = predict(shapes, data, out=out, runner=Host(shapes), settings=Settings(piece=64, verify=0.1))
    samples, values, classes = read(out)
    scores = expected(shapes, data)
    assert samples == list(range(SAMPLES))
    assert np.array_equal(values, bundle.dequantize(scores, shapes.manifest.outputs[0]))
    assert classes == scores.argmax(axis=1).tolist()
    assert summary.manifest.count == SAMPLES and summary.manifest.verified == SAMPLES // 10
    assert sum(summary.manifest.classes.values()) == SAMPLES


def test_what_is_there_is_not_computed_again(shapes: Bundle, data: Path, out: Path | str) -> None:
    predict(shapes, data, out=out, runner=Host(shapes))

    class Never(Host):
        def run(self, works: Iterable[Work], output: int) -> Iterator[Computed]:
            raise AssertionError("computed again")

    assert predict(shapes, data, out=out, runner=Never(shapes)).resumed == SAMPLES


class Breaks(Host):
    """Ends after some pieces, as a crash would."""

    def run(self, works: Iterable[Work], output: int) -> Iterator[Computed]:
        for number, computed in enumerate(super().run(works, output)):
            if number == 2:
                raise KeyboardInterrupt
            yield computed


def test_a_run_goes_on_where_it_was(shapes: Bundle, data: Path, out: Path | str) -> None:
    settings = Settings(piece=64)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            predict(shapes, data, out=out, runner=Breaks(shapes), settings=settings)
        assert read(out)[0] == []  # nothing is visible before all is there
    summary = predict(shapes, data, out=out, runner=Host(shapes), settings=settings)
    assert summary.resumed == 4 * 64 and read(out)[0] == list(range(SAMPLES))


def test_nothing_is_published_that_is_not_as_expected(shapes: Bundle, data: Path, out: Path | str) -> None:
    wrong = Settings(expects=(gate.parse("0=0%..0.1%"), gate.parse("1=0%..0.1%")))
    with pytest.raises(BudgetError, match=r"expected 0\.00% to 0\.10%"):
        predict(shapes, data, out=out, runner=Host(shapes), settings=wrong)
    assert read(out)[0] == []
    right = Settings(expects=(gate.parse("0=0%..100%"),))
    assert predict(shapes, data, out=out, runner=Host(shapes), settings=right).resumed == SAMPLES
    assert len(read(out)[0]) == SAMPLES


def test_a_wrong_answer_is_found_and_not_published(shapes: Bundle, data: Path, out: Path | str) -> None:
    class Lies(Host):
        def run(self, works: Iterable[Work], output: int) -> Iterator[Computed]:
            for one in super().run(works, output):
                yield Computed(one.first, one.output + np.int8(1), one.inputs)

    with pytest.raises(BudgetError, match="sample 0"):
        predict(shapes, data, out=out, runner=Lies(shapes), settings=Settings(verify=0.01))
    assert read(out)[0] == []


def test_other_data_does_not_take_the_place(shapes: Bundle, data: Path, tmp_path: Path) -> None:
    predict(shapes, data, out=tmp_path / "p", runner=Host(shapes))
    other = write(tmp_path / "other.npz", 10)
    with pytest.raises(FileSystemError, match="in the way"):
        predict(shapes, other, out=tmp_path / "p", runner=Host(shapes))


def test_a_database_holds_several_jobs(shapes: Bundle, data: Path, tmp_path: Path) -> None:
    place, other = tmp_path / "p.sqlite", write(tmp_path / "other.npz", 10)
    for source in (data, other):
        predict(shapes, source, out=place, runner=Host(shapes))
    with sqlite3.connect(place) as database:
        counts = database.execute("SELECT count(*) FROM predictions GROUP BY job").fetchall()
    assert sorted(count for (count,) in counts) == [10, SAMPLES]


def test_twins_and_endpoints_give_the_same(shapes: Bundle, tmp_path: Path) -> None:
    few = write(tmp_path / "few.npz", 20)
    scores = bundle.dequantize(expected(shapes, few), shapes.manifest.outputs[0])
    with serving(HOST.format(bundle=shapes.path), tmp_path) as served:
        runners = {
            "twin": Devices(shapes, engines.members("cortex-m0", "twin", 2)),
            "endpoint": Endpoint(shapes, f"http://{served.rest}", "shapes", 2, batch=3),
        }
        for name, runner in runners.items():
            predict(shapes, few, out=tmp_path / name, runner=runner, settings=Settings(piece=8))
            assert np.array_equal(read(tmp_path / name)[1], scores)


def test_files_that_come_one_by_one_are_jobs_of_their_own(
    shapes: Bundle, out: Path | str, tmp_path: Path
) -> None:
    incoming = tmp_path / "incoming"
    incoming.mkdir()

    def of(path: Path, place: str) -> Summary:
        return predict(shapes, path, out=place, runner=Host(shapes))

    outcomes = watch(incoming, str(out), of, 0.01)
    write(incoming / "first night.npz", 5)
    (incoming / ".hidden.npz").write_bytes(b"")
    (incoming / "half.npz.part").write_bytes(b"")
    path, summary = next(outcomes)
    assert path.name == "first night.npz" and isinstance(summary, Summary) and summary.manifest.count == 5
    (incoming / "bad.npz").write_bytes(b"no archive")
    write(incoming / "second.npz", 7)
    found = dict(sorted(((path.name, one) for path, one in (next(outcomes), next(outcomes)))))
    assert isinstance(found["bad.npz"], DataError)
    assert isinstance(found["second.npz"], Summary)
    if isinstance(out, str) or out.suffix:
        assert sorted(read(out)[0]) == sorted([*range(5), *range(7)])
    else:
        table = pyarrow.parquet.read_table(out).to_pydict()
        assert sorted(set(table["data"])) == ["first night.npz", "second.npz"] and len(table["sample"]) == 12


def test_a_place_of_no_known_kind_is_no_directory() -> None:
    assert place_of("night", Path("a.npz")) == str(Path("night", "data=a%2Enpz"))
    assert place_of("night.db", Path("a.npz")) == "night.db"
    for place in ("s3://bucket/night", "night.csv"):
        with pytest.raises(UsageError, match="no kind of sink"):
            place_of(place, Path("a.npz"))


def test_what_is_in_the_way_is_named(shapes: Bundle, data: Path, tmp_path: Path) -> None:
    predict(shapes, data, out=tmp_path / "p", runner=Host(shapes), settings=Settings(piece=100))
    with pytest.raises(FileSystemError, match="--piece 100"):
        predict(shapes, data, out=tmp_path / "p", runner=Host(shapes), settings=Settings(piece=200))


def test_a_row_of_a_query_is_a_sample(
    shapes: Bundle, data: Path, out: Path | str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = str(out) if isinstance(out, str) else str(tmp_path / "source.sqlite")
    images = np.load(data)["x"].reshape(SAMPLES, 64)
    names = [f"p{index}" for index in range(64)]
    reals = ", ".join(f"{name} {{d.real}}" for name in names)
    table = [f"CREATE TABLE pixels (n {{d.integer}}, {reals})"]
    database = databases.open_database(place, table, "", synchronous="NORMAL", busy_s=1)
    marks = ", ".join("?" * 65)
    with database.transaction():
        rows = [(n, *row.tolist()) for n, row in enumerate(images)]
        database.change_many(f"INSERT INTO pixels VALUES ({marks})", rows)
    database.close()
    columns = ", ".join(names)
    command = ["predict", str(shapes.path), place, "--out", str(out), "--query"]
    assert main([*command, f"SELECT {columns} FROM pixels ORDER BY n"]) == 0
    assert "secret" not in capsys.readouterr().out
    assert np.array_equal(read(out)[1], bundle.dequantize(expected(shapes, data), shapes.manifest.outputs[0]))
    assert main([*command, "SELECT p0, p1 FROM pixels"]) == DataError.exit_status
    assert "has 2 values, the input" in capsys.readouterr().err


def test_kinds_of_sinks_and_gates_that_are_none() -> None:
    for text in ("yes", "yes=5..6", "yes=20%..5%", "yes=5%..200%"):
        with pytest.raises(UsageError):
            gate.parse(text)
    with pytest.raises(UsageError):
        gate.place(gate.parse("yes=1%..2%"), ["no"])
    for out in ("a.txt", "mysql://h/d"):
        with pytest.raises(UsageError, match="no kind of sink"), open_sink(out, "", JOB, silent):
            pass


def begun(out: Path | str) -> bool:
    """Whether something is there of predictions that are not published yet."""
    if isinstance(out, str):
        with psycopg.connect(out) as connection:
            row = connection.execute("SELECT to_regclass('prediction_jobs')").fetchone()
        return row is not None and row[0] is not None
    return (out if out.suffix else out.with_name(f"{out.name}.partial")).exists()


def test_killed_at_any_moment_nothing_is_lost_or_doubled(
    shapes: Bundle, out: Path | str, tmp_path: Path
) -> None:
    many = write(tmp_path / "many.npz", 40_000)
    command = [
        sys.executable, "-m", "tinyserve", "predict", str(shapes.path), str(many), "--out", str(out),
        "--piece", "500", "--jobs", "1",
    ]  # fmt: skip
    chance = random.Random(5)
    for _ in range(3):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while not begun(out) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.2))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    assert read(out)[0] == list(range(40_000))


def gated(made: Bundle, data: Path, out: Path, settings: Settings) -> Summary:
    return predict(made, data, out=out, runner=Host(made, 1), settings=settings)


def with_profile(shapes: Bundle, data: Path, folder: Path, moved: int = 0) -> Bundle:
    """The bundle with a profile of that data; ``moved``: of inputs that differ by so many codes."""
    copied = Path(shutil.copytree(shapes.path, folder / "profiled.bundle"))
    codes = bundle.quantize(np.load(data)["x"], shapes.manifest.inputs[0])
    codes = np.clip(codes.astype(int) - moved, -128, 127).astype(np.int8)
    found = profile_of(codes, expected(shapes, data).astype(np.int8))
    (copied / PROFILE_FILE).write_bytes(msgspec.json.encode(found))
    return bundle.load(copied)


def test_data_that_is_unlike_the_models_is_not_published(shapes: Bundle, data: Path, tmp_path: Path) -> None:
    drifted = with_profile(shapes, data, tmp_path, moved=20)
    out = tmp_path / "p.sqlite"
    for _ in range(2):  # computed, and then as it was kept
        with pytest.raises(BudgetError, match=r"drift: input 0: .* 8% of its range"):
            gated(drifted, data, out, Settings(piece=100, drift=True))
        assert read(out)[0] == []
    assert gated(drifted, data, out, Settings(piece=100)).resumed == SAMPLES
    with pytest.raises(BudgetError, match="drift"):  # it was published meanwhile
        gated(drifted, data, out, Settings(piece=100, drift=True))


def test_data_that_is_like_the_models_is_published_with_the_gate(
    shapes: Bundle, data: Path, tmp_path: Path
) -> None:
    same = with_profile(shapes, data, tmp_path)
    assert gated(same, data, tmp_path / "p.sqlite", Settings(piece=64, drift=True)).resumed == 0


def test_a_gate_that_could_not_tell_is_refused(shapes: Bundle, data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no reference profile"):
        gated(shapes, data, tmp_path / "p.sqlite", Settings(drift=True))
    few = write(tmp_path / "few.npz", 29)
    with pytest.raises(UsageError, match="29 samples, a verdict takes 30"):
        gated(with_profile(shapes, data, tmp_path), few, tmp_path / "p.sqlite", Settings(drift=True))


@pytest.mark.parametrize(("rate_hz", "windows"), [(0.0, 3), (50.0, 2)])
def test_windows_end_at_gaps_by_the_rate_of_the_model(
    rate_hz: float, windows: int, shapes: Bundle, tmp_path: Path
) -> None:
    made = replace(shapes, manifest=msgspec.structs.replace(shapes.manifest, rate_hz=rate_hz))
    times = [(row + (100 if row >= 12 else 0)) / 50 for row in range(24)]
    lines = [",".join(["at", *"abcdefgh"]), *(f"{at}{',0.5' * 8}" for at in times)]
    (tmp_path / "d.csv").write_text("\n".join(lines) + "\n")
    found = gated(made, tmp_path / "d.csv", tmp_path / "p.sqlite", Settings(reading=Reading(time="at")))
    assert found.manifest.count == windows
