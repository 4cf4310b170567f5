# SPDX-License-Identifier: Apache-2.0
"""Samples from directories of images, resized and normalised for the model. Needs Pillow."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinyserve import bundle
from tinyserve.bundle import TensorInfo
from tinyserve.datasets.named import Array, Named, Reading, only_input
from tinyserve.errors import DataError, ToolError

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".webp", ".tif", ".tiff"})
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def read(path: Path, inputs: Sequence[TensorInfo], reading: Reading) -> Named:
    """All images below ``path``. Directories in it are classes, labelled in the order of their names.

    Raises DataError where an image can't be read, and where nobody said how pixels are normalised.
    """
    files, classes = image_files(path)
    return read_files(files, classes, inputs, reading, str(path))


def read_files(
    files: Sequence[Path], classes: Sequence[str], inputs: Sequence[TensorInfo], reading: Reading, origin: str
) -> Named:
    """As ``read``, of these files; ``origin`` names them in messages."""
    info = only_input(Path(origin), inputs)
    shape, mode = _target(origin, info)
    if reading.pixel_range is None:
        raise DataError(
            f"{origin}: how were pixels normalised in training?",
            "say what 0 and 255 become: --pixel-range 0 1, -1 1 or 0 255",
        )
    pixels = [open_image(file, shape, mode, reading.pixel_range) for file in files]
    labels = np.array([classes.index(file.parent.name) for file in files]) if classes else None
    low, high = reading.pixel_range
    note = f"images resized to {shape[1]}x{shape[0]}, pixels 0..255 taken as {low:g}..{high:g}"
    return Named({info.name: np.stack(pixels)}, labels, origin, tuple(classes), (note,))


def image_files(path: Path) -> tuple[list[Path], list[str]]:
    """The images at ``path`` in order, and the classes where they lie in directories."""
    if path.is_file():
        return [path], []
    flat = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
    if flat:
        return flat, []
    nested = sorted(file for file in path.glob("*/*") if file.suffix.lower() in SUFFIXES)
    return nested, sorted({file.parent.name for file in nested})


def open_image(file: Path, shape: tuple[int, ...], mode: str, pixel_range: tuple[float, float]) -> Array:
    """One image (height, width, channels), float32, resized bilinearly."""
    try:
        pillow: Any = importlib.import_module("PIL.Image")
    except ImportError as error:
        raise ToolError("Pillow is needed to read images", "pip install 'tinyserve[data]'") from error
    try:
        with pillow.open(file) as image:
            resized = image.convert(mode).resize((shape[1], shape[0]), pillow.Resampling.BILINEAR)
            values = np.asarray(resized, dtype=np.float32).reshape(shape)
    except (OSError, ValueError, SyntaxError, pillow.DecompressionBombError) as error:
        raise DataError(
            f"{file}: cannot be read as an image: {error}", "remove it, or save it again"
        ) from error
    low, high = pixel_range
    scaled: Array = low + values * np.float32((high - low) / 255)
    return scaled.astype(np.float32)


def _target(origin: str, info: TensorInfo) -> tuple[tuple[int, ...], str]:
    shape = bundle.sample_shape(info)
    if len(shape) == 2:
        shape = (*shape, 1)
    if len(shape) != 3 or shape[2] not in _MODES:
        raise DataError(
            f"{origin}: the input '{info.name}' of shape {info.shape} is no image (H, W, C)",
            "give a .npz with arrays of the input's shape",
        )
    return shape, _MODES[shape[2]]
