# SPDX-License-Identifier: Apache-2.0
"""Specifications for the tests: between them they have every kind of step."""

from __future__ import annotations

from tinyserve.features.spec import Spec, parse

SPEECH = """
[input]
shape = [1600]
type = "int16"
rate_hz = 8000

[[steps]]
kind = "scale"
factor = [0.000030517578125]

[[steps]]
kind = "window"
length_ms = 32
hop_ms = 16

[[steps]]
kind = "mfcc"
coefficients = 10
bands = 20
"""

MOTION = """
[input]
shape = [48, 3]
rate_hz = 100
stream = true

[[steps]]
kind = "iir"
filter = "lowpass"
cutoff_hz = 20
order = 3

[[steps]]
kind = "decimate"
factor = 2
name = "slow"

[[steps]]
kind = "window"
length = 32
hop = 12
name = "windows"

[[steps]]
kind = "statistics"
of = ["mean", "std", "rms", "min", "max", "range", "mean_abs", "zero_crossings", "skewness", "kurtosis",
      "median", "quantile:0.9"]
name = "numbers"

[[steps]]
kind = "spectrum"
input = "windows"
window = "hamming"
output = "magnitude"

[[steps]]
kind = "log"
base = "10"
factor = 20.0

[[steps]]
kind = "dct"
coefficients = 4

[[steps]]
kind = "reshape"
shape = [2, 12]
name = "cepstrum"

[[steps]]
kind = "moving_average"
input = "slow"
length = 5

[[steps]]
kind = "difference"

[[steps]]
kind = "fir"
taps = [0.5, 0.25, -0.5]

[[steps]]
kind = "window"
length = 12
hop = 12

[[steps]]
kind = "statistics"
of = ["std"]
name = "jerk"

[[steps]]
kind = "concat"
inputs = ["numbers", "cepstrum", "jerk"]

[[steps]]
kind = "stack"
rows = 4
"""

TABLE = """
[input]
shape = [4]
name = "columns"

[[steps]]
kind = "impute"
values = [1.0, 2.0, 3.0, 4.0]
name = "whole"

[[steps]]
kind = "select"
columns = [3]

[[steps]]
kind = "one_hot"
values = [4.0, 5.0]
name = "kind"

[[steps]]
kind = "bucketize"
input = "whole"
boundaries = [0.0, 2.0]
name = "buckets"

[[steps]]
kind = "scale"
input = "whole"
offset = [1.0, 1.0, 1.0, 1.0]
factor = [2.0]
clip = [-1.0, 1.0]
name = "scaled"

[[steps]]
kind = "concat"
inputs = ["kind", "buckets", "scaled"]
"""

ALL = {"speech": SPEECH, "motion": MOTION, "table": TABLE}


def spec(text: str) -> Spec:
    return parse(text.encode(), "features.toml")
