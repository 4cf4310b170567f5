# SPDX-License-Identifier: Apache-2.0
"""int4 weights, which stay four bits wide in flash.

Operators see them as int8. Where their kernel reads four bits by itself it takes ``packed`` rows; in the
parameters of any other kernel, constants of such weights are put in scratch by a call before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import DType, Node, Tensor
from tinyserve.compiler.names import short_name
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.program import Buffer, Constant, KernelCall, Params

LOW, HIGH = -8, 7
_VALUES = 8
"""Values of a word."""
_LEAST_SCRATCH = 2048
"""Bytes that weights may take in scratch whatever the layer's own values take."""
_SCRATCH_SHARE = 2
"""Else at most this part of the layer's inputs and outputs, which are in the arena at the same time."""
_LEAST_SAVED = 0.2
"""Of a constant's bytes: what four bits must save where other values lie between the weights."""

_FIELDS = ("weights", "records")
"""Parameters that point at weights, in all kernels."""

_Words = npt.NDArray[np.uint32]
_Record = TypeVar("_Record", bound=Params)


@dataclass(frozen=True)
class UnpackParams(Params, c_type="ts_unpack_params"):
    words: int
    packed: Constant


@dataclass(frozen=True)
class UnpackRecordsParams(Params, c_type="ts_unpack_records_params"):
    records: int
    head: int
    run: int
    tail: int
    packed: Constant
    rest: Constant


def with_bytes(node: Node, known: dict[Tensor, Tensor]) -> Node:
    """The operator with its constants of int4 as int8; each of them once, in ``known``."""
    if not has_four_bits(node):
        return node
    inputs = [
        known.setdefault(tensor, replace(tensor, dtype=DType.INT8))
        if tensor is not None and tensor.dtype is DType.INT4
        else tensor
        for tensor in node.inputs
    ]
    return replace(node, inputs=inputs)


def has_four_bits(node: Node) -> bool:
    """Whether an input is of int4."""
    return any(tensor is not None and tensor.dtype is DType.INT4 for tensor in node.inputs)


def packed(rows: npt.NDArray[np.int8]) -> _Words:
    """[rows][values] of four bits as [rows][words], filled up with zeros: ``kernels/common/nibbles.h``."""
    count, values = rows.shape
    filled = np.zeros((count, -(-values // _VALUES), 2, 4), dtype=np.uint8)
    filled.reshape(count, -1)[:, :values] = rows.astype(np.uint8) & 15
    both = filled[:, :, 0] | filled[:, :, 1] << 4
    return np.ascontiguousarray(both).view("<u4").reshape(count, -1).astype(np.uint32)


def unpacked(call: KernelCall, lowering: Lowering) -> list[KernelCall]:
    """The call, and before it those that put its weights of four bits in scratch.

    The call itself where it has none, or where they are more than the scratch of one layer may be.
    """
    if call.params is None:
        return [call]
    operands = sum(buffer.nbytes for buffer in {*call.reads, *call.writes} if buffer.kind != "scratch")
    most = max(_LEAST_SCRATCH, operands // _SCRATCH_SHARE)
    places: dict[int, Buffer] = {}
    before = []
    for name, value in call.fields.items():
        if name.rpartition(".")[2] not in _FIELDS:
            continue
        if isinstance(value, Constant) and value.nbytes <= most and id(value) not in places:
            made = _unpack(value, call, lowering)
            if made is not None:
                before.append(made)
                places[id(value)] = made.writes[0]
    if not before:
        return [call]
    reason = "; ".join(filter(None, [call.reason, "weights of four bits, unpacked before it"]))
    moved = replace(
        call,
        params=_with_places(call.params, places),
        reads=[*call.reads, *places.values()],
        reason=reason,
    )
    return [*before, moved]


def _unpack(constant: Constant, call: KernelCall, lowering: Lowering) -> KernelCall | None:
    """The call that gives a constant's bytes in scratch, or None where four bits do not hold them."""
    values = constant.values
    if values.dtype.kind not in "iu" or values.nbytes < _VALUES:
        return None
    found = _all_values(constant, lowering) or _records(constant, lowering)
    if found is None:
        return None
    params, function, nbytes = found
    target = lowering.scratch(f"{constant.name}_unpacked", nbytes, max(4, constant.alignment))
    return KernelCall(
        function=function,
        header="unpack.h",
        params=params,
        args=[target],
        reads=[],
        writes=[target],
        layer=f"unpack_{short_name(call.layer)}",
        op="UNPACK",
        comment=f"{values.nbytes} bytes from weights of four bits",
        reason="the kernel of the layer reads bytes",
    )


def _all_values(constant: Constant, lowering: Lowering) -> tuple[Params, str, int] | None:
    """Where each byte is a value of four bits."""
    values = np.ascontiguousarray(constant.values)
    if values.dtype != np.int8 or not fits(values):
        return None
    words = packed(values.reshape(1, -1)).reshape(-1)
    stored = lowering.constant(f"{constant.name}_4bit", words, constant.comment or "weights of four bits")
    return UnpackParams(len(words), stored), "ts_unpack", _VALUES * len(words)


def _records(constant: Constant, lowering: Lowering) -> tuple[Params, str, int] | None:
    """Where records, the rows of the constant, have a run of values of four bits."""
    values = np.ascontiguousarray(constant.values)
    if values.ndim < 2 or not len(values):
        return None
    rows = values.view(np.int8).reshape(len(values), -1)
    head, run = _longest_run(np.all((rows >= LOW) & (rows <= HIGH), axis=0))
    if (run // 2) < _LEAST_SAVED * rows.shape[1]:
        return None
    nibbles = np.zeros((len(rows), run + run % 2), np.uint8)
    nibbles[:, :run] = rows[:, head : head + run].astype(np.uint8) & 15
    low_first = (nibbles[:, 0::2] | nibbles[:, 1::2] << 4).reshape(-1)
    rest = np.delete(rows, np.s_[head : head + run], axis=1).view(np.uint8).reshape(-1)
    name = f"{constant.name}_4bit"
    params = UnpackRecordsParams(
        records=len(rows),
        head=head,
        run=run,
        tail=rows.shape[1] - head - run,
        packed=lowering.constant(name, low_first, "weights of four bits"),
        rest=lowering.constant(f"{name}_rest", rest, "what lies between them"),
    )
    return params, "ts_unpack_records", rows.size


def fits(values: npt.NDArray[np.int8]) -> bool:
    """Whether all are values of four bits: passes may have made others of them."""
    return bool(np.all(values >= LOW) and np.all(values <= HIGH))


def _longest_run(inside: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """Where the most neighbours are true, and how many they are."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(np.int8)))
    runs = [(int(start), int(end - start)) for start, end in zip(edges[0::2], edges[1::2], strict=True)]
    return max(runs, key=lambda one: one[1], default=(0, 0))


def _with_places(params: _Record, places: Mapping[int, Buffer]) -> _Record:
    """The parameters with buffers in place of constants."""
    return replace(params, **{one.name: _at(getattr(params, one.name), places) for one in fields(params)})


def _at(value: Any, places: Mapping[int, Buffer]) -> Any:
    if isinstance(value, Constant):
        return places.get(id(value), value)
    if isinstance(value, Params) and is_dataclass(value):
        return _with_places(value, places)
    if isinstance(value, tuple):
        return tuple(_at(one, places) for one in value)
    return value
