# SPDX-License-Identifier: Apache-2.0
"""What an operator from outside may count on: the page's table is the contract."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

from tests.support.places import CHECKOUT, KERNELS

PAGE = (CHECKOUT / "docs" / "guide" / "custom-operators.md").read_text(encoding="utf-8")
OPERATORS = CHECKOUT / "examples" / "custom_op" / "ops"


def _contract() -> dict[str, set[str]]:
    rows = re.findall(r"^\| `(tinyserve\.[\w.]+)` \| (.+) \|$", PAGE, re.MULTILINE)
    return {module: set(re.findall(r"`(\w+)`", names)) for module, names in rows}


def _imported(path: Path) -> set[tuple[str, str]]:
    """Module and name of all that a file takes from the package; of an imported module, what it uses."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found, modules = set(), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tinyserve"):
            for name in node.names:
                whole = f"{node.module}.{name.name}"
                if whole in _contract():
                    modules[name.asname or name.name] = whole
                else:
                    found.add((str(node.module), name.name))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            found.add((modules[node.value.id], node.attr))
    return found


def test_every_name_of_the_contract_exists() -> None:
    contract = _contract()
    assert len(contract) > 8
    missing = [
        (module, name)
        for module, names in contract.items()
        for name in names
        if not hasattr(importlib.import_module(module), name)
    ]
    assert not missing


def test_the_example_takes_nothing_beyond_the_contract() -> None:
    contract = _contract()
    imported = {one for path in OPERATORS.glob("*.py") for one in _imported(path)}
    assert len(imported) > 8
    assert not [(module, name) for module, name in imported if name not in contract.get(module, ())]


def test_the_headers_of_the_contract_have_what_the_page_names() -> None:
    named = re.findall(r"`(common/\w+\.h)` \(([^)]*)\)", PAGE)
    assert len(named) >= 3
    for header, names in named:
        text = (KERNELS / header).read_text()
        assert not [name for name in re.findall(r"`(ts_\w+)`", names) if not re.search(rf"\b{name}\b", text)]
