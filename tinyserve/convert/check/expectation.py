# SPDX-License-Identifier: Apache-2.0
"""The outputs that every later build of a model must give, byte for byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy.typing as npt

from tinyserve import bundle
from tinyserve.compiler.ops.support.tflm_resolver import lacking_in
from tinyserve.convert.settings import Record
from tinyserve.convert.tflite.facts import Inspected
from tinyserve.convert.worker import messages
from tinyserve.convert.worker.child import Worker
from tinyserve.errors import ModelError, ToolError

Arrays = list[npt.NDArray[Any]]


def expected(
    worker: Worker, model: Inspected, inputs: Arrays, record: Record, operators: tuple[Path, ...] = ()
) -> tuple[Arrays, str]:
    """Outputs (N, *sample shape) in the model's own types, and what made them.

    TFLM's interpreter is the reference; where it is not installed or can't run the model, the model compiled
    for this computer.
    """
    lacking = lacking_in(model.model)
    if lacking:
        _note(record, f"expected outputs are the compiled model's: TFLM has no {', '.join(lacking)}")
        return _from_host(model, inputs, operators), "host"
    path = worker.path(".tflite")
    path.write_bytes(model.data)
    try:
        outputs, done = worker.run(
            lambda sent, received: messages.RunTflite("tflm", path, sent, received), inputs, "run TFLM"
        )
    except (ToolError, ModelError) as error:
        _note(record, f"expected outputs are not from TFLM: {error.message.splitlines()[0]}")
        return _from_host(model, inputs, operators), "host"
    record.tools.update(done.tools)
    version = next(iter(done.tools.values()), "")
    return _shaped(outputs, model), f"tflite-micro {version}".strip()


def _note(record: Record, note: str) -> None:
    """Once, however many variants are tried."""
    if note not in record.notes:
        record.notes.append(note)


def _from_host(model: Inspected, inputs: Arrays, operators: tuple[Path, ...]) -> Arrays:
    from tinyserve.compiler.compile import compile_model
    from tinyserve.compiler.host.model import HostModel
    from tinyserve.compiler.program import Target

    shaped = [a.reshape(len(a), *info.shape) for a, info in zip(inputs, model.inputs, strict=True)]
    # State is kept from sample to sample, as TFLM's interpreter keeps it.
    compiled = compile_model(model.data, Target(operators=operators))
    return _shaped(HostModel(compiled).run_batch(shaped, reset=False), model)


def _shaped(outputs: Arrays, model: Inspected) -> Arrays:
    return [
        output.reshape(len(output), *bundle.sample_shape(info))
        for output, info in zip(outputs, model.outputs, strict=True)
    ]
