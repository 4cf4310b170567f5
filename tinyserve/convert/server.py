# SPDX-License-Identifier: Apache-2.0
"""The worker process: ``python -m tinyserve.convert.server``. Answers the requests of ``child.Worker``.

Each request imports what it needs when it comes, so that a worker that only runs TFLM never loads
TensorFlow. Standard output is the conversation; whatever libraries print there is sent to standard error.
"""

from __future__ import annotations

import importlib
import os
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any, BinaryIO

from tinyserve.convert.quantize import quantizer
from tinyserve.convert.tflite import attach, entry, real, shapes, standardize, surgery, widen
from tinyserve.convert.worker import messages, runtimes
from tinyserve.convert.worker.loaded import (
    Arrays,
    Exported,
    Loaded,
    Say,
    each_sample,
    load_arrays,
    save_arrays,
)
from tinyserve.errors import ModelError, TinyserveError, ToolError
from tinyserve.extras import missing_package


class Server:
    """Carries out requests; keeps the model that was loaded last, for RunOriginal."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self.loaded: Loaded | Exported | None = None

    def answer(self, request: messages.Request) -> messages.Done:
        handlers: dict[type, Callable[[Any], messages.Done]] = {
            messages.LoadModel: self.load,
            messages.ExportOnnx: self.export,
            messages.Widen: self.widen,
            messages.Choose: self.choose,
            messages.InferShapes: self.infer_shapes,
            messages.Dequantize: self.dequantize,
            messages.Split: self.split,
            messages.Join: self.join,
            messages.Standardize: self.standardize,
            messages.PutFeatures: self.put_features,
            messages.PutDecision: self.put_decision,
            messages.RunOriginal: self.run_original,
            messages.TraceOriginal: self.trace_original,
            messages.Quantize: self.quantize,
            messages.RunTflite: self.run_tflite,
        }
        return handlers[type(request)](request)

    def load(self, request: messages.LoadModel) -> messages.Done:
        self.say("load", 0, 0)
        frontend = importlib.import_module(f"tinyserve.convert.frameworks.{request.frontend}")
        loaded: Loaded = frontend.load(request, self.say)
        request.tflite.write_bytes(loaded.tflite)
        self.loaded = loaded
        return messages.Done(
            framework=loaded.framework,
            has_original=loaded.original is not None,
            tools=loaded.tools,
            notes=loaded.notes,
            labels=loaded.labels,
            float_only=loaded.float_only,
            input_forms=loaded.input_forms,
            output_forms=loaded.output_forms,
            input_dtypes=loaded.input_dtypes,
            places=loaded.places,
        )

    def export(self, request: messages.ExportOnnx) -> messages.Done:
        self.say("load", 0, 0)
        frontend = importlib.import_module(f"tinyserve.convert.frameworks.{request.frontend}")
        exported: Exported = frontend.export(request, self.say)
        request.onnx.write_bytes(exported.onnx)
        self.loaded = exported
        return messages.Done(
            framework=exported.framework, has_original=True, tools=exported.tools, notes=exported.notes
        )

    def widen(self, request: messages.Widen) -> messages.Done:
        request.output.write_bytes(widen.widened(request.source.read_bytes()))
        return messages.Done()

    def choose(self, request: messages.Choose) -> messages.Done:
        request.output.write_bytes(entry.chosen(request.source.read_bytes(), request.signature))
        return messages.Done()

    def infer_shapes(self, request: messages.InferShapes) -> messages.Done:
        request.output.write_bytes(shapes.inferred(request.source.read_bytes()))
        return messages.Done()

    def dequantize(self, request: messages.Dequantize) -> messages.Done:
        request.output.write_bytes(real.dequantized(request.source.read_bytes()))
        return messages.Done()

    def split(self, request: messages.Split) -> messages.Done:
        front, network = surgery.split(request.source.read_bytes(), request.operators)
        request.front.write_bytes(front)
        request.network.write_bytes(network)
        return messages.Done()

    def join(self, request: messages.Join) -> messages.Done:
        source, network = request.source.read_bytes(), request.network.read_bytes()
        request.output.write_bytes(surgery.join(source, request.operators, network))
        return messages.Done()

    def standardize(self, request: messages.Standardize) -> messages.Done:
        request.output.write_bytes(standardize.standardized(request.source.read_bytes(), request.steps))
        return messages.Done()

    def put_features(self, request: messages.PutFeatures) -> messages.Done:
        request.output.write_bytes(attach.attached(request.spec, request.network.read_bytes()))
        return messages.Done()

    def put_decision(self, request: messages.PutDecision) -> messages.Done:
        request.output.write_bytes(
            attach.decided(request.decision, request.model.read_bytes(), request.samples)
        )
        return messages.Done()

    def run_original(self, request: messages.RunOriginal) -> messages.Done:
        if self.loaded is None or self.loaded.original is None:
            raise ModelError("there is no original model to run")
        if isinstance(self.loaded, Loaded) and self.loaded.restart is not None:
            self.loaded.restart()
        inputs = load_arrays(request.inputs)
        save_arrays(request.outputs, each_sample(self.loaded.original, inputs, self.say))
        return messages.Done(undecided=self._undecided(inputs))

    def _undecided(self, inputs: Arrays) -> list[int]:
        tie = self.loaded.undecided if isinstance(self.loaded, Loaded) else None
        if tie is None:
            return []
        return [i for i in range(len(inputs[0])) if tie([array[i : i + 1] for array in inputs])]

    def trace_original(self, request: messages.TraceOriginal) -> messages.Done:
        if self.loaded is None or self.loaded.trace is None:
            raise ModelError("there is no original model whose values can be seen")
        values = self.loaded.trace([array[:1] for array in load_arrays(request.inputs)])
        save_arrays(request.outputs, list(values.values()))
        return messages.Done(labels=list(values))

    def quantize(self, request: messages.Quantize) -> messages.Done:
        request.output.write_bytes(quantizer.quantize(request, load_arrays(request.samples), self.say))
        return messages.Done(tools=quantizer.tools(request))

    def run_tflite(self, request: messages.RunTflite) -> messages.Done:
        data, inputs = request.model.read_bytes(), load_arrays(request.inputs)
        if request.tensors:
            runtimes.trace(data, inputs, request.outputs, self.say)
            return messages.Done(tools=runtimes.tools("litert"))
        save_arrays(request.outputs, each_sample(runtimes.runner(request.runtime, data), inputs, self.say))
        return messages.Done(tools=runtimes.tools(request.runtime))


def _private_stdout() -> BinaryIO:
    """The conversation's own handle of standard output; descriptor 1 becomes standard error."""
    conversation = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return conversation


def _failure(error: Exception) -> messages.Failed:
    """An error as the parent can raise it again; the traceback stays in the worker's log."""
    if isinstance(error, TinyserveError):
        return messages.Failed(type(error).__name__, error.message, error.hint)
    if isinstance(error, ModuleNotFoundError) and (missing := missing_package(error)):
        return messages.Failed(ToolError.__name__, missing.message, missing.hint)
    if isinstance(error, ImportError):
        return messages.Failed(
            ToolError.__name__, f"a package is missing: {error}", "pip install 'tinyserve[convert]'"
        )
    import traceback

    traceback.print_exc()
    first = str(error).strip().splitlines()[:1]
    return messages.Failed(
        ModelError.__name__, f"{type(error).__name__}: {first[0] if first else ''}", "", unexpected=True
    )


def _read_requests(requests: queue.SimpleQueue[bytes]) -> None:
    """Hands on the parent's lines. Where they end the parent has gone, however it went: nobody waits for what
    is being computed."""
    with os.fdopen(os.dup(0), "rb") as lines:
        for line in lines:
            requests.put(line)
    os._exit(0)


def main() -> None:
    """Answers requests until the parent ends the conversation, or dies."""
    out = _private_stdout()
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read_requests, args=(requests,), daemon=True).start()

    def send(reply: messages.Reply) -> None:
        out.write(messages.encode(reply))
        out.flush()

    server = Server(lambda stage, done, total: send(messages.Step(stage, done, total)))
    while True:
        request = messages.decode_request(requests.get())
        try:
            send(server.answer(request))
        except Exception as error:  # the parent turns it into an error of its own
            send(_failure(error))


if __name__ == "__main__":
    main()
