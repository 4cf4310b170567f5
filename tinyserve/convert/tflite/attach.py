# SPDX-License-Identifier: Apache-2.0
"""Features in front of a network, and decisions behind it. Worker process only."""

from __future__ import annotations

import numpy as np

from tinyserve.compiler.events import METADATA, Events, EventSource, encoded
from tinyserve.compiler.graph import objects, reader
from tinyserve.compiler.graph.types import Tensor
from tinyserve.compiler.graph.writer import GraphWriter
from tinyserve.compiler.ops.features.decision import MOST_SCORES
from tinyserve.convert.tflite import surgery
from tinyserve.errors import DataError, UnsupportedError
from tinyserve.features.flow import PREFIX
from tinyserve.features.model import written
from tinyserve.features.spec import Decision, Spec

_MOST_CLASSES = 1 << 12


def decided(decision: Decision, model: bytes, samples: int = 1) -> bytes:
    """A model of one output of class scores, with the decision as its second output, ``event``.

    ``samples``: in time, that an inference takes; events count them.

    Raises UnsupportedError for other models, DataError for a class that it does not have.
    """
    outputs = reader.read(model).main.outputs
    if len(outputs) != 1 or not 1 <= outputs[0].elements <= _MOST_CLASSES:
        raise UnsupportedError(
            f"a decision on a model of {len(outputs)} outputs",
            "decisions are made on one output of class scores",
        )
    scores = outputs[0]
    classes = scores.elements
    if any(number >= classes for number in decision.ignore):
        raise DataError(
            f"[decision] ignores class {max(decision.ignore)} of {classes}", f"0 to {classes - 1}"
        )
    _check_levels(decision, scores)
    writer = GraphWriter("tinyserve: decision")
    taken = real = writer.tensor("scores", scores.shape, scores.dtype.value, scores.quantization)
    if scores.dtype.value != "float32":
        real = writer.tensor(f"{PREFIX}decision/scores", scores.shape, "float32")
        writer.builtin("DEQUANTIZE", "", [taken], real)
    leave = decision.enter if decision.leave is None else decision.leave
    constants = [
        writer.constant(
            f"{PREFIX}decision/ignored", np.isin(np.arange(classes), decision.ignore).astype(np.int32)
        ),
        writer.constant(
            f"{PREFIX}decision/levels", np.array([decision.enter, leave, decision.margin], np.float32)
        ),
    ]
    event = writer.tensor("event", (1, 2), "int32")
    options = {"smoothing": decision.smoothing, "hold": decision.hold, "refractory": decision.refractory}
    writer.custom("FeatureDecision", [real, *constants], event, options)
    writer.signature(["scores"], ["event"])
    joined = objects.unpack(surgery.appended(model, writer.build([taken], [event])))
    events = Events([EventSource("event", 1)], samples)
    objects.set_metadata(joined, METADATA, encoded(events))
    return objects.pack(joined)


def _check_levels(decision: Decision, scores: Tensor) -> None:
    """Raises DataError for a decision that could never be an event, or never end, or remembers too much."""
    classes = scores.elements
    if set(range(classes)) <= set(decision.ignore):
        raise DataError(f"[decision] ignores all {classes} classes", "leave those out that are to be events")
    if decision.leave is not None and decision.leave > decision.enter:
        raise DataError(
            f"[decision] leave = {decision.leave:g} is above enter = {decision.enter:g}: no event would last",
            "leave = at most enter",
        )
    if decision.smoothing * classes > MOST_SCORES:
        raise DataError(
            f"[decision] smoothing = {decision.smoothing} of {classes} classes",
            f"{MOST_SCORES // classes} at most",
        )
    if scores.quantization is not None and scores.dtype.value != "float32":
        largest = (np.iinfo(scores.dtype.numpy).max - scores.zero_point) * scores.scale
        if decision.enter > largest:
            raise DataError(
                f"[decision] enter = {decision.enter:g}, and no score of the model is above {largest:.4g}",
                "enter = below that",
            )


def attached(spec: Spec, network: bytes) -> bytes:
    """``network`` behind its features: the model takes raw samples.

    Raises UnsupportedError for a network of several inputs or subgraphs, DataError where shapes do not fit.
    """
    model = reader.read(network)
    if len(model.main.inputs) != 1 or len(model.graphs) > 1:
        raise UnsupportedError(
            f"a model of {len(model.main.inputs)} inputs and {len(model.graphs)} graphs behind features",
            "features go in front of models of one input without loops",
        )
    taken = model.main.inputs[0]
    if taken.dtype.value != "float32":
        raise UnsupportedError(
            f"a model whose input is {taken.dtype.value} behind features, which are float32",
            "give the float model, and --representative with raw samples",
        )
    return surgery.prepended(written(spec, taken.shape)[0], network)
