# SPDX-License-Identifier: Apache-2.0
"""The protocol's lines in words."""

from __future__ import annotations

import pytest

from tinyserve.report.protocol import explain


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ("m-lap-us-1500000", "its clock: 1.500000 s"),
        ("m-[50 of 200 bytes]", "25 % of the input is loaded"),
        ("m-results-[0.001,0.998,0.001]", "class 1 of 3 is the largest: 0.998"),
        ("m-results-[0.5]", "the output"),
        ("m-results-[]", "the output"),
        ("e-[unknown command]", "the device refused the command"),
        ("e-[fault pc=0x100 lr=0x200]", "the firmware crashed: this is a bug in it or its kernels"),
        ("ts-info-[engine=aot]", ""),
        ("Hello from another program", ""),
        ("", ""),
    ],
)
def test_lines_have_their_meaning(line: str, meaning: str) -> None:
    assert explain(line) == meaning
