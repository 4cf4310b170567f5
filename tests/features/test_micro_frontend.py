# SPDX-License-Identifier: Apache-2.0
"""The audio front end in fixed point: TFLM's operators with the tables of the microfrontend library."""

from __future__ import annotations

import numpy as np
import pytest

from tests.features.specs import spec
from tests.support.tflm import Tflm
from tinyserve.compiler.graph.writer import GraphWriter
from tinyserve.errors import DataError
from tinyserve.features import micro_frontend
from tinyserve.features.flow import Flow, Value
from tinyserve.features.model import written
from tinyserve.features.run import FeatureRunner
from tinyserve.features.spec import MicroFrontend

TEXT = """
[input]
shape = [480]
type = "int16"
rate_hz = 16000
stream = true

[[steps]]
kind = "window"
length_ms = 30
hop_ms = 30

[[steps]]
kind = "micro_frontend"
"""
TONE_1000_HZ = [0] * 8 + [556, 566, 637, 609, 669, 607, 626, 538] + [0] * 17 + [501, 499, 0, 0, 0, 557, 546]
TONE_500_HZ = [0, 0, 177, 314, 490, 590, 646, 576, 357, 177] + [0] * 30


def tone(amplitude: float, hz: float) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(480) / 16000)).astype(np.int16)


@pytest.mark.parametrize(
    ("samples", "wanted"), [(tone(20000, 1000), TONE_1000_HZ), (tone(200, 500), TONE_500_HZ)]
)
def test_first_frames_are_those_of_pymicro_features_2_0_2(samples: np.ndarray, wanted: list[int]) -> None:
    assert FeatureRunner(spec(TEXT)).run(samples[None]).ravel().tolist() == wanted


def test_a_stream_has_the_bytes_that_tflm_gives() -> None:
    writer = GraphWriter("frames")
    taken = writer.tensor("frame", (1, 1, 480), "int16")
    flow = Flow(writer, stream=True)
    flow.step = "speech"
    made = micro_frontend.build(MicroFrontend(), Value(taken, (1, 480), "int16", 100.0, 16000.0), flow)
    oracle = Tflm(writer.build([taken], [made.tensor]))
    rng = np.random.default_rng(0)
    loudness = np.exp(rng.uniform(0, 9, (120, 1)))
    samples = (rng.normal(size=(120, 480)) * loudness).clip(-32768, 32767).astype(np.int16)
    got = FeatureRunner(spec(TEXT)).run(samples)
    for frame, ours in zip(samples, got, strict=True):
        oracle.invoke([frame.reshape(1, 1, 480)])
        assert np.array_equal(oracle.output().ravel(), ours.ravel())


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("stream = true", "", "one window of int16 per inference"),
        ('type = "int16"', "", "one window of int16 per inference"),
        ("shape = [480]", "shape = [960]", "one window of int16 per inference"),
        ('"micro_frontend"', '"micro_frontend"\nhigh_hz = 8000.0', "channels from 125"),
        ("shape = [480]\ntype", "shape = [8]\ntype", "too short"),
    ],
)
def test_what_it_can_not_take_is_named(before: str, after: str, said: str) -> None:
    text = TEXT.replace(before, after)
    if said == "too short":
        text = text.replace("length_ms = 30\nhop_ms = 30", "length = 8\nhop = 8")
    with pytest.raises(DataError, match=f"micro_frontend.*{said}"):
        written(spec(text))
