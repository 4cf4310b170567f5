# SPDX-License-Identifier: Apache-2.0
"""GCCs of other versions than the one at hand: what is passed to them, and what is said of old ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tinyserve import boards
from tinyserve.boards import catalog
from tinyserve.boards.types import Core
from tinyserve.errors import ToolError
from tinyserve.firmware import build, toolchain
from tinyserve.firmware.toolchain import gcc_flags, toolchain_for
from tinyserve.platforms.base import Platform
from tinyserve.platforms.darwin import Darwin
from tinyserve.platforms.posix import Posix
from tinyserve.platforms.windows import Windows

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the stand-ins are shell scripts")

GCC = """#!/bin/sh
case "$*" in
  --version) echo "arm-none-eabi-gcc (Arm GNU Toolchain) {version}" ;;
  -dumpfullversion) echo {version} ;;
  -Wl,--help) echo "  --gc-sections  Remove unused sections"; {help} ;;
  *cortex-m85*) [ {m85} = 1 ] || {{ echo "gcc: error: unrecognized -mcpu target: m85" >&2; exit 1; }} ;;
  *stdint.h*) [ {headers} = 1 ] || {{ echo "fatal error: stdint.h: No such file" >&2; exit 1; }} ;;
esac
"""
NEW_LINKER = 'echo "  --warn-rwx-segments  --no-warn-rwx-segments"'


def gcc(
    directory: Path, monkeypatch: pytest.MonkeyPatch, version: str, linker: str = ":", *, m85: int = 1,
    headers: int = 1,
) -> None:  # fmt: skip
    directory.mkdir()
    path = directory / "arm-none-eabi-gcc"
    path.write_text(GCC.format(version=version, help=linker, m85=m85, headers=headers), encoding="utf-8")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}/usr/bin{os.pathsep}/bin")


@pytest.mark.parametrize(
    ("version", "linker", "quiet"), [("10.3.1", ":", False), ("14.2.1", NEW_LINKER, True)]
)
def test_a_linker_gets_no_option_that_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, linker: str, quiet: bool
) -> None:
    gcc(tmp_path / "bin", monkeypatch, version, linker)
    made = toolchain_for(boards.load("cortex-m4").core, "gcc")
    assert ("-Wl,--no-warn-rwx-segments" in made.link_flags) == quiet
    assert version in made.identity, "results of another compiler are other results"


def test_a_compiler_that_lacks_the_core_is_named_with_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gcc(tmp_path / "bin", monkeypatch, "10.3.1", m85=0)
    assert toolchain_for(boards.load("cortex-m4").core, "gcc")
    core = next(board.core for board in boards.all_boards() if board.core.name == "cortex-m85")
    with pytest.raises(
        ToolError, match=r"gcc 10\.3\.1 can't compile for cortex-m85.*unrecognized -mcpu"
    ) as caught:
        toolchain_for(core, "gcc")
    assert "--toolchain zig" in caught.value.hint


def test_a_compiler_without_a_c_library_is_named_with_the_package_that_brings_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gcc(tmp_path / "bin", monkeypatch, "15.3.1", headers=0)
    with pytest.raises(ToolError, match=r"gcc 15\.3\.1 has no stdint\.h") as caught:
        toolchain_for(boards.load("cortex-m4").core, "gcc")
    assert "libnewlib-arm-none-eabi" in caught.value.hint


RISCV = [core for core in catalog.cores().values() if core.port == "riscv"]


@pytest.mark.parametrize("core", RISCV, ids=lambda core: core.name)
def test_gcc_for_riscv_knows_csrs_and_finds_libraries_of_32_bits(core: Core) -> None:
    """From 12 on GCC has csrr in an extension, and it has libraries for the base architectures alone."""
    flags = gcc_flags(core)
    assert "-misa-spec=2.2" in flags.target
    linked = [flag for flag in (*flags.target, *flags.link) if flag.startswith("-march=")][-1]
    assert linked in {"-march=rv32imc", "-march=rv32imac", "-march=rv32imafc"}


@pytest.mark.parametrize(
    ("said", "is_known"),
    [
        ("undefined reference to `__lshrdi3'", True),
        ("undefined reference to `__clzsi2'", True),
        ("undefined reference to `__divsf3'", True),
        ("ld.lld: undefined symbol: __aeabi_fmul", True),
        ("undefined reference to `ts_kws_invoke'", False),
        ("region `FLASH' overflowed by 16 bytes", False),
    ],
)
def test_what_a_compiler_s_own_library_has_is_linked_in_a_second_try(said: str, is_known: bool) -> None:
    assert bool(build._RUNTIME.search(said)) == is_known


CC = """#!/bin/sh
case "$*" in
  --version) echo "{banner}" ;;
  *stdint.h*) echo "fatal error: 'stdint.h' file not found" >&2; exit 1 ;;
  *) [ {c11} = 1 ] || {{ echo "error: invalid value 'c11' in '-std=c11'" >&2; exit 1; }} ;;
esac
"""


@pytest.mark.parametrize(
    ("banner", "said", "hint"),
    [
        ("clang version 2.9", "(clang 2.9) can't compile C11: error: invalid value", "clang 2.9 is older"),
        ("cc (GCC) 4.4.7", "(gcc 4.4.7) can't compile C11", "gcc 4.4.7 is older than 12.2"),
        ("Debian clang version 14.0.6", "(clang 14.0.6) has no stdint.h", "apt install"),
        ("", "(cc) can't compile C11", "apt install"),
    ],
)
def test_a_host_compiler_that_will_not_do_is_named_with_its_version(
    banner: str, said: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cc"
    path.write_text(CC.format(banner=banner, c11=int("14" in banner)), encoding="utf-8")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin")
    with pytest.raises(ToolError) as caught:
        toolchain_for(boards.load("host").core)
    assert said in caught.value.message
    assert hint in caught.value.hint


def pretend(monkeypatch: pytest.MonkeyPatch, system: Platform) -> None:
    """No compiler is asked what it is: it would be started as on that system."""
    monkeypatch.setattr(toolchain.platforms, "here", lambda: system)
    monkeypatch.setattr(toolchain, "_said", lambda path, argument="": "a version")
    monkeypatch.setattr(toolchain, "_check_host", lambda path: None)


def test_on_windows_this_computer_s_programs_are_zig_s(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ziglang")
    pretend(monkeypatch, Windows())
    made = toolchain_for(boards.load("host").core)
    assert (made.name, made.compiler[1:], made.target_flags) == ("zig", ("cc",), ())


@pytest.mark.parametrize(
    ("system", "option"),
    [(Posix(), "-Wl,--gc-sections"), (Darwin(), "-Wl,-dead_strip"), (Windows(), "-Wl,--gc-sections")],
    ids=["posix", "darwin", "windows"],
)
def test_each_system_s_linker_is_told_in_its_words_to_drop_what_is_unused(
    monkeypatch: pytest.MonkeyPatch, system: Platform, option: str
) -> None:
    pretend(monkeypatch, system)
    assert toolchain_for(boards.load("host").core).link_flags == (option, "-lm")
