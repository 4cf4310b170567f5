# SPDX-License-Identifier: Apache-2.0
"""The C compiler that compiled models are built with, on each system."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.graphs.random_graph import random_graph
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host import build as builds
from tinyserve.errors import ToolError
from tinyserve.platforms.base import Platform
from tinyserve.platforms.darwin import Darwin
from tinyserve.platforms.posix import Posix
from tinyserve.platforms.windows import Windows

ZIG = (sys.executable, "-m", "ziglang", "cc")


@pytest.mark.parametrize(
    ("system", "first"),
    [(Posix(), ("/bin/clang",)), (Darwin(), ("/bin/clang",)), (Windows(), ZIG)],
    ids=["posix", "darwin", "windows"],
)
def test_zig_is_first_where_others_lack_a_c_library(
    monkeypatch: pytest.MonkeyPatch, system: Platform, first: tuple[str, ...]
) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(builds.platforms, "here", lambda: system)
    monkeypatch.setattr(builds.shutil, "which", {"clang": "/bin/clang"}.get)
    assert builds.find_compiler() == first
    assert builds.find_compiler(sanitize=True) == ("/bin/clang",), "zig has no sanitizers"
    monkeypatch.setattr(builds.importlib.util, "find_spec", lambda name: None)
    assert builds.find_compiler() == ("/bin/clang",)
    monkeypatch.setattr(builds.shutil, "which", lambda name: None)
    with pytest.raises(ToolError, match="no C compiler found") as caught:
        builds.find_compiler()
    assert system.installs["cc"] in caught.value.hint


def test_cc_may_have_options_and_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "'/opt/my gcc/bin/gcc' -m64")
    assert builds.find_compiler() == ("/opt/my gcc/bin/gcc", "-m64")
    monkeypatch.setenv("CC", "gcc 'open")
    with pytest.raises(ToolError, match="CC=gcc 'open: No closing quotation"):
        builds.find_compiler()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "magic"),
    [("x86_64-windows-gnu", b"MZ"), ("aarch64-macos", b"\xcf\xfa\xed\xfe")],
    ids=["windows", "darwin"],
)
def test_the_library_of_a_model_links_for_systems_that_are_not_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, magic: bytes
) -> None:
    """With all that the host's glue exports; zig has both systems' C libraries."""
    pytest.importorskip("ziglang")
    monkeypatch.setenv("TINYSERVE_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)  # zig leaves an empty a.o where it is asked for its version
    monkeypatch.setenv("CC", f"'{sys.executable}' -m ziglang cc -target {target}")
    library = builds.build(compile_model(random_graph(1).case.model, name="cross")).read_bytes()
    assert library.startswith(magic)
    for name in ("ts_host_batch", "ts_host_layer", "ts_host_arena", "ts_host_reset"):
        assert name.encode() in library
