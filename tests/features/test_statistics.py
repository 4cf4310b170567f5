# SPDX-License-Identifier: Apache-2.0
"""Statistics in pieces: exact, so that no cut through the data changes a bit of a fitted specification."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.features.specs import MOTION, spec
from tests.features.test_fit import samples, table
from tinyserve.cli.main import main
from tinyserve.errors import DataError
from tinyserve.features import statistics
from tinyserve.features.fit import fitted, fitted_to
from tinyserve.features.spec import load
from tinyserve.features.statistics import Moments, Quantiles


def wild(rows: int = 500) -> np.ndarray:
    """float32 of all magnitudes, whose sums in floats depend on their order."""
    rng = np.random.default_rng(8)
    x = (rng.normal(size=(rows, 4)) * 10.0 ** rng.integers(-30, 18, (rows, 4))).astype(np.float32)
    x[:, 2] = 16777217.0 + rng.integers(0, 4, rows)
    x[::7, 3] = np.nan
    x[:3, 0] = (0.0, -0.0, 1e-45)
    return x


def test_sums_are_exact() -> None:
    x, moments = wild(), Moments(4)
    for piece in np.array_split(x, 13):
        moments.add(piece)
    for column in range(4):
        known = [Fraction(float(v)) for v in x[:, column] if not np.isnan(v)]
        mean = sum(known) / len(known)
        variance = sum((v - mean) ** 2 for v in known) / len(known)
        assert moments.means()[column] == float(mean)
        assert moments.deviations()[column] == pytest.approx(float(variance) ** 0.5, rel=1e-15)
    assert moments.missing.tolist() == [0, 0, 0, int(np.isnan(x[:, 3]).sum())]
    assert np.array_equal(moments.least, np.nanmin(x, axis=0))


@pytest.mark.parametrize("bins", [1 << 23, 1 << 9])
def test_quantiles_are_those_of_the_sorted_values(bins: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "_MOST_BINS", bins)
    x, shares = wild(), (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)
    found = Quantiles((~np.isnan(x)).sum(axis=0).tolist(), shares)
    while not found.is_done:
        found.begin()
        for piece in np.array_split(x, 7):
            found.add(piece)
        found.end()
    wanted = np.nanpercentile(x.astype(np.float64), [100 * share for share in shares], axis=0)
    np.testing.assert_allclose(found.values(), wanted, rtol=1e-12, atol=1e-44)


@pytest.mark.parametrize("kinds", [("standard", "mean"), ("robust", "median"), ("minmax", "mean")])
def test_no_cut_through_the_data_changes_a_bit(kinds: tuple[str, str]) -> None:
    given, x = table(*kinds), samples()
    whole = fitted(given, x)
    for count in (2, 7, 200):
        assert fitted_to(given, lambda count=count: np.array_split(x, count)) == whole  # type: ignore[misc]


def test_a_stream_goes_on_from_piece_to_piece() -> None:
    given = spec(MOTION + '\n[[steps]]\nkind = "scale"\nfit = "standard"\n')
    x = np.random.default_rng(2).normal(size=(9, 48, 3)).astype(np.float32)
    assert fitted_to(given, lambda: np.array_split(x, 4)) == fitted(given, x)


def test_data_that_changes_between_passes_is_noticed() -> None:
    turns = iter((samples(), samples() + 1))
    with pytest.raises(DataError, match="changed while it was read"):
        fitted_to(table("standard"), lambda: [next(turns)])


def test_parquet_is_read_in_pieces_and_never_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = samples()
    pq.write_table(pa.table({name: x[:, k] for k, name in enumerate("abc")}), tmp_path / "x.parquet")
    steps = '[[steps]]\nkind = "impute"\nfit = "mean"\n[[steps]]\nkind = "scale"\nfit = "robust"\n'
    (tmp_path / "spec.toml").write_text(f"[input]\nshape = [3]\n{steps}")
    seen = []
    monkeypatch.setattr("tinyserve.cli.model.features._PIECE_BYTES", 8 * 3 * 16)
    add = Moments.add
    monkeypatch.setattr(Moments, "add", lambda self, values: (seen.append(len(values)), add(self, values))[1])
    command = ["features", "fit", "spec.toml", "--data", "x.parquet", "-o", "fitted.json"]
    monkeypatch.chdir(tmp_path)
    assert main(command) == 0
    assert max(seen) <= 16 and sum(seen) == 2 * 200
    assert load(tmp_path / "fitted.json").steps == fitted(table("robust"), x).steps
