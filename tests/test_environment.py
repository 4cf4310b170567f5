# SPDX-License-Identifier: Apache-2.0
"""What a run uses is in its arguments: the package reads its environment and never writes it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import tinyserve

_WRITERS = {"update", "setdefault", "pop", "popitem", "clear", "putenv", "unsetenv", "__setitem__"}


def writes(source: str) -> Iterator[int]:
    """Lines that change the environment of the process."""
    for node in ast.walk(ast.parse(source)):
        written = isinstance(node, ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load)
        if written and _is_environ(node.value if isinstance(node, ast.Subscript) else node):
            yield node.lineno
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _WRITERS:
            owner = node.func.value
            if _is_environ(owner) or (isinstance(owner, ast.Name) and owner.id == "os"):
                yield node.lineno


def _is_environ(node: ast.expr) -> bool:
    return (isinstance(node, ast.Attribute) and node.attr == "environ") or (
        isinstance(node, ast.Name) and node.id == "environ"
    )


@pytest.mark.parametrize(
    "text",
    [
        "os.environ['A'] = 'b'",
        "del os.environ['A']",
        "environ['A'] += 'b'",
        "os.environ |= {'A': 'b'}",
        "os.environ.update(A='b')",
        "os.putenv('A', 'b')",
        "os.environ.setdefault('A', 'b')",
        "os.environ = {}",
    ],
)
def test_every_way_of_writing_is_seen(text: str) -> None:
    assert [*writes(text)]
    assert not [*writes("os.environ.get('A'); child = {**os.environ, 'A': 'b'}; os.environ['A']")]


def test_nothing_in_the_package_writes_its_environment() -> None:
    root = Path(tinyserve.__file__).parent
    found = [f"{path}:{line}" for path in root.rglob("*.py") for line in writes(path.read_text())]
    assert not found
