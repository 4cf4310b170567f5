# SPDX-License-Identifier: Apache-2.0
"""The front end's own check: the float model that it made against the source's framework, before anything is
quantized.

An output below 60 dB (signal to the difference, over the samples), or integers of which over 2 % differ, stop
the conversion: a front end may not change a model. The message names the output and the first node of the
source whose result differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.bundle import TensorInfo, to_source_layout
from tinyserve.convert.check.fidelity import sqnr_db
from tinyserve.convert.session import Session
from tinyserve.convert.worker import messages
from tinyserve.convert.worker.child import Worker
from tinyserve.convert.worker.loaded import load_arrays, save_arrays
from tinyserve.errors import ModelError

Array = npt.NDArray[Any]
LEAST_DB = 60.0
_AGREEING = 0.98
_INTEGER_DB = 25.0
"""Of models that come quantized: what single steps of int8 leave after many layers."""
_NOTHING = 1e-7
"""What sums that should be zero are off by in any order of adding."""
_NOISE = 3e-6
"""Outputs up to here are no signal: normalizing a constant multiplies what its sums are off by 316 times."""


@dataclass(frozen=True)
class OutputDifference:
    """``sqnr_db``: of floats, None where nothing differs; ``agreement``: the share of equal integers."""

    name: str
    sqnr_db: float | None
    agreement: float | None = None

    @property
    def is_right(self) -> bool:
        if self.agreement is not None:
            return self.agreement >= _AGREEING
        return self.sqnr_db is None or self.sqnr_db >= LEAST_DB

    def __str__(self) -> str:
        if self.agreement is not None:
            return f"output '{self.name}' agrees in {100 * self.agreement:.0f} % of its integers"
        return f"output '{self.name}' has {self.sqnr_db:.1f} dB"


def verify(session: Session, inputs: list[Array]) -> list[OutputDifference]:
    """Compares the float model with the source's framework on samples (N, ...) per input.

    A model that was quantized already is compared in real units: the step by which it differs at most is
    noted. Nothing to compare where the source is a .tflite. Raises ModelError that names the output and the
    node where the difference begins.
    """
    if not session.front.has_original:
        return []
    if session.original.scheme != "float32":
        return _verify_integers(session, inputs)
    wanted, got = session.reference(inputs), session.float_outputs(inputs)
    if session.undecided:
        wanted, got = _decided(session, wanted, got)
        if not len(wanted[0]):
            return []
    found = [difference(info, a, b) for info, a, b in zip(session.original.outputs, wanted, got, strict=True)]
    wrong = [one for one in found if not one.is_right]
    if wrong:
        node = _first_wrong(session, [array[:1] for array in inputs])
        begins = f"; the difference begins at {node}" if node else ""
        raise ModelError(
            f"{session.name}: the conversion changed the model: {', '.join(map(str, wrong))}, where "
            f"{LEAST_DB:g} dB are wanted of the float model{begins}",
            "write that step with other operators before you export the model, and please report this",
        )
    return found


def _decided(session: Session, wanted: list[Array], got: list[Array]) -> tuple[list[Array], list[Array]]:
    """The answers but those that ties leave open; a note counts these."""
    open_ones = np.isin(np.arange(len(wanted[0])), session.undecided)
    unlike = np.zeros(len(open_ones), bool)
    for a, b in zip(wanted, got, strict=True):
        far = ~np.isclose(a, b.reshape(a.shape), rtol=1e-4, atol=1e-5)
        unlike |= far.reshape(len(far), -1).any(axis=1)
    session.record.notes.append(
        f"{open_ones.sum()} of {len(open_ones)} held-out samples have neighbours that are equally far and "
        "say different things: scikit-learn takes them in an order of its own, and "
        f"{(unlike & open_ones).sum()} answers differ"
    )
    return [a[~open_ones] for a in wanted], [b[~open_ones] for b in got]


def _verify_integers(session: Session, inputs: list[Array]) -> list[OutputDifference]:
    """Both sides round sums of products in their own ways: by single steps of the output's scale."""
    wanted, got = session.reference(inputs), session.float_outputs(inputs)
    outputs = session.original.outputs
    found = [difference(info, a, b) for info, a, b in zip(outputs, wanted, got, strict=True)]
    steps = max(_steps(info, a, b) for info, a, b in zip(outputs, wanted, got, strict=True))
    wrong = [one for one in found if one.sqnr_db is not None and one.sqnr_db < _INTEGER_DB]
    if wrong:
        raise ModelError(
            f"{session.name}: the conversion changed the quantized model: {', '.join(map(str, wrong))}, "
            f"where {_INTEGER_DB:g} dB are wanted ({steps:.0f} steps of its scale)",
            "give the float model with --representative DATA, and please report this",
        )
    session.record.notes.append(
        "quantized in the source: its own scales are kept; outputs differ from the original's by at most "
        f"{steps:.0f} step{'s' * (round(steps) != 1)} of their scale on the samples held out"
    )
    return found


def _steps(info: TensorInfo, wanted: Array, got: Array) -> float:
    largest = float(np.abs(wanted - got.reshape(wanted.shape)).max(initial=0))
    return largest / info.scale if info.scale else largest


def difference(info: TensorInfo, wanted: Array, got: Array) -> OutputDifference:
    """Of one output. Values that the source itself gives as NaN or infinite do not count."""
    got = got.reshape(wanted.shape)
    if wanted.dtype.kind != "f":
        return OutputDifference(info.name, None, float((wanted == got).mean()) if wanted.size else 1.0)
    finite = np.isfinite(wanted)
    wanted, got = np.where(finite, wanted, 0), np.where(finite, got, 0)
    if not np.isfinite(got).all():
        return OutputDifference(info.name, -np.inf)
    largest = max(np.abs(wanted).max(initial=0), np.abs(got).max(initial=0))
    if largest <= _NOISE or np.abs(wanted - got).max(initial=0) <= _NOTHING:
        return OutputDifference(info.name, None)
    if not wanted.any():
        return OutputDifference(info.name, -np.inf)
    return OutputDifference(info.name, sqnr_db(wanted, got))


def _first_wrong(session: Session, sample: list[Array]) -> str | None:
    """The first node, in the source's order, whose result differs from the tensor that holds it."""
    places = session.front.places
    if not places:
        return None
    tensors = _tensors(session, sample)
    given = [to_source_layout(a, info) for a, info in zip(sample, session.original.inputs, strict=True)]
    for worker in dict.fromkeys((session.worker, session.loader)):
        values = _values(worker, given)
        if not any(place.tensor for place in places.values()):
            return _first_unmatched(places, values, list(tensors.values()))
        node = next(
            (place.node for name, place in places.items() if _differs(name, place, values, tensors)), None
        )
        if node is not None:
            return node
    return None


def _first_unmatched(
    places: Mapping[str, messages.Place], values: Mapping[str, Array], tensors: list[Array]
) -> str | None:
    """The first value that no tensor equals, nor one that is made of it: fused operators leave gaps."""
    right: set[str] = set()
    for name, place in reversed(list(places.items())):
        if name in right or (name in values and any(_equals(values[name], tensor) for tensor in tensors)):
            right.update([name, *place.reads])
    return next((place.node for name, place in places.items() if name in values and name not in right), None)


def _equals(value: Array, tensor: Array) -> bool:
    if value.size != tensor.size or tensor.dtype.kind != "f":
        return False
    return difference(TensorInfo("", [], "float32"), value, tensor).is_right


def _differs(
    name: str, place: messages.Place, values: Mapping[str, Array], tensors: Mapping[str, Array]
) -> bool:
    if name not in values or place.tensor not in tensors or values[name].ndim != len(place.form):
        return False
    info = TensorInfo(name, [], values[name].dtype.name)
    return not difference(info, values[name].transpose(place.form), tensors[place.tensor]).is_right


def _tensors(session: Session, sample: list[Array]) -> dict[str, Array]:
    """What the float model computes, by its tensors' names."""
    worker = session.worker
    model, sent, received = worker.path(".tflite"), worker.path(".npz"), worker.path(".npz")
    model.write_bytes(session.original.data)
    save_arrays(sent, sample)
    request = messages.RunTflite("litert", model, sent, received, tensors=True)
    worker.ask(request, "find the difference")
    names = {f"tensor_{tensor.index}": tensor.name for tensor in session.original.model.main.tensors}
    with np.load(received) as arrays:
        return {names[key]: arrays[key][0] for key in arrays.files if key in names}


def _values(worker: Worker, sample: list[Array]) -> dict[str, Array]:
    """What the source computes, by its names; empty where it can't be seen."""
    sent, received = worker.path(".npz"), worker.path(".npz")
    save_arrays(sent, sample)
    try:
        done = worker.ask(messages.TraceOriginal(sent, received), "find the difference")
    except ModelError:
        return {}
    return dict(zip(done.labels, load_arrays(received), strict=True))
