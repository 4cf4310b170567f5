# SPDX-License-Identifier: Apache-2.0
"""One thing has one name in all kernels, whatever the instruction set."""

from __future__ import annotations

import re

import pytest

from tests.support.places import KERNELS
from tinyserve.compiler.emit.kernel_files import collect
from tinyserve.compiler.emit.parameters import structs

_SETS = ("dsp", "fpu", "mve", "rv32m", "thumb1", "wasm")
_DEFINED = re.compile(r"^(?:static|TS_\w+)[\w *]*?\b(ts_\w+)\(", re.MULTILINE)
_OTHER_NAMES = {
    "filter_height": ("kernel_height", "kernel_h", "filter_h"),
    "stride_height": ("stride_h", "vertical_stride"),
    "pad_top": ("padding_top", "padding_height", "pad_height"),
    "activation": ("activation_min", "activation_max", "output_min", "output_max", "low", "high", "clamp"),
    "factor": ("requant_multiplier", "output_multiplier", "output_shift", "multiplier1", "shift1"),
    "output_offset": ("output_zero_point",),
    "input_channels": ("in_channels", "channels_in", "input_depth"),
    "output_channels": ("out_channels", "channels_out", "output_depth"),
    "input_row_step": ("input_row_bytes", "in_row"),
    "pixel_step": ("output_stride", "pixel_stride"),
    "narrow_sums": ("narrow",),
}
"""What a thing is called, and what it must not be called."""


def _fields() -> dict[str, set[str]]:
    """Of each struct of parameters, or within them."""
    found: dict[str, set[str]] = {}
    for header in KERNELS.rglob("*.h"):
        if not header.name.startswith("lanes"):
            texts = tuple(collect([header.relative_to(KERNELS).as_posix()]).values())
            found |= {name: set(fields) for name, fields in structs(texts).items()}
    return found


def test_no_struct_has_another_name_for_a_thing() -> None:
    fields = _fields()
    assert len(fields) > 100
    wrong = {
        name: bad
        for names in _OTHER_NAMES.values()
        for bad in names
        for name in fields
        if bad in fields[name]
    }
    assert not wrong


def test_fields_that_kernels_share_are_structs() -> None:
    """A macro of fields can be taken by no function."""
    assert not [path for path in KERNELS.rglob("*.h") if re.search(r"#define \w+_FIELDS", path.read_text())]


@pytest.mark.parametrize("instructions", _SETS)
def test_functions_of_an_instruction_set_begin_with_its_name(instructions: str) -> None:
    names = {
        name for path in (KERNELS / instructions).glob("*.h") for name in _DEFINED.findall(path.read_text())
    }
    assert names
    assert not [name for name in names if not name.startswith(f"ts_{instructions}_")]
