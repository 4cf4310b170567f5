# SPDX-License-Identifier: Apache-2.0
"""Post-training quantization of a float32 .tflite with TensorFlow's own quantizer. Worker process only.

All front ends come through here: each makes a float32 .tflite, and one quantizer makes integers of it. It is
what ``tf.lite.TFLiteConverter`` does after its own conversion (calibrate by running LiteRT over the samples,
then MLIR quantization), so a float .tflite from elsewhere quantizes as well as its source would.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinyserve.compiler.graph import objects, reader
from tinyserve.convert.frameworks import tensorflow, trees
from tinyserve.convert.quantize import (
    activations,
    early_reshapes,
    edge_quantizer,
    hidden_scores,
    joined,
    lstm_16_bits,
    passed_on,
    ranges,
    same_scale,
    sums,
    turns,
)
from tinyserve.convert.tflite import sequence_lstm, signature, state
from tinyserve.convert.tflite.state import Variable
from tinyserve.convert.worker import runtimes
from tinyserve.convert.worker.loaded import Arrays, Say
from tinyserve.convert.worker.messages import Quantize

_KEEP_CONSTANTS = b"keep_stablehlo_constant"
_REFUSED = "--quantize float32 takes the model as it is; please report it, so that it can be quantized"


def tools(request: Quantize) -> dict[str, str]:
    """The version of the quantizer that the request takes."""
    if _is_mixed(request):
        return edge_quantizer.tools()
    for package in ("tensorflow-cpu", "tensorflow"):
        try:
            return {"tensorflow": importlib.metadata.version(package)}
        except importlib.metadata.PackageNotFoundError:
            continue
    return {}


def quantize(request: Quantize, samples: Arrays, say: Say) -> bytes:
    """int8 or int16x8 .tflite with integer inputs and outputs, weights per channel by default.

    ``samples``: per input (N, *sample shape) in the order of the model's inputs.
    Raises ModelError or UnsupportedError where an operator has no integer form.
    """
    data = request.source.read_bytes()
    read = reader.read(data)
    if trees.has_trees(read):
        return trees.quantize(data, samples[0], request)
    inputs = read.main.inputs
    samples = [a.reshape(len(a), *tensor.shape) for a, tensor in zip(samples, inputs, strict=True)]
    own = signature.of(data)
    variables: list[Variable] = []
    if state.has_state(read):
        data, variables = state.lifted(data)
        samples = [*samples, *_states(data, samples, variables)]
    data = early_reshapes.in_front(hidden_scores.near(data, samples, request.scheme))
    anew = sequence_lstm.renews(data)
    if anew:
        data = sequence_lstm.going_on(data)
    places = signature.places(data)
    made = _integers(signature.named(data, places), samples, request, say, anew)
    made = same_scale.repaired(joined.as_integers(made, request.keep_float))
    made = signature.ordered(sequence_lstm.renewed(made) if anew else made, places, places)
    return signature.named(state.lowered(made, variables) if variables else made, own)


def _states(data: bytes, samples: Arrays, variables: list[Variable]) -> Arrays:
    """What the variables hold before each sample, when the samples follow each other in time."""
    run = runtimes.runner("litert", data)
    values = [variable.initial for variable in variables]
    rows: list[Arrays] = []
    for index in range(len(samples[0])):
        rows.append([np.array(value) for value in values])
        outputs = run([*(array[index] for array in samples), *values])
        values = [np.array(value) for value in outputs[-len(variables) :]]
    return [np.stack(column) for column in zip(*rows, strict=True)]


def _integers(data: bytes, samples: Arrays, request: Quantize, say: Say, anew: bool) -> bytes:
    """A model without state, quantized. Inputs and outputs may come in another order, known by signature.
    ``anew``: its LSTMs begin each sample with zeros."""
    if request.scheme == "int16x8":
        cut, layers = lstm_16_bits.taken_out(data, samples, request.keep_float, say, anew)
        if layers:
            places = signature.places(cut)
            wider = [*samples, *(layer.outputs for layer in layers)]
            made = _integers(signature.named(cut, places), wider, request, say, anew)
            return lstm_16_bits.put_back(signature.ordered(made, places, places), layers)
    if _is_mixed(request):
        return edge_quantizer.quantize(data, samples, request.keep_float, say, anew)
    tf = tensorflow.load()
    if request.scheme == "int16x8":
        data = sums.as_means(data)
    calibrator = importlib.import_module("tensorflow.lite.python.optimize.calibrator")
    try:
        model = _plain(calibrator.add_intermediate_tensors(data))
        if request.scheme == "int16x8":
            plain = reader.read(data)
            kept = [*activations.tensors(plain), *activations.without_kernel_in_16_bits(plain)]
            if kept:
                return edge_quantizer.quantize(data, samples, list(dict.fromkeys(kept)), say, anew)
            running = calibrator.Calibrator(model)
            return _int16x8(tf, running, lambda: _feed(running, samples, say, anew), request)
        kept = [*request.keep_float, *activations.tensors(reader.read(data))]
        running = calibrator.Calibrator(model)
        calibrated = bytes(running.calibrate(lambda: _feed(running, samples, say, anew)))
        if request.clip:
            values = ranges.observe(model, samples, say, anew)
            calibrated = ranges.clipped(calibrated, values, request.clip)
        return _int8(tf, turns.united(passed_on.held(calibrated)), request, kept)
    except (RuntimeError, ValueError) as error:
        if request.scheme == "int16x8":
            kept = activations.tensors(reader.read(data), activations.ODD_IN_16_BITS)
            return edge_quantizer.quantize(data, samples, kept, say, anew)
        raise tensorflow.conversion_error(error, _REFUSED) from error


def _is_mixed(request: Quantize) -> bool:
    """Whether layers of a 16-bit model stay in float, which TensorFlow's quantizer does not do."""
    return request.scheme == "int16x8" and bool(request.keep_float)


def _plain(model: bytes) -> bytes:
    """The model without the mark by which litert-torch keeps the quantizer away from constants."""
    if _KEEP_CONSTANTS not in model:
        return model
    unpacked = objects.unpack(model)
    unpacked.metadata = [entry for entry in unpacked.metadata if entry.name != _KEEP_CONSTANTS]
    return objects.pack(unpacked)


def _feed(calibrator: Any, samples: Arrays, say: Say, anew: bool) -> Iterator[Arrays]:
    """One sample at a time, each input in its tensor's own shape; ``anew``: with variables set back before
    each."""
    count = len(samples[0])
    for index in range(count):
        if anew and index:  # the first is prepared by the calibrator itself
            calibrator._calibrator.Prepare()
        yield [np.ascontiguousarray(array[index]) for array in samples]
        if index % 16 == 15 or index == count - 1:
            say("calibrate", index + 1, count)


def _int8(tf: Any, calibrated: bytes, request: Quantize, kept: list[str]) -> bytes:
    convert = importlib.import_module("tensorflow.lite.python.convert")
    return bytes(
        convert.mlir_quantize(
            calibrated,
            disable_per_channel=not request.per_channel,
            input_data_type=tf.int8,
            output_data_type=tf.int8,
            denylisted_nodes=kept or None,
        )
    )


def _int16x8(tf: Any, calibrator: Any, feed: Callable[[], Iterator[Arrays]], request: Quantize) -> bytes:
    """Activations of 16 bits, symmetric; weights of 8 bits; biases of 64."""
    return bytes(
        calibrator.calibrate_and_quantize(
            feed,
            tf.int16,
            tf.int16,
            False,
            tf.int16,
            tf.int64,
            disable_per_channel=not request.per_channel,
        )
    )
