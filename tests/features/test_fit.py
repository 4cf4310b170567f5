# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from tests.features.specs import TABLE, spec
from tinyserve.errors import DataError, UsageError
from tinyserve.features import counts
from tinyserve.features.fit import fitted, fitted_to, with_placeholders
from tinyserve.features.model import written
from tinyserve.features.run import FeatureRunner
from tinyserve.features.spec import Spec


def table(fit: str, average: str = "mean") -> Spec:
    return spec(
        f'[input]\nshape = [3]\n[[steps]]\nkind = "impute"\nfit = "{average}"\n'
        f'[[steps]]\nkind = "scale"\nfit = "{fit}"\n'
    )


def samples() -> np.ndarray:
    rng = np.random.default_rng(5)
    x = (rng.normal(size=(200, 3)) * (1, 1000, 0) + (5, 100000, 7)).astype(np.float32)
    x[3, 0] = x[9, 1] = np.nan
    return x


def test_standardized_features_have_mean_0_and_deviation_1_and_constants_stay_0() -> None:
    x = samples()
    got = FeatureRunner(fitted(table("standard"), x)).run(x)
    assert np.abs(got.mean(axis=0)).max() < 1e-3
    assert np.allclose(got.std(axis=0), (1, 1, 0), atol=1e-3)
    assert np.isfinite(got).all()


def test_minmax_is_0_to_1_and_robust_takes_the_middle_half() -> None:
    x = samples()
    got = FeatureRunner(fitted(table("minmax"), x)).run(x)
    assert got.min() >= 0 and got.max() <= 1.0001
    middle = FeatureRunner(fitted(table("robust", "median"), x)).run(x)
    low, high = np.percentile(middle[:, :2], (25, 75), axis=0)
    assert np.allclose(high - low, 1, atol=1e-3)


def test_the_data_is_named_by_its_hash() -> None:
    first, second = fitted(table("standard"), samples()), fitted(table("standard"), samples() + 1)
    assert first.fitted is not None and second.fitted is not None
    assert first.fitted.samples == 200 and first.fitted.sha256 != second.fitted.sha256


def test_what_can_not_be_fitted_says_so() -> None:
    with pytest.raises(DataError, match="no step"):
        fitted(spec(TABLE), np.zeros((2, 4), np.float32))
    with pytest.raises(DataError, match="feature 0 is missing"):
        fitted(table("standard"), np.full((4, 3), np.nan, np.float32))
    alone = spec('[input]\nshape = [3]\n[[steps]]\nkind = "scale"\nfit = "standard"\n')
    with pytest.raises(DataError, match="missing or infinite"):
        fitted(alone, samples())


CATEGORIES = """
[input]
shape = [2]

[[steps]]
kind = "vocabulary"
fit = "frequent"
most = 4
at_least = 2
name = "places"

[[steps]]
kind = "one_hot"
input = "input"
fit = "frequent"
most = 3
name = "kinds"

[[steps]]
kind = "bucketize"
input = "input"
fit = "quantiles"
buckets = 4
name = "quarters"

[[steps]]
kind = "concat"
inputs = ["places", "kinds", "quarters"]
"""


def categories() -> np.ndarray:
    """Codes of which some are rare, and one is missing."""
    x = np.repeat(np.float32([5, -3, 1000, 7.5, 0, 2]), [40, 30, 20, 20, 1, 1])[:, None]
    x = np.concatenate([x, x[::-1]], axis=1)
    x[0, 0] = np.nan
    return np.random.default_rng(1).permutation(x)


def test_a_vocabulary_is_of_the_most_frequent_values() -> None:
    found = fitted(spec(CATEGORIES), categories())
    places, kinds, quarters, _ = found.steps
    assert places.values == [-3.0, 5.0, 7.5, 1000.0]
    assert kinds.values == [-3.0, 5.0, 7.5]  # 7.5 is as frequent as 1000, and less
    x = categories()
    wanted = np.nanpercentile(x.astype(np.float64), (25, 50, 75)).astype(np.float32)
    assert quarters.boundaries == sorted(set(wanted.tolist()))
    got = FeatureRunner(found).run(np.float32([[5, 1000], [np.nan, 2], [-3, 0]]))
    assert got[:, :2].tolist() == [[1, 3], [4, 4], [0, 4]]
    assert got[:, 2:8].tolist() == [[0, 1, 0, 0, 0, 0], [0] * 6, [1, 0, 0, 0, 0, 0]]
    low, middle, high = wanted
    assert (low, middle, high) == (-3, 5, 7.5)
    assert got[:, 8:].tolist() == [[2, 3], [0, 1], [1, 1]]


@pytest.mark.parametrize("count", [1, 3, 112])
def test_a_vocabulary_does_not_depend_on_the_pieces(count: int) -> None:
    given, x = spec(CATEGORIES), categories()
    assert fitted_to(given, lambda: np.array_split(x, count)) == fitted(given, x)


def test_measurements_are_no_vocabulary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "MOST", 50)
    with pytest.raises(DataError, match="over 50 different values"):
        fitted(spec(CATEGORIES), np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32))


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ('kind = "vocabulary"', "it has no values"),
        ('kind = "bucketize"', "it has no boundaries"),
        ('kind = "vocabulary"\nfit = "frequent"', "no numbers yet"),
        ('kind = "vocabulary"\nvalues = [1.0, 16777216.0, 16777217.0]', "the same float32"),
    ],
)
def test_a_vocabulary_without_values_says_so(step: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        written(spec(f"[input]\nshape = [2]\n[[steps]]\n{step}\n"))


def test_buckets_want_a_number() -> None:
    given = spec('[input]\nshape = [2]\n[[steps]]\nkind = "bucketize"\nfit = "quantiles"\n')
    with pytest.raises(DataError, match="number of buckets"):
        fitted(given, categories())


def test_what_is_not_fitted_yet_shows_its_shapes() -> None:
    assert written(with_placeholders(spec(CATEGORIES)))[1].output.shape == (2 + 2 * 3 + 2,)


SIGNAL = """
[input]
shape = [64]
rate_hz = 50

[[steps]]
kind = "window"
length = 16
hop = 16

[[steps]]
kind = "statistics"
of = ["mean", "std"]

[[steps]]
kind = "scale"
fit = "robust"
"""


def test_a_cluster_fits_the_same_numbers() -> None:
    distributed = pytest.importorskip("distributed")
    given, x = spec(SIGNAL), np.random.default_rng(4).normal(size=(150, 64)).astype(np.float32)
    tables, codes = spec(CATEGORIES), categories()
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
    ) as cluster:
        address = cluster.scheduler_address
        found = fitted_to(given, lambda: np.array_split(x, 7), scheduler=address)
        words = fitted_to(tables, lambda: np.array_split(codes, 3), scheduler=address)
    assert found == fitted(given, x)
    assert words == fitted(tables, codes)


def test_blocks_of_a_dask_array_are_pieces() -> None:
    dask = pytest.importorskip("dask.array")
    given, x = spec(SIGNAL), np.random.default_rng(4).normal(size=(50, 64)).astype(np.float32)
    blocks = dask.from_array(x, chunks=(13, 64)).blocks
    assert fitted_to(given, lambda: (block.compute() for block in blocks)) == fitted(given, x)


def test_a_stream_is_fitted_on_one_computer() -> None:
    with pytest.raises(UsageError, match="a stream has one order"):
        fitted_to(
            spec(SIGNAL.replace("[input]", "[input]\nstream = true")),
            lambda: [],
            scheduler="tcp://127.0.0.1:1",
        )
