# SPDX-License-Identifier: Apache-2.0
"""The JSON Schema of what `bench --json` writes; docs/bench-schema.json is what this module prints."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec

from tinyserve.bench.result import SCHEMA, BenchReport

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The schema of a report, in the draft of 2020-12."""
    title = f"tinyserve bench report, schema {SCHEMA}"
    return {"$schema": DIALECT, "title": title, **_dedented(msgspec.json.schema(BenchReport))}


def _dedented(part: Any) -> Any:
    """Descriptions, which are docstrings, without the source's indentation: Python keeps it before 3.13."""
    if isinstance(part, dict):
        described = part.get("description")
        said = {"description": inspect.cleandoc(described)} if isinstance(described, str) else {}
        return {key: _dedented(value) for key, value in part.items()} | said
    return [_dedented(value) for value in part] if isinstance(part, list) else part


def encode() -> bytes:
    """The schema as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(schema()), indent=2) + b"\n"


if __name__ == "__main__":
    import sys

    sys.stdout.buffer.write(encode())
