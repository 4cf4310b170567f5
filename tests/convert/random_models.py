# SPDX-License-Identifier: Apache-2.0
"""Writes small random Keras models with the kinds of layers that converters reorder, unroll or replace:
``python random_models.py DIRECTORY FIRST_SEED COUNT``.

Per seed: SEED.keras, SEED.npz (named arrays for its inputs) and SEED.json (names in the source's order).
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

SAMPLES = 60
ACTIVATIONS = (
    "relu", "tanh", "sigmoid", "gelu", "softplus", "mish", "selu", "elu", "silu", "softsign", "hard_sigmoid",
    "hard_silu", "leaky_relu", "exponential", "relu6", "log_softmax",
)  # fmt: skip
NAMES = ("z", "b", "image", "a", "state", "m9", "m10", "x", "features", "left", "right")
Make = Callable[[random.Random, str], tuple[Any, Any, np.ndarray]]


def vector(choose: random.Random, name: str) -> tuple[Any, Any, np.ndarray]:
    size = choose.randint(3, 12)
    given = layers.Input((size,), name=name)
    return given, given, _normal(choose, size)


def image(choose: random.Random, name: str) -> tuple[Any, Any, np.ndarray]:
    side, channels = choose.choice((4, 6, 8)), choose.choice((1, 2, 3))
    given = layers.Input((side, side, channels), name=name)
    activation = choose.choice(ACTIVATIONS[:8])
    x = layers.Conv2D(choose.randint(2, 6), 3, padding="same", activation=activation)(given)
    if choose.random() < 0.7:
        kind = choose.choice(("nearest", "bilinear"))
        x = layers.UpSampling2D(choose.choice((2, (1, 2), (3, 1))), interpolation=kind)(x)
        x = layers.Conv2D(3, 3, strides=2, activation="relu")(x)
    x = choose.choice((layers.GlobalAveragePooling2D(), layers.Flatten(), layers.GlobalMaxPooling2D()))(x)
    return given, x, _normal(choose, side, side, channels)


def sequence(choose: random.Random, name: str) -> tuple[Any, Any, np.ndarray]:
    steps, features = choose.randint(2, 7), choose.randint(2, 5)
    given = layers.Input((steps, features), name=name)
    x: Any = given
    if choose.random() < 0.4:
        x = layers.TimeDistributed(layers.Dense(4, activation="relu"))(x)
    if choose.random() < 0.3:
        x = layers.UpSampling1D(2)(x)
    units, last = choose.randint(2, 6), choose.random() < 0.5
    kind = choose.choice((layers.LSTM, layers.GRU, layers.SimpleRNN))
    options = {"return_sequences": not last}
    both = choose.random() < 0.4
    if not both:
        options["go_backwards"] = choose.random() < 0.2
    if kind is layers.GRU:
        options["reset_after"] = choose.random() < 0.5
    made = kind(units, **options)
    x = (layers.Bidirectional(made) if both else made)(x)
    if not last:
        x = choose.choice((layers.Flatten(), layers.GlobalAveragePooling1D(), layers.LSTM(3)))(x)
    return given, x, _normal(choose, steps, features)


def tokens(choose: random.Random, name: str) -> tuple[Any, Any, np.ndarray]:
    length, words = choose.randint(3, 8), choose.randint(5, 30)
    given = layers.Input((length,), name=name, dtype=choose.choice(("int32", "float32")))
    x = layers.Embedding(words, choose.randint(2, 6), mask_zero=choose.random() < 0.4)(given)
    x = choose.choice((layers.GlobalAveragePooling1D(), layers.GRU(4), layers.LSTM(4)))(x)
    generator = np.random.default_rng(choose.getrandbits(32))
    return given, x, generator.integers(0, words, (SAMPLES, length)).astype(given.dtype)


def frames(choose: random.Random, name: str) -> tuple[Any, Any, np.ndarray]:
    given = layers.Input((3, 4, 4, 1), name=name)
    kind = choose.choice((layers.ConvLSTM2D, layers.Conv3D))
    x = kind(2, 3 if kind is layers.ConvLSTM2D else (2, 3, 3), padding="same")(given)
    return given, layers.Flatten()(x), _normal(choose, 3, 4, 4, 1)


MAKERS: tuple[Make, ...] = (vector, image, sequence, tokens, frames)


def model(seed: int) -> tuple[Any, dict[str, np.ndarray]]:
    """A model and data for its inputs."""
    choose = random.Random(seed)
    keras.utils.set_random_seed(seed)
    names = choose.sample(NAMES, choose.choice((1, 1, 2, 3)))
    parts = [choose.choices(MAKERS, (4, 4, 5, 4, 1))[0](choose, name) for name in names]
    joined = [x for _, x, _ in parts]
    x = joined[0] if len(joined) == 1 else layers.Concatenate()(joined)
    x = layers.Dense(choose.randint(4, 10), activation=choose.choice(ACTIVATIONS))(x)
    if choose.random() < 0.3:
        x = layers.Dense(6, activation=choose.choice(ACTIVATIONS))(x)
    outputs = [_head(choose, x, index) for index in range(choose.choice((1, 1, 2, 3)))]
    structure: Any = outputs[0] if len(outputs) == 1 else outputs
    if len(outputs) > 1 and choose.random() < 0.3:
        structure = {f"out_{'zyx'[index]}": output for index, output in enumerate(outputs)}
    made = keras.Model([given for given, _, _ in parts], structure)
    data = {name: samples for name, (_, _, samples) in zip(names, parts, strict=True)}
    return made, data


def _head(choose: random.Random, x: Any, index: int) -> Any:
    kind = choose.choice(("softmax", "sigmoid", "linear", "tanh", "odd"))
    activation = choose.choice(ACTIVATIONS[:8]) if kind == "odd" else kind
    return layers.Dense(choose.randint(1, 5), activation=activation, name=f"head{'cab'[index]}")(x)


def _normal(choose: random.Random, *shape: int) -> np.ndarray:
    generator = np.random.default_rng(choose.getrandbits(32))
    return generator.normal(0, 1, (SAMPLES, *shape)).astype(np.float32)


def main(out: Path, first: int, count: int) -> None:
    for seed in range(first, first + count):
        made, data = model(seed)
        made.save(out / f"{seed}.keras")
        np.savez(out / f"{seed}.npz", **data)
        struct = made._outputs_struct
        outputs = sorted(struct) if isinstance(struct, dict) else made.output_names
        names = {"inputs": [tensor.name for tensor in made.inputs], "outputs": list(outputs)}
        (out / f"{seed}.json").write_text(json.dumps(names))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
