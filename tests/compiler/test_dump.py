# SPDX-License-Identifier: Apache-2.0
"""The dumps say what each stage made of the model."""

from __future__ import annotations

import re

import pytest

from tests.compiler.host.test_model import add_model
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.dump import STAGES, dump
from tinyserve.errors import UsageError


def test_the_graph_names_operators_shapes_and_quantization() -> None:
    text = dump(compile_model(add_model()), "graph")
    assert re.search(r"^0 +ADD +a int8\[1x4\], b int8\[1x4\] +sum int8\[1x4\] +0", text, re.MULTILINE)
    assert "input   b: int8[1x4], scale 0.25, zero point -5" in text


def test_the_program_names_kernels_and_buffers() -> None:
    text = dump(compile_model(add_model()), "program")
    assert re.search(r"^0 +sum +ADD +ts_add_s8 +portable \(.*\) +a b +sum ", text, re.MULTILINE)


def test_the_memory_is_drawn_to_scale() -> None:
    compiled = compile_model(add_model(36))
    text = dump(compiled, "memory")
    assert f"arena: {compiled.plan.arena_bytes} bytes" in text
    (row,) = re.findall(r"\* +0 sum \|(.*)\| +72$", text, re.MULTILINE)
    # The sum lies over one of its inputs; the other is as long.
    assert {row.count(letter) for letter in set(row)} == {36}


def test_the_c_is_the_generated_model() -> None:
    compiled = compile_model(add_model(), name="kws")
    assert dump(compiled, "c") == str(compiled.sources.files["kws.c"]).rstrip()


def test_every_stage_has_a_dump_and_no_other() -> None:
    compiled = compile_model(add_model())
    assert all(dump(compiled, stage) for stage in STAGES)
    with pytest.raises(UsageError, match="memory"):
        dump(compiled, "flash")
