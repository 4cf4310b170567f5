# SPDX-License-Identifier: Apache-2.0
"""The C that runs inside emulators is built once, and what stands in its way is said."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tinyserve.devices.emulators import block_counter, monitor, shared_library
from tinyserve.errors import ToolError


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TINYSERVE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


SOURCES = [(monitor.SOURCE, ()), (block_counter.SOURCE, ("TS_QEMU_PLUGIN_API=1",))]


@pytest.mark.parametrize("number", range(len(shared_library._compilers())))
@pytest.mark.parametrize(("source", "defines"), SOURCES, ids=["monitor", "block_counter"])
def test_every_compiler_that_is_there_builds_it_without_warnings(
    cache: Path, monkeypatch: pytest.MonkeyPatch, source: Path, defines: tuple[str, ...], number: int
) -> None:
    compiler = shared_library._compilers()[number]
    strict = (*shared_library._FLAGS, "-Wall", "-Wextra", "-Wconversion", "-Werror")
    monkeypatch.setattr(shared_library, "_compilers", lambda: [compiler])
    monkeypatch.setattr(shared_library, "_FLAGS", strict)
    assert shared_library.built(source, *defines).stat().st_size > 0


def test_it_is_built_once_and_nothing_else_is_left(cache: Path) -> None:
    first = shared_library.built(monitor.SOURCE)
    made = first.stat().st_mtime_ns
    assert shared_library.built(monitor.SOURCE) == first
    assert first.stat().st_mtime_ns == made
    assert list(cache.iterdir()) == [first]


def test_other_definitions_make_another_library(cache: Path) -> None:
    paths = {shared_library.built(block_counter.SOURCE, f"TS_QEMU_PLUGIN_API={n}") for n in (1, 2)}
    assert len(paths) == 2


@pytest.fixture
def no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TINYSERVE_CACHE", str(tmp_path / "file"))


def test_without_a_cache_it_is_built_once_in_each_process(no_cache: None) -> None:
    first = shared_library.built(monitor.SOURCE)
    made = first.stat().st_mtime_ns
    assert shared_library.built(monitor.SOURCE) == first
    assert first.stat().st_mtime_ns == made


def test_where_nothing_can_be_written_the_cache_is_named(
    no_cache: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_library, "_own_directory", lambda: tmp_path / "file")
    with pytest.raises(ToolError, match="TINYSERVE_CACHE"):
        shared_library.built(monitor.SOURCE)


def test_compilers_that_fail_are_all_named(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        shared_library,
        "_compilers",
        lambda: [[sys.executable, "-c", "raise SystemExit('boom')"], ["/no/such/cc"]],
    )
    with pytest.raises(ToolError, match=r"boom.*/no/such/cc") as caught:
        shared_library.built(monitor.SOURCE)
    assert caught.match("pip install ziglang")
    assert list(cache.iterdir()) == []


def test_no_compiler_at_all(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_library, "_compilers", list)
    with pytest.raises(ToolError, match="no C compiler found"):
        shared_library.built(monitor.SOURCE)
