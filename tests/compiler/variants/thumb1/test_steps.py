# SPDX-License-Identifier: Apache-2.0
"""Short multipliers: every accumulator within reach gives TFLM's result."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyserve.compiler.variants.thumb1.steps import Channel, Scaling, product, requantize, scaling

channels = st.builds(
    Channel,
    bias=st.integers(-(1 << 17), 1 << 17),
    multiplier=st.integers(1 << 30, (1 << 31) - 1),
    shift=st.integers(1, 12),
    zero_point=st.integers(-128, 127),
    low=st.just(-128),
    high=st.sampled_from([127, 60]),
    reach=st.integers(1, 1 << 17),
)


def computed(found: Scaling, accumulators: np.ndarray) -> np.ndarray:
    """What the kernels compute before the clamp."""
    if found.kind < 2:
        scaled = product(accumulators, found.limbs[:3], found.kind + 2)
    else:
        value = np.zeros_like(accumulators)
        for limb in found.limbs[:3]:
            value = (value + (accumulators + found.bias) * limb) >> 8
        value = (value + (accumulators + found.bias) * found.limbs[3] + 64) >> 7
        scaled = value + (value >> 63)
    assert np.abs(scaled + found.offset).max() < 1 << 31, "the kernels' words would overflow"
    return (scaled + found.offset) >> found.shift


@settings(max_examples=150)
@given(channels)
def test_every_accumulator_gives_what_tflm_gives(channel: Channel) -> None:
    found = scaling(channel)
    assert found is not None
    accumulators = np.arange(-channel.reach, channel.reach + 1, dtype=np.int64)
    expected = np.clip(requantize(channel, accumulators), channel.low, channel.high)
    got = np.clip(computed(found, accumulators), channel.low, channel.high)
    np.testing.assert_array_equal(got, expected)


def test_most_channels_of_a_relu_need_two_limbs_only() -> None:
    rng = np.random.default_rng(0)
    kinds = [
        scaling(
            Channel(
                int(rng.integers(-9000, 9000)),
                int(rng.integers(1 << 30, 1 << 31)),
                8,
                -128,
                -128,
                127,
                90_000,
            )
        )
        for _ in range(60)
    ]
    assert sum(found is not None and found.kind == 0 for found in kinds) > 40
