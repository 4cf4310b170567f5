# SPDX-License-Identifier: Apache-2.0
"""Names that others have, in whatever case a file system takes them."""

from __future__ import annotations

import pytest

from tinyserve.compiler.reserved import hidden_header, why_not


@pytest.mark.parametrize("name", ["string", "String", "TIME", "print", "Print", "FreeRTOS", "unistd"])
def test_a_header_is_hidden_by_its_name_in_any_case(name: str) -> None:
    assert f"<{name.lower()}.h>" in hidden_header(name)
    assert why_not(name) == hidden_header(name)


@pytest.mark.parametrize("name", ["con", "Nul", "COM1", "lpt9", "aux", "PRN"])
def test_windows_devices_are_no_files(name: str) -> None:
    assert "a device on Windows" in hidden_header(name)


@pytest.mark.parametrize(("name", "owner"), [("app", "Zephyr"), ("fatfs", "ESP-IDF"), ("crypto", "Node.js")])
def test_a_target_of_a_build_system_is_no_library(name: str, owner: str) -> None:
    assert hidden_header(name) == ""
    assert why_not(name) == f"{owner} keeps that name for itself"


@pytest.mark.parametrize("name", ["kws", "strings_model", "com0", "com10", "consoles", "timer_"])
def test_other_names_are_one_s_own(name: str) -> None:
    assert why_not(name) == ""
