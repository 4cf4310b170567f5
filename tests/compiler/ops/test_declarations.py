# SPDX-License-Identifier: Apache-2.0
"""What operators declare is what their checks do, shown on the cases of the differential tests."""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import itertools
import pkgutil
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.compiler import ops as tests_of_ops
from tests.support import differential
from tests.support.differential import Case
from tests.support.places import CHECKOUT
from tinyserve.compiler import ops
from tinyserve.compiler.graph import reader
from tinyserve.compiler.graph.types import DType, Node, Tensor
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.tflm_resolver import CUSTOM_METHODS, METHODS
from tinyserve.compiler.passes.load import parse_attributes
from tinyserve.errors import TinyserveError

CASES = 6  # of each test; the tests themselves have at least 100


class _Enough(Exception):
    """Ends a differential test once its cases are known."""


def parameters(test: Any) -> Iterator[dict[str, Any]]:
    """The arguments of each run of a test function, without its fixtures."""
    axes = []
    for mark in getattr(test, "pytestmark", []):
        if mark.name == "parametrize":
            names, values = mark.args
            if isinstance(names, str) and "," not in names:
                axes.append([{names: value} for value in values])
            else:
                split = names.split(",") if isinstance(names, str) else names
                axes.append([dict(zip([n.strip() for n in split], value, strict=True)) for value in values])
    for choice in itertools.product(*axes):
        yield {name: value for part in choice for name, value in part.items()}


def cases_of(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[Case]:
    """A few of the cases that each differential test of a module would compare."""
    found: list[Case] = []

    def keep(cases: Iterable[Case], *_: object, **__: object) -> None:
        found.extend(cases)
        raise _Enough

    if getattr(module, "check", None) is not differential.check:
        return []
    monkeypatch.setattr(module, "check", keep)
    if hasattr(module, "CASES") and isinstance(module.CASES, int):
        monkeypatch.setattr(module, "CASES", CASES)
    for name, test in inspect.getmembers(module, inspect.isfunction):
        if not name.startswith("test_") or "check(" not in inspect.getsource(test):
            continue
        for arguments in parameters(test):
            if set(inspect.signature(test).parameters) - {*arguments, "tmp_path"}:
                continue
            if "tmp_path" in inspect.signature(test).parameters:
                arguments["tmp_path"] = Path()
            with contextlib.suppress(_Enough):
                test(**arguments)
    return found


def modules() -> Iterator[ModuleType]:
    """The modules of differential tests."""
    package = tests_of_ops.__name__
    others = {__name__, f"{package}.test_on_emulated_cores"}
    for info in pkgutil.walk_packages(tests_of_ops.__path__, f"{package}."):
        if info.name.rpartition(".")[2].startswith("test_") and info.name not in others:
            yield importlib.import_module(info.name)


def tensor_types(operator: Node) -> set[DType]:
    return {tensor.dtype for tensor in (*operator.inputs, *operator.outputs) if tensor is not None}


@pytest.fixture(scope="module")
def operators() -> dict[str, list[Node]]:
    """Operators of the differential tests by name, with their attributes."""
    found = defaultdict(list)
    with pytest.MonkeyPatch.context() as monkeypatch:
        cases = [case for module in modules() for case in cases_of(module, monkeypatch)]
    for case in cases:
        model = reader.read(case.model)
        parse_attributes(model)
        for operator in itertools.chain.from_iterable(graph.nodes for graph in model.graphs):
            found[operator.name].append(operator)
    return found


def test_declared_types_are_those_that_checks_take(
    operators: dict[str, list[Node]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check names the types that a tensor may have: one of those sets is the declared one. Where a check
    decides by pairs of types instead, the cases have all that are declared."""
    asked: list[frozenset[DType]] = []

    def record(op: Node, tensor: Tensor, allowed: Iterable[DType], role: str) -> None:
        asked.append(frozenset(allowed))

    monkeypatch.setattr(checks, "dtype", record)
    for name, op in ops.registry().items():
        asked.clear()
        for operator in operators[name]:
            with contextlib.suppress(TinyserveError):
                op.check(operator)
        used = set().union(*map(tensor_types, operators[name]))
        declared = frozenset(op.types)
        if declared:
            assert not operators[name] or declared in asked or declared <= used, f"{name} takes {set(asked)}"
        else:
            assert all(len(allowed) == 1 for allowed in asked), f"{name} has no types, takes {set(asked)}"


def test_cases_work_on_declared_types(operators: dict[str, list[Node]]) -> None:
    for name, op in ops.registry().items():
        for operator in operators[name]:
            assert not op.types or tensor_types(operator) & set(op.types), f"{name}: {tensor_types(operator)}"


def test_inputs_have_distinct_names_of_which_only_the_last_may_stand_for_several() -> None:
    for name, definition in ops.registry().items():
        for names in (definition.inputs, definition.outputs):
            bare = [one.rstrip("?*") for one in names]
            assert len(set(bare)) == len(bare) and all(map(str.isidentifier, bare)), f"{name}: {names}"
            assert not any(one.endswith("*") for one in names[:-1]), f"{name}: {names}"


def test_code_asks_for_inputs_by_names_that_operators_have() -> None:
    """A name that is misspelt would be a KeyError when the line first runs."""
    known = {one.rstrip("?*") for definition in ops.registry().values() for one in definition.inputs}
    for file in sorted((CHECKOUT / "tinyserve" / "compiler").rglob("*.py")):
        for call in ast.walk(ast.parse(file.read_text())):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.args:
                asked = call.args[0]
                if call.func.attr in ("input", "optional") and isinstance(asked, ast.Constant):
                    assert asked.value in known, f"{file}:{call.lineno} asks for {asked.value}"


def test_the_cases_have_as_many_inputs_and_outputs_as_declared(operators: dict[str, list[Node]]) -> None:
    for name, definition in ops.registry().items():
        for operator in operators[name]:
            assert operator.signature == definition.signature
            checks.operands(operator)


def test_every_operator_that_tflm_has_too_has_differential_cases(
    operators: dict[str, list[Node]],
) -> None:
    comparable = ops.registry().keys() & (METHODS.keys() | CUSTOM_METHODS.keys())
    assert comparable <= operators.keys()
