# SPDX-License-Identifier: Apache-2.0
"""Samples from WAV files, for models that take raw audio: windows in -1..1."""

from __future__ import annotations

import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tinyserve import bundle
from tinyserve.bundle import TensorInfo
from tinyserve.datasets.named import Array, Named, Reading, folders_of, only_input
from tinyserve.errors import DataError
from tinyserve.files import with_ending

SUFFIXES = frozenset({".wav"})
_FULL_SCALE = 32768
_WIDEST = 4  # bytes of a sample
_SHORTEST = 400  # samples: 25 ms at 16 kHz; a smaller input is features, not audio


def read(path: Path, inputs: Sequence[TensorInfo], reading: Reading) -> Named:
    """Windows of one file, or of all files below a directory, whose directories are classes.

    Channels are averaged; values are -1..1, or 16-bit integers where the input is plain int16. A
    file shorter than a window is padded with zeros. Raises DataError.
    """
    info = only_input(path, inputs)
    shape = bundle.sample_shape(info)
    length = int(np.prod(shape))
    if max(shape, default=0) != length or length < _SHORTEST:
        raise DataError(
            f"{path}: the input '{info.name}' of shape {info.shape} takes features, not audio",
            "run the front end of the training (MFCC, spectrogram) and save what it gives as .npz, or "
            "yield it from module:function",
        )
    files = with_ending(path.rglob("*"), SUFFIXES) if path.is_dir() else [path]
    classes = folders_of(path, files)
    windows, labels = [], []
    for file in files:
        for window in _windows(_samples(file, reading.sample_rate), length, reading.stride or length):
            windows.append(_as_recorded(window.reshape(shape), info))
            labels.append(classes.index(file.parent.name) if classes else 0)
    known = np.array(labels) if classes else None
    return Named({info.name: np.stack(windows)}, known, str(path), tuple(classes))


def _as_recorded(window: Array, info: TensorInfo) -> Array:
    """For an input of plain int16 what a microphone gives, for others -1..1."""
    if info.dtype != "int16" or info.scale:
        return window
    recorded: Array = np.clip(np.rint(window * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1)
    return recorded


def _windows(samples: Array, length: int, step: int) -> list[Array]:
    if len(samples) < length:
        samples = np.pad(samples, (0, length - len(samples)))
    return [samples[end - length : end] for end in range(length, len(samples) + 1, step)]


def _samples(file: Path, rate: int) -> Array:
    """Mono float32 in -1..1."""
    try:
        with wave.open(str(file), "rb") as opened:
            width, channels, found = opened.getsampwidth(), opened.getnchannels(), opened.getframerate()
            raw = opened.readframes(opened.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        raise DataError(
            f"{file}: cannot be read as WAV: {str(error) or 'it ends too early'}", "save it as 16-bit PCM"
        ) from error
    if rate and found != rate:
        raise DataError(
            f"{file}: recorded at {found} Hz, the model takes {rate} Hz", "resample the recordings"
        )
    if width > _WIDEST:
        raise DataError(f"{file}: samples of {8 * width} bits", "save it as 16-bit PCM")
    if not raw:
        raise DataError(f"{file}: holds no sound", "remove it")
    values = _pcm(raw[: len(raw) - len(raw) % (width * channels)], width)
    mono: Array = values.reshape(-1, channels).mean(axis=1)
    return mono.astype(np.float32)


def _pcm(raw: bytes, width: int) -> Array:
    """PCM of 8 (unsigned), 16, 24 or 32 bits as float64 in -1..1."""
    if width == 1:
        return (np.frombuffer(raw, np.uint8).astype(np.float64) - 128) / 128
    octets = np.frombuffer(raw, np.uint8).reshape(-1, width)
    wide = np.zeros((len(octets), 4), np.uint8)
    wide[:, 4 - width :] = octets
    return wide.view("<i4")[:, 0] / 2.0**31
