# SPDX-License-Identifier: Apache-2.0
"""Inputs that have values that are no ordinary numbers: NaN, infinities, both zeros, extremes."""

from __future__ import annotations

import numpy as np

from tests.support.differential import Array, Case
from tests.support.fuzz_seed import fuzz_seed

_VALUES = np.array(
    [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-42, 3.4e38, -3.4e38, 0.5, -0.5], np.float32
)


def with_special_values(case: Case, index: int) -> Case:
    """The case with some values of its float inputs replaced: few of them, or many."""
    rng = np.random.default_rng((index, 1010, *fuzz_seed()))
    share = float(rng.choice((0.02, 0.1, 0.4)))
    samples = []
    for sample in case.samples:
        samples.append([])
        for given in sample:
            values = given.copy()
            if values.dtype == np.float32:
                chosen = rng.random(values.shape) < share
                values[chosen] = rng.choice(_VALUES, size=int(chosen.sum()))
            samples[-1].append(values)
    return Case(f"{case.label} with special values", case.model, samples)


def bits(values: Array) -> bytes:
    """The bytes of an output; one NaN for all, since the order of operands decides theirs."""
    if values.dtype.kind != "f":
        return values.tobytes()
    return np.where(np.isnan(values), np.float32(np.nan), values).tobytes()
