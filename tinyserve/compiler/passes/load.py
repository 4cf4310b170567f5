# SPDX-License-Identifier: Apache-2.0
"""From the bytes of a .tflite file to a model whose every operator is known to compile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tinyserve.compiler import ops
from tinyserve.compiler.graph import reader, validate
from tinyserve.compiler.graph.types import DType, Graph, Model, Node, Tensor
from tinyserve.compiler.ops.support import absent, checks
from tinyserve.compiler.ops.support.base import OpDef
from tinyserve.compiler.passes import constant_folding, constant_variables
from tinyserve.compiler.passes.work.macs import count_turns
from tinyserve.errors import ModelError, TinyserveError, UnsupportedError


def load(data: bytes, operators: tuple[Path, ...] = ()) -> Model:
    """Reads a model, parses the operators' attributes and checks that the engine has all of them, or one of
    the directories of ``operators`` has.

    Operators that only compute constants need no kernel, so where the engine lacks something they are folded
    before it is reported. Raises ModelError for unreadable or contradictory files, one UnsupportedError that
    names every operator and type that is missing, with its place.
    """
    model = reader.read(data)
    _forget_uncalled(model)
    parse_attributes(model, operators)
    if _all_problems(model, operators):
        _fold(model)
        problems = _all_problems(model, operators)
        if problems:
            raise _unsupported(problems)
    count_turns(model)
    _forget_unread_quantization(model)
    return model


def _forget_uncalled(model: Model) -> None:
    """Subgraphs that nothing runs, such as those of other signatures, need no kernels. Numbers stay."""
    called, waiting = {0}, [0]
    while waiting:
        graph = model.graphs[waiting.pop()]
        new = {number for node in graph.nodes for number in validate.subgraphs_called(node)} - called
        called |= new
        waiting += sorted(new)
    for number, graph in enumerate(model.graphs):
        if number not in called:
            graph.nodes, graph.inputs, graph.outputs = [], [], []


def _forget_unread_quantization(model: Model) -> None:
    """What is unusable and was not objected to is read by no kernel: passes and emitters need not see it."""
    for graph in model.graphs:
        for tensor in graph.tensors:
            if tensor.quantization is not None and tensor.quantization.problem:
                tensor.quantization = None


def _fold(model: Model) -> None:
    """Folds constants, and remembers what is gone for the report of the passes."""
    before = [node for graph in model.graphs for node in graph.nodes]
    for graph in model.graphs[::-1]:  # what subgraphs assign may be what the main graph reads
        constant_folding.run(graph, model)
    if constant_variables.run(model.main, model):
        constant_folding.run(model.main, model)
    left = {id(node) for graph in model.graphs for node in graph.nodes}
    model.folded += [node.location for node in before if id(node) not in left]


def parse_attributes(model: Model, operators: tuple[Path, ...] = ()) -> None:
    """Fills in the attributes of every operator that the engine knows."""
    for graph in model.graphs:
        for node in graph.nodes:
            known = _registered(node, operators)
            if known is not None and node.attributes is None:
                node.signature = known.signature
                node.attributes = known.attributes(node.options)
                known.complete(node)


def _registered(node: Node, directories: tuple[Path, ...]) -> OpDef | None:
    known = ops.registry(directories).get(node.name)
    return known if known is not None and known.custom == node.custom else None


def _all_problems(model: Model, operators: tuple[Path, ...]) -> list[UnsupportedError]:
    return [problem for graph in model.graphs for problem in _problems(graph, graph is model.main, operators)]


def _problems(graph: Graph, is_main: bool, directories: tuple[Path, ...]) -> Iterator[UnsupportedError]:
    """What the engine does not have. A ModelError (a contradiction) is raised at once.

    Handles of variables go in and out of subgraphs only.
    """
    for node in graph.nodes:
        known = _registered(node, directories)
        if known is None:
            kind = "custom operator" if node.custom else "operator"
            yield UnsupportedError(f"{node.location}: no kernel for this {kind}", absent.hint(node))
            continue
        bad_type = _unsupported_type(node)
        if bad_type is not None:
            yield bad_type
            continue
        try:
            checks.operands(node)
            known.check(node)
        except UnsupportedError as error:
            yield error
        except TinyserveError:
            raise
        except (ArithmeticError, AttributeError, IndexError, TypeError, ValueError) as error:
            raise ModelError(
                f"{node.location}: its tensors contradict each other ({error})", "export the model again"
            ) from error
    for tensor in (*graph.inputs, *graph.outputs):
        if not tensor.dtype.supported or (is_main and tensor.dtype is DType.RESOURCE):
            yield UnsupportedError(
                f'input or output "{tensor.name}" is {tensor.dtype.value}', "use int8, int16 or float32"
            )


def _unsupported_type(node: Node) -> UnsupportedError | None:
    tensors: list[Tensor | None] = [*node.inputs, *node.outputs]
    for tensor in tensors:
        if tensor is None:
            continue
        if not tensor.dtype.supported:
            return UnsupportedError(
                f'{node.location}: "{tensor.name}" is {tensor.dtype.value}', "convert to int8 or float32"
            )
        if tensor.dtype is DType.INT4 and not tensor.is_constant:
            return UnsupportedError(
                f'{node.location}: "{tensor.name}" is an int4 activation', "int4 is for weights only"
            )
    return None


def _unsupported(problems: list[UnsupportedError]) -> UnsupportedError:
    if len(problems) == 1:
        return problems[0]
    lines = [problem.message for problem in problems]
    hints = list(dict.fromkeys(problem.hint for problem in problems if problem.hint))
    return UnsupportedError(
        f"{len(problems)} things that the engine does not have:\n  " + "\n  ".join(lines), "; ".join(hints)
    )
