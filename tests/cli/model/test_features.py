# SPDX-License-Identifier: Apache-2.0
"""`tinyserve features` as its users call it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.features.specs import SPEECH, TABLE
from tinyserve.cli.main import main

UNFITTED = """
[input]
shape = [3]
[[steps]]
kind = "impute"
fit = "mean"
[[steps]]
kind = "scale"
fit = "standard"
"""


@pytest.fixture
def speech(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "speech.toml").write_text(SPEECH)
    x = (np.random.default_rng(0).normal(size=(6, 1600)) * 3000).astype(np.int16)
    np.savez(tmp_path / "raw.npz", x=x, y=np.arange(6) % 2)
    return tmp_path


def test_show_prints_every_step_with_its_shape(speech: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["features", "show", "speech.toml"]) == 0
    shown = capsys.readouterr().out
    assert "11×256" in shown and "11×10" in shown and "8000 Hz" in shown


def test_apply_writes_features_and_labels(speech: Path) -> None:
    assert main(["features", "apply", "speech.toml", "--data", "raw.npz", "-o", "prepared.npz"]) == 0
    with np.load(speech / "prepared.npz") as made:
        assert made["x"].shape == (6, 11, 10) and made["y"].tolist() == [0, 1, 0, 1, 0, 1]


def test_apply_writes_parquet_with_the_same_features(speech: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    for name in ("prepared.npz", "prepared.parquet"):
        assert main(["features", "apply", "speech.toml", "--data", "raw.npz", "-o", name]) == 0
    table = parquet.read_table(speech / "prepared.parquet")
    with np.load(speech / "prepared.npz") as made:
        assert json.loads(table.schema.metadata[b"shape"]) == [11, 10]
        rows = np.array(table.column("x").to_pylist(), np.float32)
        assert np.array_equal(rows.reshape(-1, 11, 10), made["x"])
        assert table.column("y").to_pylist() == made["y"].tolist()


def test_what_fails_half_way_leaves_no_parquet(speech: Path) -> None:
    pytest.importorskip("pyarrow")
    (speech / "parts").mkdir()
    np.savez(speech / "parts" / "0.npz", x=np.zeros((40, 1600), np.int16))
    np.savez(speech / "parts" / "1.npz", x=np.zeros((2, 1599), np.int16))
    before = set(speech.iterdir())
    assert main(["features", "apply", "speech.toml", "--data", "parts", "-o", "out.parquet"]) == 5
    assert set(speech.iterdir()) == before


@pytest.mark.parametrize(
    ("labels", "wrong"),
    [
        (None, "only some of its files have labels"),
        (["no"] * 20_000, "are of another type than those before"),
    ],
)
def test_parquet_wants_labels_of_one_type_in_all_files(
    labels: list[str] | None, wrong: str, speech: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pyarrow")
    (speech / "table.toml").write_text('[input]\nshape = [4]\n[[steps]]\nkind = "scale"\nfactor = [2.0]\n')
    (speech / "parts").mkdir()
    x = np.zeros((20_000, 4), np.float32)
    np.savez(speech / "parts" / "0.npz", x=x, y=np.zeros(20_000, np.int64))
    np.savez(speech / "parts" / "1.npz", x=x, **({} if labels is None else {"y": labels}))
    assert main(["features", "apply", "table.toml", "--data", "parts", "-o", "out.parquet"]) == 5
    assert wrong in capsys.readouterr().err


def test_check_exits_3_and_names_the_parameter(speech: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["features", "apply", "speech.toml", "--data", "raw.npz", "-o", "prepared.npz"])
    assert main(["features", "check", "speech.toml", "--data", "raw.npz", "--prepared", "prepared.npz"]) == 0
    (speech / "other.toml").write_text(SPEECH + 'scale = "slaney"\n')
    capsys.readouterr()
    assert main(["features", "check", "other.toml", "--data", "raw.npz", "--prepared", "prepared.npz"]) == 3
    out, err = capsys.readouterr()
    assert 'scale = "htk"' in out and "try:" in err


def test_fit_takes_a_table_with_gaps_and_its_result_is_a_specification(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("table.toml").write_text(UNFITTED)
    Path("table.csv").write_text("a,b,c\n1,2,3\n3,,5\n5,6,nan\n2,2,9\n")
    assert main(["features", "show", "table.toml"]) == 0
    assert main(["features", "apply", "table.toml", "--data", "table.csv", "-o", "x.npz"]) == 5
    assert "features fit" in capsys.readouterr().err
    assert main(["features", "fit", "table.toml", "--data", "table.csv", "-o", "table.json"]) == 0
    assert main(["features", "apply", "table.json", "--data", "table.csv", "-o", "x.npz"]) == 0
    with np.load("x.npz") as made:
        assert np.allclose(made["x"].mean(axis=0), 0, atol=1e-6)


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("features show none.toml", 9),
        ("features fit speech.toml --data raw.npz -o x.toml", 2),
        ("features fit speech.toml --data raw.npz -o x.json", 5),
        ("features apply speech.toml --data none.npz -o x.npz", 5),
        ("features apply speech.toml --data raw.npz -o x.csv", 2),
        ("features apply speech.toml --data raw.npz -o x", 2),
        ("features check speech.toml --data raw.npz --prepared none.npz", 5),
        ("features check speech.toml --data raw.npz --prepared raw.npz", 5),
    ],
)
def test_mistakes_have_their_exit_status_and_write_nothing(command: str, status: int, speech: Path) -> None:
    before = sorted(path.name for path in speech.iterdir())
    assert main(command.split()) == status
    assert sorted(path.name for path in speech.iterdir()) == before


def test_recordings_are_read_as_the_microphone_gives_them(speech: Path) -> None:
    import wave

    with wave.open("tone.wav", "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(np.full(1600, -12345, "<i2").tobytes())
    (speech / "raw.toml").write_text(
        SPEECH[: SPEECH.index("[[steps]]")] + '[[steps]]\nkind = "reshape"\nshape = [1600]\n'
    )
    assert main(["features", "apply", "raw.toml", "--data", "tone.wav", "-o", "tone.npz"]) == 0
    with np.load("tone.npz") as made:
        assert (made["x"] == -12345).all()
    assert (
        main(["features", "apply", "raw.toml", "--data", "tone.wav", "--sample-rate", "16000", "-o", "x.npz"])
        == 5
    )


def test_a_table_specification_reads_its_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.toml").write_text(TABLE)
    Path("t.csv").write_text(",,-1,5\n1,2,3,\n")
    assert main(["features", "apply", "t.toml", "--data", "t.csv", "-o", "t.npz"]) == 0
    with np.load("t.npz") as made:
        assert made["x"].shape == (2, 14)


def test_what_a_vocabulary_may_have_is_said_before_it_is_fitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    steps = '[[steps]]\nkind = "one_hot"\nname = "codes"\nfit = "frequent"\nmost = 5\n'
    Path("t.toml").write_text(f"[input]\nshape = [1]\n{steps}")
    Path("t.csv").write_text("code\n7\n7\n3\n1\n1\n")
    assert main(["features", "show", "t.toml"]) == 0
    assert "'codes' has up to 5 values" in capsys.readouterr().out
    assert main(["features", "fit", "t.toml", "--data", "t.csv", "-o", "t.json"]) == 0
    assert main(["features", "show", "t.json"]) == 0
    assert "up to" not in capsys.readouterr().out
    assert main(["features", "apply", "t.json", "--data", "t.csv", "-o", "t.npz"]) == 0
    with np.load("t.npz") as made:
        assert made["x"].tolist() == [[0, 0, 1], [0, 0, 1], [0, 1, 0], [1, 0, 0], [1, 0, 0]]
