# SPDX-License-Identifier: Apache-2.0
"""Which part of a model is a front end that only its own kernels run: audio features in front of a network.

LiteRT, which calibrates, lacks such custom operators (TFLM's ``Signal...``, your own). The front end keeps
its arithmetic; the network behind it is quantized with what the front end gives.
"""

from __future__ import annotations

from tinyserve.compiler.graph.types import DType, Model, Operator
from tinyserve.errors import UnsupportedError

_RUN_BY_LITERT = frozenset({"TFLite_Detection_PostProcess"})
_QUANTIZED_APART = frozenset({"TreeEnsemble"})


def custom_operators(model: Model) -> list[str]:
    """Names of the custom operators that LiteRT lacks."""
    known = _RUN_BY_LITERT | _QUANTIZED_APART
    found = {op.name for graph in model.graphs for op in graph.operators if op.custom}
    return sorted(found - known)


def operators_of(model: Model) -> list[int]:
    """Indices of the front end's operators: the custom ones, all that they compute from, and what goes on
    with their integers until the network's floats begin. Empty where the model has no front end.

    Raises UnsupportedError where custom operators leave no network to quantize.
    """
    custom = custom_operators(model)
    if not custom:
        return []
    operators = model.main.operators
    front = _ancestors(operators, [op for op in operators if op.name in custom])
    for op in operators:
        if op.index not in front and _goes_on_in_integers(op, operators, front):
            front.add(op.index)
    behind = [op for op in operators if op.index not in front]
    if len(model.graphs) > 1 or not any(_has_weights(op) for op in behind):
        raise UnsupportedError(
            f"{', '.join(custom)}: LiteRT, which calibrates, lacks them, and no network is behind them",
            "--quantize float32, or quantize the network before they are added",
        )
    return sorted(front)


def _ancestors(operators: list[Operator], seeds: list[Operator]) -> set[int]:
    """Indices of ``seeds`` and of everything that computes what they read."""
    writers = {id(tensor): op for op in operators for tensor in op.outputs}
    found: set[int] = set()
    waiting = list(seeds)
    while waiting:
        op = waiting.pop()
        if op.index not in found:
            found.add(op.index)
            waiting += [writers[id(t)] for t in op.inputs if t is not None and id(t) in writers]
    return found


def _goes_on_in_integers(op: Operator, operators: list[Operator], front: set[int]) -> bool:
    written = {id(tensor) for other in operators if other.index in front for tensor in other.outputs}
    computed = [tensor for tensor in op.inputs if tensor is not None and not tensor.is_constant]
    return (
        bool(computed)
        and all(id(tensor) in written for tensor in computed)
        and any(tensor.dtype is not DType.FLOAT32 for tensor in computed)
    )


def _has_weights(op: Operator) -> bool:
    return any(t is not None and t.is_constant and t.dtype is DType.FLOAT32 for t in op.inputs)
