# SPDX-License-Identifier: Apache-2.0
"""`make fuzz`: fresh cases by seed, a failure ends it and says how to repeat it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests import fuzz
from tests.compiler.ops.generate import Random
from tests.support.fuzz_seed import VARIABLE


def test_a_round_of_fresh_cases_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        fuzz.main(["--hours", "0", "--seed", "5", "--only", "tests/compiler/ops/elementwise/test_add_n.py"])
        == 0
    )
    shown = capsys.readouterr().out
    assert "seed 5: tests/compiler/ops/elementwise/test_add_n.py" in shown
    assert "1 rounds" in shown


def test_a_failure_ends_it_and_says_how_to_repeat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (failing := tmp_path / "test_failing.py").write_text("def test_it():\n    assert 1 == 2\n")
    monkeypatch.setattr(fuzz, "modules", lambda: [str(failing)])
    assert fuzz.main(["--hours", "9", "--seed", "7"]) == 1
    shown = capsys.readouterr().out
    assert "assert 1 == 2" in shown
    assert f"--seed 7 --only {failing}" in shown


def test_the_seed_changes_cases_and_its_absence_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    plain = Random(3, 4).rng.random(4)
    np.testing.assert_array_equal(plain, np.random.default_rng((3, 4)).random(4))
    monkeypatch.setenv(VARIABLE, "1")
    assert not np.array_equal(plain, Random(3, 4).rng.random(4))


def test_every_module_of_differential_cases_takes_part() -> None:
    names = fuzz.modules()
    assert {"tests/compiler/ops/linear/test_conv_2d.py", *fuzz.GRAPHS, fuzz.MUTATIONS, fuzz.PROTOCOL} <= set(
        names
    )
    assert len(names) > 30
