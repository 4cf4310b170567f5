# SPDX-License-Identifier: Apache-2.0
"""The MLPerf Tiny models, where the machine has them (TINYSERVE_MODELS names the directory)."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

INT8_CRC = {
    "ad01_int8": 0xAF613EBD,
    "kws_ref_model": 0x6636EC9A,
    "pretrainedResnet_quant": 0x9020848E,
    "vww_96_int8": 0xCCF8C6C3,
}
"""CRC-32 of each int8 model's output bytes for ``pattern()``, from TFLM."""


def model_bytes(name: str) -> bytes:
    """The .tflite file's bytes. Skips the test where the models are not to be had."""
    directory = os.environ.get("TINYSERVE_MODELS")
    if not directory:
        pytest.skip("TINYSERVE_MODELS is not set")
    return (Path(directory) / f"{name}.tflite").read_bytes()


def pattern(shape: tuple[int, ...]) -> npt.NDArray[np.int8]:
    """The input that the published CRCs are of: x[i] = (int8)((i * 31 + 7) & 0xff)."""
    count = int(np.prod(shape))
    return ((np.arange(count) * 31 + 7) & 0xFF).astype(np.uint8).view(np.int8).reshape(shape)
