# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tests.compiler.ops.features.streams import Array, Step, check
from tests.compiler.ops.generate import Random
from tinyserve.compiler.ops.features.statistics import KINDS
from tinyserve.compiler.passes.load import load
from tinyserve.errors import ModelError

Oracle = Callable[[Array], float]


def zero_crossings(x: Array) -> float:
    return float(np.count_nonzero(np.diff(np.signbit(x + 0.0))))


def shape_of(moment: Callable[..., Array], constant: float) -> Oracle:
    return lambda x: constant if np.ptp(x) == 0 else float(moment(x))


ORACLES: dict[str, Oracle] = {
    "mean": np.mean,
    "std": np.std,
    "rms": lambda x: float(np.sqrt(np.mean(x * x))),
    "min": np.min,
    "max": np.max,
    "range": np.ptp,
    "mean_abs": lambda x: float(np.mean(np.abs(x))),
    "zero_crossings": zero_crossings,
    "skewness": shape_of(stats.skew, 0.0),
    "kurtosis": shape_of(stats.kurtosis, -3.0),
}


def statistics(index: int) -> Step:
    r = Random(index, 44)
    rows, length, width = r.integer(1, 3), r.integer(1, 50), r.integer(1, 3)
    kinds = np.array([r.integer(0, len(KINDS) - 1) for _ in range(r.integer(1, 11))], np.int32)
    shares = np.array([r.choice((0.0, 0.1, 0.5, 1.0)) for _ in kinds])
    places = (shares * (length - 1)).astype(np.float32)

    def one(x: Array, kind: int, share: float) -> float:
        if KINDS[kind] == "quantile":
            return float(np.quantile(x, share))
        return float(ORACLES[KINDS[kind]](x))

    def expected(given: list[Array]) -> list[Array]:
        found = []
        for x in given:
            columns = x.reshape(rows, length, width).astype(np.float64).transpose(0, 2, 1).reshape(-1, length)
            found.append(
                np.array([[one(c, k, s) for k, s in zip(kinds, shares, strict=True)] for c in columns])
            )
        return found

    options = {"width": width, "length": length}
    shape = (rows, width, len(kinds))
    return Step("FeatureStatistics", (rows, length, width), shape, options, expected, (kinds, places))


def test_every_kind_is_what_numpy_and_scipy_say(tmp_path: Path) -> None:
    check([statistics(index) for index in range(80)], tmp_path, 1e-4)


@pytest.mark.parametrize(("kinds", "places"), [([11], [0]), ([-1], [0]), ([10], [4]), ([10], [-1]), ([], [])])
def test_kinds_and_places_beyond_the_window_are_refused(kinds: list[int], places: list[float]) -> None:
    constants = (np.array(kinds, np.int32), np.array(places, np.float32))
    options = {"width": 1, "length": 4}
    step = Step("FeatureStatistics", (4,), (max(1, len(kinds)),), options, lambda given: given, constants)
    with pytest.raises(ModelError):
        load(step.model())
