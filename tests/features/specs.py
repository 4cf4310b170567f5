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
kind = "vocabulary"
input = "input"
values = [3.0, -2.5, 0.0]
name = "places"

[[steps]]
kind = "concat"
inputs = ["kind", "buckets", "scaled", "places"]
"""

CAMERA = """
[input]
shape = [24, 20, 2]
type = "uint8"
name = "frame"

[[steps]]
kind = "rgb565"

[[steps]]
kind = "crop"
height = 16
width = 18
name = "part"

[[steps]]
kind = "grey"

[[steps]]
kind = "resize"
height = 6
width = 9
name = "small"

[[steps]]
kind = "yuv422"
input = "input"
order = "uyvy"
range = "video"

[[steps]]
kind = "resize"
height = 6
width = 9
method = "nearest"

[[steps]]
kind = "grey"
name = "other"

[[steps]]
kind = "concat"
inputs = ["small", "other"]

[[steps]]
kind = "scale"
factor = [0.00392156862745098]
"""

CLOCK = """
[input]
shape = [1]
type = "int32"
name = "seconds"

[[steps]]
kind = "time"
of = ["second", "minute", "hour", "weekday", "day_sin", "day_cos", "week_sin", "week_cos",
      "year_sin", "year_cos"]
offset_s = 7200
name = "times"

[[steps]]
kind = "cross"
columns = [3, 2]
sizes = [7, 24]

[[steps]]
kind = "bucketize"
boundaries = [24, 48, 72]

[[steps]]
kind = "embedding"
table = [[0.5, -1.0], [1.5, 2.0], [0.0, 3.0], [-2.0, 0.25]]
name = "days"

[[steps]]
kind = "concat"
inputs = ["times", "days"]
"""

FRONT_END = """
[input]
shape = [160]
type = "int16"
rate_hz = 16000
stream = true

[[steps]]
kind = "window"
length_ms = 30
hop_ms = 10

[[steps]]
kind = "micro_frontend"
"""

ALL = {
    "speech": SPEECH,
    "motion": MOTION,
    "table": TABLE,
    "camera": CAMERA,
    "clock": CLOCK,
    "front_end": FRONT_END,
}


def spec(text: str) -> Spec:
    return parse(text.encode(), "features.toml")
