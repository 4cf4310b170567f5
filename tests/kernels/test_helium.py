# SPDX-License-Identifier: Apache-2.0
"""Helium's stores of some lanes, which GCC 12 takes for stores of all of them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.places import KERNELS

_STORE = re.compile(r"\bvst\w*q_p_\w+\(")
_SCATTERED = re.compile(r"\bvst\w*_scatter_\w+_p_\w+\(")  # of unknown places: nothing before them is deleted
_TWICE = """
#include "common/helium.h"
void twice(int8_t *to, int8x16_t all, int8x16_t some, uint32_t count);
void twice(int8_t *to, int8x16_t all, int8x16_t some, uint32_t count)
{
    vstrbq_s8(to, all);
    TS_STORE_LANES(vstrbq_p_s8, to, some, vctp8q(count));
}
"""


def test_kernels_store_lanes_by_the_macro_alone() -> None:
    texts = {path: path.read_text() for path in KERNELS.rglob("*.h") if path.name != "helium.h"}
    assert sum("TS_STORE_LANES(" in text for text in texts.values()) >= 8
    bare = {
        path.name: found
        for path, text in texts.items()
        if (found := [one for one in _STORE.findall(text) if not _SCATTERED.match(one)])
    }
    assert not bare


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="needs arm-none-eabi-gcc")
@pytest.mark.parametrize("level", ["-O1", "-O2", "-O3", "-Os"])
def test_what_was_stored_before_stays(level: str, tmp_path: Path) -> None:
    (tmp_path / "twice.c").write_text(_TWICE)
    command = ["arm-none-eabi-gcc", "-mcpu=cortex-m55", "-mfloat-abi=hard", level, f"-I{KERNELS}", "-S"]
    subprocess.run([*command, "twice.c", "-o", "twice.s"], cwd=tmp_path, check=True, timeout=60)
    text = (tmp_path / "twice.s").read_text()
    assert len(re.findall(r"\bvstrb\.8\b", text)) == 1
    assert len(re.findall(r"\bvstrbt\.8\b", text)) == 1
