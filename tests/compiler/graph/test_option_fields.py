# SPDX-License-Identifier: Apache-2.0
"""The names of options' fields are those of the TFLite schema, slot by slot."""

from __future__ import annotations

import inspect
import re

import pytest
from ai_edge_litert import schema_py_generated as generated

from tests.support.places import CHECKOUT
from tinyserve.compiler.graph import schema
from tinyserve.compiler.graph.option_fields import FIELDS

_TABLES = {code: name for name, code in vars(generated.BuiltinOptions).items() if not name.startswith("_")}


def slots(table: str) -> dict[str, int]:
    """The fields of an options table in LiteRT's reader, and their slots."""
    found = {}
    for name, method in inspect.getmembers(getattr(generated, table), inspect.isfunction):
        offset = re.search(r"_tab\.Offset\((\d+)\)", inspect.getsource(method))
        if offset:
            found[re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()] = (int(offset[1]) - 4) // 2
    return found


@pytest.mark.parametrize("operator", FIELDS)
def test_each_field_has_the_slot_of_the_schema(operator: str) -> None:
    known = slots(_TABLES[schema.OPTIONS_TYPES[operator]])
    for slot, field in enumerate(FIELDS[operator]):
        assert known.get(field, slot) == slot, f"{field} is in slot {known[field]}"
        # LiteRT's reader leaves out what the schema calls deprecated.
        assert field in known or field.startswith("new_")


def test_every_field_that_is_read_has_a_name() -> None:
    known = {field for fields in FIELDS.values() for field in fields}
    asked = set()
    for file in (CHECKOUT / "tinyserve").rglob("*.py"):
        asked |= set(
            re.findall(r"options\.(?:boolean|int8|int32|float32|string)\(\"(\w+)\"", file.read_text())
        )
    assert asked and asked <= known
