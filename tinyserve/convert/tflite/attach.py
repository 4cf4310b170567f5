# SPDX-License-Identifier: Apache-2.0
"""Features in front of a network, and decisions behind it. Worker process only."""

from __future__ import annotations

from tinyserve.compiler.events import METADATA, Events, EventSource, encoded
from tinyserve.compiler.graph import objects, reader
from tinyserve.compiler.graph.writer import GraphWriter
from tinyserve.convert.tflite import surgery
from tinyserve.errors import UnsupportedError
from tinyserve.features import decision as decisions
from tinyserve.features.model import written
from tinyserve.features.spec import Decision, Spec
from tinyserve.words import counted


def decided(decision: Decision, model: bytes, samples: int = 1) -> bytes:
    """A model of one output of class scores, with the decision as its second output, ``event``.

    ``samples``: in time, that an inference takes; events count them.

    Raises UnsupportedError for other models, DataError for a class that it does not have.
    """
    outputs = reader.read(model).main.outputs
    if len(outputs) != 1:
        raise UnsupportedError(
            f"a decision on a model of {counted(len(outputs), 'output')}",
            "decisions are made on one output of class scores",
        )
    scores = outputs[0]
    dtype, quantization = scores.dtype.value, scores.quantization
    decisions.check(decision, shape=scores.shape, dtype=dtype, quantization=quantization)
    writer = GraphWriter("tinyserve: decision")
    taken = writer.tensor("scores", scores.shape, dtype, quantization)
    event = decisions.write(
        writer, decision, taken, shape=scores.shape, dtype=dtype, quantization=quantization
    )
    writer.signature(["scores"], ["event"])
    joined = objects.unpack(surgery.appended(model, writer.build([taken], [event])))
    events = Events([EventSource("event", 1)], samples)
    objects.set_metadata(joined, METADATA, encoded(events))
    return objects.pack(joined)


def attached(spec: Spec, network: bytes) -> bytes:
    """``network`` behind its features: the model takes raw samples.

    Raises UnsupportedError for a network of several inputs or subgraphs, DataError where shapes do not fit.
    """
    model = reader.read(network)
    if len(model.main.inputs) != 1 or len(model.graphs) > 1:
        raise UnsupportedError(
            f"a model of {counted(len(model.main.inputs), 'input')} and {len(model.graphs)} "
            f"graphs behind features",
            "features go in front of models of one input without loops",
        )
    taken = model.main.inputs[0]
    if taken.dtype.value != "float32":
        raise UnsupportedError(
            f"a model whose input is {taken.dtype.value} behind features, which are float32",
            "give the float model, and --representative with raw samples",
        )
    return surgery.prepended(written(spec, taken.shape)[0], network)
