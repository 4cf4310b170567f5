# SPDX-License-Identifier: Apache-2.0
"""Steps as operators: what they give, and what they say where they do not fit."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
from scipy import fft, signal

from tests.features.specs import MOTION, SPEECH, TABLE, spec
from tinyserve.errors import DataError
from tinyserve.features import design
from tinyserve.features.model import written
from tinyserve.features.run import FeatureRunner


def test_mfcc_is_what_numpy_and_scipy_make_of_the_samples() -> None:
    x = (np.random.default_rng(0).normal(size=(4, 1600)) * 3000).astype(np.int16)
    windows = np.stack([x[:, k * 128 : k * 128 + 256] for k in range(11)], axis=1) / 32768
    power = np.abs(np.fft.rfft(windows * signal.get_window("hann", 256))) ** 2
    bands = design.mel_bands(20, 20, 4000, rate_hz=8000, fft_length=256, scale="htk", area=False)
    wanted = fft.dct(np.log(np.maximum(power @ bands.T, 1e-6)), norm="ortho")[..., :10]
    got = FeatureRunner(spec(SPEECH)).run(x)
    assert got.shape == (4, 11, 10)
    assert np.abs(got - wanted).max() < 1e-4


def test_a_stream_gives_the_same_in_pieces_of_any_length() -> None:
    x = np.random.default_rng(0).normal(size=(6, 48, 3)).astype(np.float32)
    whole = FeatureRunner(spec(MOTION)).run(x)
    other = FeatureRunner(
        spec(
            MOTION.replace("shape = [48, 3]", "shape = [96, 3]")
            .replace("[2, 12]", "[4, 12]")
            .replace("rows = 4", "rows = 5")
        )
    )
    longer = other.run(x.reshape(3, 96, 3))
    assert whole.shape == (6, 4, 12 * 3 + 12 + 3) and longer.shape == (3, 5, 12 * 3 + 12 + 3)
    assert np.array_equal(whole[1::2], longer[:, 1:])


def test_tables_are_imputed_encoded_scaled_and_joined() -> None:
    x = np.array([[np.nan, np.nan, -1, 5], [1, 2, 3, np.nan]], np.float32)
    wanted = [[0, 1, 1, 2, 0, 2, 0, 1, -1, 1, 3, 3, 3, 3], [1, 0, 1, 2, 2, 2, 0, 1, 1, 1, 3, 3, 0, 3]]
    assert FeatureRunner(spec(TABLE)).run(x).tolist() == wanted


WINDOWS = """
[input]
shape = [8]
[[steps]]
kind = "window"
length = 4
[[steps]]
"""


def test_windows_without_a_rate_are_windows() -> None:
    numbers = FeatureRunner(spec(WINDOWS + 'kind = "statistics"\nof = ["max"]\n'))
    assert numbers.run(np.arange(8, dtype=np.float32)[None]).tolist() == [[[3], [7]]]
    power = FeatureRunner(spec(WINDOWS + 'kind = "spectrum"\n'))
    assert power.run(np.zeros((1, 8), np.float32)).shape == (1, 2, 3)


@pytest.mark.parametrize(
    ("text", "before", "after", "said"),
    [
        (SPEECH, "length_ms = 32", "length_ms = 32000", "longer than"),
        (SPEECH, "length_ms = 32", "length_ms = 0.3", "samples at 8000 Hz"),
        (SPEECH, "length_ms = 32", "length = 256\nlength_ms = 32", "length or length_ms"),
        (SPEECH, "rate_hz = 8000", "", "sampling rate"),
        (SPEECH, "coefficients = 10", "coefficients = 30", "30 coefficients of 20"),
        (SPEECH, "bands = 20", "bands = 200", "no frequency"),
        (SPEECH, "bands = 20", "high_hz = 4001.0", "Hz"),
        (SPEECH, "bands = 20", "fft_length = 300", "FFT of 300"),
        (SPEECH, 'kind = "scale"', 'kind = "stack"\nrows = 3\n[[steps]]\nkind = "scale"', "keeps rows"),
        (MOTION, "hop = 12\nname", "hop = 13\nname", "multiple of the hop"),
        (MOTION, "cutoff_hz = 20", "cutoff_hz = 50", "cutoff"),
        (MOTION, "cutoff_hz = 20", "sections = [[1.0, 0.0, 0.0, 0.0, 0.0]]", "either"),
        (MOTION, "factor = 2", "factor = 5", "factor 5"),
        (TABLE, "shape = [4]", "shape = [16777216, 4, 16777216]", "1,125,899,906,842,624 values"),
        (MOTION, '"median"', '"mode"', "mode"),
        (MOTION, "quantile:0.9", "quantile:1.5", "quantile:1.5"),
        (MOTION, 'input = "slow"', 'input = "fast"', "no step 'fast'"),
        (MOTION, 'name = "jerk"', 'name = "slow"', "taken"),
        (MOTION, "shape = [2, 12]", "shape = [3, 8]", "last axis"),
        (MOTION, "rows = 4", "rows = 2", "rows already"),
        (TABLE, "columns = [3]", "columns = [4]", "column 4"),
        (TABLE, "boundaries = [0.0, 2.0]", "boundaries = [2.0, 0.0]", "order"),
        (TABLE, "clip = [-1.0, 1.0]", "clip = [1.0, 1.0]", "clip = "),
        (TABLE, "values = [1.0, 2.0, 3.0, 4.0]", "values = [1.0, 2.0]", "2 values for 4"),
        (TABLE, "values = [1.0, 2.0, 3.0, 4.0]", 'fit = "mean"', "no values yet"),
    ],
)  # fmt: skip
def test_steps_that_do_not_fit_are_named(text: str, before: str, after: str, said: str) -> None:
    assert before in text
    with pytest.raises(DataError, match=f"step '.*{said}"):
        written(spec(text.replace(before, after, 1)))


@pytest.mark.parametrize(
    ("a1", "a2", "grows"), [(-1.9, 0.95, False), (-1.0, 0.0, False), (0, 1.01, True), (-2.0, 0.9, True)]
)
def test_a_filter_that_grows_without_bound_is_named(a1: float, a2: float, grows: bool) -> None:
    given = spec(f'[input]\nshape = [8]\n[[steps]]\nkind = "iir"\nsections = [[1.0, 0.0, 0.0, {a1}, {a2}]]\n')
    with pytest.raises(DataError, match="section 0 grows") if grows else nullcontext():
        written(given)


def test_features_that_a_model_does_not_take_are_refused_with_both_shapes() -> None:
    with pytest.raises(DataError, match=r"\[11, 10\].*\[1, 49, 10, 1\]"):
        written(spec(SPEECH), (1, 49, 10, 1))


@pytest.mark.parametrize("shape", [(1, 11, 10), (1, 11, 10, 1), (1, 110), (110,)])
def test_a_model_may_take_the_features_in_another_shape(shape: tuple[int, ...]) -> None:
    x = np.zeros((2, 1600), np.int16)
    assert FeatureRunner(spec(SPEECH), shape).run(x).size == 220
