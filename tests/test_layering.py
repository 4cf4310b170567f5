# SPDX-License-Identifier: Apache-2.0
"""Imports point down: each package knows those that stand before it in the list, and no two modules need each
other, at import time or lazily."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import tinyserve

ROOT = Path(tinyserve.__file__).parent
_LAYERS = """
    escapes errors platforms extras files documents databases npz cache progress locks programs resources
    templates tool_versions words cluster
    bundle quality
    compiler.graph compiler.names compiler.reserved compiler.events compiler.program
    compiler.ops compiler.passes compiler.variants compiler.plan compiler.bands compiler.emit
    compiler.lower compiler.choose compiler.compile compiler.together compiler.dump compiler.tflm
    compiler.host
    boards datasets health devices firmware slots features convert pipeline workflow forecast doctor
    bench serve predict report cli __main__
"""
LAYERS = _LAYERS.split()
MOST_FILES = 20


def modules() -> dict[str, Path]:
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, path: Path, known: dict[str, Path]) -> Iterator[str]:
    """The package's modules that ``path`` imports, wherever in the file: a name is a module or is in one."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            wanted = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            wanted = [alias.name for alias in node.names]
        else:
            continue
        for full in wanted:
            inside = full.removeprefix("tinyserve.")
            if not full.startswith("tinyserve.") or inside == "__version__":
                continue
            target = next((n for n in (inside, inside.rpartition(".")[0]) if n and n in known), None)
            assert target is not None, f"{name} imports {full}, which is nowhere"
            if target != name:
                yield target


def layer(module: str) -> int:
    return next(i for i, name in enumerate(LAYERS) if f"{module}.".startswith(f"{name}."))


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    known = modules()
    return {name: set(imports(name, path, known)) for name, path in known.items() if name}


def test_packages_import_only_those_below_them(graph: dict[str, set[str]]) -> None:
    packages = {"compiler"}  # holds nothing but a docstring
    up = [
        f"{name} imports {target}"
        for name, targets in graph.items()
        for target in targets
        if not {name, target} & packages and layer(target) > layer(name)
    ]
    assert not up


def test_no_two_modules_need_each_other(graph: dict[str, set[str]]) -> None:
    tuple(TopologicalSorter(graph).static_order())  # raises CycleError with the circle


def test_no_package_has_more_files_than_a_reader_takes_in() -> None:
    crowded = {
        str(folder.relative_to(ROOT)): count
        for folder in ROOT.rglob("*")
        if folder.is_dir() and (count := len(list(folder.glob("*.py")))) > MOST_FILES
    }
    assert not crowded
