# SPDX-License-Identifier: Apache-2.0
"""Writes docs/keras-layers.md: every layer in a small model, converted to int8 for real.

python docs/write_keras_layers.py > docs/keras-layers.md      # some five minutes
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from keras import layers as k

from tinyserve.bundle import Bundle
from tinyserve.convert import Options, convert
from tinyserve.errors import TinyserveError

Model = Callable[[], keras.Model]

HEAD = """# Keras layers

What becomes of Keras 3's layers in int8, found by converting each in a small model
(`python docs/write_keras_layers.py`). The batch is 1 and time is static: open dimensions need
`--input-shape`. The SQNR is that of random weights and random data; `convert` prints your
model's.

| layer | int8 | becomes |
|---|---|---|"""

TAIL = """
- **Lambda** layers are code in a file, and are refused: write a layer class and name it with
  `--custom module:Name`.
- **Dropout**, **GaussianNoise** and the like vanish: they do nothing at inference.
- **Recurrent layers** need a fixed number of time steps. An LSTM that begins with zeros is one operator,
  however many there are; the steps of others, of masked LSTMs and of a SavedModel's are laid out one after
  the other. `stateful=True` keeps its state across inferences; `ts_NAME_reset()` clears it.
- **Regression**: any of these layers; read SQNR and the largest error, not agreement.
- **Several inputs and outputs** keep the model's order and names.
- A layer that is not here: `tinyserve convert` says whether it converts, and what to use instead.
"""


def one(shape: tuple[int, ...], *stack: Any) -> Model:
    return lambda: keras.Sequential([k.Input(shape), *stack])


def two(shape: tuple[int, ...], merge: Any) -> Model:
    def build() -> keras.Model:
        a, b = k.Input(shape, name="a"), k.Input(shape, name="b")
        return keras.Model([a, b], merge([a, b]))

    return build


def attention() -> keras.Model:
    x = k.Input((8, 16))
    return keras.Model(x, k.MultiHeadAttention(2, 8)(x, x))


IMAGE, SERIES, VECTOR, VOLUME = (12, 12, 4), (16, 6), (20,), (6, 6, 6, 2)
ACTIVATIONS = (
    "relu", "relu6", "leaky_relu", "sigmoid", "hard_sigmoid", "tanh", "softmax", "elu", "selu", "gelu",
    "silu", "mish", "softplus", "softsign", "hard_silu", "exponential",
)  # fmt: skip
CASES: dict[str, Model] = {
    "Dense": one(VECTOR, k.Dense(8)),
    "Conv1D": one(SERIES, k.Conv1D(8, 3)),
    "Conv2D": one(IMAGE, k.Conv2D(8, 3)),
    "Conv3D": one(VOLUME, k.Conv3D(4, 3)),
    "DepthwiseConv1D": one(SERIES, k.DepthwiseConv1D(3)),
    "DepthwiseConv2D": one(IMAGE, k.DepthwiseConv2D(3)),
    "SeparableConv1D": one(SERIES, k.SeparableConv1D(8, 3)),
    "SeparableConv2D": one(IMAGE, k.SeparableConv2D(8, 3)),
    "Conv1DTranspose": one(SERIES, k.Conv1DTranspose(4, 3, strides=2)),
    "Conv2DTranspose": one(IMAGE, k.Conv2DTranspose(4, 3, strides=2)),
    "MaxPooling1D": one(SERIES, k.MaxPooling1D(2)),
    "MaxPooling2D": one(IMAGE, k.MaxPooling2D(2)),
    "AveragePooling1D": one(SERIES, k.AveragePooling1D(2)),
    "AveragePooling2D": one(IMAGE, k.AveragePooling2D(2)),
    "GlobalAveragePooling2D": one(IMAGE, k.GlobalAveragePooling2D()),
    "GlobalMaxPooling2D": one(IMAGE, k.GlobalMaxPooling2D()),
    "BatchNormalization": one(IMAGE, k.Conv2D(8, 3), k.BatchNormalization()),
    "LayerNormalization": one(SERIES, k.LayerNormalization()),
    "GroupNormalization": one(IMAGE, k.GroupNormalization(2)),
    "Rescaling": one(IMAGE, k.Rescaling(0.5)),
    "Flatten": one(IMAGE, k.Flatten()),
    "Reshape": one(IMAGE, k.Reshape((24, 24))),
    "Permute": one(IMAGE, k.Permute((2, 1, 3))),
    "RepeatVector": one(VECTOR, k.RepeatVector(3)),
    "ZeroPadding2D": one(IMAGE, k.ZeroPadding2D()),
    "Cropping2D": one(IMAGE, k.Cropping2D()),
    "UpSampling1D": one(SERIES, k.UpSampling1D()),
    "UpSampling2D (nearest)": one(IMAGE, k.UpSampling2D()),
    "UpSampling2D (bilinear)": one(IMAGE, k.UpSampling2D(interpolation="bilinear")),
    "Concatenate": two(IMAGE, k.Concatenate()),
    "Add": two(IMAGE, k.Add()),
    "Subtract": two(IMAGE, k.Subtract()),
    "Multiply": two(IMAGE, k.Multiply()),
    "Average": two(IMAGE, k.Average()),
    "Maximum": two(IMAGE, k.Maximum()),
    "Minimum": two(IMAGE, k.Minimum()),
    "Dot": two(VECTOR, k.Dot(1)),
    "PReLU": one(IMAGE, k.PReLU(shared_axes=[1, 2])),
    "Embedding": one((10,), k.Embedding(20, 8)),
    "SimpleRNN": one(SERIES, k.SimpleRNN(8)),
    "LSTM": one(SERIES, k.LSTM(8)),
    "GRU": one(SERIES, k.GRU(8)),
    "Bidirectional(LSTM)": one(SERIES, k.Bidirectional(k.LSTM(4))),
    "TimeDistributed(Dense)": one(SERIES, k.TimeDistributed(k.Dense(4))),
    "ConvLSTM2D": one((4, 8, 8, 2), k.ConvLSTM2D(2, 3)),
    "MultiHeadAttention": attention,
    **{f"activation {name}": one(VECTOR, k.Dense(8, activation=name)) for name in ACTIVATIONS},
}


def row(name: str, build: Model, directory: Path) -> str:
    """A line of the table: the operators of the bundle, or why there is none."""
    keras.utils.set_random_seed(1)
    path = directory / "model.keras"
    build().save(path)
    try:
        made = convert(
            path, representative="random", quantize="int8", output=directory / "bundle",
            options=Options(held_samples=8),
        )  # fmt: skip
    except TinyserveError as error:
        text = f"{error.message} Try: {error.hint}" if error.hint else error.message
        cell = " ".join(text.split()).replace("|", "/")[:300]
        return f"| {name} | no | {cell} |"
    return f"| {name} | {quality(made)} | {', '.join(made.manifest.ops)} |"


def quality(made: Bundle) -> str:
    figures = [output.sqnr_db for output in made.manifest.accuracy if output.sqnr_db is not None]
    return f"yes, {min(figures):.0f} dB" if figures else "yes"


def main() -> None:
    print(HEAD)
    chosen = sys.argv[1:] or list(CASES)
    with tempfile.TemporaryDirectory() as directory:
        for name in chosen:
            print(row(name, CASES[name], Path(directory)), flush=True)
    print(TAIL, end="")


if __name__ == "__main__":
    main()
