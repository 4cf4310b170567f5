# SPDX-License-Identifier: Apache-2.0
"""The audio front end in fixed point: TFLM's operators with the tables of the microfrontend library."""

from __future__ import annotations

import ctypes.util
import zlib

import numpy as np
import pytest

from tests.features.specs import spec
from tests.support.tflm import Tflm
from tinyserve.compiler.graph.writer import GraphWriter
from tinyserve.errors import DataError
from tinyserve.features import fdlibm, micro_frontend
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


HOPS = TEXT.replace("[480]", "[160]").replace("hop_ms = 30", "hop_ms = 10")
PACKAGE = HOPS.replace('"micro_frontend"', '"micro_frontend"\nlibrary = "pymicro-features"')
UNIT = 0.0390625  # of pymicro-features, which gives floats
FRAMES = 1500
SOUNDS = ("noise", "voice", "sweep", "silence", "hum", "full scale", "square", "lowest", "clicks")


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


def sounds() -> dict[str, np.ndarray]:
    """Streams of 10 ms each: what speech is like, what it is not, and what clips."""
    rng = np.random.default_rng(5)
    count = 160 * FRAMES
    seconds = np.arange(count) / 16000
    loudness = np.exp(rng.uniform(0, 10.5, FRAMES)).repeat(160)
    pitch = 2 * np.pi * np.cumsum(120 + 60 * np.sin(seconds * 3)) / 16000
    voice = sum(np.sin(k * pitch) / k for k in range(1, 40)) * (1 + np.sin(2 * np.pi * 4 * seconds))
    return {
        "noise": rng.normal(size=count) * loudness,
        "voice": voice * 6000 + rng.normal(size=count) * 20,
        "sweep": 20000 * np.sin(2 * np.pi * (50 * seconds + 260 * seconds**2)),
        "silence": np.zeros(count),
        "hum": rng.integers(-2, 3, count).astype(float),
        "full scale": rng.choice([-32768.0, 32767.0], count),
        "square": np.where(np.sin(2 * np.pi * 440 * seconds) > 0, 32767.0, -32768.0),
        "lowest": np.full(count, -32768.0),
        "clicks": np.where(np.arange(count) % 997 == 0, 32767.0, 0.0),
    }


def log1p_of_c(x: float) -> float:
    function = ctypes.CDLL(ctypes.util.find_library("m")).log1pf
    function.restype, function.argtypes = ctypes.c_float, [ctypes.c_float]
    return float(function(x))


def of_the_package(samples: np.ndarray) -> np.ndarray:
    """[n, 160] to [n, 40], after 20 ms of silence: it gives nothing before it has a whole window."""
    frontend = pytest.importorskip("pymicro_features").MicroFrontend()
    hz = np.arange(1, 258, dtype=np.float32) * np.float32(31.25 / 700)
    if not np.array_equal(fdlibm.log1p(hz), [log1p_of_c(x) for x in hz]):
        pytest.skip(
            "the package takes its tables from the C library, which rounds logarithms in another way here"
        )
    for chunk in np.zeros((2, 160), np.int16):
        assert not frontend.process_samples(chunk.tobytes()).features
    frames = [frontend.process_samples(chunk.tobytes()).features for chunk in samples]
    return np.array(frames) / UNIT


@pytest.mark.parametrize("name", SOUNDS)
def test_streams_have_the_integers_of_pymicro_features(name: str) -> None:
    samples = sounds()[name].clip(-32768, 32767).astype(np.int16).reshape(FRAMES, 160)
    got = FeatureRunner(spec(PACKAGE)).run(samples)
    assert np.array_equal(got.reshape(FRAMES, 40), of_the_package(samples))


# Of the C of both, built by gcc 12 with glibc 2.36, for a rate, a length, channels, their lowest and highest
# frequency: CRCs of the int16 of the window, then of the weight and unweight of each channel (one more than
# asked for) at each frequency.
TABLES = {
    ("tensorflow", 16000, 480, 40, 125.0, 7500.0): (2193602023, 3382764669, 345875542),
    ("tensorflow", 16000, 400, 32, 125.0, 7500.0): (1655608522, 4248113700, 4257568367),
    ("tensorflow", 16000, 320, 64, 20.0, 3800.0): (564000884, 1329454006, 1716183790),
    ("tensorflow", 8000, 160, 64, 125.0, 3500.0): (2862741144, 726652253, 3397714998),
    ("tensorflow", 8000, 160, 16, 60.0, 3300.0): (2862741144, 3026457055, 2671388586),
    ("tensorflow", 22050, 882, 64, 125.0, 7500.0): (2020783528, 2433222600, 2869557616),
    ("tensorflow", 44100, 1323, 80, 20.0, 3800.0): (302639389, 1867485661, 2671404713),
    ("tensorflow", 48000, 3072, 40, 60.0, 22560.0): (636590960, 748739805, 657301459),
    ("pymicro-features", 16000, 480, 40, 125.0, 7500.0): (1819639892, 659091868, 2174073621),
    ("pymicro-features", 16000, 400, 32, 125.0, 7500.0): (1655608522, 2007934385, 3947885931),
    ("pymicro-features", 8000, 160, 64, 20.0, 3800.0): (2862741144, 2729394712, 873408652),
    ("pymicro-features", 44100, 1323, 80, 20.0, 3800.0): (302639389, 1867485661, 2671404713),
}


@pytest.mark.parametrize("given", TABLES)
def test_tables_are_those_of_the_library(given: tuple[str, int, int, int, float, float]) -> None:
    library, rate, length, channels, low, high = given
    spectrum = (1 << (length - 1).bit_length()) // 2 + 1
    tables = micro_frontend.LIBRARIES[library]
    bank = tables.filter_bank(channels, low, high, rate, spectrum)
    made = [tables.window(length)]
    for weights in (bank.weights, bank.unweights):
        whole = np.zeros((channels + 1, spectrum + 8))
        for row, first, start, width in zip(
            whole, bank.frequency_starts, bank.weight_starts, bank.widths, strict=True
        ):
            row[first : first + width] = weights[start : start + width]
        made.append(whole)
    crcs = tuple(zlib.crc32(np.asarray(table, "<i2").tobytes()) for table in made)
    assert crcs == TABLES[given]


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
