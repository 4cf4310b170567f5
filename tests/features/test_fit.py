# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from tests.features.specs import TABLE, spec
from tinyserve.errors import DataError
from tinyserve.features.fit import fitted
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
