"""The worker process: ``python -m tinyserve.convert.worker``. Answers the requests of ``child.Worker``.

Each request imports what it needs when it comes, so that a worker that only runs TFLM never loads
TensorFlow. Standard output is the conversation; whatever libraries print there is sent to standard error.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from tinyserve.convert import messages
from tinyserve.errors import ModelError, TinyserveError, ToolError

Arrays = list[npt.NDArray[Any]]
Say = Callable[[str, int, int], None]

MOVED_LAYOUT = "NHWC (NCHW in the source)"
CHANNELS_MOVED = "channels first in the source, last here: data is taken in either layout"


@dataclass(frozen=True)
class Loaded:
    """What a front end makes of a trained model.

    ``input_layout`` is that of the .tflite's images, and what it was in the source where that differs.
    ``original`` runs one sample (each input with its batch axis of 1) in the model's own framework.
    ``labels`` are the classes in the order of the outputs.
    """

    tflite: bytes
    framework: str
    tools: dict[str, str]
    original: Callable[[Arrays], Arrays] | None = None
    notes: list[str] = field(default_factory=list)
    input_layout: str = "NHWC"
    labels: list[str] = field(default_factory=list)


def save_arrays(path: Path, arrays: Arrays) -> None:
    """Writes arrays in order."""
    with path.open("wb") as file:
        np.savez(file, **{f"array_{i}": array for i, array in enumerate(arrays)})  # type: ignore[arg-type]


def load_arrays(path: Path) -> Arrays:
    """Reads what ``save_arrays`` wrote."""
    with np.load(path, allow_pickle=False) as file:
        return [file[f"array_{i}"] for i in range(len(file.files))]


class Server:
    """Carries out requests; keeps the model that was loaded last, for RunOriginal."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self.loaded: Loaded | None = None

    def answer(self, request: messages.Request) -> messages.Done:
        handlers: dict[type, Callable[[Any], messages.Done]] = {
            messages.LoadModel: self.load,
            messages.Widen: self.widen,
            messages.Split: self.split,
            messages.Join: self.join,
            messages.RunOriginal: self.run_original,
            messages.Quantize: self.quantize,
            messages.RunTflite: self.run_tflite,
        }
        return handlers[type(request)](request)

    def load(self, request: messages.LoadModel) -> messages.Done:
        self.say("load", 0, 0)
        frontend = importlib.import_module(f"tinyserve.convert.{request.frontend}")
        loaded: Loaded = frontend.load(request, self.say)
        request.tflite.write_bytes(loaded.tflite)
        self.loaded = loaded
        return messages.Done(
            framework=loaded.framework,
            has_original=loaded.original is not None,
            input_layout=loaded.input_layout,
            tools=loaded.tools,
            notes=loaded.notes,
            labels=loaded.labels,
        )

    def widen(self, request: messages.Widen) -> messages.Done:
        from tinyserve.convert import widen

        request.output.write_bytes(widen.widened(request.source.read_bytes()))
        return messages.Done()

    def split(self, request: messages.Split) -> messages.Done:
        from tinyserve.convert import surgery

        front, network = surgery.split(request.source.read_bytes(), request.operators)
        request.front.write_bytes(front)
        request.network.write_bytes(network)
        return messages.Done()

    def join(self, request: messages.Join) -> messages.Done:
        from tinyserve.convert import surgery

        source, network = request.source.read_bytes(), request.network.read_bytes()
        request.output.write_bytes(surgery.join(source, request.operators, network))
        return messages.Done()

    def run_original(self, request: messages.RunOriginal) -> messages.Done:
        if self.loaded is None or self.loaded.original is None:
            raise ModelError("there is no original model to run")
        save_arrays(request.outputs, each_sample(self.loaded.original, load_arrays(request.inputs), self.say))
        return messages.Done()

    def quantize(self, request: messages.Quantize) -> messages.Done:
        from tinyserve.convert import quantizer

        request.output.write_bytes(quantizer.quantize(request, load_arrays(request.samples), self.say))
        return messages.Done(tools=quantizer.tools(request))

    def run_tflite(self, request: messages.RunTflite) -> messages.Done:
        from tinyserve.convert import runtimes

        data, inputs = request.model.read_bytes(), load_arrays(request.inputs)
        if request.tensors:
            runtimes.trace(data, inputs, request.outputs, self.say)
            return messages.Done(tools=runtimes.tools("litert"))
        save_arrays(request.outputs, each_sample(runtimes.runner(request.runtime, data), inputs, self.say))
        return messages.Done(tools=runtimes.tools(request.runtime))


def each_sample(run: Callable[[Arrays], Arrays], inputs: Arrays, say: Say) -> Arrays:
    """Runs samples one by one and stacks the outputs (the batch axis of 1 becomes the sample axis)."""
    count = len(inputs[0])
    rows: list[Arrays] = []
    for index in range(count):
        rows.append([output.copy() for output in run([array[index : index + 1] for array in inputs])])
        if index % 16 == 15 or index == count - 1:
            say("run", index + 1, count)
    return [_stack([row[i] for row in rows]) for i in range(len(rows[0]))]


def _stack(outputs: Arrays) -> npt.NDArray[Any]:
    """(1, ...) per sample becomes (N, ...); an output without a batch axis gets a sample axis."""
    if outputs[0].ndim and outputs[0].shape[0] == 1:
        return np.concatenate(outputs)
    return np.stack(outputs)


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


def main() -> None:
    """Answers requests until the parent closes the conversation or dies."""
    out = _private_stdout()

    def send(reply: messages.Reply) -> None:
        out.write(messages.encode(reply))
        out.flush()

    server = Server(lambda stage, done, total: send(messages.Step(stage, done, total)))
    for line in sys.stdin.buffer:
        request = messages.decode_request(line)
        if isinstance(request, messages.Close):
            return
        try:
            send(server.answer(request))
        except Exception as error:  # the parent turns it into an error of its own
            send(_failure(error))


if __name__ == "__main__":
    main()
