# SPDX-License-Identifier: Apache-2.0
"""Documents from outside raise what their readers expect, whatever they hold; nothing else decodes them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

import tinyserve
from tinyserve.bench import result
from tinyserve.bench.judge import budget
from tinyserve.boards import catalog
from tinyserve.bundle import MANIFEST_FILE
from tinyserve.bundle import load as load_bundle
from tinyserve.documents import from_json, from_toml
from tinyserve.errors import TinyserveError
from tinyserve.features import spec as features
from tinyserve.health import profile
from tinyserve.pipeline import spec as pipelines
from tinyserve.report.health import files as health
from tinyserve.serve import config as fleet
from tinyserve.slots.fleet import config as devices

ROOT = Path(tinyserve.__file__).parent
DEEP = 100_000


class Named(msgspec.Struct):
    name: str


@pytest.mark.parametrize("raw", [b"", b"{", b'{"name": "\xff"}', b'{"other": ' + b"[" * DEEP, b'{"name": 1}'])
def test_json_raises_one_kind_of_error(raw: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        from_json(raw, Named)


@pytest.mark.parametrize("raw", [b"a", b'a = "\xff"', b"a = " + b"[" * DEEP])
def test_toml_raises_one_kind_of_error(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_toml(raw)


@pytest.mark.parametrize("raw", [b'{"schema": 1, "name": "\xff"}', b'{"other": ' + b"[" * DEEP])
@pytest.mark.parametrize(
    ("name", "load"),
    [
        ("result.json", result.load),
        (MANIFEST_FILE, lambda path: load_bundle(path.parent)),
        (profile.PROFILE_FILE, lambda path: profile.load(path.parent)),
        ("features.json", features.load),
        ("health.json", health.read_json),
    ],
)
def test_files_of_json_are_read_with_errors_of_ours(name: str, load: Any, raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(raw)
    with pytest.raises(TinyserveError, match=re.escape(name)):
        load(path)


@pytest.mark.parametrize("raw", [b'a = "\xff"', b"a = " + b"[" * DEEP])
@pytest.mark.parametrize(
    "load", [budget.load, catalog.load_file, features.load, pipelines.load, fleet.load, devices.load]
)
def test_files_of_toml_are_read_with_errors_of_ours(load: Any, raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "some.toml"
    path.write_bytes(raw)
    with pytest.raises(TinyserveError, match=r"some\.toml"):
        load(path)


def test_nothing_else_decodes_them() -> None:
    """But for JSON that tinyserve itself has written into a database, a pipe or its package, and what goes
    over HTTP with decoders that are made once."""
    own = {
        "documents.py",
        "convert/worker/messages.py",
        "firmware/platformio/packages.py",
        "firmware/platformio/platform.py",
        "predict/sinks/database.py",
    }
    found = {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.rglob("*.py")
        if re.search(r"json\.decode\(|tomllib|\btomli\b", path.read_text(encoding="utf-8"))
    }
    assert found == own
