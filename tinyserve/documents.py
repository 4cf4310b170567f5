# SPDX-License-Identifier: Apache-2.0
"""JSON and TOML from outside, whose decoders raise more than their own errors: for bytes that are no UTF-8,
and for what is nested too deep."""

from __future__ import annotations

import sys
from typing import Any, TypeVar

import msgspec

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

T = TypeVar("T")
_TOO_DEEP = "it is nested too deep"


def from_json(raw: bytes | str, kind: type[T]) -> T:
    """JSON as ``kind``. Raises msgspec.DecodeError, whatever is wrong with it."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError("it is no UTF-8 text") from error
    except RecursionError as error:
        raise msgspec.DecodeError(_TOO_DEEP) from error


def from_toml(raw: bytes | str) -> dict[str, Any]:
    """The tables of a TOML document. Raises ValueError, whatever is wrong with it: UnicodeDecodeError for
    bytes that are no UTF-8."""
    try:
        return tomllib.loads(raw if isinstance(raw, str) else raw.decode())
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error
