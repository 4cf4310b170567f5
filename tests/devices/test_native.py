"""The C monitor is built once, and what stands in its way is said."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tinyserve.devices import native
from tinyserve.errors import ToolError


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TINYSERVE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("number", range(len(native._compilers())))
def test_every_compiler_that_is_there_builds_it(tmp_path: Path, number: int) -> None:
    compiler = native._compilers()[number]
    output = tmp_path / "monitor.so"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "_compilers", lambda: [compiler])
        native._compile(output)
    assert output.stat().st_size > 0


def test_it_is_built_once_and_nothing_else_is_left(cache: Path) -> None:
    first = native._built()
    made = first.stat().st_mtime_ns
    assert native._built() == first
    assert first.stat().st_mtime_ns == made
    assert list(cache.iterdir()) == [first]


def test_it_compiles_without_warnings(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "_FLAGS", (*native._FLAGS, "-Wall", "-Wextra", "-Wconversion", "-Werror"))
        native._compile(tmp_path / "monitor.so")


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TINYSERVE_CACHE", str(tmp_path / "file"))
    with pytest.raises(ToolError, match="TINYSERVE_CACHE"):
        native._built()


def test_compilers_that_fail_are_all_named(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        native, "_compilers", lambda: [[sys.executable, "-c", "raise SystemExit('boom')"], ["/no/such/cc"]]
    )
    with pytest.raises(ToolError, match=r"boom.*/no/such/cc") as caught:
        native._built()
    assert caught.match("pip install ziglang")
    assert list(cache.iterdir()) == []


def test_no_compiler_at_all(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "_compilers", list)
    with pytest.raises(ToolError, match="no C compiler found"):
        native._built()
