# SPDX-License-Identifier: Apache-2.0
"""Writes the trained models of the tests into a directory: ``python make_models.py DIRECTORY``.

A process of its own, so that TensorFlow stays out of the tests' process, as it stays out of tinyserve's.
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers


@keras.saving.register_keras_serializable("test")
class Twice(layers.Layer):
    """A layer that Keras does not know when it loads the model."""

    def call(self, x):
        return 2.0 * x


def main(out: Path) -> None:
    keras.utils.set_random_seed(1)
    cnn = keras.Sequential(
        [
            layers.Input((8, 8, 1), name="image"),
            layers.Conv2D(4, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    cnn.save(out / "cnn.keras")
    cnn.save(out / "cnn.h5")
    cnn.export(out / "cnn_saved", verbose=False)
    save_stages(out)
    save_two_inputs(out)
    save_two_heads(out)
    save_states(out)
    save_two_signatures(out)
    save_fake_quantized(out)
    save_branch_and_loop(out)
    keras.Sequential([layers.Input((4,)), Twice(), layers.Dense(2)]).save(out / "custom.keras")
    keras.Sequential([layers.Input((4,)), layers.Lambda(lambda x: x * 2)]).save(out / "lambda.keras")
    open_shape = keras.Sequential(
        [layers.Input((None, None, 1)), layers.Conv2D(2, 3), layers.GlobalAveragePooling2D()]
    )
    open_shape.save(out / "open_shape.keras")
    save_tflite(out, cnn)
    cnn.layers[-1].bias.assign([0.0, np.nan, 0.0])
    cnn.save(out / "nan.keras")


def save_stages(out: Path) -> None:
    """Layers of which the converter fuses some."""
    stages = keras.Sequential(
        [
            layers.Input((8, 8, 2)),
            layers.Conv2D(3, 3, name="stem"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2D(3, 3, activation="tanh", name="squash"),
            layers.Flatten(),
            layers.Dense(3, activation="softmax", name="head"),
        ]
    )
    stages.save(out / "stages.keras")
    stages.export(out / "stages_saved", verbose=False)


def save_two_inputs(out: Path) -> None:
    """Tells whether inputs are swapped: y = [first, relu(second)]."""
    b, a = layers.Input((4,), name="second"), layers.Input((4,), name="first")
    keras.Model([b, a], layers.Concatenate()([a, layers.ReLU()(b)])).save(out / "two_inputs.keras")


def save_two_heads(out: Path) -> None:
    """Three outputs of which the last is the input: y = relu(-x), x + 1, x."""
    x = layers.Input((4,), name="x")
    negative = layers.ReLU(name="zebra")(layers.Rescaling(-1.0)(x))
    keras.Model(x, [negative, layers.Rescaling(1.0, 1.0, name="apple")(x), x]).save(out / "heads.keras")


def save_states(out: Path) -> None:
    """A GRU whose state goes on, and a module whose nested function assigns to a variable."""
    keras.utils.set_random_seed(0)
    rnn = [layers.Input(batch_shape=(1, 3, 4), name="x"), layers.GRU(5, stateful=True), layers.Dense(2)]
    keras.Sequential(rnn).save(out / "stateful.keras")
    module = tf.Module()
    module.total = tf.Variable([[0.5, -0.5]])
    module.weights = tf.Variable(np.random.default_rng(0).normal(0, 1, (4, 2)).astype(np.float32))

    @tf.function
    def step(x):
        module.total.assign(0.8 * module.total + tf.matmul(x, module.weights))
        return module.total.read_value()

    spec = tf.TensorSpec([1, 4], tf.float32, name="x")
    serve = tf.function(lambda x: {"y": step(x) * 2.0}, input_signature=[spec])
    tf.saved_model.save(module, str(out / "streaming"), signatures={"serving_default": serve})


def save_two_signatures(out: Path) -> None:
    module = tf.Module()
    spec = tf.TensorSpec([None, 4], tf.float32, name="x")
    module.weights = tf.Variable(tf.eye(4))
    double = tf.function(lambda x: {"y": tf.matmul(x, module.weights) * 2.0}, input_signature=[spec])
    triple = tf.function(lambda x: {"y": tf.matmul(x, module.weights) * 3.0}, input_signature=[spec])
    tf.saved_model.save(module, str(out / "two_signatures"), signatures={"double": double, "triple": triple})


class BranchAndLoop(tf.Module):
    """The sign of the input's sum chooses a branch; a loop goes on from there."""

    def __init__(self):
        self.weights = tf.Variable(np.random.default_rng(3).normal(size=(4, 4)).astype(np.float32) * 0.5)

    @tf.function(input_signature=[tf.TensorSpec((1, 4), tf.float32, name="x")])
    def __call__(self, x):
        y = tf.cond(tf.reduce_sum(x) > 0, lambda: tf.matmul(x, self.weights), lambda: 1.0 - x)
        _, y = tf.while_loop(
            lambda turn, y: turn < 3,
            lambda turn, y: (turn + 1, tf.tanh(tf.matmul(y, self.weights))),
            [0, y],
        )
        return {"y": y}


def save_branch_and_loop(out: Path) -> None:
    module = BranchAndLoop()
    tf.saved_model.save(module, str(out / "branch_and_loop"), signatures=module.__call__)


class FakeQuantized(tf.Module):
    """A layer whose weights have a range per channel, and one with a range for all, of ``bits``."""

    def __init__(self, bits):
        rng = np.random.default_rng(3)
        self.first = tf.Variable(rng.normal(size=(6, 8)).astype(np.float32))
        self.second = tf.Variable(rng.normal(size=(8, 3)).astype(np.float32))
        self.bits = bits

    @tf.function(input_signature=[tf.TensorSpec((1, 6), tf.float32, name="x")])
    def __call__(self, x):
        fake, limits = tf.quantization, tf.reduce_max(tf.abs(self.first), axis=0)
        x = fake.fake_quant_with_min_max_vars(x, -4.0, 4.0, num_bits=self.bits)
        weights = fake.fake_quant_with_min_max_vars_per_channel(
            self.first, -limits, limits, num_bits=self.bits, narrow_range=True
        )
        y = tf.nn.relu(tf.matmul(x, weights))
        y = fake.fake_quant_with_min_max_args(y, 0.0, 12.0, num_bits=self.bits)
        weights = fake.fake_quant_with_min_max_vars(self.second, -2.0, 2.0, num_bits=self.bits)
        return {"scores": tf.matmul(y, weights)}


def save_fake_quantized(out: Path) -> None:
    for bits in (8, 4):
        network = FakeQuantized(bits)
        tf.saved_model.save(network, str(out / f"fake_quantized_{bits}"), signatures=network.__call__)


def save_tflite(out: Path, model: keras.Model) -> None:
    """With an open batch; pruned; of dynamic range; with its weights in variables."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    (out / "float.tflite").write_bytes(converter.convert())
    wide = keras.Sequential([layers.Input((64,)), layers.Dense(32)])  # small weights are left in float
    kernel = wide.layers[0].kernel.numpy()
    wide.layers[0].kernel.assign(np.where(np.abs(kernel) < np.median(np.abs(kernel)), 0, kernel))
    (out / "pruned.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(wide).convert())
    converter = tf.lite.TFLiteConverter.from_keras_model(wide)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    (out / "dynamic.tflite").write_bytes(converter.convert())
    function = tf.function(model).get_concrete_function(tf.TensorSpec([None, 8, 8, 1]))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], model)
    (out / "variables.tflite").write_bytes(converter.convert())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
