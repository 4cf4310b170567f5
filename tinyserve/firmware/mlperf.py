# SPDX-License-Identifier: Apache-2.0
"""What MLPerf Tiny's runner sends to a model, and expects of it, where that is not the model's own bytes.

As its reference firmware has it: pixels from 0 to 255 for ic01, ic02 and vww01 (the model's int8 values are
128 less), float32 values for ad01, whose result is the mean square of output minus input. A streaming model
whose frames have 40 features is given sound, of which the firmware computes them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tinyserve.firmware import log_mel
from tinyserve.firmware.interface import ModelInterface

_IMAGES = ("ic01", "ic02", "vww01")
_AUTOENCODER = "ad01"
_STREAMING = "sww"


@dataclass(frozen=True)
class Exchange:
    """``pixels``: the input comes as uint8. ``floats``: the number of float32 values that it comes as, 0
    where it comes in the model's own type. ``reconstruction``: the result is its error. ``frame_bytes``: of
    one frame of a model that streams, 0 where the input comes whole. ``samples``: of sound at 16 kHz of which
    the firmware computes such a frame, 0 where it comes from elsewhere."""

    pixels: bool = False
    floats: int = 0
    reconstruction: bool = False
    frame_bytes: int = 0
    samples: int = 0


def exchange_of(model: ModelInterface, model_id: str) -> Exchange:
    """What the runner exchanges with a model of that MLPerf Tiny id; nothing special for any other id,
    or of an input that is fed by rows, which the runner can't give again for each inference."""
    if len(model.inputs) != 1 or len(model.outputs) != 1 or model.input_rows:
        return Exchange()
    given, found = model.inputs[0], model.outputs[0]
    if model_id.startswith(_STREAMING) and len(given.shape) > 1 and given.dtype == found.dtype == "int8":
        frame = given.nbytes // given.shape[1]
        return Exchange(frame_bytes=frame, samples=log_mel.STEP if frame == log_mel.BANDS else 0)
    if model_id in _IMAGES:
        return Exchange(pixels=given.dtype == "int8")
    if model_id != _AUTOENCODER or given.shape != found.shape or found.dtype not in ("int8", "float32"):
        return Exchange()
    return Exchange(floats=math.prod(given.shape) if given.dtype == "int8" else 0, reconstruction=True)
