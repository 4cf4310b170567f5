# SPDX-License-Identifier: Apache-2.0
"""Addresses become names and source lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.devices.conftest import BuildProbe
from tinyserve.devices.symbols import Symbols
from tinyserve.errors import FileSystemError, ToolError


@pytest.fixture(params=["cortex-m4", "rv32imc"])
def symbols(request: pytest.FixtureRequest, build_probe: BuildProbe) -> Symbols:
    firmware, _ = build_probe(request.param)
    return Symbols(firmware.elf)


def address_of(symbols: Symbols, name: str) -> int:
    return next(address for address, found, _ in symbols.functions() if found == name)


def test_an_address_within_a_function_has_its_name_and_line(symbols: Symbols) -> None:
    hang = address_of(symbols, "hang")
    assert symbols.function(hang + 2) == "hang"
    source = (Path(__file__).parent / "firmware/probe.c").read_text().splitlines()
    line = symbols.line(hang)
    assert line is not None
    file, _, number = line.partition(":")
    assert file == "probe.c"
    assert "void hang(void)" in source[int(number) - 2]  # its brace's line
    assert symbols.place(hang) == f"hang ({line})"


def test_an_address_outside_of_all_functions_has_no_name(symbols: Symbols) -> None:
    assert symbols.function(0x6000_0000) is None
    assert symbols.place(0x6000_0000) == "no known function (address 0x60000000)"


def test_a_function_without_size_reaches_to_the_next(symbols: Symbols) -> None:
    # Functions written in assembly often have no size; counts in them must not be lost.
    counts = symbols.function_counts([(address_of(symbols, "counted_loop") + 2, 5), (0x6000_0000, 2)])
    assert counts == {"counted_loop": 5, "?": 2}


def test_linker_symbols_have_values(symbols: Symbols) -> None:
    assert symbols.values["__stack_top"] - symbols.values["__stack_bottom"] == 0x2000


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileSystemError, match="cannot read the firmware"):
        Symbols(tmp_path / "none.elf")


@pytest.mark.parametrize("content", [b"", b"hello", b"\x7fELF", b"\x7fELF" + b"\xff" * 60])
def test_a_file_that_is_no_elf(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.elf"
    path.write_bytes(content)
    with pytest.raises(ToolError, match="not a firmware ELF"):
        Symbols(path)
