# SPDX-License-Identifier: Apache-2.0
"""Constants of the features that a listening model's firmware computes of sound (``log_mel.c``).

Those of MLPerf Tiny's streaming wake word, as its training and its reference firmware have them: a Hamming
window of 1,024 samples at 16 kHz, 40 filters from 0 to 8 kHz, triangular on the mel scale, as TensorFlow's
``linear_to_mel_weight_matrix`` makes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.emit import kernel_files
from tinyserve.compiler.graph.types import DType
from tinyserve.compiler.ops.signal.rfft import fft_tables

SAMPLE_HZ = 16_000
WINDOW = 1024
STEP = 512
BANDS = 40
_PER_LINE = 8
_KERNELS = ["rfft.h", "common/math.h"]


def files() -> dict[str, str]:
    """What ``log_mel.c`` includes: its constants, and the kernels of the FFT and the logarithm."""
    return {"log_mel_tables.h": _tables(), **kernel_files.collect(_KERNELS)}


def mel_bands() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Of each of the WINDOW / 2 + 1 frequencies the filter that it rises to (BANDS: none, it only falls), and
    how far up it is, from 0 to 1; the filter before it falls by as much. The first frequency is in none."""
    frequencies = np.linspace(0.0, SAMPLE_HZ / 2, WINDOW // 2 + 1)
    mels = _mel(frequencies)
    edges = np.linspace(0.0, float(_mel(np.array(SAMPLE_HZ / 2))), BANDS + 2)
    band = np.clip(np.searchsorted(edges, mels, side="right") - 1, 0, BANDS)
    rise = (mels - edges[band]) / (edges[band + 1] - edges[band])
    return band.astype(np.uint8), rise.astype(np.float32)


def _mel(frequencies: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return 1127.0 * np.log(1.0 + frequencies / 700.0)


def _hamming() -> npt.NDArray[np.float32]:
    """The first half; symmetric, not periodic."""
    return np.hamming(WINDOW)[: WINDOW // 2].astype(np.float32)


def _tables() -> str:
    band, rise = mel_bands()
    fft = fft_tables(WINDOW, DType.FLOAT32)
    return "\n".join(
        (
            "/* SPDX-License-Identifier: Apache-2.0 */",
            "/* Constants of log_mel.c. */",
            "#ifndef LOG_MEL_TABLES_H",
            "#define LOG_MEL_TABLES_H",
            "",
            "/* The window's first half. */",
            *_array("float", "hamming", _hamming()),
            "/* Of each frequency the filter that it rises to, and how far up it is. */",
            *_array("uint8_t", "mel_band", band),
            *_array("float", "mel_rise", rise),
            *_array("uint16_t", "fft_order", fft.order),
            *_array("float", "fft_twiddles", fft.twiddles),
            *_array("float", "fft_super_twiddles", fft.super_twiddles),
            "static const ts_fft_f32_params fft = {",
            f"    1, {WINDOW}, {WINDOW // 2}, {len(fft.radices)}, {{{', '.join(map(str, fft.radices))}}},",
            "    fft_order, fft_twiddles, fft_super_twiddles, 1.0f,",
            "};",
            "",
            "#endif",
            "",
        )
    )


def _array(type_: str, name: str, values: npt.NDArray[np.generic]) -> Iterator[str]:
    yield f"static const {type_} {name}[{values.size}] = {{"
    words = [f"{value:.9e}f" if type_ == "float" else str(value) for value in values.tolist()]
    yield from (f"    {', '.join(line)}," for line in _lines(words))
    yield "};"
    yield ""


def _lines(words: list[str]) -> Iterable[list[str]]:
    return (words[at : at + _PER_LINE] for at in range(0, len(words), _PER_LINE))
